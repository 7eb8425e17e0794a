//! What the workers of a pool decide: whom a launch wakes, where a coroutine starts, in which order a worker looks for
//! work, whom it takes it from, and when it sleeps.
//!
//! This file is the seam between the pool and whoever runs it. It has no atomics, no threads and no clock: what it looks at
//! and does it is given by three traits. The library's are made of deques, atomics and sleep words ([`pool`] and
//! [`search`]); `tests/simulation` compiles this very file against plain cells and virtual time, and so shows what these
//! rules do with more workers than the machine has.
//!
//! Work that has just been launched is left to the worker that launched it: it is warm there, and what it talks to
//! probably lives there too. So an idle worker takes it only when it has waited a while (20 us in the first two looks of a
//! search and 50 us later, without the owner having taken anything), or when there is more of it than the owner could start
//! soon (over 2). Only one worker in eight may search at a time, and a launch wakes nobody while one does; so a worker that
//! launches and joins in a loop pays for a wake-up only when the searcher has given up, which it does after a few looks in
//! vain, in one search or, where its own work interrupts it, in several. Nobody searches before a launch has woken somebody: a
//! worker that is idle because its coroutines wait for each other or for the world goes to sleep at once, and without a timer.
//!
//! One who has just taken much of what another has launched takes from that one again, if there is much, before it would search: who
//! launches a hundred thousand in a loop looks for searchers at each.
//!
//! Where nobody is idle it is those who have enough to do that notice what another one does not get round to ([`rounds`]).
//!
//! Nobody sleeps while work waits: whoever gives up searching takes itself out of the count of searchers, announces its
//! sleep, and only then looks at all queues once more; whoever launches pushes first and then reads that count and looks for
//! a sleeper. With a fence between on both sides one of the two sees the other. While somebody searches the others may
//! sleep: one who stops because it has found something to do wakes the next if more work waits.
//!
//! Who is about to start a coroutine and hosts many more than another gives it to that one, where it stays in reach until
//! that one gets round to it: if its new owner takes nothing for that while, because it computes, an idle
//! worker that hosts no more takes it. One that hosts more, as the giver does, first waits idly for 1 ms, since how the
//! coroutines are spread is for their lives. From one that has more of it than it could start soon (over 1000), and so is slower
//! than others are, it takes at once. It is given once.
//!
//! Two things are there for large pools, and change little in small ones; `benches/results/simulation.md` has the figures.
//! With a single searcher among 128 workers all others that run dry meanwhile turn away from it and go to sleep, and the next
//! launch finds nobody who searches: so short work is paid for with a wake-up again and again. And who hosts many looks for a
//! lighter worker at each start; where it looks at all of them, each start fetches as many lines that other processors have
//! just written. It looks at a few, which is nearly as good (M. Mitzenmacher, *The Power of Two Choices in Randomized Load
//! Balancing*, 2001). For the same reason it looks, in a pool of any size, only before those starts with which it could
//! have come to host too much since the last look.
//!
//! [`pool`]: super::pool
//! [`rounds`]: super::rounds
//! [`search`]: super::search

use std::cell::Cell;

/// A worker gives a coroutine away when it hosts this many more than another, and an eighth.
const SLACK: u32 = 8;
/// Among so many it looks for that other one.
const PROBES: usize = 8;
/// It does so before each start until there is none; and then not for as many starts as are left until there could be one,
/// at most for so many.
const RESTS: u32 = 7;

/// With more coroutines than this a worker starts first what was launched last.
const MANY: u32 = 32;

/// How long work waits before it is taken from a worker that does not get round to it, in nanoseconds.
const PATIENCE: u64 = 50_000;
/// The same for the first looks of a search, which so often are the last ones.
const FIRST_PATIENCE: u64 = 20_000;
const FIRST_LOOKS: u32 = 2;
/// After so many looks in vain even one that hosts more takes what a worker was given.
const STUCK: u32 = 20;
/// How much of what a worker was given is more than it could start soon: with less, how it is spread counts for more.
const MUCH_GIVEN: usize = 1000;
/// How many looks in vain end a search.
const LOOKS: u32 = 3;
/// How much unstarted work a worker may keep for itself.
const KEEP: usize = 2;
/// One worker in so many may search, and one in any case.
const SEARCHING_ONE_IN: usize = 8;

