//! The errors that steps make, and how they are told apart.

use std::fmt::{self, Display, Formatter};

use switchback::prelude::*;
use switchback::{Panicked, TimedOut};

use crate::program::StepId;
use crate::trace::{Answer, Failure, Fault};

/// A step that fails.
#[derive(Debug)]
pub struct StepFailed(pub StepId);

impl Display for StepFailed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "step {}", self.0)
    }
}

impl std::error::Error for StepFailed {}

/// What a panicking step says before its number.
pub const PANIC: &str = "a step panics: ";

pub fn answer(result: &Result<()>) -> Answer {
    match result {
        Ok(()) => Answer::Ok,
        Err(error) => Answer::Err(failure(error)),
    }
}

pub fn failure(error: &Error) -> Failure {
    match error.downcast_ref::<Cancelled>() {
        Some(cancelled) => Failure::Cancelled(cancelled.cause().map(fault)),
        None => Failure::Failed(fault(error)),
    }
}

fn fault(error: &Error) -> Fault {
    if let Some(failed) = error.downcast_ref::<StepFailed>() {
        Fault::Step(failed.0)
    } else if let Some(timeout) = error.downcast_ref::<TimedOut>() {
        let limit = timeout.limit().as_millis();
        Fault::Timeout(u64::try_from(limit).expect("limits are short"))
    } else if let Some(panicked) = error.downcast_ref::<Panicked>() {
        let text = panicked.message().and_then(|text| text.strip_prefix(PANIC));
        let step = text.and_then(|step| step.parse().ok());
        step.map_or(Fault::Strange, Fault::Panic)
    } else if error.to_string().contains("was cancelled") {
        Fault::Foreign
    } else {
        Fault::Strange
    }
}
