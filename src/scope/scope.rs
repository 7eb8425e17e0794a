//! The borrowing scope.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;

use crate::context::CoroutineContext;
use crate::error::{Error, Result};
use crate::scope::body::Outcome;
use crate::scope::builder::Builder;
use crate::scope::deferred::Deferred;
use crate::scope::job::{Job, cancellation_for};
use crate::scope::launch::{self, Order};
use crate::task::{Task, TaskRef, cancel};

/// Where coroutines are launched: the scope that a body is given, as `this: CoroutineScope` in Kotlin.
///
/// A scope cannot be left before everything launched in it has ended, so children may borrow from outside it: `'scope` is
/// the time for which the scope lives, `'env` what it may borrow from. Both are invariant.
///
/// A scope may be used from any thread that it can be lent to.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let words = vec!["one", "two", "three"];
/// let total = coroutine_scope(|s| {
///     let lengths: Vec<_> = words.iter().map(|word| s.async_(move |_| Ok(word.len()))).collect();
///     let mut total = 0;
///     for length in lengths {
///         total += length.await_()?;
///     }
///     Ok(total)
/// })?;
/// assert_eq!(total, 11);
/// # Ok(())
/// # }
/// ```
#[repr(transparent)]
pub struct Scope<'scope, 'env: 'scope> {
    task: Task,
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

impl<'scope, 'env> Scope<'scope, 'env> {
    /// The scope of a job whose body runs.
    ///
    /// # Safety
    ///
    /// The job does not complete, and its children are waited for, before `'scope` ends; what its children capture
    /// outlives `'scope`.
    #[inline(always)]
    pub(crate) unsafe fn of(task: &'scope Task) -> &'scope Self {
        // SAFETY: `repr(transparent)` over a task.
        unsafe { &*std::ptr::from_ref(task).cast::<Self>() }
    }

    /// The job's block. From here on the job is one of the tree.
    pub(crate) fn task(&self) -> &Task {
        self.task.tied()
    }

    /// Launches a coroutine and returns at once: it starts when a thread of its dispatcher gets to it. Its context is
    /// this scope's; its job is a child of this scope's job.
    ///
    /// The body may return nothing or `Result<()>`. An `Err`, or a panic, fails the coroutine, and with it this scope
    /// and all that runs in it (unless this is a supervisor). In a scope that is cancelled the body never runs.
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
    ///     let job = s.launch(|_| delay(ms(5)));
    ///     assert!(job.is_active());
    ///     job.join()?;
    ///     assert!(job.is_completed());
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn launch<F, O>(&'scope self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>) -> O + Send + 'scope,
        O: Outcome,
    {
        let order = Order::new(Location::caller());
        // SAFETY: this scope waits for its children, and the closure outlives it.
        Job::new(unsafe {
            launch::launch(self.task(), order, move |scope: &Scope<'_, 'scope>| {
                body(scope).into_result()
            })
        })
    }

    /// Launches a coroutine that gives a value: [`Deferred::await_`] waits for it.
    ///
    /// Its failure fails this scope, awaited or not, as that of a `launch` does.
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
    /// let sum = coroutine_scope(|s| {
    ///     let a = s.async_(|_| Ok(3));
    ///     let b = s.async_(|_| Ok(4));
    ///     Ok(a.await_()? + b.await_()?)
    /// })?;
    /// assert_eq!(sum, 7);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    #[track_caller]
    pub fn async_<F, T>(&'scope self, body: F) -> Deferred<'scope, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'scope>) -> Result<T> + Send + 'scope,
        T: Send + 'scope,
    {
        let order = Order::new(Location::caller()).deferred();
        // SAFETY: this scope waits for its children, and the closure outlives it.
        unsafe { Deferred::new(launch::launch(self.task(), order, body)) }
    }

    /// The long form of `launch` and `async_`: with a name, a context, a dispatcher, a size of stack.
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
    ///     let job = s.builder().name("reader").dispatcher(Dispatchers::io()).launch(|_| delay(ms(50)));
    ///     assert_eq!(job.name().as_deref(), Some("reader"));
    ///     job.join()
    /// })
    /// # }
    /// ```
    pub fn builder(&'scope self) -> Builder<'scope, 'env> {
        Builder::new(self)
    }

    /// The job of this scope.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn job(&self) -> Job {
        Job::new(TaskRef::new(self.task()))
    }

    /// The context that coroutines launched here inherit.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn context(&self) -> CoroutineContext {
        self.task.context()
    }

    /// Whether this scope is neither cancelled nor complete.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.task().state().is_active()
    }

    /// Cancels this scope and everything in it.
    ///
    /// # Suspension
    ///
    /// Never suspends; the cancelled coroutines meet their cancellation at their next suspending call.
    pub fn cancel(&self) {
        cancel::cancel(
            self.task(),
            Error::cancelled_by(cancel::owner_id(self.task())),
        );
    }

    /// As [`cancel`](Scope::cancel), with a message that the cancelled coroutines see.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_with(&self, message: impl Into<Cow<'static, str>>) {
        self.cancel_because(Error::cancelled_with(message));
    }

    /// As [`cancel`](Scope::cancel), with a cause, as [`Job::cancel_because`] does it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_because(&self, cause: impl Into<Error>) {
        cancel::cancel(self.task(), cancellation_for(self.task(), cause.into()));
    }

    /// Returns an `Err` with the cancellation if this scope is not active, as [`Job::ensure_active`] does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn ensure_active(&self) -> Result<()> {
        self.job().ensure_active()
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scope").field(&self.task).finish()
    }
}
