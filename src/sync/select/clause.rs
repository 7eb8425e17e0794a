//! What the engine knows of a clause.

use std::any::Any;

use crate::error::{Error, Result};
use crate::sync::select::exchange::Exchange;
use crate::task::Task;
use crate::task::wait::Here;
use crate::task::word::Generation;

/// A clause with its handler. While it waits it stands in place, and is touched through `&self` only.
pub(super) trait Clause<R> {
    /// The clause as something that exchanges, if it does.
    fn exchange(&self) -> Option<&dyn Exchange<Task>> {
        None
    }

    /// An event: whether it has happened. If so the clause has won, and keeps what it was given.
    fn has_happened(&self, _here: &Here) -> Result<bool> {
        Ok(false)
    }

    /// An exchange that was not ready: whether it never will be.
    fn refuse(&self) -> Result<()> {
        Ok(())
    }

    /// An event, step 3: claims the suspension when it happens. The word is published.
    fn watch(&self, _here: &Here, _generation: Generation) -> Watched {
        Watched::Waits
    }

    /// An event, step 5: looks out no more. The suspension is over. Called also if it did not begin to.
    fn unwatch(&self, _here: &Here) {}

    /// Whether [`unwatch`](Clause::unwatch) may run user code.
    fn is_open(&self) -> bool {
        false
    }

    /// The failure that is a better answer than the cancellation that it has caused.
    fn failure(&self) -> Option<Error> {
        None
    }

    /// It has won: whether it holds an element, which would be lost if the handler did not run.
    fn has_element(&self) -> bool {
        false
    }

    /// It has won: runs the handler.
    fn finish(self: Box<Self>) -> Result<R>;

    /// It has won, but no handler may run: gives up what it holds.
    fn discard(self: Box<Self>) {}
}

pub(super) type AnyClause<'a, R> = Box<dyn Clause<R> + 'a>;

/// What has come of step 3.
#[must_use]
pub(super) enum Watched {
    Waits,
    /// It has happened already.
    Happened,
    /// User code has panicked; the select must come to its end first.
    Panicked(Box<dyn Any + Send>),
}