/// How many turns of a worker pass between two looks at the outside.
pub(crate) const LOOK_EVERY: u32 = 61;
/// How often what other threads have launched comes before what a worker has launched itself.
/// (An odd number: every other time a worker may take what it was given.)
const INJECTED_EVERY: u32 = 7;
/// How often a worker prefers what has not started to what is ready.
pub(crate) const FRESH_EVERY: u32 = 8;
/// How many coroutines may run on one stack one after another before the loop has its turn.
pub(crate) const LONGEST_CHAIN: u32 = 64;

/// What everybody may look at and change of a pool.
pub(crate) trait Floor {
    /// The number of workers.
    fn seats(&self) -> usize;

    /// How much unstarted work is in a worker's queue.
    fn waiting(&self, seat: usize) -> usize;

    /// How often a worker has taken something: from its own queue, of what it was given, or of what other threads have launched.
    fn taken(&self, seat: usize) -> u32;

    /// How many coroutines a worker hosts, with those that are on their way to it. `None` if its thread could not be started.
    fn load(&self, seat: usize) -> Option<u32>;

    /// How much of what others have given to a worker has not started.
    fn given(&self, seat: usize) -> usize;

    /// Whether something waits that other threads have launched.
    fn has_injected(&self) -> bool;

    /// How many workers sleep or search.
    fn idle(&self) -> u32;

    /// Whether a worker searches.
    fn is_searched(&self) -> bool;

    /// Whether a launch has woken a worker since a search was last in vain. A guess, on which nothing rests.
    fn is_restless(&self) -> bool;

    fn set_restless(&self, restless: bool);

    /// Whether a worker sleeps and has not been told to wake.
    fn is_asleep(&self, seat: usize) -> bool;

    /// Whether a worker is awake: one that was told to wake is so when it has done it.
    fn is_awake(&self, seat: usize) -> bool;

    /// Wakes a worker that sleeps. False if it has woken meanwhile, or somebody else wakes it.
    fn wake(&self, seat: usize) -> bool;
}

/// What one worker has noticed about another one that was given something.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Note {
    /// So many looks ago it had taken this often, as it has now.
    looks: u32,
    taken: u32,
}

/// What one worker has of its pool.
pub(crate) trait Queues {
    type Floor: Floor;
    type Work;

    fn floor(&self) -> &Self::Floor;

    /// Which worker it is.
    fn seat(&self) -> usize;

    /// How often it has taken something.
    fn taken(&self) -> u32;

    /// Takes the next of its own queue: the newest if the worker [`goes_deep`].
    fn own(&self) -> Option<Self::Work>;

    /// Takes the first of what other threads have launched.
    fn injected(&self) -> Option<Self::Work>;

    /// Takes work from another worker: half of what it has if `many`, else one. Gives one of it, and has the rest in its
    /// own queue.
    fn steal_from(&self, victim: usize, many: bool) -> Option<Self::Work>;

    /// How often in a row this worker has looked for work and seen none anywhere.
    fn in_vain(&self) -> &Cell<u32>;

    /// What this worker has noticed about another one.
    fn notes(&self, victim: usize) -> &Cell<Note>;

    /// From whom this worker has just taken much, until it has looked there again.
    fn robbed(&self) -> &Cell<Option<usize>>;

    /// Takes the first of what others have given to another worker.
    fn steal_given(&self, victim: usize) -> Option<Self::Work>;
}

/// A worker that has nothing to do.
pub(crate) trait Idler {
    type Queues: Queues;

    /// Looks at the worker's queues, without keeping them.
    fn with_queues<R>(&self, look: impl FnOnce(&Self::Queues) -> R) -> R;

