//! How a coroutine gives way that never has to wait.
//!
//! A call that finds what it asks for goes on at once. Where another thread, or the other side of a connection, provides more all
//! the time, a loop of such calls would keep its thread for itself; and those who live there too cannot go elsewhere. So each
//! thread has a budget, of which such calls take a part; when it is used up it is renewed, and who has done so for the second time in
//! one turn goes behind the others once. So that happens after one to two budgets of a coroutine's own, whatever those have used up
//! that it has started in place.
//!
//! What is done without a wait in less than that happens in one turn, as in Kotlin. Where time is virtual nobody gives way so: there
//! the order is to depend on nothing but the program.

use std::ptr;

use crate::driver::Driver;
use crate::error::Result;
use crate::scheduler::thread;
use crate::scheduler::worker::Worker;
use crate::task::home::{BUDGET, Home};
use crate::task::wait::{Coroutine, Here};

/// What a message takes.
pub(crate) const MESSAGE: i32 = 1;
/// What a call of the system takes, which is far slower.
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
    if thread::open_here().is_none() || !here.may_suspend() {
        // Whoever is next and may.
        home.local.budget.set(0);
        return Ok(());
    }
    home.local.budget.set(BUDGET);
    let now = Some((thread::turn(home), here.task().id));
    let is_first = Worker::of(home).renewed.replace(now) != now;
    if is_first || Driver::of(home).clock.is_virtual() {
        return Ok(());
    }
    match Coroutine::running(*here) {
        Some(coroutine) => coroutine.yield_(),
        // The thread itself, in a scope on its loop. A host runs its loop when it likes.
        None if is_in_scope_on_loop(here) => {
            here.demand_may_suspend()?;
            here.go_behind();
            here.check()
        }
        None => Ok(()),
    }
}

fn is_in_scope_on_loop(here: &Here) -> bool {
    let local = &here.home().local;
    let is_thread = ptr::eq(here.task(), local.thread_task.get());
    is_thread && local.loops.get() > 0 && here.job().is_some()
}
