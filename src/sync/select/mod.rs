//! Waiting for the first of several things.
//!
//! A select has *clauses*, and exactly one of them wins. There are two kinds:
//!
//! - *Exchanges*: something goes from hand to hand (an element, a lock, a permit). They meet in a wait list
//!   (`sync/wait_list.rs`) under its lock. [`exchange`].
//! - *Events*: something has happened or has not (a job has completed, a time has passed, whatever a user's clause
//!   waits for). Nobody hands anything over. [`event`], [`open`].
//!
//! # Roles
//!
//! - O, the owner: the coroutine or thread that selects. It has one continuation word (`task/word.rs`).
//! - R, a resumer: one who comes to a list and exchanges something with a node that it finds there; it may be the owner of
//!   another select.
//! - E, an event that happens: it claims O's word and brings nothing.
//! - X, a canceller: it claims O's word and knows no list.
//!
//! # Steps of O
//!
//! Its word is RUNNING in steps 1 and 2, so nobody can commit O but O itself.
//!
//! 1. *Try*, clause by clause, in order: an exchange under its own lock alone, an event by asking it. The first that is
//!    ready has won: done.
//! 2. *Link*: takes the locks of all exchanges, (a) in the order of their addresses, each once; (b) looks at all of them
//!    once more, and if one is ready it has won: releases, done; (c) links a node into each list, all with one
//!    generation; (d) publishes the word; (e) releases the locks.
//! 3. *Watch*: asks each event to claim the word when it happens. One that has happened already needs not: O takes its own
//!    word back.
//! 4. *Park*, until somebody has claimed the word, or O itself has.
//! 5. *Leave*: takes every node out of its list that is still in it, each under its own lock; no event is watched any more.
//!    If something was handed over through a node, that clause has won: done. After a cancellation: an `Err`. Else an
//!    event has happened: from 1 again.
//!
//! Only then, with nothing held and nowhere linked, the losing clauses are dropped and the winner's handler runs, in the
//! caller's frame.
//!
//! # States of O
//!
//! ```text
//! RUNNING   -O> RUNNING            steps 1, 2b: won at once; nothing was linked
//! RUNNING   -O> SUSPENDED          step 2d, under all locks
//! SUSPENDED -R> VALUE   -O> done   the node is marked CLAIMED, its slot was filled or emptied
//! SUSPENDED -E> VALUE   -O> 1      no node is marked
//! SUSPENDED -O> RUNNING -O> 1      step 3: an event had happened already
//! SUSPENDED -X> CANCEL  -O> done   no node is marked
//! SUSPENDED -O> RUNNING -O> done   O saw its job's flag after it had published
//! ```
//!
//! # Why exactly one wins, on both sides
//!
//! An exchange has two sides. One of them stands in a list and is claimed: its word makes the decision, once for each
//! generation, however many lists it stands in. The other one comes, holds the lock, and claims. *Whoever claims stands in
//! no list itself*: it is a plain send or receive, or a select in step 1 or 2b, whose word is RUNNING and cannot be
//! claimed. So the exchange is decided by one exchange on one word, and no second word must be won along with it: the
//! difficulty of selects that meet, that both sides must commit or none, does not come up. A claim that fails costs the
//! claimant nothing: it has not committed to anything, and looks at the next node.
//!
//! # Why two selects that meet cannot miss each other
//!
//! One of them holds the lock of the common list first in step 2. It links and publishes before it releases any lock. The
//! other one finds it in its own step 2b. That looks at all lists under all locks is what matters: with one lock at a time,
//! each could look at a list before the other has linked there, and both would sleep.
//!
//! # Why there is no deadlock and no livelock
//!
//! Locks of lists are taken in the order of their addresses; every other holder of such a lock holds just one and takes
//! none besides. Under them there are claims, and moves of values, and no user code: nothing that waits. Events are asked
//! and watched without them, so their own locks (a job's) are never nested in them. O goes back to step 1 only when an
//! event has happened, which it then finds, or something before it; an event that cries wolf (a user's clause) costs one
//! turn each time. A select that finds another never undoes anything, so the two cannot drive each other in circles.
//!
//! # Why nothing is lost
//!
//! - A loser's node holds nothing that is not O's: a receiver's slot is empty, a sender's holds its own value, which goes
//!   back with the clause. R passes over a node whose word it cannot claim, and serves the next.
//! - A hand-over and a cancellation decide at the same word. What was handed over is O's, and if O is cancelled before it
//!   runs it is treated as by the operation itself: an element is given to the handler; what was taken from O stays
//!   taken, and a lock or a permit goes on to the next, and the select returns the cancellation.
//! - If a loser panics as it is dropped, or a user's clause as it is withdrawn, no handler runs: the winner gives up what it
//!   holds, an element as one that was not delivered.
//! - Events are asked in O's frame while its word is RUNNING; so one that gives something when it is asked (a tick) gives it
//!   to the winner.
//!
//! # Whether a user's clause may be safe
//!
//! [`SelectClause`] is public and safe, because it is an event: it cannot be handed anything, it gets a counted handle of
//! one generation ([`SelectWaker`]), which is harmless when it is kept too long, used too often or not at all, and what it
//! says is only believed in step 1. An exchange is not open: it would mean foreign code under the locks of others.
//!
//! # Rejected
//!
//! Registering one clause after the other with the word published, as Kotlin does: two selects that meet must then win two
//! words, and one that has won its own and lost the other's must begin again; two of them can do that to each other.
//! Locking all at once is Go's way (`runtime/select.go`: <https://go.dev/src/runtime/select.go>).

