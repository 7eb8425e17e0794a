//! Jobs made by hand: the parents of the coroutines of owned scopes.

use std::ops::Deref;
use std::panic::Location;

use crate::error::Error;
use crate::job::children::{self, Attached};
use crate::job::state::{
    ANSWERS, BARE, BODY_DONE, CANCELLING, CLOSED, COMPLETED, STARTED, SUPERVISOR,
};
use crate::scope::job::{Job, cancellation_for};
use crate::task::cell::{self, allocate_bare};
use crate::task::home::{Home, stray_id};
use crate::task::{Birth, Task, TaskRef, cancel, current, finish, loose, start};

#[track_caller]
pub(crate) fn bare(kind: u32, parent: Option<&Job>) -> CompletableJob {
    // Who is below somebody that answers for its failures is not told of as a root.
    let answers = parent.is_some_and(|parent| {
        let state = parent.task().state();
        state.has(ANSWERS) && !state.has(SUPERVISOR)
    });
    let answers = if answers { ANSWERS } else { 0 };
    let task = allocate_bare(Birth {
        kind: kind | BARE | STARTED | answers,
        refs: 2,
        owner: std::ptr::null(),
        vtable: &cell::BARE,
        id: current::home().map_or_else(stray_id, Home::next_id),
        place: Location::caller(),
    });
    // SAFETY: just made with two counts; the other one is given back when the job completes.
    let task = unsafe { TaskRef::from_counted(task) };
    if let Some(parent) = parent {
        adopt(parent.task(), &task);
    }
    CompletableJob(Job::new(task))
}

/// Makes a new job the child of `parent`. One whose parent is cancelled or takes no more children is cancelled at once.
fn adopt(parent: &Task, task: &Task) {
    start::start_parent(parent);
    loose::tie_running();
    // SAFETY: new, not linked; detached when it completes.
    match unsafe { children::attach(&parent.job, &task.job) } {
        Attached::Active => {}
        // The first cause, not what the parent will end with: that is open yet.
        Attached::Cancelled => {
            cancel::cancel(task, cancel::cancellation_of(task));
        }
        Attached::Refused => {
            let cause = cancel::outcome(parent).unwrap_or_else(Error::cancelled);
            cancel::cancel(task, cancellation_for(task, cause));
        }
    }
}

/// A job without a body, made by hand: the parent of the coroutines of an owned scope.
///
/// It stays active when its children have ended; [`complete`](CompletableJob::complete) ends it. It derefs to [`Job`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletableJob(Job);

impl Job {
    /// A job made by hand, without a parent. The failure of a child fails it, and with it the other children.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[allow(clippy::new_ret_no_self)]
    #[must_use]
    #[track_caller]
    pub fn by_hand() -> CompletableJob {
        bare(0, None)
    }

    /// A job made by hand, as a child of `parent`, which waits for it and is cancelled by its failure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    #[track_caller]
    pub fn by_hand_under(parent: &Job) -> CompletableJob {
        bare(0, Some(parent))
    }
}

/// Jobs under which the failure of one child leaves the others alone.
#[derive(Debug)]
pub struct SupervisorJob(());

impl SupervisorJob {
    /// A supervisor made by hand, without a parent.
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
    /// let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    /// scope.async_(|_| -> Result<()> { Err(Error::msg("one request")) }).job().join()?;
    /// assert!(scope.is_active());
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::new_ret_no_self)]
    #[must_use]
    #[track_caller]
    pub fn new() -> CompletableJob {
        bare(SUPERVISOR, None)
    }

    /// A supervisor made by hand, as a child of `parent`, which waits for it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    #[track_caller]
    pub fn under(parent: &Job) -> CompletableJob {
        bare(SUPERVISOR, Some(parent))
    }
}

impl CompletableJob {
    /// Ends the job when its children have ended. True for the call that did it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn complete(&self) -> bool {
        end_once(self.0.task())
    }

    /// Fails the job: its children are cancelled, and when they have ended, so has the job; its parent, if it has one, is told
    /// as of any failed child. With a cancellation it is cancelled instead. True for the call that did it; false if the
    /// job was completed or cancelled before.
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
    /// let job = Job::by_hand();
    /// let scope = CoroutineScope::new(Dispatchers::default() + job.clone());
    /// let child = scope.launch(|_| delay(ms(10_000)));
    /// assert!(job.complete_exceptionally(Error::msg("the disk is full")));
    /// child.join()?;
    /// job.join()?;
    /// assert_eq!(job.cause().unwrap().to_string(), "the disk is full");
    /// # Ok(())
    /// # }
    /// ```
    pub fn complete_exceptionally(&self, error: impl Into<Error>) -> bool {
        let task = self.0.task();
        let error = error.into();
        if error.is_cancelled() {
            return !task.state().has(BODY_DONE)
                && cancel::cancel(task, cancellation_for(task, error));
        }
        cancel::fail_from_outside(task, error)
    }
}

fn end_once(task: &Task) -> bool {
    {
        let guard = task.job.lock();
        if task
            .state()
            .has(BODY_DONE | CANCELLING | CLOSED | COMPLETED)
        {
            return false;
        }
        task.job.set_relaxed_order(&guard, BODY_DONE);
    }
    finish::end_body(task);
    true
}

impl AsRef<Job> for CompletableJob {
    fn as_ref(&self) -> &Job {
        &self.0
    }
}

impl From<CompletableJob> for Job {
    fn from(job: CompletableJob) -> Self {
        job.0
    }
}

impl Deref for CompletableJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0
    }
}
