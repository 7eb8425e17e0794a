//! Coroutines that belong to no scope: a block, and who is told how it has ended.
//!
//! What everything else is built from in Kotlin is here built from the rest: a raw coroutine is one of the global scope. It
//! starts in place as an undispatched one, and goes on in place as an unconfined one, unless its context names a
//! dispatcher, which then has it.
//!
//! The block and its completion travel together ([`Pending`]). Wherever they end up, be it in the queue of a dispatcher that
//! is closed or in a handle that is dropped, the completion is called once.

use std::fmt;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::context::{CoroutineContext, Dispatcher};
use crate::dispatchers::Dispatchers;
use crate::error::{Error, Result};
use crate::scope::builder::CoroutineStart;
use crate::scope::launch::{self, Order};
use crate::scope::local;
use crate::scope::owned::GlobalScope;
use crate::scope::scope::Scope;
use crate::scope::verdict;
use crate::task::{current, report};

/// Starts a coroutine that belongs to no scope: it runs `block` in the calling thread up to its first suspension, and
/// `completion` is told how it has ended. Kotlin's `startCoroutine`.
///
/// It is for those who build something of their own out of continuations. What it starts is waited for by nobody: see
/// [`Scope::launch`](crate::Scope::launch) and [`coroutine_scope`](crate::coroutine_scope) for everything else.
///
/// If the context names a dispatcher, the coroutine is sent there instead, and goes on there each time. Without one it goes
/// on inside the call that resumes its continuation, if that is made on its own thread; one that another thread resumes goes
/// on when its own thread gets to it, since a started coroutine never changes its thread.
///
/// It starts in place on a thread that hosts coroutines: one with a loop, as that of
/// [`run_blocking`](crate::run_blocking) or an [`EventLoop`](crate::EventLoop), or a worker. On any other thread it is
/// sent to [`Dispatchers::default`](crate::Dispatchers::default), and where nothing starts in place (in a handler, in the
/// block of a suspension, while the thread panics) it waits in the queue.
///
/// The completion runs in the coroutine, as the last thing there. A panic of the block is an `Err` to it; so is it that the
/// coroutine never ran, as where its dispatcher is closed.
///
/// # Suspension
///
/// Never suspends; the block may.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use switchback::prelude::*;
/// use switchback::start_coroutine;
///
/// # fn main() -> Result<()> {
/// run_blocking(|_| {
///     let (sender, ended) = mpsc::channel();
///     let (give, given) = mpsc::channel();
///     let block = move || {
///         let n: i32 = suspend_coroutine(|continuation| give.send(continuation).unwrap())?;
///         Ok(n * 2)
///     };
///     start_coroutine(CoroutineName::new("raw"), block, move |end| sender.send(end).unwrap());
///     // It has run up to its first suspension, and goes on inside this call.
///     given.recv().unwrap().resume(21);
///     assert_eq!(ended.try_recv().unwrap()?, 42);
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn start_coroutine<T, F, C>(context: impl Into<CoroutineContext>, block: F, completion: C)
where
    F: FnOnce() -> Result<T> + Send + 'static,
    C: FnOnce(Result<T>) + Send + 'static,
    T: 'static,
{
    let pending = Pending::new(block, completion, Location::caller());
    // SAFETY: the closures are `Send`.
    unsafe { pending.start(context.into(), false, Ok(())) };
}

/// As [`start_coroutine`], for closures that are not `Send`: the coroutine starts on the calling thread, whatever the
/// dispatcher of its context is. If the context names one, it starts when the thread gets to it, and not in place.
///
/// On a thread that hosts no coroutines it cannot run at all: the completion is told so, in this very call, and must not
/// suspend there.
///
/// # Suspension
///
/// Never suspends; the block may.
#[track_caller]
pub fn start_coroutine_local<T, F, C>(context: impl Into<CoroutineContext>, block: F, completion: C)
where
    F: FnOnce() -> Result<T> + 'static,
    C: FnOnce(Result<T>) + 'static,
    T: 'static,
{
    let pending = Pending::new(block, completion, Location::caller());
    // SAFETY: it stays on this thread.
    unsafe { pending.start(context.into(), true, Ok(())) };
}