pub(crate) mod ask;
pub(crate) mod ends;
pub(crate) mod exchange;

mod builder;
mod channels;
mod clause;
mod engine;
mod event;
mod open;
pub(crate) mod parked;
mod random;
mod turns;

use std::panic::Location;

pub use builder::Select;
pub use event::SelectAwait;
pub use open::{SelectClause, SelectWaker};

use crate::error::Result;
use crate::scheduler::budget::{self, MESSAGE};
use crate::scheduler::thread;
use crate::task::current::Standing;

/// Waits until the first of several clauses can go on, and runs its handler. Kotlin's `select { }`.
///
/// `build` names the clauses: see [`Select`]. Exactly one wins; the others have no effect: nothing is received, sent or
/// taken by them. The winner's handler runs afterwards, in the caller's frame, and may suspend; what it returns is
/// returned.
///
/// # Suspension
///
/// While no clause is ready. On a plain thread it parks the thread. Who always finds one [gives way](crate::sync#giving-way).
///
/// # Cancellation
///
/// Returns an `Err` if the coroutine is cancelled, before or while it waits, and no clause has any effect then. What was
/// handed to it before the cancellation is treated as by the operation itself: an element is given to the handler; with a
/// lock or a permit, or a value that was taken, it returns the cancellation all the same, and the lock or permit goes on to
/// the next.
///
/// # Fairness
///
/// Of several clauses that are ready the one that was written first wins, always: see [`select_unbiased`]. Among others who
/// wait for the same thing it is first come, first served.
///
/// # Errors
///
/// A cancellation; the handler's own; the failure of a clause that has won without a value (a channel that is closed, an
/// awaited coroutine that has failed): its handler does not run then. A select without clauses is an error.
///
/// # Panics
///
/// If the handler does.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::select;
///
/// # fn main() -> Result<()> {
/// let (tx, numbers) = channel(Capacity::rendezvous());
/// let answer = run_blocking(|s| {
///     let mut deferred = s.async_(|_| { delay(ms(200))?; Ok('v') });
///     s.launch(|_| Ok(tx.send(7)?));
///     select(|s| {
///         s.on_recv(&numbers, |n| Ok(format!("number {n}")));
///         s.on_await(&mut deferred, |v| Ok(format!("awaited {v}")));
///         s.on_timeout(ms(100), || Ok("nothing".to_owned()));
///     })
/// })?;
/// assert_eq!(answer, "number 7");
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn select<'a, R>(build: impl FnOnce(&mut Select<'a, R>)) -> Result<R> {
    let here = thread::here();
    here.check()?;
    budget::spend(&here, MESSAGE)?;
    let _standing = Standing::here();
    let mut select = Select::new(here.task());
    build(&mut select);
    let clauses = select.into_clauses(here.task())?;
    engine::run(&here, clauses, Location::caller())
}

/// As [`select`], but of several clauses that are ready each is as likely to win. Kotlin's `selectUnbiased { }`.
///
/// # Suspension
///
/// As for [`select`].
///
/// # Cancellation
///
/// As for [`select`].
///
/// # Fairness
///
/// The clauses are tried in a random order, anew in every call, all orders being equally likely: so no source that is
/// always ready can starve the others.
///
/// # Errors
///
/// As for [`select`].
///
/// # Panics
///
/// As for [`select`].
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::sync::select_unbiased;
///
/// # fn main() -> Result<()> {
/// let (left, from_left) = channel(Capacity::unlimited());
/// let (right, from_right) = channel(Capacity::unlimited());
/// let mut counts = [0, 0];
/// for _ in 0..1000 {
///     left.send(0)?;
///     right.send(1)?;
///     let side = select_unbiased(|s| {
///         s.on_recv(&from_left, Ok);
///         s.on_recv(&from_right, Ok);
///     })?;
///     counts[side] += 1_usize;
/// }
/// assert!(counts[0] > 100 && counts[1] > 100);
/// # Ok(())
/// # }
/// ```
#[track_caller]
pub fn select_unbiased<'a, R>(build: impl FnOnce(&mut Select<'a, R>)) -> Result<R> {
    let here = thread::here();
    here.check()?;
    budget::spend(&here, MESSAGE)?;
    let _standing = Standing::here();
    let mut select = Select::new(here.task());
    build(&mut select);
    let mut clauses = select.into_clauses(here.task())?;
    random::shuffle(&mut clauses);
    engine::run(&here, clauses, Location::caller())
}