    fn floor(&self) -> &<Self::Queues as Queues>::Floor;

    /// Queues work that is about to start here, or gives it to a worker that hosts far fewer.
    fn place(&self, work: <Self::Queues as Queues>::Work);

    /// Takes in what has come from the world for the coroutines that live here.
    fn poll(&self);

    fn has_ready(&self) -> bool;

    /// Counts itself among the idle ones, before it looks at the queues.
    fn enter_idle(&self);

    fn leave_idle(&self);

    /// Becomes a searcher, unless so many are.
    fn enter_search(&self, most: u32) -> bool;

    /// Is none any more; only then looks at anything else.
    fn leave_search(&self);

    /// Sleeps for so many nanoseconds, or until something comes.
    fn nap(&self, nanos: u64);

    /// Sleeps until something comes, but stays awake if `wanted` says so, which is asked after the sleep was announced.
    fn sleep_unless(&self, wanted: impl FnOnce() -> bool);
}

/// Whether a worker that hosts so many starts first what was launched last.
#[inline(always)]
pub(crate) fn goes_deep(hosted: u32) -> bool {
    hosted > MANY
}

/// How many of what it was given become ready at a look of a worker, before turn `now`, with so many turns until the next look: so
/// many, but if others are ready, one for every eighth turn since the last look. (Not of those to come, which may turn out to be
/// fewer.) They wait behind these, and those that are
/// woken later behind them: with more than there are turns for the queue would grow from look to look, as long as there is more to
/// be given, and who sleeps for a millisecond would be late by all of that. (Where turns are long this is too little, and so it is not
/// all: there what was given starts in the whiles for what has not started too, `pace`, and waits behind nobody.)
pub(crate) fn given_at_once(last: u32, now: u32, turns: u32, has_ready: bool) -> u32 {
    if has_ready {
        (last % FRESH_EVERY + now.wrapping_sub(last)) / FRESH_EVERY
    } else {
        turns
    }
}

/// The next coroutine that a worker starts: of its own, or of those that other threads have launched, which come first every seventh
/// time, since there may always be more of its own. What it was given
/// becomes ready at its looks outside, [some each time](given_at_once), so that neither what it has launched itself nor what is
/// woken waits for all of that; in a while for what has not started it takes turns with this.
#[inline(always)]
pub(crate) fn next<Q: Queues>(queues: &Q) -> Option<Q::Work> {
    let injected = || {
        let has_some = queues.floor().has_injected();
        has_some.then(|| queues.injected()).flatten()
    };
    if queues.taken().is_multiple_of(INJECTED_EVERY) {
        injected().or_else(|| queues.own())
    } else {
        queues.own().or_else(injected)
    }
}

/// Something was launched, and is in its queue.
#[inline(always)]
pub(crate) fn launched(floor: &impl Floor) {
    if floor.idle() > 0 && !floor.is_searched() {
        wake_one(floor);
    }
}

/// Wakes one worker that sleeps.
fn wake_one(floor: &impl Floor) {
    floor.set_restless(true);
    // Two who launch at the same time may choose the same sleeper, which takes what one of them has launched: the other has to
    // find another.
    let mut seats = 0..floor.seats();
    seats.find(|&seat| {
        floor.is_asleep(seat) && (floor.wake(seat) || cfg!(mutation = "policy_wakes_the_same"))
    });
}

/// The worker that hosts least.
pub(crate) fn lightest(floor: &impl Floor) -> Option<usize> {
    let loads = (0..floor.seats()).filter_map(|seat| Some((floor.load(seat)?, seat)));
    loads.min().map(|(_, seat)| seat)
}

/// How one worker looks for others that host less.
#[derive(Debug)]
pub(crate) struct Lookout {
    /// So many starts until it looks again.
    rests: Cell<u32>,
    /// Whom it asks next, in a large pool.
    next: Cell<usize>,
}

