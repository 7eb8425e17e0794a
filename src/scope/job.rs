//! The handle of a job.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::Location;

use crate::error::{Error, Result};
use crate::job::state::{COMPLETED, SHIELD, STARTED};
use crate::job::{children, joiner};
use crate::scheduler::thread;
use crate::task::label::Label;
use crate::task::wait::{Here, refuse_in_closed_frames};
use crate::task::waiter::Waiter;
use crate::task::word::Woken;
use crate::task::{Task, TaskRef, cancel, start};

static JOIN: Label = Label("join");

/// The lifecycle of a coroutine, or of a scope, as others see it.
///
/// | state | `is_active` | `is_completed` | `is_cancelled` |
/// |---|---|---|---|
/// | New | false | false | false |
/// | Active, Completing (waits for its children) | true | false | false |
/// | Cancelling (cleans up) | false | false | true |
/// | Cancelled (cancelled or failed) | false | true | true |
/// | Completed | false | true | false |
///
/// A handle: it may be cloned, sent anywhere and dropped without effect on the coroutine. Two are equal if they are of the
/// same job.
#[derive(Clone)]
pub struct Job {
    task: TaskRef,
}

impl Job {
    pub(crate) fn new(task: TaskRef) -> Self {
        Self { task }
    }

    pub(crate) fn task(&self) -> &Task {
        &self.task
    }

    /// Whether the job has started, and is neither cancelled nor complete.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.task.state().is_active()
    }

    /// Whether the job was cancelled or has failed; its cleanup may still run.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.task.state().is_cancelled()
    }

    /// Whether the job and all its children have ended.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_completed(&self) -> bool {
        self.task.state().is_completed()
    }

    /// Cancels the job and everything below it. Nothing happens if it is cancelled or complete already.
    ///
    /// The coroutines meet the cancellation at their next suspending call; one that waits is woken.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel(&self) {
        cancel::cancel(&self.task, Error::cancelled_by(self.owner_id()));
    }

    /// As [`cancel`](Job::cancel), with a message that the cancelled coroutines see.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_with(&self, message: impl Into<Cow<'static, str>>) {
        self.cancel_because(Error::cancelled_with(message));
    }

    /// As [`cancel`](Job::cancel), with a cause that the cancelled coroutines see: a cancellation as it is, any other error
    /// as the cause of one. It does not make the cancellation a failure; that is
    /// [`complete_exceptionally`](crate::CompletableJob::complete_exceptionally).
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
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let job = s.launch(|_| await_cancellation());
    ///     job.cancel_because(Error::msg("the user has left"));
    ///     job.join()?;
    ///     let cancelled = job.cause().unwrap().downcast::<Cancelled>().unwrap();
    ///     assert_eq!(cancelled.cause().unwrap().to_string(), "the user has left");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn cancel_because(&self, cause: impl Into<Error>) {
        cancel::cancel(&self.task, cancellation_for(&self.task, cause.into()));
    }

    /// Returns an `Err` with the cancellation if the job is not active.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The cancellation of the job; for one that has completed or is not started, a cancellation that says so.
    pub fn ensure_active(&self) -> Result<()> {
        if self.is_active() {
            return Ok(());
        }
        Err(match cancel::outcome(&self.task) {
            Some(cause) if cause.is_cancelled() => cause,
            Some(failure) => Error::cancelled_because(self.owner_id(), None, Some(failure)),
            None if self.is_completed() => Error::cancelled_with("the job has completed"),
            None => Error::cancelled_with("the job has not been started"),
        })
    }

    fn owner_id(&self) -> u64 {
        owner_id(&self.task)
    }

    /// Starts a coroutine that was launched with [`CoroutineStart::Lazy`](crate::CoroutineStart::Lazy). True for the call
    /// that did it; false if it was started, cancelled or completed before.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::CoroutineStart;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let job = s.builder().start(CoroutineStart::Lazy).launch(|_| delay(ms(1)));
    ///     assert!(!job.is_active() && !job.is_completed());
    ///     assert!(job.start());
    ///     assert!(job.is_active());
    ///     assert!(!job.start());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn start(&self) -> bool {
        start::start(&self.task)
    }

    /// Waits until the job and all its children have ended, however they ended. Starts it if it is New.
    ///
    /// # Suspension
    ///
    /// While the job has not completed. On a plain thread it parks the thread.
    ///
    /// # Cancellation
    ///
    /// Returns an `Err` if the waiting coroutine is cancelled; the job itself is not touched by that.
    ///
    /// # Errors
    ///
    /// Only the cancellation of the one who waits.
    #[track_caller]
    pub fn join(&self) -> Result<()> {
        let here = thread::here();
        here.check()?;
        match wait_for(&here, &self.task, true, &JOIN, Location::caller())? {
            Woken::Value if !here.is_cancelled() => Ok(()),
            _ => Err(here.cancelled()),
        }
    }

    /// [`cancel`](Job::cancel), then [`join`](Job::join).
    ///
    /// # Suspension
    ///
    /// As for `join`.
    ///
    /// # Cancellation
    ///
    /// As for `join`.
    ///
    /// # Errors
    ///
    /// As for `join`.
    #[track_caller]
    pub fn cancel_and_join(&self) -> Result<()> {
        self.cancel();
        self.join()
    }

    /// The live children, in the order in which they were launched. The block of a
    /// [`non_cancellable`](crate::non_cancellable) is none of them, as in Kotlin: nothing reaches it from here. The scope of
    /// a [`coroutine_scope`](crate::coroutine_scope) and its kin is one from when it launches or waits for the first time;
    /// to its own body it is at once.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn children(&self) -> Vec<Job> {
        if let Some(here) = thread::here_if_settled() {
            here.tie();
        }
        let mut list = Vec::new();
        children::for_each(&self.task.job, |child| {
            // One that has completed is on its way out: whoever has joined it must not find it here.
            if !child.state().has(COMPLETED | SHIELD) {
                list.push(Job::new(TaskRef::new(Task::of(child))));
            }
        });
        list
    }

    /// Cancels the children and all below them, but not this job.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_children(&self) {
        for child in self.swept_children() {
            child.cancel();
        }
    }

    /// As [`cancel_children`](Job::cancel_children), with a message that they see.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_children_with(&self, message: impl Into<Cow<'static, str>>) {
        let message = message.into();
        for child in self.swept_children() {
            child.cancel_with(message.clone());
        }
    }

    /// The children, for one who cancels them: what is no child that can be found yet takes note.
    fn swept_children(&self) -> Vec<Job> {
        if let Some(here) = thread::here_if_settled() {
            here.tie();
        }
        children::sweep(&self.task.job);
        self.children()
    }

    /// The parent, while this job has not completed; `None` for a root.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn parent(&self) -> Option<Job> {
        let _guard = self.task.job.lock();
        if self.task.state().has(COMPLETED) {
            return None;
        }
        // SAFETY: a job leaves its parent only after it has completed, which needs the lock that is held here.
        unsafe { self.task.job.parent().as_ref() }
            .map(|parent| Job::new(TaskRef::new(Task::of(parent))))
    }

    /// The number of the job, which no other job of the process has: for logs, beside its name.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.task.id
    }

    /// The name that the coroutine was given, while it has not completed.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        self.task.name()
    }

    /// The failure, or the cancellation, that the job has ended with or is ending with. `None` while it is active, and
    /// after success.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn cause(&self) -> Option<Error> {
        cancel::outcome(&self.task)
    }
}

