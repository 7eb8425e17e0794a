//! Layer 3: the one-shot handle by which a suspended coroutine is resumed.
//!
//! The states and arrows of the word that decides who may resume are in `task/word.rs`. A continuation names one
//! generation of that word, and the slot in the suspended frame that the resumer fills once it has claimed it.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::marker::PhantomData;
use std::sync::atomic::Ordering;

use crate::error::{Error, Result};
use crate::task::queue::Queue;
use crate::task::wait::Here;
use crate::task::word::{Generation, Phase, Withdrawal, Woken};
use crate::task::{CANCEL_HANDLER, CancelHandler, Task, TaskRef, current, report, waiter};

/// Where the resumer puts what it brings. It stands in the suspended frame.
#[derive(Debug)]
struct Slot<T>(UnsafeCell<Option<Result<T>>>);

/// The right to resume one suspension of one coroutine, once.
///
/// Made by [`suspend_coroutine`](crate::suspend_coroutine) and
/// [`suspend_cancellable_coroutine`](crate::suspend_cancellable_coroutine). It may be sent to any thread if `T` may; the
/// coroutine goes on in its own thread, never inside the call that resumes it. Resuming consumes it, so a second resume
/// does not compile. Dropped without being resumed, it fails its coroutine with an error that names the suspension
/// point. Resuming a coroutine that was cancelled meanwhile drops the value and does nothing.
pub struct Continuation<T> {
    task: TaskRef,
    generation: Generation,
    /// A `Slot<T>`, untyped: its cell would make the continuation invariant.
    slot: *const (),
    // Contravariant: it takes a `T`, it never gives one.
    takes: PhantomData<fn(T)>,
}

// SAFETY: resuming moves a `T` to the coroutine's thread; the slot is written only by whoever claimed the word.
unsafe impl<T: Send> Send for Continuation<T> {}
// SAFETY: through a shared reference one can only ask for the state and add a handler, which is `Send`.
unsafe impl<T: Send> Sync for Continuation<T> {}

impl<T> Continuation<T> {
    /// Resumes the coroutine with a value.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn resume(self, value: T) {
        self.resume_with(Ok(value));
    }

    /// Resumes the coroutine with an error, which its suspending call returns.
    pub fn resume_with_error(self, error: impl Into<Error>) {
        self.resume_with(Err(error.into()));
    }

    /// Resumes the coroutine with a result, which its suspending call returns.
    pub fn resume_with(self, result: Result<T>) {
        self.hand_over(result);
        // The suspension is over, one way or the other; `drop` finds nothing left to claim.
    }

    /// Whether the coroutine still waits for this continuation.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.task.word.is_waiting(self.generation)
    }

    /// Whether the wait was ended by a cancellation that the coroutine has not met yet.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.word.is_cancelled(self.generation)
    }

    fn hand_over(&self, result: Result<T>) {
        let here = current::home();
        let task: &Task = &self.task;
        let inside = here.is_some_and(|home| std::ptr::eq(home.local.current.get(), task));
        let claimed = if inside {
            task.word.claim_local(self.generation)
        } else {
            task.word.claim_value(self.generation)
        };
        if !claimed {
            return;
        }
        // SAFETY: the claim gives us the slot, which stands until the coroutine is handed back (R3).
        unsafe { *(*self.slot.cast::<Slot<T>>()).0.get() = Some(result) };
        if !inside {
            let chain = Queue::new();
            // SAFETY: claimed by us, so in no queue.
            unsafe { chain.push(task) };
            waiter::hand_back(&chain);
        }
    }

    /// Calls `handler` with the cause if the wait is ended by a cancellation: on the canceller's thread, before the
    /// coroutine itself sees it. If the wait has ended so already, calls it at once. One handler may be set; it is
    /// dropped when the coroutine is resumed.
    ///
    /// The handler must not suspend. A panic in it is reported, and nothing else.
    ///
    /// # Panics
    ///
    /// If a handler was set already.
    pub fn invoke_on_cancellation(&self, handler: impl FnOnce(&Error) + Send + 'static) {
        let task: &Task = &self.task;
        let mut handler: Option<CancelHandler> = Some(Box::new(handler));
        if self.is_active() {
            let mut earlier = None;
            let stored = task.with_extras(|extras| match &extras.cancel_handler {
                Some((generation, _)) if *generation == self.generation => false,
                _ => {
                    let new = handler.take().map(|handler| (self.generation, handler));
                    earlier = std::mem::replace(&mut extras.cancel_handler, new);
                    // ORDERING: seq-cst, before the look at the word below; the canceller claims the word, then looks for
                    // the bit.
                    task.value.fetch_or(CANCEL_HANDLER, Ordering::SeqCst);
                    true
                }
            });
            // Outside the lock: they are the user's.
            drop(earlier);
            assert!(stored, "a continuation takes one cancellation handler");
            if self.is_active() {
                return;
            }
            handler = take_handler(task, self.generation);
        }
        // Nobody has resumed it, since that consumes it: so the wait was ended by a cancellation, which the coroutine may have
        // met meanwhile. A canceller that saw the bit has called it.
        if let Some(handler) = handler {
            let cause = self.cause().unwrap_or_else(|| Error::cancelled_by(task.id));
            run_now(&cause, handler);
        }
    }

    /// What the wait was cancelled with, as far as this thread can tell: on the task's own thread the job whose body it runs
    /// stands, and is cancelled, as long as the task has not gone on.
    fn cause(&self) -> Option<Error> {
        let here = current::home()?;
        let lives_here = self
            .task
            .home()
            .is_some_and(|home| std::ptr::eq(home, here));
        if !lives_here || !self.is_cancelled() {
            return None;
        }
        // SAFETY: the task is suspended, on this very thread, which is busy here.
        let job = unsafe { self.task.current().as_ref() }?;
        Some(crate::task::cancel::cancellation_of(job))
    }
}

