//! Whose turn it is at a lock that one has at a time.
//!
//! Waiters of one thread get the lock in the order of their coming, handed over. Between threads that order has a price: a
//! lock that was handed to a coroutine of another thread is held by nobody who runs until that thread has been woken,
//! and whoever meets it meanwhile must wait too, so that in the end every turn costs a wake-up. So a waiter of another
//! thread is *summoned* instead: it is woken, and the lock is free until it comes. Whoever runs may take it then, but not
//! for ever: the waiter is passed [`PASSES`] times at most, and not after it has waited for [`PATIENCE`]; then the lock
//! is kept for it.
//!
//! # Roles
//!
//! O wants the lock, G gives it up, F is the one who was summoned, X cancels.
//!
//! ```text
//! free                -O> held             taken at once
//! held                -G> free             nobody waited
//! held                -G> held by F        handed over: the first waits on G's thread, or will not be passed again
//! held                -G> free, summoned   the first waits on another thread, and is out of the line now
//! free, summoned      -O> held, summoned   F is passed by one who runs on another thread than all who wait
//! held, summoned      -G> free, summoned
//! held, summoned      -G> held by F        kept: F will not be passed again, and finds the lock its own
//! free, summoned      -F> held             F has come
//! held, summoned      -F> held             F has come in vain, and waits again, first in line
//! ```
//!
//! # Why nobody is forgotten
//!
//! While the lock is free, either nobody waits, or one is summoned. F is claimed, so it comes, whatever X does: cancelled,
//! it takes the lock and gives it up, or waits again and leaves the line as everybody does. There is one F at a time, so
//! G owes a wake-up to nobody else while there is one.
//!
//! # Rejected
//!
//! To hand over to the next waiter of G's own thread ahead of an older one of another: it saves wake-ups where both
//! threads have many who wait, and costs a search in the line at each turn.

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::Waits;

/// So often one who waits is passed at most.
const PASSES: u32 = 16;
/// So long, in nanoseconds, one who waits is passed at most.
const PATIENCE: u64 = 1_000_000;
/// So many who wait are looked through before one of them is passed; where there are more, nobody is.
const LOOKED_THROUGH: usize = 16;

/// A thread, among those that use a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Worker(pub(crate) usize);

impl Worker {
    pub(crate) const NOBODY: Self = Self(0);
}

/// One who wants the lock. `H` is what is noted of the holder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claimant<H> {
    pub(crate) holder: H,
    pub(crate) worker: Worker,
}

/// The place of one who waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket<H> {
    claimant: Claimant<H>,
    /// When it came; nothing if all came from one thread so far: it will not be passed then.
    since: Option<u64>,
    passed: u32,
    /// It has the lock.
    pub(crate) has_turn: bool,
}

impl<H> Ticket<H> {
    /// The place of one that is never passed, and so never summoned: what it waits for is handed over to it.
    pub(crate) fn unpassed(claimant: Claimant<H>) -> Self {
        Self {
            claimant,
            since: None,
            passed: 0,
            has_turn: false,
        }
    }

    fn may_be_passed(&self, now: u64) -> bool {
        let is_patient = self
            .since
            .is_some_and(|since| now.saturating_sub(since) < PATIENCE);
        is_patient && (self.passed < PASSES || cfg!(mutation = "turn_passed_for_ever"))
    }

    /// Whether one of that thread may go first. It is noted.
    fn lets_pass(&mut self, worker: Worker, now: u64) -> bool {
        let may = self.claimant.worker != worker && self.may_be_passed(now);
        self.passed += u32::from(may);
        may
    }
}

/// The lock.
#[derive(Debug)]
pub(crate) struct Turn<H> {
    holder: Option<H>,
    summoned: Option<Ticket<H>>,
    /// Who came last, and whether all came from one thread: who waits then need not look at the clock.
    last: Worker,
    is_shared: bool,
}

impl<H> Turn<H> {
    fn see(&mut self, worker: Worker) {
        self.is_shared |= self.last != worker && self.last != Worker::NOBODY;
        self.last = worker;
    }
}

