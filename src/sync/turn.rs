//! Whose turn it is at a lock that one has at a time.
//!
//! As long as one thread alone uses the lock, waiters get it in the order of their coming, handed over. Between threads that
//! order has a price: a lock that was handed to a coroutine of another thread is held by nobody who runs until that thread
//! has been woken, and whoever meets it meanwhile must wait too, so that in the end every turn costs a wake-up. Three things
//! keep that away.
//!
//! A waiter of another thread is *summoned*: it is woken, and the lock is free until it comes. Whoever runs on yet another
//! thread may take it then, but not once the waiter has waited for [`PATIENCE`]; then the lock is kept for it.
//!
//! A waiter of G's own thread is summoned likewise if G has held the lock *briefly*, which is within one turn of the thread,
//! while other threads use the lock too: who holds it so is in nobody's way on its own thread, and the line is there
//! because of the others. Whoever runs on that thread may take the lock until the waiter comes, first of all G itself.
//! Handed over, each turn at the lock would cost a suspension for as long as the line lasts, and it would last for ever (a
//! lock convoy: Blasgen, Gray, Mitoma and Price, "The convoy phenomenon", 1979).
//!
//! And the lock *goes round* on one thread: the line holds the waiters of one thread only, and those of others are set aside,
//! until nobody waits in line or the thread has had the lock for so long ([`ROUND`]). Then it is the turn of the thread of
//! whoever was set aside first, and who still waits in line is set aside behind all others. (As a cohort lock does among
//! the cores of a node: Dice, Marathe and Shavit, "Lock Cohorting", 2012.)
//!
//! # Roles
//!
//! O wants the lock, G gives it up, F is the one who was summoned, X cancels.
//!
//! ```text
//! free                -O> held             taken at once
//! held                -G> free             nobody waited
//! held                -G> held by F        handed over: the first will not be passed again, or waits on G's thread
//! held                -G> free, summoned   the first waits on another thread, or G was brief; it is out of the line now
//! free, summoned      -O> held, summoned   F is passed by one who runs on another thread than all who wait, or, summoned
//!                                          by one of its own thread, by one who runs there
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
//! G owes a wake-up to nobody else while there is one; and where the line is empty, G brings back those who were set aside.
//!
//! # What is kept of the order on one thread
//!
//! Setting aside and bringing back keep it. Who comes stands in line only if all who were set aside are of other threads.
//! So those who wait get the lock in the order of their coming, whoever passes them while they do: at most those who have
//! a turn before F has its own. (Where more than [`BROUGHT_BACK`] are aside, those of one thread come back in parts, and
//! these may change places.)

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::{Node, Waits};
use crate::task::word::Generation;

/// So long, in nanoseconds, one who waits is passed at most.
const PATIENCE: u64 = 1_000_000;
/// So long, in nanoseconds, the lock goes round on one thread while those of others wait.
const ROUND: u64 = 1_000_000;
/// Every so many times that somebody has gone ahead, at most, the clock is looked at: as often as this takes no longer than
/// [`QUICK`] nanoseconds, else every time.
const LOOK_EVERY: u32 = 16;
const QUICK: u64 = 20_000;
/// So many who were set aside are looked through before one of them is passed; where there are more, nobody is.
const LOOKED_THROUGH: usize = 16;
/// So many who were set aside are looked through for those whose turn it is.
const BROUGHT_BACK: usize = 256;

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
    /// It has the lock.
    pub(crate) has_turn: bool,
}

impl<H> Ticket<H> {
    /// The place of one that is never passed, and so never summoned: what it waits for is handed over to it.
    pub(crate) fn unpassed(claimant: Claimant<H>) -> Self {
        Self {
            claimant,
            since: None,
            has_turn: false,
        }
    }

    fn may_be_passed(&self, now: u64) -> bool {
        self.since.is_some_and(|since| {
            now.saturating_sub(since) < PATIENCE || cfg!(mutation = "turn_passed_for_ever")
        })
    }

