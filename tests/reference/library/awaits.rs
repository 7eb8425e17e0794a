//! What a body can await, although each scope's values have a lifetime of their own.

use std::sync::{Arc, Mutex};

use switchback::prelude::*;

use super::errors::failure;
use super::lock;
use super::shared::{Completable, Run};
use crate::program::JobId;
use crate::trace::Answer;

/// The values that coroutines of one scope work on, while nobody has taken them.
#[derive(Default)]
pub struct Deferreds<'scope>(Mutex<Vec<Place<'scope>>>);

/// The job, and its value's handle while that was not taken.
type Place<'scope> = (JobId, Option<Arc<Deferred<'scope, u64>>>);

/// The values of all scopes around a body, whatever their lifetimes.
#[derive(Clone, Default)]
pub struct Known<'env>(pub Vec<Arc<dyn Await + Send + Sync + 'env>>);

impl<'scope> Deferreds<'scope> {
    pub fn add(&self, number: JobId, deferred: Deferred<'scope, u64>) {
        lock(&self.0).push((number, Some(Arc::new(deferred))));
    }

    pub fn clear(&self) {
        let all = std::mem::take(&mut *lock(&self.0));
        drop(all);
    }
}

pub trait Await {
    /// None if there is no such value here, or it was taken.
    fn wait(&self, number: JobId, takes: bool) -> Option<Result<()>>;

    /// `get_completed`, on the same conditions. Absent while there is no value.
    fn completed(&self, number: JobId) -> Option<Answer>;
}

impl Await for Run {
    fn wait(&self, number: JobId, takes: bool) -> Option<Result<()>> {
        let Completable::Deferred(deferred) = self.completable(number)? else {
            return None;
        };
        let value = if takes {
            deferred.await_()
        } else {
            deferred.await_ref().copied()
        };
        Some(value.map(|value| assert_eq!(value, number as u64, "somebody else's value")))
    }

    fn completed(&self, number: JobId) -> Option<Answer> {
        let Completable::Deferred(deferred) = self.completable(number)? else {
            return None;
        };
        Some(completed_answer(deferred.get_completed()))
    }
}

impl Await for Deferreds<'_> {
    fn wait(&self, number: JobId, takes: bool) -> Option<Result<()>> {
        let deferred = {
            let mut all = lock(&self.0);
            let (_, place) = all.iter_mut().find(|(other, _)| *other == number)?;
            if takes { place.take() } else { place.clone() }
        }?;
        let value = match Arc::try_unwrap(deferred) {
            Ok(deferred) => deferred.await_(),
            Err(shared) => shared.await_ref().copied(),
        };
        Some(value.map(|value| assert_eq!(value, number as u64, "somebody else's value")))
    }

    fn completed(&self, number: JobId) -> Option<Answer> {
        let deferred = {
            let all = lock(&self.0);
            let (_, deferred) = all.iter().find(|(other, _)| *other == number)?;
            deferred.clone()
        }?;
        Some(completed_answer(deferred.get_completed()))
    }
}

fn completed_answer(completed: Option<Result<&u64>>) -> Answer {
    match completed {
        None => Answer::Absent,
        Some(Ok(_)) => Answer::Ok,
        Some(Err(error)) => Answer::Err(failure(&error)),
    }
}
