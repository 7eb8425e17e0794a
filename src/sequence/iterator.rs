//! One run of a sequence's block, as an iterator.

use std::any::Any;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::{Location, resume_unwind};
use std::ptr::NonNull;

use crate::coroutine::Header;
use crate::error::{Error, Result};
use crate::scheduler::thread;
use crate::sequence::block::{Block, Run};
use crate::stack::StackSize;
use crate::task::{current, report};

/// The elements of one run of a [`Sequence`](crate::Sequence), or of an [`iterator`](crate::iterator()).
///
/// It stays on its thread, but may be used by one coroutine there and then by another, and kept while they suspend. After
/// the end it gives `None` for ever. [`peekable`](Iterator::peekable) makes of it what Kotlin's `hasNext` is: peeking
/// runs the block up to its next element once.
///
/// # Failure
///
/// If the block ends with an `Err`, [`results`](SequenceIterator::results) gives it as the last element. Without that,
/// `next` throws it, as in Kotlin: it unwinds from there up to the innermost scope function or coroutine, which ends with
/// this very error, as if `?` had carried it; no panic is reported, and [`catch_unwind`](std::panic::catch_unwind) finds the
/// [`Error`]. Where there is no scope around, `next` panics with the error as its message. A program built with `panic =
/// "abort"` ends there; only a cancellation then ends the elements instead, since the next suspending call returns it
/// again.
///
/// A panic of the block goes on in `next`. If there is no memory for the block's stack, that is a failure.
///
/// # Dropping
///
/// Dropped half way, it runs the block to its end: `yield_` returns a cancellation, `?` carries it out, destructors run. An
/// `Err` of the block that is no cancellation goes to the [message hook](crate::set_message_hook) then, and so does a
/// panic where the thread is panicking already. A block that goes on yielding all the same keeps the drop waiting, and is
/// named there. One that was forgotten never goes on, and its stack is never used again.
pub struct SequenceIterator<T: 'static> {
    run: NonNull<Run<T>>,
}

impl<T: 'static> SequenceIterator<T> {
    pub(super) fn new(
        block: Block<T>,
        place: &'static Location<'static>,
        stack: StackSize,
    ) -> Self {
        let run = Box::new(Run::new(block, place, stack));
        Self {
            run: NonNull::from(Box::leak(run)),
        }
    }

    #[inline(always)]
    fn run(&self) -> &Run<T> {
        // SAFETY: freed by `drop` alone.
        unsafe { self.run.as_ref() }
    }

    /// The same iterator, whose block gets a stack of at least so many bytes if it has not begun. 256 KiB by default, 64 KiB
    /// the least.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn stack_size(self, bytes: usize) -> Self {
        self.run().set_stack_size(StackSize::new(bytes));
        self
    }

    /// The elements as `Ok`, and a failure of the block as the last, an `Err`.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let numbers = |text: &'static str| {
    ///     iterator(move |y| {
    ///         for word in text.split(' ') {
    ///             y.yield_(word.parse::<i32>()?)?;
    ///         }
    ///         Ok(())
    ///     })
    ///     .results()
    /// };
    /// assert_eq!(numbers("1 2").collect::<Result<Vec<_>>>().unwrap(), [1, 2]);
    /// let mut broken = numbers("3 x 4");
    /// assert_eq!(broken.next().unwrap().unwrap(), 3);
    /// assert_eq!(broken.next().unwrap().unwrap_err().to_string(), "invalid digit found in string");
    /// assert!(broken.next().is_none());
    /// ```
    #[must_use]
    pub fn results(self) -> SequenceResults<T> {
        SequenceResults(self)
    }

    /// The next element, or how the block has failed.
    #[inline(always)]
    fn advance(&mut self) -> Result<Option<T>> {
        let header = match self.run().scope.header() {
            Some(header) => header,
            None => match self.begin()? {
                Some(header) => header,
                None => return Ok(None),
            },
        };
        if self.run().runs() {
            return Ok(None);
        }
        // SAFETY: the header of this run's stack, on which the block stands still.
        if unsafe { self.run().resume(header) } {
            return self.end(header);
        }
        // SAFETY: it has yielded an element just now.
        Ok(Some(unsafe { self.run().scope.take() }))
    }

    #[cold]
    #[inline(never)]
    fn begin(&mut self) -> Result<Option<NonNull<Header>>> {
        // SAFETY: the run is freed by `drop`, which sees to it that the block has ended.
        unsafe { Run::begin(self.run) }.map_err(Error::new)
    }

    #[cold]
    #[inline(never)]
    fn end(&mut self, header: NonNull<Header>) -> Result<Option<T>> {
        // SAFETY: it has just ended.
        match unsafe { self.run().end(header) } {
            Ok(Ok(())) => Ok(None),
            Ok(Err(error)) => Err(error),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Runs a block that stands still to its end, and gives its panic.
    #[cold]
    #[inline(never)]
    fn abandon(&mut self, header: NonNull<Header>) -> Option<Box<dyn Any + Send>> {
        let run = self.run();
        // SAFETY: as in `advance`.
        if !unsafe { run.run_to_end(header) } {
            // It cannot be: `yield_` returns at once.
            report::tell(format_args!("a block that was abandoned has yielded"));
            std::process::abort();
        }
        // SAFETY: it has just ended.
        match unsafe { run.end(header) } {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                let place = run.place();
                if !error.is_cancelled() {
                    report::tell(format_args!(
                        "the block of a sequence made at {place} failed after its iterator was dropped: {error:?}"
                    ));
                }
                current::closed(move || drop(error)).err()
            }
            Err(panic) => Some(panic),
        }
    }
}