    /// Whether one of that thread may go first, where the lock was left free.
    fn lets_pass(&self, worker: Worker) -> bool {
        self.claimant.worker != worker && self.since.is_some()
    }
}

/// The lock.
#[derive(Debug)]
pub(crate) struct Turn<H> {
    holder: Option<H>,
    summoned: Option<Ticket<H>>,
    /// Who came last, and whether those who wait and those before whom they do came from several threads: else who waits need
    /// not look at the clock.
    last: Worker,
    is_shared: bool,
    /// The thread whose waiters stand in line.
    thread: Worker,
    /// Since when those of others have seen the lock go round there; nothing if none have yet.
    round: Option<u64>,
    /// Some of its waiters may still be set aside.
    is_split: bool,
    /// One who must not be passed may stand in line, of whatever thread.
    has_unpassed: bool,
    /// Who was summoned runs on the thread whose waiters stand in line, and lets others of it pass.
    is_open: bool,
    looks: Looks,
}

/// When the clock is looked at for one who was summoned.
#[derive(Clone, Copy, Debug)]
struct Looks {
    /// So many times others may go ahead before the next look.
    left: u32,
    /// As many as there were after the last one.
    every: u32,
    last: u64,
}

impl Looks {
    const NEW: Self = Self {
        left: 0,
        every: 1,
        last: 0,
    };

    /// G: whether it is time for a look.
    #[inline(always)]
    fn is_due(&mut self) -> bool {
        if self.left > 0 {
            self.left -= 1;
            return false;
        }
        !cfg!(mutation = "turn_looks_away")
    }

    fn plan(&mut self, now: u64) {
        let is_quick = now.saturating_sub(self.last) < QUICK;
        self.every = if is_quick {
            (2 * self.every).min(LOOK_EVERY)
        } else {
            1
        };
        (self.last, self.left) = (now, self.every - 1);
    }
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
        thread: Worker::NOBODY,
        round: None,
        is_split: false,
        has_unpassed: false,
        is_open: false,
        looks: Looks::NEW,
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
    pub(crate) fn take(&self, me: Claimant<H>) -> bool {
        let (is_taken, is_awaited) =
            self.state(|turn| (turn.holder.is_some(), turn.summoned.is_some()));
        if is_taken || (is_awaited && !self.pass(me.worker)) {
            return false;
        }
        self.state(|turn| {
            if is_awaited {
                turn.see(me.worker);
            } else {
                // Nobody waits, so who has come before is forgotten.
                turn.last = me.worker;
                turn.is_shared = false;
            }
            turn.holder = Some(me.holder);
        });
        true
    }

    /// Whether all who wait let one of that thread pass.
    #[cold]
    fn pass(&self, worker: Worker) -> bool {
        let (is_let, is_open, has_unpassed) = self.state(|turn| {
            let first = turn.summoned.as_ref();
            // Of those in line, too, if all are of one thread.
            let is_let = first.is_none_or(|first| first.lets_pass(worker));
            let is_line = turn.thread == worker;
            let is_open = turn.is_open && is_line && !turn.is_split;
            (is_let && !is_line, is_open, turn.has_unpassed)
        });
        if is_open {
            return !has_unpassed || self.has_none_unpassed();
        }
        let lets_pass = |ticket: &mut Ticket<H>| ticket.lets_pass(worker);
        is_let
            && (!has_unpassed || self.all_of(LOOKED_THROUGH, lets_pass))
            && self.all_aside(LOOKED_THROUGH, lets_pass)
    }

    /// Whether few stand in line, and nobody who must not be passed: it was one who has left since, or who never came.
    #[cold]
    fn has_none_unpassed(&self) -> bool {
        let has_none = self.all_of(LOOKED_THROUGH, |ticket| ticket.since.is_some());
        self.state(|turn| turn.has_unpassed = !has_none);
        has_none
    }