impl Lookout {
    pub(crate) fn new(seat: usize) -> Self {
        Self {
            rests: Cell::new(0),
            // So that not all ask the same ones at the same time.
            next: Cell::new(seat.wrapping_mul(PROBES)),
        }
    }

    /// Whether one with the load `mine` looks before this start.
    #[inline(always)]
    pub(crate) fn looks(&self, mine: u32) -> bool {
        if mine <= SLACK {
            return false;
        }
        let rests = self.rests.get();
        self.rests.set(rests.saturating_sub(1));
        rests == 0
    }

    /// A worker that hosts so much less than one with the load `mine`, which [looks](Lookout::looks), that what is about to start
    /// there had better start with it. In a large pool a few are asked, others each time.
    pub(crate) fn lighter(&self, floor: &impl Floor, mine: u32) -> Option<usize> {
        let count = floor.seats();
        // No division where it would not matter.
        let first = if count > PROBES {
            let next = self.next.get();
            self.next.set(next.wrapping_add(PROBES));
            next % count
        } else {
            0
        };
        let seats = first..first + PROBES.min(count);
        let asked = seats.map(|seat| if seat < count { seat } else { seat - count });
        let loads = asked.filter_map(|seat| Some((floor.load(seat)?, seat)));
        let (theirs, lightest) = loads.min_by_key(|&(load, _)| load)?;
        let enough = theirs + theirs / 8 + SLACK;
        self.rests.set(enough.saturating_sub(mine).min(RESTS));
        (mine > enough).then_some(lightest)
    }
}

/// Searches for work, or sleeps until there is some.
pub(crate) fn search(me: &impl Idler) {
    if take_again(me) {
        return;
    }
    me.enter_idle();
    search_as_idle(me);
    me.leave_idle();
}

/// Takes from whom it has just taken much, if there is much again. Where one launches a great many this is where the next ones are,
/// and a search would be paid for by that one as well: at each launch it looks whether anybody searches.
fn take_again(me: &impl Idler) -> bool {
    let taken = me.with_queues(|queues| {
        let victim = queues.robbed().take()?;
        steal_of(queues, victim, |waiting| waiting > KEEP)
    });
    let Some(work) = taken else {
        return false;
    };
    me.place(work);
    // As after a search. What was moved here counts, too: one who has looked here before that, and there after it, sleeps.
    let floor = me.floor();
    if floor.idle() > 0 && has_work(floor) {
        launched(floor);
    }
    true
}

fn search_as_idle(me: &impl Idler) {
    let floor = me.floor();
    let most = (floor.seats() / SEARCHING_ONE_IN).max(1) as u32;
    while floor.is_restless() || has_work(floor) {
        // What lives here comes before what others have.
        me.poll();
        if me.has_ready() {
            return;
        }
        if !me.enter_search(most) {
            break;
        }
        let found = hunt(me);
        me.leave_search();
        if found {
            // What is left waits behind what was found, and those who launched it woke nobody: another one watches.
            if floor.idle() > 1 && has_work(floor) {
                wake_one(floor);
            }
            return;
        }
        floor.set_restless(false);
    }
    me.sleep_unless(|| !floor.is_searched() && has_work(floor));
}

/// True if something is ready to run here now. If that is work of its own, the looks in vain before it count for the next search
/// as well: a worker whose timers and messages come again and again would otherwise search for ever.
fn hunt(me: &impl Idler) -> bool {
    let floor = me.floor();
    let in_vain = || me.with_queues(|queues| queues.in_vain().get());
    let set_in_vain = |looks: u32| me.with_queues(|queues| queues.in_vain().set(looks));
    let mut naps = 0;
    while in_vain() < LOOKS {
        let steal_much = |queues: &_| {
            steal(queues, |_, waiting| waiting > KEEP).or_else(|| steal_much_given(queues))
        };
        if take_from_anybody(me, steal_much) {
            set_in_vain(0);
            return true;
        }
        let before: Vec<u32> = (0..floor.seats()).map(|seat| floor.taken(seat)).collect();
        set_in_vain(if has_work(floor) { 0 } else { in_vain() + 1 });
        me.nap(if naps < FIRST_LOOKS {
            FIRST_PATIENCE
        } else {
            PATIENCE
        });
        naps += 1;
        if me.has_ready() {
            return true;
        }
        let is_stuck = |victim: usize| floor.taken(victim) == before[victim];
        let steal_stuck = |queues: &_| {
            steal(queues, |victim, waiting| waiting > 0 && is_stuck(victim))
                .or_else(|| steal_given(queues, is_stuck))
        };
        if take_from_anybody(me, steal_stuck) {
            set_in_vain(0);
            return true;
        }
    }
    set_in_vain(0);
    false
}

