//! A context with a Job in it.

#![forbid(unsafe_code)]

use std::ops::Add;

use crate::context::{
    CoroutineContext, CoroutineExceptionHandler, CoroutineName, Dispatcher, StackBytes,
};
use crate::scope::by_hand::CompletableJob;
use crate::scope::job::Job;

/// A context with a Job in it: what owned scopes, and only they, are made from.
///
/// Elements and the Job are joined with `+`, on either side; of two Jobs the right one wins.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::JobContext;
///
/// let job = Job::by_hand();
/// let context: JobContext = Dispatchers::io() + job.clone() + CoroutineName::new("cache");
/// assert_eq!(context.job(), Some(&*job));
/// assert_eq!(context.len(), 3);
/// ```
#[derive(Clone, Debug, Default)]
pub struct JobContext {
    context: CoroutineContext,
    job: Option<Job>,
}

impl JobContext {
    /// The elements other than the Job.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn context(&self) -> &CoroutineContext {
        &self.context
    }

    /// The Job, if there is one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// How many elements there are, the Job included.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn len(&self) -> usize {
        self.context.len() + usize::from(self.job.is_some())
    }

    /// Whether there is no element at all.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn into_parts(self) -> (CoroutineContext, Option<Job>) {
        (self.context, self.job)
    }
}

impl<C: Into<CoroutineContext>> From<C> for JobContext {
    fn from(context: C) -> Self {
        Self {
            context: context.into(),
            job: None,
        }
    }
}

impl From<Job> for JobContext {
    fn from(job: Job) -> Self {
        Self {
            context: CoroutineContext::empty(),
            job: Some(job),
        }
    }
}

impl From<CompletableJob> for JobContext {
    fn from(job: CompletableJob) -> Self {
        Self::from(Job::from(job))
    }
}

impl<C: Into<JobContext>> Add<C> for JobContext {
    type Output = JobContext;

    fn add(self, right: C) -> JobContext {
        let right = right.into();
        JobContext {
            context: self.context + right.context,
            job: right.job.or(self.job),
        }
    }
}

macro_rules! job_plus {
    ($($job:ty),*) => {$(
        impl<C: Into<JobContext>> Add<C> for $job {
            type Output = JobContext;

            fn add(self, right: C) -> JobContext {
                JobContext::from(self) + right
            }
        }
    )*};
}

job_plus!(Job, CompletableJob);

macro_rules! plus_job {
    ($($left:ty),*) => {$(
        impl Add<Job> for $left {
            type Output = JobContext;

            fn add(self, job: Job) -> JobContext {
                JobContext::from(self) + job
            }
        }

        impl Add<CompletableJob> for $left {
            type Output = JobContext;

            fn add(self, job: CompletableJob) -> JobContext {
                JobContext::from(self) + job
            }
        }

        impl Add<JobContext> for $left {
            type Output = JobContext;

            fn add(self, right: JobContext) -> JobContext {
                JobContext::from(self) + right
            }
        }
    )*};
}

plus_job!(
    CoroutineContext,
    Dispatcher,
    CoroutineName,
    StackBytes,
    CoroutineExceptionHandler
);