    /// O, which must not be passed and could not take it: stands in line from now on, of whatever thread it is.
    pub(crate) fn note_unpassed(&self) {
        self.state(|turn| turn.has_unpassed = true);
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
            has_turn: false,
        }
    }

    /// O: waits, in line or set aside. `publish` runs before the lock is released.
    ///
    /// # Safety
    ///
    /// As for [`Held::wait`].
    #[inline(always)]
    pub(crate) unsafe fn queue_up(
        self,
        node: &Node<K, Ticket<H>>,
        worker: Worker,
        generation: Generation,
        publish: impl FnOnce(),
    ) {
        let are_empty = self.are_empty();
        let stands_in_line = self.state(|turn| {
            if are_empty == (true, true) && turn.summoned.is_none() {
                turn.thread = worker;
                turn.round = None;
                turn.is_split = false;
                turn.has_unpassed = false;
            }
            turn.thread == worker && !turn.is_split
        });
        if stands_in_line {
            // SAFETY: passed on to the caller.
            unsafe { self.wait(node, generation, publish) };
        } else {
            // SAFETY: passed on to the caller.
            unsafe { self.wait_aside(node, generation, publish) };
        }
    }

    /// G: it is the turn of the next thread, if the present one has had the lock long enough.
    #[cold]
    fn regroup(&self, now: u64) {
        let (nobody, _) = self.are_empty();
        let goes_on = !nobody
            && self.state(|turn| now.saturating_sub(*turn.round.get_or_insert(now)) < ROUND);
        if !goes_on {
            self.next_thread(now);
        }
    }

    /// G: it is the turn of the next thread.
    fn next_thread(&self, now: u64) {
        self.set_all_aside();
        let Some(thread) = self.with_first_aside(|ticket| ticket.claimant.worker) else {
            return;
        };
        let mut has_unpassed = false;
        let are_all = self.bring_back(BROUGHT_BACK, |ticket| {
            let is_wanted = ticket.claimant.worker == thread;
            has_unpassed |= is_wanted && ticket.since.is_none();
            is_wanted
        });
        self.state(|turn| {
            turn.thread = thread;
            turn.round = Some(now);
            turn.is_split = !are_all;
            // Those who are aside are asked one by one.
            turn.has_unpassed = has_unpassed;
        });
    }

    /// G: gives the lock up; `is_brief` tells whether it has held it within one turn of its thread. Whoever is returned has it
    /// now, or is summoned, and must be handed back after the lock of the line was released.
    #[inline(always)]
    #[must_use]
    pub(crate) fn give_up(
        &self,
        is_brief: impl Fn() -> bool,
        worker: impl Fn() -> Worker,
        now: impl Fn() -> u64,
    ) -> Option<*const K> {
        let is_awaited = self.state(|turn| {
            turn.holder = None;
            let Some(first) = &mut turn.summoned else {
                return false;
            };
            if turn.looks.is_due() {
                let now = now();
                turn.looks.plan(now);
                if !first.may_be_passed(now) {
                    first.has_turn = true;
                    turn.holder = Some(first.claimant.holder);
                }
            }
            true
        });
        if is_awaited {
            return None;
        }
        let (_, nobody_aside) = self.are_empty();
        if nobody_aside {
            return self.claim_next(is_brief, worker, now);
        }
        self.regroup(now());
        loop {
            let next = self.claim_next(&is_brief, &worker, &now);
            if next.is_some() || self.are_empty() == (true, true) {
                return next;
            }
            // All who stood in line were cancelled.
            self.next_thread(now());
        }
    }

    /// G: hands over to the first in line, or summons it.
    #[inline(always)]
    fn claim_next(
        &self,
        is_brief: impl Fn() -> bool,
        worker: impl Fn() -> Worker,
        now: impl Fn() -> u64,
    ) -> Option<*const K> {
        let next = self.claim_first(|turn, ticket| {
            let is_shared = ticket.since.is_some();
            let is_of_others = is_shared && ticket.claimant.worker != worker();
            let is_left =
                is_of_others || (is_shared && (is_brief() || cfg!(mutation = "turn_brief_always")));
            if is_left && ticket.may_be_passed(now()) {
                turn.summoned = Some(*ticket);
                turn.is_open = !is_of_others;
                turn.looks = Looks::NEW;
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