/// The lock, and those who wait for it.
pub(crate) type Turns<K, H> = Line<K, Turn<H>, Ticket<H>>;

/// A lock that nobody has.
pub(crate) fn free<K: Waits, H: Copy>() -> Turns<K, H> {
    Line::new(Turn {
        holder: None,
        summoned: None,
        last: Worker::NOBODY,
        is_shared: false,
    })
}

/// What one who was summoned finds.
#[derive(Debug)]
#[must_use]
pub(crate) enum Found<H> {
    /// The lock, which is its own now.
    Free,
    /// Somebody has it: so it waits again.
    Taken(Ticket<H>),
}

impl<K: Waits, H: Copy> Held<'_, K, Turn<H>, Ticket<H>> {
    /// O: takes the lock if it is free and nobody is wronged.
    #[inline(always)]
    #[must_use]
    pub(crate) fn take(&self, me: Claimant<H>, now: impl Fn() -> u64) -> bool {
        let (is_taken, is_awaited) =
            self.state(|turn| (turn.holder.is_some(), turn.summoned.is_some()));
        if is_taken || (is_awaited && !self.pass(me.worker, now())) {
            return false;
        }
        self.state(|turn| {
            turn.see(me.worker);
            turn.holder = Some(me.holder);
        });
        true
    }

    /// Whether all who wait let one of that thread pass.
    #[cold]
    fn pass(&self, worker: Worker, now: u64) -> bool {
        let is_let = self.state(|turn| match &mut turn.summoned {
            Some(first) => first.lets_pass(worker, now),
            None => true,
        });
        is_let && self.all_of(LOOKED_THROUGH, |ticket| ticket.lets_pass(worker, now))
    }

    /// O, which could not take it: its place in the line.
    #[must_use]
    pub(crate) fn ticket(&self, me: Claimant<H>, now: impl Fn() -> u64) -> Ticket<H> {
        let is_shared = self.state(|turn| {
            turn.see(me.worker);
            turn.is_shared
        });
        Ticket {
            claimant: me,
            since: is_shared.then(now),
            passed: 0,
            has_turn: false,
        }
    }

    /// G: gives the lock up. Whoever is returned has it now, or is summoned, and must be handed back after the lock of the
    /// line was released.
    #[inline(always)]
    #[must_use]
    pub(crate) fn give_up(
        &self,
        worker: impl Fn() -> Worker,
        now: impl Fn() -> u64,
    ) -> Option<*const K> {
        let is_awaited = self.state(|turn| {
            turn.holder = None;
            let Some(first) = &mut turn.summoned else {
                return false;
            };
            if !first.may_be_passed(now()) {
                first.has_turn = true;
                turn.holder = Some(first.claimant.holder);
            }
            true
        });
        if is_awaited {
            return None;
        }
        let next = self.claim_first(|turn, ticket| {
            if ticket.claimant.worker != worker() && ticket.may_be_passed(now()) {
                turn.summoned = Some(*ticket);
            } else {
                ticket.has_turn = true;
                turn.holder = Some(ticket.claimant.holder);
            }
        });
        next.map(|((), task)| task)
    }

    /// F: comes.
    pub(crate) fn come(&self) -> Found<H> {
        self.state(|turn| {
            let summoned = if cfg!(mutation = "turn_summons_stays") {
                turn.summoned
            } else {
                turn.summoned.take()
            };
            let mut ticket = summoned.expect("one who comes was summoned");
            let is_free = turn.holder.is_none() || cfg!(mutation = "turn_comes_blind");
            if is_free {
                turn.holder = Some(ticket.claimant.holder);
                ticket.has_turn = true;
            }
            if ticket.has_turn {
                Found::Free
            } else {
                Found::Taken(ticket)
            }
        })
    }

    /// Who has the lock, if somebody does.
    pub(crate) fn holder(&self) -> Option<H> {
        self.state(|turn| turn.holder)
    }
}