/// The cancellation handler of this very suspension.
fn take_handler(task: &Task, generation: Generation) -> Option<CancelHandler> {
    crate::task::cancel::take_cancel_handler(task, generation)
}

fn run_now(cause: &Error, handler: CancelHandler) {
    if let Err(panic) = current::closed(move || handler(cause)) {
        report::handler_panicked("a cancellation handler", panic);
    }
}

impl<T> Drop for Continuation<T> {
    fn drop(&mut self) {
        if self.is_active() {
            let (point, _) = self.task.point();
            let what = point.map_or_else(String::new, |point| format!(" ({point})"));
            self.hand_over(Err(Error::msg(format!(
                "a continuation was dropped without being resumed{what}"
            ))));
        }
    }
}

impl<T> fmt::Debug for Continuation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (point, _) = self.task.point();
        f.debug_struct("Continuation")
            .field("coroutine", &self.task)
            .field("waits_for", &point)
            .field("active", &self.is_active())
            .finish()
    }
}

/// Suspends the running task around `block`, which arranges the resumption. The caller has checked for cancellation and
/// has marked the suspension point.
#[track_caller]
pub(crate) fn suspend<T>(
    here: &Here,
    cancellable: bool,
    block: impl FnOnce(Continuation<T>) -> Result<()>,
) -> Result<T> {
    let generation = here.prepare()?;
    let task = here.task();
    let slot = Slot(UnsafeCell::new(None));
    let continuation = Continuation {
        task: TaskRef::new(task),
        generation,
        slot: (&raw const slot).cast(),
        takes: PhantomData,
    };
    here.publish(generation, cancellable);
    let arranged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| block(continuation)));
    if !matches!(arranged, Ok(Ok(()))) {
        give_up(here, generation);
        drop_handler(task, generation);
        match arranged {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    let woken = here.park(generation, cancellable, || ());
    match woken {
        Woken::Cancelled => Err(met_cancellation(here, generation)),
        Woken::Value => {
            drop_handler(task, generation);
            slot.0
                .into_inner()
                .expect("whoever claims with a value has stored it")
        }
    }
}

/// What the block of a suspension has failed with.
pub(crate) enum Failure {
    Error(Error),
    Panic(Box<dyn Any + Send>),
}

/// What has come of the beginning of a suspension.
pub(crate) enum Arranged {
    /// The word is published.
    Waits(Generation),
    Failed(Failure),
}

/// A suspension without a frame of its own: what [`suspend`] does, cut where it would park.
pub(crate) struct Place<T> {
    slot: Slot<T>,
    generation: Cell<Generation>,
    /// The block has failed, and somebody had claimed the word by then: it is told once he has handed the task back.
    failed: Cell<Option<Failure>>,
}

impl<T> Place<T> {
    pub(crate) fn new() -> Self {
        Self {
            slot: Slot(UnsafeCell::new(None)),
            generation: Cell::new(Generation::NONE),
            failed: Cell::new(None),
        }
    }

    /// Runs `block` with a continuation.
    ///
    /// # Safety
    ///
    /// The place stands until the task has been handed back.
    pub(crate) unsafe fn arrange(
        &self,
        here: &Here,
        block: impl FnOnce(Continuation<T>) -> std::result::Result<(), Failure>,
    ) -> Arranged {
        let generation = match here.prepare() {
            Ok(generation) => generation,
            Err(error) => return Arranged::Failed(Failure::Error(error)),
        };
        let task = here.task();
        self.generation.set(generation);
        let continuation = Continuation {
            task: TaskRef::new(task),
            generation,
            slot: (&raw const self.slot).cast(),
            takes: PhantomData,
        };
        here.publish(generation, true);
        let Err(failure) = block(continuation) else {
            return Arranged::Waits(generation);
        };
        if task.word.abandon(generation) == Withdrawal::Claimed {
            if task.word.phase() != Phase::Local {
                self.failed.set(Some(failure));
                return Arranged::Waits(generation);
            }
            let _ = task.word.settle();
        }
        drop_handler(task, generation);
        Arranged::Failed(failure)
    }

    /// The suspension is over: what it gives.
    #[track_caller]
    pub(crate) fn settle(
        &self,
        here: &Here,
        woken: Woken,
    ) -> std::result::Result<Result<T>, Failure> {
        let (task, generation) = (here.task(), self.generation.get());
        if let Some(failure) = self.failed.take() {
            drop_handler(task, generation);
            return Err(failure);
        }
        Ok(match woken {
            Woken::Cancelled => Err(met_cancellation(here, generation)),
            Woken::Value => {
                drop_handler(task, generation);
                // SAFETY: whoever has written it has handed the task back.
                unsafe { (*self.slot.0.get()).take() }
                    .expect("whoever claims with a value has stored it")
            }
        })
    }
}

/// A cancellation has ended the wait: its handler has been called when this returns.
#[track_caller]
fn met_cancellation(here: &Here, generation: Generation) -> Error {
    let (task, cause) = (here.task(), here.cancelled());
    // Whoever has claimed us has called it. It is left if we have withdrawn: the canceller looked before we published.
    if has_handler(task)
        && let Some(handler) = take_handler(task, generation)
    {
        run_now(&cause, handler);
    }
    cause
}

/// Ends a suspension whose block has failed: takes the word back, or waits for the one who has claimed it.
#[cold]
fn give_up(here: &Here, generation: Generation) {
    let task = here.task();
    if task.word.abandon(generation) == Withdrawal::Claimed {
        if task.word.phase() != Phase::Local {
            here.switch_out();
        }
        let _ = task.word.settle();
    }
}

fn has_handler(task: &Task) -> bool {
    task.value.load(Ordering::Relaxed) & CANCEL_HANDLER != 0
}

fn drop_handler(task: &Task, generation: Generation) {
    if has_handler(task) {
        let handler = take_handler(task, generation);
        if let Err(panic) = current::closed(|| drop(handler)) {
            report::handler_panicked("the destructor of a cancellation handler", panic);
        }
    }
}
