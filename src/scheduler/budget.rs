//! How a coroutine gives way that never has to wait.
//!
//! A call that finds what it asks for goes on at once. Where another thread, or the other side of a connection, provides more all
//! the time, a loop of such calls would keep its thread for itself; and those who live there too cannot go elsewhere. So each
//! thread has a budget, of which such calls take a part; when it is used up, and nobody else has had a turn since it
//! was renewed, the caller goes behind the others once. So that happens after one to two budgets.
//!
//! What is done without a wait in less than that happens in one turn, as in Kotlin. Where time is virtual nobody gives way so: there
//! the order is to depend on nothing but the program.

use crate::driver::Driver;
use crate::error::Result;
use crate::scheduler::thread;
use crate::scheduler::worker::Worker;
use crate::task::home::{BUDGET, Home};
use crate::task::wait::{Coroutine, Here};

/// What a message takes.
pub(crate) const MESSAGE: i32 = 1;
/// What a call of the system takes, which is over some hundred times slower.
pub(crate) const CALL: i32 = 8;

/// Pays for an operation that perhaps does not wait. Called before that, by who may suspend there.
///
/// # Errors
///
/// The cancellation of a caller who has given way.
#[inline(always)]
#[track_caller]
pub(crate) fn spend(here: &Here, part: i32) -> Result<()> {
    let budget = &here.home().local.budget;
    // It is renewed whenever it falls below zero.
    let left = budget.get().wrapping_sub(part);
    budget.set(left);
    if left < 0 { renew(here) } else { Ok(()) }
}

#[cold]
#[inline(never)]
#[track_caller]
fn renew(here: &Here) -> Result<()> {
    let home: &'static Home = here.home();
    home.local.budget.set(BUDGET);
    let turn = thread::turn(home);
    if Worker::of(home).renewed_in.replace(turn) != turn {
        return Ok(());
    }
    let is_open = thread::open_here().is_some();
    if !is_open || !here.may_suspend() || Driver::of(home).clock.is_virtual() {
        return Ok(());
    }
    match Coroutine::running(*here) {
        Some(coroutine) => coroutine.yield_(),
        // The thread itself, which has others to run.
        None if home.local.loops.get() > 0 => {
            here.go_behind();
            here.check()
        }
        None => Ok(()),
    }
}
