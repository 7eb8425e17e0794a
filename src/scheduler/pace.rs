//! How many turns a worker takes between two looks at the outside.
//!
//! Sixty-one, if they are short. But a turn lasts as long as the coroutine likes, and sixty-one slices of one that computes
//! are a long time for those who wait for a timer or a message. To read the clock costs more than a short turn, so it is
//! read at each look only, and tells how long the turns since the last one took on average. What is remembered is the
//! slowest average of late, which fades slowly: between two slices of one that computes there may be many short turns. With
//! it the next look is planned, so that about a millisecond passes until then, or one turn if that takes longer.
//!
//! A worker of the pool prefers what has not started to what is ready every eighth turn. Where turns are long, that is too
//! rare by the same measure: there it takes turns between a while for what is ready and a while for what has not started,
//! each planned by its own slowness.
//!
//! A worker begins as if its turns were rather long, until it knows better.
//!
//! Time in which the worker has nothing to do counts for nothing: a while ends before it, and another begins after it.

use std::cell::Cell;

use crate::scheduler::policy::{FRESH_EVERY, LOOK_EVERY};

/// How much time is to pass between two looks, in nanoseconds.
const SPAN: u64 = 1_000_000;
/// The part of the slowness that fades at each look.
const FADING: u64 = 64;

/// What a worker knows of the pace of its turns.
#[derive(Debug)]
pub(super) struct Pace {
    turn: Cell<u32>,
    /// The turn before which it looks outside.
    look_at: Cell<u32>,
    /// A turn whose number has none of these bits prefers what has not started.
    ready_bits: Cell<u32>,
    /// This while is for what has not started.
    is_starting: Cell<bool>,
    /// The turn and the moment with which this while began.
    began: Cell<(u32, u64)>,
    ready: Slowness,
    fresh: Slowness,
}

/// How long turns of one kind take, at worst, in nanoseconds.
#[derive(Debug)]
struct Slowness(Cell<u64>);

impl Slowness {
    fn new() -> Self {
        Self(Cell::new(SPAN / 8))
    }

    fn learn(&self, average: u64) {
        let known = self.0.get();
        self.0.set(average.max(known - known / FADING));
    }

    /// How many such turns pass until the next look.
    fn turns(&self) -> u32 {
        let turns = SPAN / self.0.get().max(1);
        turns.clamp(1, u64::from(LOOK_EVERY)) as u32
    }
}

impl Pace {
    /// The pace of a worker that begins now.
    pub(super) fn new() -> Self {
        Self {
            turn: Cell::new(0),
            look_at: Cell::new(1),
            ready_bits: Cell::new(FRESH_EVERY - 1),
            is_starting: Cell::new(false),
            began: Cell::new((0, u64::MAX)),
            ready: Slowness::new(),
            fresh: Slowness::new(),
        }
    }

    /// Counts a turn. True if a look outside is due before it.
    #[inline(always)]
    pub(super) fn take_turn(&self) -> bool {
        let turn = self.turn.get().wrapping_add(1);
        self.turn.set(turn);
        turn == self.look_at.get()
    }

    /// The number of the present turn; there are 2^32.
    #[inline(always)]
    pub(super) fn turn(&self) -> u32 {
        self.turn.get()
    }

    /// How many turns there are before the next look, at least one.
    pub(super) fn until_look(&self) -> u32 {
        let turns = self.look_at.get().wrapping_sub(self.turn.get());
        turns.clamp(1, LOOK_EVERY)
    }

    /// Whether the next turn begins with a look outside.
    #[inline(always)]
    pub(super) fn is_look_next(&self) -> bool {
        self.turn.get().wrapping_add(1) == self.look_at.get()
    }

    /// Whether this turn prefers what has not started.
    #[inline(always)]
    pub(super) fn prefers_fresh(&self) -> bool {
        self.turn.get() & self.ready_bits.get() == 0
    }

    /// Whether this while is for what has not started.
    pub(super) fn is_starting(&self) -> bool {
        self.is_starting.get()
    }

    /// A look: a while ends, and another begins. `may_start` says whether it may be one for what has not started.
    pub(super) fn look(&self, now: u64, may_start: bool) {
        self.pause(now);
        let starts = may_start && !self.is_starting.get() && self.ready.turns() < LOOK_EVERY;
        self.begin(now, starts);
    }

    /// A look without a clock to go by.
    pub(super) fn look_untimed(&self) {
        self.begin(u64::MAX, false);
        self.look_at.set(self.turn.get().wrapping_add(LOOK_EVERY));
    }