/// Makes a coroutine as [`start_coroutine`] does, which runs only when its handle is resumed. Kotlin's `createCoroutine`.
///
/// # Suspension
///
/// Never suspends.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use switchback::create_coroutine;
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// run_blocking(|_| {
///     let (sender, ended) = mpsc::channel();
///     let tell = move |end| sender.send(end).unwrap();
///     let created = create_coroutine(CoroutineContext::empty(), || Ok(4), tell.clone());
///     created.resume();
///     assert_eq!(ended.try_recv().unwrap()?, 4);
///
///     // It fails before it runs.
///     let refused = create_coroutine(CoroutineContext::empty(), || Ok(5), tell.clone());
///     refused.resume_with_error(Error::msg("refused"));
///     assert_eq!(ended.try_recv().unwrap().unwrap_err().to_string(), "refused");
///
///     // Nothing is lost in silence.
///     drop(create_coroutine(CoroutineContext::empty(), || Ok(6), tell));
///     assert!(ended.try_recv().unwrap().is_err());
///     Ok(())
/// })
/// # }
/// ```
#[track_caller]
pub fn create_coroutine<T, F, C>(
    context: impl Into<CoroutineContext>,
    block: F,
    completion: C,
) -> CreatedCoroutine
where
    F: FnOnce() -> Result<T> + Send + 'static,
    C: FnOnce(Result<T>) + Send + 'static,
    T: 'static,
{
    let pending = Pending::new(block, completion, Location::caller());
    let context = context.into();
    // SAFETY: the closures are `Send`.
    CreatedCoroutine::new(move |first| unsafe { pending.start(context, false, first) })
}

/// As [`create_coroutine`], for closures that are not `Send`, as [`start_coroutine_local`] starts them: on the thread that
/// has created it.
///
/// # Suspension
///
/// Never suspends.
#[track_caller]
pub fn create_coroutine_local<T, F, C>(
    context: impl Into<CoroutineContext>,
    block: F,
    completion: C,
) -> CreatedCoroutine
where
    F: FnOnce() -> Result<T> + 'static,
    C: FnOnce(Result<T>) + 'static,
    T: 'static,
{
    let pending = Pending::new(block, completion, Location::caller());
    let context = context.into();
    // SAFETY: the handle is not `Send`, so this is the thread that has created it, and it stays there.
    CreatedCoroutine::new(move |first| unsafe { pending.start(context, true, first) })
}

/// A coroutine that has not run: made by [`create_coroutine`]. Resuming starts it, once.
///
/// It stays on its thread until it is resumed. Dropped without that, it tells its completion an error that names the place
/// where it was made.
#[must_use = "a coroutine that was created runs when it is resumed"]
pub struct CreatedCoroutine {
    start: Option<Start>,
    place: &'static Location<'static>,
}

/// Starts the coroutine: with an `Err` it fails before its block runs. Not `Send`, whatever it holds.
type Start = Box<dyn FnOnce(Result<()>)>;

impl CreatedCoroutine {
    #[track_caller]
    fn new(start: impl FnOnce(Result<()>) + 'static) -> Self {
        Self {
            start: Some(Box::new(start)),
            place: Location::caller(),
        }
    }

    /// Starts the coroutine, as [`start_coroutine`] does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn resume(self) {
        self.resume_with(Ok(()));
    }

    /// Has the coroutine fail before it runs: the block is dropped, and the completion told the error.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn resume_with_error(self, error: impl Into<Error>) {
        self.resume_with(Err(error.into()));
    }

    /// Starts the coroutine, or has it fail before it runs.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn resume_with(mut self, first: Result<()>) {
        self.begin(first);
    }

    fn begin(&mut self, first: Result<()>) {
        if let Some(start) = self.start.take() {
            start(first);
        }
    }
}

