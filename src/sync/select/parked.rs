//! A select cut where it would park, for those who have no stack to park on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use crate::error::Result;
use crate::sync::select::builder::Select;
use crate::sync::select::clause::AnyClause;
use crate::sync::select::engine::{self, Begun, Turn};
use crate::task::current;
use crate::task::wait::Here;
use crate::task::word::{Generation, Woken};

/// What a select has come to: its answer, or the panic of what the user has written.
pub(crate) type Ended<R> = std::result::Result<Result<R>, Box<dyn Any + Send>>;

/// What has come of the beginning of a select.
pub(crate) enum Started<R> {
    Ended(Ended<R>),
    /// The word is published; the caller owes [`Selecting::end`].
    Waits(Generation),
}

/// A select that waits, or is about to.
///
/// All that the user has written runs in a closed frame: it must not suspend.
pub(crate) struct Selecting<'a, R> {
    /// Borrowed, not taken, while they wait: their nodes stand in lists.
    clauses: RefCell<Vec<AnyClause<'a, R>>>,
    has_waited: Cell<bool>,
    /// A user's clause has panicked while it began to watch, and somebody had claimed the word by then.
    panic: Cell<Option<Box<dyn Any + Send>>>,
    place: &'static Location<'static>,
}

impl<'a, R> Selecting<'a, R> {
    /// Has the clauses written.
    pub(crate) fn new(
        here: &Here,
        place: &'static Location<'static>,
        build: impl FnOnce(&mut Select<'a, R>),
    ) -> std::result::Result<Result<Self>, Box<dyn Any + Send>> {
        let mut select = Select::new(here.task());
        current::closed(|| build(&mut select))?;
        Ok(select.into_clauses(here.task()).map(|clauses| Self {
            clauses: RefCell::new(clauses),
            has_waited: Cell::new(false),
            panic: Cell::new(None),
            place,
        }))
    }

    /// Steps 1 to 3, again and again, until it waits or has ended.
    pub(crate) fn begin(&self, here: &Here) -> Started<R> {
        loop {
            let clauses = self.clauses.borrow();
            let begin = || engine::begin(here, &clauses, self.has_waited.get(), self.place);
            let generation = match catch_unwind(AssertUnwindSafe(begin)) {
                Err(panic) => return Started::Ended(Err(panic)),
                Ok(Err(error)) => return Started::Ended(Ok(Err(error))),
                Ok(Ok(Begun::Won(winner))) => {
                    drop(clauses);
                    return Started::Ended(
                        self.settle(here, Turn::Won(winner))
                            .expect("it is the last turn"),
                    );
                }
                Ok(Ok(Begun::Waits(generation))) => generation,
            };
            let (withdrawn, panic) = engine::watch(here, &clauses, generation);
            self.panic.set(panic);
            if !withdrawn {
                return Started::Waits(generation);
            }
            drop(clauses);
            if let Some(ended) = self.end(here, Woken::Value) {
                return Started::Ended(ended);
            }
        }
    }

    /// The suspension is over. `None` if nothing has won: it begins again.
    pub(crate) fn end(&self, here: &Here, woken: Woken) -> Option<Ended<R>> {
        let turn = engine::leave(here, &self.clauses.borrow(), woken, self.panic.take());
        self.settle(here, turn)
    }

    fn settle(&self, here: &Here, turn: Turn) -> Option<Ended<R>> {
        self.has_waited.set(true);
        let settle = || engine::settle(here, &mut self.clauses.borrow_mut(), turn);
        current::closed(settle).transpose()
    }

    /// The task ends without having been resumed.
    pub(crate) fn abandon(&self) {
        let _ = engine::leave_lists(&self.clauses.borrow());
    }
}