fn take_from_anybody<I: Idler>(
    me: &I,
    steal: impl FnOnce(&I::Queues) -> Option<<I::Queues as Queues>::Work>,
) -> bool {
    let work = me.with_queues(|queues| next(queues).or_else(|| steal(queues)));
    match work {
        Some(work) => {
            me.place(work);
            true
        }
        None => false,
    }
}

fn steal<Q: Queues>(queues: &Q, wanted: impl Fn(usize, usize) -> bool) -> Option<Q::Work> {
    others(queues).find_map(|victim| steal_of(queues, victim, |waiting| wanted(victim, waiting)))
}

/// Takes from this one, if the number of what waits there is `wanted`.
pub(super) fn steal_of<Q: Queues>(
    queues: &Q,
    victim: usize,
    wanted: impl FnOnce(usize) -> bool,
) -> Option<Q::Work> {
    let waiting = queues.floor().waiting(victim);
    if !wanted(waiting) {
        return None;
    }
    let is_much = waiting > KEEP;
    let work = queues.steal_from(victim, is_much)?;
    queues.robbed().set(is_much.then_some(victim));
    Some(work)
}

/// Takes of what was given to a worker that has more of it than it could start soon.
fn steal_much_given<Q: Queues>(queues: &Q) -> Option<Q::Work> {
    let has_much = |&victim: &usize| queues.floor().given(victim) > MUCH_GIVEN;
    let mut victims = others(queues).filter(has_much);
    victims.find_map(|victim| queues.steal_given(victim))
}

/// Takes what was given to a worker that does not get round to it.
fn steal_given<Q: Queues>(queues: &Q, is_stuck: impl Fn(usize) -> bool) -> Option<Q::Work> {
    others(queues).find_map(|victim| steal_given_to(queues, victim, is_stuck(victim)))
}

/// Takes what was given to this one, which does not get round to it if it `is_stuck`.
pub(super) fn steal_given_to<Q: Queues>(
    queues: &Q,
    victim: usize,
    is_stuck: bool,
) -> Option<Q::Work> {
    let (floor, notes) = (queues.floor(), queues.notes(victim));
    if floor.given(victim) == 0 || !floor.is_awake(victim) || !is_stuck {
        notes.set(Note::default());
        return None;
    }
    let (taken, before) = (floor.taken(victim), notes.get());
    let looks = if before.taken == taken {
        before.looks + 1
    } else {
        1
    };
    notes.set(Note { looks, taken });
    let hosts_no_more = floor.load(queues.seat()) <= floor.load(victim);
    (looks >= STUCK || hosts_no_more)
        .then(|| queues.steal_given(victim))
        .flatten()
}

/// The other workers. Each thief begins behind its own seat, so that thieves spread over the victims.
fn others<Q: Queues>(queues: &Q) -> impl Iterator<Item = usize> {
    let (seat, count) = (queues.seat(), queues.floor().seats());
    (1..count).map(move |offset| (seat + offset) % count)
}

/// Whether anything has not started anywhere.
fn has_work(floor: &impl Floor) -> bool {
    let waits = |seat| floor.waiting(seat) > 0 || floor.given(seat) > 0;
    floor.has_injected() || (0..floor.seats()).any(waits)
}