impl Drop for CreatedCoroutine {
    fn drop(&mut self) {
        if self.start.is_some() {
            self.begin(Err(Error::msg(format!(
                "a coroutine created at {} was dropped without being resumed",
                self.place
            ))));
        }
    }
}

impl fmt::Debug for CreatedCoroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CreatedCoroutine")
            .field("created_at", &format_args!("{}", self.place))
            .finish_non_exhaustive()
    }
}

/// A block that has not run, and who is to be told how it ends.
struct Pending<T, F, C: FnOnce(Result<T>)> {
    block: Option<F>,
    completion: Option<C>,
    place: &'static Location<'static>,
    gives: PhantomData<fn() -> T>,
}

impl<T, F, C> Pending<T, F, C>
where
    F: FnOnce() -> Result<T> + 'static,
    C: FnOnce(Result<T>) + 'static,
    T: 'static,
{
    fn new(block: F, completion: C, place: &'static Location<'static>) -> Self {
        Self {
            block: Some(block),
            completion: Some(completion),
            place,
            gives: PhantomData,
        }
    }

    /// Launches the coroutine; with an `Err` it fails before it runs.
    ///
    /// # Safety
    ///
    /// The closures are `Send`, or `local` is true.
    unsafe fn start(self, context: CoroutineContext, local: bool, first: Result<()>) {
        let mut order = Order::new(self.place).owned();
        if local {
            if !local::hosts_coroutines() {
                let refusal = Error::msg(format!(
                    "the coroutine of {} is not `Send`, and was started on a thread that hosts no coroutines: it needs a \
                     loop, as that of `run_blocking` or an `EventLoop`, or a worker",
                    self.place
                ));
                return self.end_here(first.and(Err(refusal)));
            }
            order.local = true;
        }
        let global = GlobalScope::scope();
        let context = if context.get::<Dispatcher>().is_some() {
            context
        } else {
            order = order.starting(CoroutineStart::Undispatched);
            context + Dispatchers::unconfined()
        };
        order.context = Some(global.context().merged(&context));
        let body = move |_: &Scope<'_, 'static>| {
            self.run(first);
            Ok(())
        };
        // SAFETY: the closure borrows nothing; if it is not `Send`, a local order keeps it on this thread (R1).
        drop(unsafe { launch::launch(global.job().task(), order, body) });
    }

    /// Runs the block, unless `first` is an `Err`, and tells how it has ended.
    fn run(mut self, first: Result<()>) {
        let block = self.block.take();
        let ended = match (first, block) {
            (Ok(()), Some(block)) => verdict::thrown(catch_unwind(AssertUnwindSafe(block)))
                .unwrap_or_else(|panic| Err(Error::panicked(panic))),
            (Err(error), block) => {
                drop(block);
                Err(error)
            }
            (Ok(()), None) => return,
        };
        if let Some(completion) = self.completion.take() {
            completion(ended);
        }
    }

    /// Tells the completion in the caller's frame, which is no coroutine's.
    fn end_here(self, first: Result<()>) {
        if let Err(panic) = current::closed(move || self.run(first)) {
            report::handler_panicked("the completion of a coroutine that never ran", panic);
        }
    }
}

impl<T, F, C: FnOnce(Result<T>)> Drop for Pending<T, F, C> {
    /// It never ran: its dispatcher has given it back, or it was cancelled before, or there was no stack for it.
    fn drop(&mut self) {
        let Some(completion) = self.completion.take() else {
            return;
        };
        let block = self.block.take();
        let dropped = current::closed(move || drop(block));
        let error = Error::msg(format!(
            "the coroutine of {} never ran: it was cancelled before, or its dispatcher takes no more, or there was no \
             memory for its stack",
            self.place
        ));
        let told = current::closed(move || completion(Err(error)));
        for panic in [dropped, told].into_iter().filter_map(|ended| ended.err()) {
            report::handler_panicked("what belongs to a coroutine that never ran", panic);
        }
    }
}