    /// The worker has nothing to do from now on.
    pub(super) fn pause(&self, now: u64) {
        let (turn, since) = self.began.get();
        let turns = self.turn.get().wrapping_sub(turn);
        // A while that began without a clock is not measured.
        if turns == 0 || since > now {
            return;
        }
        let average = (now - since) / u64::from(turns);
        if self.is_starting.get() {
            self.fresh.learn(average);
        } else {
            self.ready.learn(average);
        }
    }

    /// The worker goes on.
    pub(super) fn resume(&self, now: u64) {
        self.begin(now, false);
    }

    fn begin(&self, now: u64, starts: bool) {
        let turn = self.turn.get();
        self.began.set((turn, now));
        self.is_starting.set(starts);
        let (slowness, bits) = if starts {
            (&self.fresh, 0)
        } else {
            (&self.ready, FRESH_EVERY - 1)
        };
        self.ready_bits.set(bits);
        self.look_at.set(turn.wrapping_add(slowness.turns()));
    }
}

#[cfg(test)]
mod tests {
    use super::{FRESH_EVERY, LOOK_EVERY, Pace, SPAN};

    const SHORT: u64 = 1000;
    const LONG: u64 = 2 * SPAN;

    /// A worker's pace, and the moment that it is.
    struct Paced {
        pace: Pace,
        now: u64,
        may_start: bool,
    }

    impl Paced {
        fn new(may_start: bool) -> Self {
            let (pace, now) = (Pace::new(), 0);
            Self {
                pace,
                now,
                may_start,
            }
        }

        /// Takes turns of this length up to the next look. Their number.
        fn look_after(&mut self, each: u64) -> u32 {
            for turns in 1.. {
                self.now += each;
                if self.pace.take_turn() {
                    self.pace.look(self.now, self.may_start);
                    return turns;
                }
            }
            unreachable!("a look is due at last")
        }

        /// Has had short turns for long.
        fn practised(mut self) -> Self {
            let looks = (0..1000).find(|_| self.look_after(SHORT) == LOOK_EVERY);
            assert!(looks.is_some(), "it never forgets");
            self.pace.resume(self.now);
            self
        }
    }

    #[test]
    fn between_short_turns_it_looks_every_61() {
        for may_start in [false, true] {
            let mut paced = Paced::new(may_start).practised();
            for _ in 0..100 {
                assert_eq!(paced.look_after(SHORT), LOOK_EVERY);
                assert!(!paced.pace.is_starting());
            }
        }
    }

    #[test]
    fn a_worker_that_begins_with_long_turns_looks_soon() {
        let mut paced = Paced::new(false);
        assert_eq!(paced.look_after(LONG), 1);
        assert_eq!(paced.look_after(LONG), 8);
        assert_eq!(paced.look_after(LONG), 1);
    }

    #[test]
    fn short_turns_between_long_ones_do_not_make_it_forget() {
        let mut paced = Paced::new(false).practised();
        paced.look_after(LONG);
        for _ in 0..100 {
            assert_eq!(paced.look_after(LONG), 1);
            for _ in 0..40 {
                assert_eq!(paced.look_after(SHORT), 1);
            }
        }
        paced.practised();
    }

    #[test]
    fn where_turns_are_long_every_other_while_is_for_what_has_not_started() {
        let mut paced = Paced::new(true).practised();
        paced.look_after(LONG);
        for _ in 0..400 {
            assert!(paced.pace.is_starting() && paced.pace.prefers_fresh());
            paced.look_after(SHORT);
            assert!(!paced.pace.is_starting());
            assert_eq!(paced.look_after(LONG), 1);
        }
        // By now it knows that what starts there is short.
        assert_eq!(paced.look_after(SHORT), LOOK_EVERY);
    }

    #[test]
    fn time_without_work_is_no_long_turn() {
        let mut paced = Paced::new(true).practised();
        for _ in 0..100 {
            assert!(!paced.pace.take_turn());
            paced.now += SHORT;
            paced.pace.pause(paced.now);
            paced.now += LONG;
            paced.pace.resume(paced.now);
        }
        assert_eq!(paced.look_after(SHORT), LOOK_EVERY);
    }

    #[test]
    fn every_eighth_turn_prefers_what_has_not_started() {
        let pace = Pace::new();
        let preferred = (0..10 * FRESH_EVERY).filter(|_| {
            pace.take_turn();
            pace.prefers_fresh()
        });
        assert_eq!(preferred.count(), 10);
    }
}
