//! Scopes that a component owns, and jobs made by hand.

use std::fmt;
use std::ops::{Add, Deref};
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use crate::context::{CoroutineContext, CoroutineName, Dispatcher, StackBytes};
use crate::dispatchers::default_elements;
use crate::error::{Error, Result};
use crate::job::state::{BARE, STARTED, SUPERVISOR};
use crate::scope::body::Outcome;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::launch::{self, Order};
use crate::scope::scope::Scope;
use crate::task::cell::{self, allocate_bare};
use crate::task::home::{Home, stray_id};
use crate::task::{Birth, Task, TaskRef, cancel, current, finish};

#[track_caller]
fn bare(kind: u32) -> TaskRef {
    let task = allocate_bare(Task::new(Birth {
        kind: kind | BARE | STARTED,
        refs: 2,
        owner: std::ptr::null(),
        vtable: &cell::BARE,
        id: current::home().map_or_else(stray_id, Home::next_id),
        place: Location::caller(),
    }));
    // SAFETY: just made with two counts; the other one is given back when the job completes.
    unsafe { TaskRef::from_counted(task) }
}

/// A job without a body, made by hand: the parent of the coroutines of an owned scope.
///
/// It stays active when its children have ended; [`complete`](CompletableJob::complete) ends it. It derefs to [`Job`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletableJob(Job);

impl Job {
    /// A job made by hand, without a parent. The failure of a child fails it, and with it the other children.
    #[allow(clippy::new_ret_no_self)]
    #[must_use]
    #[track_caller]
    pub fn by_hand() -> CompletableJob {
        CompletableJob(Job::new(bare(0)))
    }
}

/// Jobs under which the failure of one child leaves the others alone.
#[derive(Debug)]
pub struct SupervisorJob(());

impl SupervisorJob {
    /// A supervisor made by hand, without a parent.
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
        CompletableJob(Job::new(bare(SUPERVISOR)))
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

    /// Fails the job: its children are cancelled, and when they have ended, so has the job. True for the call that did it;
    /// false if the job was completed or cancelled before.
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
        !task.state().has(crate::job::state::BODY_DONE)
            && cancel::fail_from_outside(task, error.into())
    }
}

fn end_once(task: &Task) -> bool {
    use crate::job::state::{BODY_DONE, CANCELLING, CLOSED, COMPLETED};
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

impl Deref for CompletableJob {
    type Target = Job;

    fn deref(&self) -> &Job {
        &self.0
    }
}

/// A context with a Job in it: what owned scopes, and only they, are made from.
#[derive(Clone, Debug, Default)]
pub struct JobContext {
    context: CoroutineContext,
    job: Option<CompletableJob>,
}

impl<C: Into<CoroutineContext>> From<C> for JobContext {
    fn from(context: C) -> Self {
        Self {
            context: context.into(),
            job: None,
        }
    }
}

impl From<CompletableJob> for JobContext {
    fn from(job: CompletableJob) -> Self {
        Self {
            context: CoroutineContext::empty(),
            job: Some(job),
        }
    }
}

impl<C: Into<CoroutineContext>> Add<C> for JobContext {
    type Output = JobContext;

    fn add(self, right: C) -> JobContext {
        JobContext {
            context: self.context + right,
            job: self.job,
        }
    }
}

impl<C: Into<CoroutineContext>> Add<C> for CompletableJob {
    type Output = JobContext;

    fn add(self, right: C) -> JobContext {
        JobContext {
            context: right.into(),
            job: Some(self),
        }
    }
}

macro_rules! plus_job {
    ($($left:ty),*) => {$(
        impl Add<CompletableJob> for $left {
            type Output = JobContext;

            fn add(self, job: CompletableJob) -> JobContext {
                JobContext { context: self.into(), job: Some(job) }
            }
        }
    )*};
}

plus_job!(CoroutineContext, Dispatcher, CoroutineName, StackBytes);

/// A scope that a component owns: its coroutines outlive the call that launches them, so they own what they use.
///
/// A handle that may be cloned. Dropping the last one cancels the scope's job: the one that it made for itself, and one
/// that was given to it if nobody else has a handle of that job.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// struct Cache {
///     scope: CoroutineScope,
/// }
///
/// impl Cache {
///     fn save(&self, line: String) -> Job {
///         self.scope.launch(move |_| {
///             delay(ms(1))?;
///             assert!(!line.is_empty());
///             Ok(())
///         })
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let scope = CoroutineScope::new(Dispatchers::io() + SupervisorJob::new() + CoroutineName::new("cache"));
/// let cache = Cache { scope };
/// cache.save(String::from("a line")).join()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CoroutineScope {
    inner: Arc<Owned>,
}

