//! Scopes that a component owns.

use std::borrow::Cow;
use std::fmt;
use std::ops::Add;
use std::panic::Location;
use std::sync::{Arc, OnceLock};

use crate::context::CoroutineContext;
use crate::dispatchers::default_elements;
use crate::error::{Error, Result};
use crate::job::state::BARE;
use crate::scope::body::Outcome;
use crate::scope::builder::OwnedBuilder;
use crate::scope::by_hand::SupervisorJob;
use crate::scope::deferred::Deferred;
use crate::scope::job::Job;
use crate::scope::job_context::JobContext;
use crate::scope::launch::{self, Order};
use crate::scope::scope::Scope;

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
    ends: Ends,
}

/// What becomes of the job when the last handle goes.
enum Ends {
    /// It was made for this scope, and is cancelled.
    Made,
    /// It was given, and is cancelled if it was made by hand and nobody else has it.
    Given,
    /// It is the job of the scope that this one was made from, and which it keeps.
    Shared { _kept: Arc<Owned> },
}

impl Drop for Owned {
    fn drop(&mut self) {
        let task = self.job.task();
        let ends = match self.ends {
            Ends::Made => true,
            Ends::Given => task.state().has(BARE) && task.job.is_sole_handle(),
            Ends::Shared { .. } => false,
        };
        if ends {
            self.job.cancel();
        }
    }
}

impl CoroutineScope {
    /// A scope with this context. Without a dispatcher in it the coroutines run on the default one; without a Job the
    /// scope makes one for itself, which fails with the first child that fails.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    #[track_caller]
    pub fn new(context: impl Into<JobContext>) -> Self {
        let (context, job) = context.into().into_parts();
        let ends = match job {
            Some(_) => Ends::Given,
            None => Ends::Made,
        };
        Self {
            inner: Arc::new(Owned {
                job: job.unwrap_or_else(|| Job::by_hand().into()),
                context: CoroutineContext::from_elements(default_elements()).merged(&context),
                ends,
            }),
        }
    }

    fn order(&self, place: &'static Location<'static>) -> Order {
        let mut order = Order::new(place).owned();
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

    /// The long form of `launch` and `async_`: with a name, a context, a dispatcher, a size of stack, another parent.
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
    /// let scope = CoroutineScope::new(Dispatchers::default());
    /// // A job that is independent on purpose: the scope neither waits for it nor cancels it.
    /// let audit = Job::by_hand();
    /// let record = scope.builder().name("audit").context(audit.clone()).launch(|_| delay(ms(1)));
    /// scope.cancel();
    /// record.join()?;
    /// assert!(!record.is_cancelled());
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(&self) -> OwnedBuilder {
        OwnedBuilder::new(self.clone())
    }

    /// The job of this scope.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn job(&self) -> Job {
        self.inner.job.clone()
    }

    /// The context that coroutines launched here inherit.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn context(&self) -> CoroutineContext {
        self.inner.context.clone()
    }

    /// Whether the scope's job is neither cancelled nor complete.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.inner.job.is_active()
    }

    /// Returns an `Err` with the cancellation if the scope's job is not active, as [`Job::ensure_active`] does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Errors
    ///
    /// The cancellation.
    pub fn ensure_active(&self) -> Result<()> {
        self.inner.job.ensure_active()
    }

    /// Cancels the scope's job and everything below it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel(&self) {
        self.inner.job.cancel();
    }

    /// As [`cancel`](CoroutineScope::cancel), with a message that the cancelled coroutines see.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_with(&self, message: impl Into<Cow<'static, str>>) {
        self.inner.job.cancel_with(message);
    }

    /// As [`cancel`](CoroutineScope::cancel), with a cause, as [`Job::cancel_because`] does it.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn cancel_because(&self, cause: impl Into<Error>) {
        self.inner.job.cancel_because(cause);
    }
}

/// A scope with the same job and further elements, which win. It keeps the scope that it was made from.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// let scope = CoroutineScope::new(CoroutineName::new("service"));
/// let blocking = &scope + Dispatchers::io();
/// assert_eq!(blocking.job(), scope.job());
/// assert_eq!(blocking.context().get::<CoroutineName>().unwrap().as_str(), "service");
/// ```
impl<C: Into<CoroutineContext>> Add<C> for &CoroutineScope {
    type Output = CoroutineScope;

    fn add(self, right: C) -> CoroutineScope {
        CoroutineScope {
            inner: Arc::new(Owned {
                job: self.inner.job.clone(),
                context: self.inner.context.clone() + right,
                ends: Ends::Shared {
                    _kept: self.inner.clone(),
                },
            }),
        }
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
    pub(crate) fn scope() -> &'static CoroutineScope {
        GLOBAL.get_or_init(|| CoroutineScope::new(SupervisorJob::new()))
    }

    /// The long form of `launch` and `async_`.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn builder(self) -> OwnedBuilder {
        Self::scope().builder()
    }

    /// Launches a coroutine, as [`CoroutineScope::launch`] does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn launch<F, O>(self, body: F) -> Job
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> O + Send + 'static,
        O: Outcome,
    {
        Self::scope().launch(body)
    }

    /// Launches a coroutine that gives a value, as [`CoroutineScope::async_`] does.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[track_caller]
    pub fn async_<F, T>(self, body: F) -> Deferred<'static, T>
    where
        F: for<'c> FnOnce(&'c Scope<'c, 'static>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        Self::scope().async_(body)
    }
}