impl<T: 'static> Iterator for SequenceIterator<T> {
    type Item = T;

    #[inline(always)]
    #[track_caller]
    fn next(&mut self) -> Option<T> {
        match self.advance() {
            Ok(item) => item,
            Err(error) => throw(error),
        }
    }
}

impl<T: 'static> FusedIterator for SequenceIterator<T> {}

/// Carries an error up to the innermost scope, past frames that cannot return it.
#[cold]
#[track_caller]
fn throw<T>(error: Error) -> Option<T> {
    let in_scope = thread::here_if_settled().is_some_and(|here| here.job().is_some());
    if cfg!(panic = "unwind") && in_scope {
        resume_unwind(Box::new(error));
    }
    if in_scope && error.is_cancelled() {
        return None;
    }
    panic!("the block of a sequence has failed: {error:#}")
}

impl<T: 'static> Drop for SequenceIterator<T> {
    #[inline]
    fn drop(&mut self) {
        if self.run().runs() {
            // Nothing of it goes on, and its stack stays.
            return;
        }
        let panic = match self.run().scope.header() {
            Some(header) => self.abandon(header),
            None => None,
        };
        // SAFETY: leaked by `new`; the block has ended or never begun, so nobody else knows it.
        drop(unsafe { Box::from_raw(self.run.as_ptr()) });
        if let Some(panic) = panic {
            go_on(panic);
        }
    }
}

/// A panic that was met in a destructor goes on, unless that would end the process.
#[cold]
fn go_on(panic: Box<dyn Any + Send>) {
    if std::thread::panicking() {
        report::handler_panicked("the block of a sequence that was dropped", panic);
    } else {
        resume_unwind(panic);
    }
}

impl<T: 'static> fmt::Debug for SequenceIterator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match (self.run().scope.header(), self.run().is_new()) {
            (Some(_), _) => "begun",
            (None, true) => "new",
            (None, false) => "ended",
        };
        f.debug_struct("SequenceIterator")
            .field("made_at", &format_args!("{}", self.run().place()))
            .field("state", &state)
            .finish()
    }
}

/// The elements of a sequence and, at its end, its failure: made by [`SequenceIterator::results`].
#[derive(Debug)]
pub struct SequenceResults<T: 'static>(SequenceIterator<T>);

impl<T: 'static> Iterator for SequenceResults<T> {
    type Item = Result<T>;

    #[inline(always)]
    fn next(&mut self) -> Option<Result<T>> {
        self.0.advance().transpose()
    }
}

impl<T: 'static> FusedIterator for SequenceResults<T> {}