struct Owned {
    /// The parent of the coroutines.
    job: Job,
    context: CoroutineContext,
    made_here: bool,
}

impl Drop for Owned {
    fn drop(&mut self) {
        if self.made_here || self.job.task().job.is_sole_handle() {
            self.job.cancel();
        }
    }
}

impl CoroutineScope {
    /// A scope with this context. Without a dispatcher in it the coroutines run on the default one; without a Job the
    /// scope makes one for itself, which fails with the first child that fails.
    #[must_use]
    #[track_caller]
    pub fn new(context: impl Into<JobContext>) -> Self {
        let JobContext { context, job } = context.into();
        let context = CoroutineContext::from_elements(default_elements()).merged(&context);
        let made_here = job.is_none();
        let job = job.unwrap_or_else(Job::by_hand).0;
        Self {
            inner: Arc::new(Owned {
                job,
                context,
                made_here,
            }),
        }
    }

    fn order(&self, place: &'static Location<'static>) -> Order {
        let mut order = Order::new(place);
        order.context = Some(self.inner.context.clone());
        order
    }

    /// Launches a coroutine, as [`Scope::launch`](crate::Scope::launch) does; what it captures it owns.
    ///
    /// On a scope whose job has failed the coroutine never runs, and a message says so, once per place.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch<F, O>(&self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + Send + 'static,
        O: Outcome,
    {
        let order = self.order(Location::caller());
        // SAFETY: the closure borrows nothing.
        Job::new(unsafe {
            launch::launch(
                self.inner.job.task(),
                order,
                move |scope: &Scope<'_, 'static>| body(scope).into_result(),
            )
        })
    }

    /// Launches a coroutine that gives a value, as [`Scope::async_`](crate::Scope::async_) does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_<F, T>(&self, body: F) -> Deferred<'static, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let order = self.order(Location::caller()).deferred();
        // SAFETY: the closure borrows nothing.
        unsafe { Deferred::new(launch::launch(self.inner.job.task(), order, body)) }
    }

    /// The job of this scope.
    pub fn job(&self) -> Job {
        self.inner.job.clone()
    }

    /// The context that coroutines launched here inherit.
    pub fn context(&self) -> CoroutineContext {
        self.inner.context.clone()
    }

    /// Whether the scope's job is neither cancelled nor complete.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.inner.job.is_active()
    }

    /// Cancels the scope's job and everything below it.
    pub fn cancel(&self) {
        let task = self.inner.job.task();
        cancel::cancel(task, Error::cancelled_by(task.id));
    }
}

impl fmt::Debug for CoroutineScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CoroutineScope")
            .field("job", &self.inner.job)
            .field("context", &self.inner.context)
            .finish()
    }
}

/// The scope of coroutines that live as long as they like: no parent, on the default dispatcher, cancelled by nobody.
///
/// A process that ends does not wait for them.
#[derive(Clone, Copy, Debug)]
pub struct GlobalScope;

static GLOBAL: OnceLock<CoroutineScope> = OnceLock::new();

impl GlobalScope {
    fn scope() -> &'static CoroutineScope {
        GLOBAL.get_or_init(|| CoroutineScope::new(SupervisorJob::new()))
    }

    /// Launches a coroutine, as [`CoroutineScope::launch`] does.
    #[track_caller]
    pub fn launch<F, O>(self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + Send + 'static,
        O: Outcome,
    {
        Self::scope().launch(body)
    }

    /// Launches a coroutine that gives a value, as [`CoroutineScope::async_`] does.
    #[track_caller]
    pub fn async_<F, T>(self, body: F) -> Deferred<'static, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        Self::scope().async_(body)
    }
}