/// The id of the coroutine that owns a job which may have completed.
fn owner_id(task: &Task) -> u64 {
    let _guard = task.job.lock();
    if task.state().has(COMPLETED) {
        task.id
    } else {
        cancel::owner_id(task)
    }
}

/// What a job is cancelled with when user code gives this cause.
pub(crate) fn cancellation_for(task: &Task, cause: Error) -> Error {
    let owner = owner_id(task);
    match cause.cancellation() {
        Some(cancelled) => Error::cancelled_because(
            owner,
            cancelled.message().map(|message| message.to_owned().into()),
            cancelled.cause().cloned(),
        ),
        None => Error::cancelled_because(owner, None, Some(cause)),
    }
}

/// Waits until a job has completed. `Cancelled` only if the wait is cancellable.
#[inline]
pub(crate) fn wait_for(
    here: &Here,
    job: &Task,
    cancellable: bool,
    label: &'static Label,
    place: &'static Location<'static>,
) -> Result<Woken> {
    let state = job.state();
    if state.has(COMPLETED) {
        return Ok(Woken::Value);
    }
    if !state.has(STARTED) {
        start::start(job);
    }
    refuse_in_closed_frames()?;
    let generation = here.prepare()?;
    let in_frame;
    let waiter = match here.task().resting_place() {
        // SAFETY: the body of the coroutine runs, and waits for nothing else meanwhile.
        Some(place) => unsafe {
            place.write(Waiter::new(here.task()));
            &*place
        },
        None => {
            in_frame = Waiter::new(here.task());
            &in_frame
        }
    };
    waiter.arm(generation);
    here.mark(label, place);
    // SAFETY: the waiter stands until this wait is over; then it was claimed, or is taken out below.
    let linked = unsafe {
        joiner::join(&job.job, &waiter.links, || {
            here.publish(generation, cancellable)
        })
    };
    if !linked {
        return Ok(Woken::Value);
    }
    Ok(here.park(generation, cancellable, || {
        // SAFETY: linked above.
        unsafe { joiner::leave(&job.job, &waiter.links) };
    }))
}

impl PartialEq for Job {
    fn eq(&self, other: &Self) -> bool {
        self.task.as_ptr() == other.task.as_ptr()
    }
}

impl Eq for Job {}

impl AsRef<Job> for Job {
    fn as_ref(&self) -> &Job {
        self
    }
}

impl Hash for Job {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.task.as_ptr().hash(state);
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "\"{name}\" {:?}", self.task),
            None => self.task.fmt(f),
        }
    }
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
