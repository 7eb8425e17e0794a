//! How many turns a worker takes between two looks at the outside.
//!
//! Sixty-one, if they are short. But a turn lasts as long as the coroutine likes, and sixty-one slices of one that computes
//! are a long time for those who wait for a timer or a message. To read the clock costs more than a short turn, so it is
//! read at each look only, and tells how long the turns since the last one took on average. What is remembered is the
//! slowest average of late, which fades slowly: between two slices of one that computes there may be many short turns. With
//! it the next look is planned, so that about a millisecond passes until then, or one turn if that takes longer.
//!
//! A worker of the pool prefers what has not started to what is ready every eighth turn. Where turns are long, that is too
//! rare by the same measure: there a while for what is ready in which they were is followed by whiles for what has not
//! started, planned by their own slowness, until they have taken half a millisecond together, or one turn if that takes longer.
//!
//! A worker begins as if its turns were rather long, until it knows better.
//!
//! Time in which the worker has nothing to do counts for nothing: a while ends before it, and another begins after it.
//!
//! A turn that is like the one before it costs one decrement: it is counted how many are left before the next at which there is
//! anything to decide, and the number of a turn is reckoned from that.

use std::cell::Cell;

use crate::scheduler::policy::{FRESH_EVERY, LOOK_EVERY};

/// How much time is to pass between two looks, in nanoseconds.
const SPAN: u64 = 1_000_000;
/// How much of it whiles for what has not started may take before the next begins.
const START_SPAN: u64 = SPAN / 2;
/// The part of the slowness that fades at each look.
const FADING: u64 = 64;

/// So many bits no number of a turn is without, but for the first.
const NEVER: u32 = u32::MAX;

/// What a worker knows of the pace of its turns.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many turns there are from the present one to the next marked one.
    left: Cell<u32>,
    /// The number of the next turn that is marked: with a look, or with what has not started before what is ready.
    marked: Cell<u32>,
    /// The turn before which it looks outside.
    look_at: Cell<u32>,
    /// The worker takes part in a pool, where there is something that has not started.
    has_seat: Cell<bool>,
    /// A turn whose number has none of these bits prefers what has not started.
    ready_bits: Cell<u32>,
    /// This while is for what has not started.
    is_starting: Cell<bool>,
    /// The turn and the moment with which this while began.
    began: Cell<(u32, u64)>,
    /// The moment with which the last while for what is ready ended.
    was_ready: Cell<u64>,
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

    /// How many such turns pass in so many nanoseconds: at least one, and at most as many as there are between two looks.
    fn turns_in(&self, span: u64) -> u32 {
        turns_in(span, self.0.get())
    }
}

/// The same for turns that take so many nanoseconds each.
fn turns_in(span: u64, each: u64) -> u32 {
    let turns = span / each.max(1);
    turns.clamp(1, u64::from(LOOK_EVERY)) as u32
}

impl Pace {
    /// The pace of a worker that begins now.
    pub(super) fn new() -> Self {
        Self {
            left: Cell::new(1),
            marked: Cell::new(1),
            look_at: Cell::new(1),
            has_seat: Cell::new(false),
            ready_bits: Cell::new(NEVER),
            is_starting: Cell::new(false),
            began: Cell::new((0, u64::MAX)),
            was_ready: Cell::new(0),
            ready: Slowness::new(),
            fresh: Slowness::new(),
        }
    }

    /// Says whether the worker takes part in a pool. One that does not never prefers what has not started.
    pub(super) fn set_seated(&self, has_seat: bool) {
        self.has_seat.set(has_seat);
        self.mark(self.is_starting.get());
    }

    /// Counts a turn. True if it is a marked one: then it [may begin with a look](Pace::is_look) and it [may prefer what has not
    /// started](Pace::prefers_fresh), and after that the [next mark](Pace::plan) is to be set.
    #[inline(always)]
    pub(super) fn take_turn(&self) -> bool {
        let left = self.left.get().wrapping_sub(1);
        self.left.set(left);
        left == 0
    }

    /// Marks the next turn at which there is anything to decide.
    pub(super) fn plan(&self) {
        let turn = self.turn();
        // Both without the next turn, which is to come in any case. A look that is due at this very turn is past.
        let before_look = self.to_look(turn).wrapping_sub(1);
        let before_fresh = (turn | self.ready_bits.get()) - turn;
        let left = before_look.min(before_fresh).saturating_add(1);
        self.left.set(left);
        self.marked.set(turn.wrapping_add(left));
    }

    /// How many turns there are from this one to the next look.
    fn to_look(&self, turn: u32) -> u32 {
        self.look_at.get().wrapping_sub(turn)
    }

    /// The number of the present turn; there are 2^32.
    #[inline(always)]
    pub(super) fn turn(&self) -> u32 {
        self.marked.get().wrapping_sub(self.left.get())
    }

    /// How many turns there are before the next look, at least one.
    pub(super) fn until_look(&self) -> u32 {
        self.to_look(self.turn()).clamp(1, LOOK_EVERY)
    }

    /// Whether a look outside is due before this turn.
    pub(super) fn is_look(&self) -> bool {
        self.to_look(self.turn()) == 0
    }

    /// Whether the next turn begins with a look outside.
    #[inline(always)]
    pub(super) fn is_look_next(&self) -> bool {
        self.turn().wrapping_add(1) == self.look_at.get()
    }

    /// Whether this turn prefers what has not started.
    pub(super) fn prefers_fresh(&self) -> bool {
        self.turn() & self.ready_bits.get() == 0
    }

    /// Whether this while is for what has not started.
    pub(super) fn is_starting(&self) -> bool {
        self.is_starting.get()
    }

    /// A look: a while ends, and another begins.
    pub(super) fn look(&self, now: u64) {
        let average = self.end(now);
        let starts = if self.is_starting.get() {
            now - self.was_ready.get() < START_SPAN
        } else {
            self.was_ready.set(now);
            // Not if they were short and only planned as if they were long: others would start in most of the time.
            turns_in(SPAN, average) < LOOK_EVERY
        };
        self.begin(now, starts && self.has_seat.get());
    }

    /// When it looked last, if there was a clock to go by.
    pub(super) fn looked_at(&self) -> Option<u64> {
        let (_, at) = self.began.get();
        (at < u64::MAX).then_some(at)
    }

    /// A look without a clock to go by.
    pub(super) fn look_untimed(&self) {
        self.begin(u64::MAX, false);
        self.look_at.set(self.turn().wrapping_add(LOOK_EVERY));
        self.plan();
    }

    /// The worker has nothing to do from now on.
    pub(super) fn pause(&self, now: u64) {
        self.end(now);
    }

    /// A while ends. How long its turns took on average, in nanoseconds.
    fn end(&self, now: u64) -> u64 {
        let (turn, since) = self.began.get();
        let turns = self.turn().wrapping_sub(turn);
        // A while that began without a clock is not measured.
        if turns == 0 || since > now {
            return 0;
        }
        let average = (now - since) / u64::from(turns);
        if self.is_starting.get() {
            self.fresh.learn(average);
        } else {
            self.ready.learn(average);
        }
        average
    }

    /// The worker goes on.
    pub(super) fn resume(&self, now: u64) {
        self.begin(now, false);
    }

    fn begin(&self, now: u64, starts: bool) {
        let turn = self.turn();
        self.began.set((turn, now));
        self.is_starting.set(starts);
        let turns = if starts {
            let taken = now - self.was_ready.get();
            self.fresh.turns_in(START_SPAN - taken.min(START_SPAN))
        } else {
            self.ready.turns_in(SPAN)
        };
        self.look_at.set(turn.wrapping_add(turns));
        self.mark(starts);
    }

    /// Marks the turns that prefer what has not started: all of a while that is for that, and else every eighth.
    fn mark(&self, starts: bool) {
        self.ready_bits.set(match (self.has_seat.get(), starts) {
            (false, _) => NEVER,
            (true, true) => 0,
            (true, false) => FRESH_EVERY - 1,
        });
        self.plan();
    }
}

#[cfg(test)]
mod tests {
    use super::{FRESH_EVERY, LOOK_EVERY, Pace, SPAN, START_SPAN};

    const SHORT: u64 = 1000;
    const LONG: u64 = 2 * SPAN;

    /// A worker's pace, and the moment that it is.
    struct Paced {
        pace: Pace,
        now: u64,
    }

    impl Paced {
        fn new(has_seat: bool) -> Self {
            let (pace, now) = (Pace::new(), 0);
            pace.set_seated(has_seat);
            Self { pace, now }
        }

        /// Takes turns of this length up to the next look. Their number.
        fn look_after(&mut self, each: u64) -> u32 {
            for turns in 1.. {
                self.now += each;
                if self.pace.take_turn() {
                    if self.pace.is_look() {
                        self.pace.look(self.now);
                        return turns;
                    }
                    self.pace.plan();
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
        for has_seat in [false, true] {
            let mut paced = Paced::new(has_seat).practised();
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
    fn where_turns_are_long_what_has_not_started_has_half_as_much_time_after_each() {
        let mut paced = Paced::new(true).practised();
        paced.look_after(LONG);
        for _ in 0..100 {
            let mut starts = 0;
            while paced.pace.is_starting() {
                assert!(paced.pace.prefers_fresh());
                starts += u64::from(paced.look_after(SHORT));
            }
            let most = u64::from(LOOK_EVERY) + START_SPAN / SHORT;
            assert!((START_SPAN / SHORT..most).contains(&starts), "{starts}");
            assert_eq!(paced.look_after(LONG), 1);
        }
        // One of them may be long as well.
        assert!(paced.pace.is_starting());
        paced.look_after(LONG);
        assert!(!paced.pace.is_starting());
    }

    #[test]
    fn what_has_not_started_takes_no_longer_than_planned_or_one_turn_whatever_that_takes() {
        for (ready, start) in [
            (LONG, 400_000),
            (100_000, 400_000),
            (20_000, 20_000),
            (17_000, 100_000),
        ] {
            let mut paced = Paced::new(true).practised();
            // How much time was for what was ready and for what has not started, and the longest while for that.
            let (mut times, mut longest) = ([0, 0], 0);
            // It does not know at first how long those take.
            while !paced.pace.is_starting() {
                paced.look_after(ready);
            }
            paced.look_after(start);
            for _ in 0..10_000 {
                let (starting, from) = (paced.pace.is_starting(), paced.now);
                paced.look_after(if starting { start } else { ready });
                times[usize::from(starting)] += paced.now - from;
                if starting {
                    longest = longest.max(paced.now - paced.pace.was_ready.get());
                }
            }
            assert!(longest <= START_SPAN + start, "{ready} {start}: {longest}");
            assert!(
                times[1] <= times[0] + times[0] / 8,
                "{ready} {start}: {times:?}"
            );
        }
    }

    #[test]
    fn short_turns_of_a_worker_that_knows_long_ones_are_not_followed_by_a_while_for_others() {
        let mut paced = Paced::new(true).practised();
        paced.look_after(LONG);
        while paced.pace.is_starting() {
            paced.look_after(SHORT);
        }
        for _ in 0..100 {
            assert!(paced.look_after(SHORT) < LOOK_EVERY);
            assert!(!paced.pace.is_starting());
        }
    }

    #[test]
    fn time_without_work_is_no_long_turn() {
        let mut paced = Paced::new(true).practised();
        for _ in 0..100 {
            paced.pace.take_turn();
            assert!(!paced.pace.is_look());
            paced.now += SHORT;
            paced.pace.pause(paced.now);
            paced.now += LONG;
            paced.pace.resume(paced.now);
        }
        assert_eq!(paced.look_after(SHORT), LOOK_EVERY);
    }

    /// The turns of a worker up to this one that prefer what has not started.
    fn preferring(pace: &Pace, until: u32) -> Vec<u32> {
        let mut preferring = Vec::new();
        while pace.turn() < until {
            if pace.take_turn() {
                preferring.extend(pace.prefers_fresh().then(|| pace.turn()));
                pace.look_untimed();
            }
        }
        preferring
    }

    #[test]
    fn every_eighth_turn_of_a_worker_with_a_seat_prefers_what_has_not_started() {
        let pace = Pace::new();
        assert!(preferring(&pace, 100).is_empty());
        pace.set_seated(true);
        let eighths = (100..200).filter(|turn| turn % FRESH_EVERY == 0);
        assert_eq!(preferring(&pace, 199), Vec::from_iter(eighths));
        pace.set_seated(false);
        assert!(preferring(&pace, 300).is_empty());
    }

    #[test]
    fn turns_are_numbered_whatever_is_marked_and_after_the_last_number_too() {
        let pace = Pace::new();
        pace.marked.set(u32::MAX - 2 * LOOK_EVERY);
        pace.left.set(0);
        pace.look_untimed();
        let first = pace.turn();
        for turn in 0..10 * LOOK_EVERY {
            assert_eq!(pace.turn(), first.wrapping_add(turn));
            pace.set_seated(turn % 3 == 0);
            let looks = pace.is_look_next();
            if pace.take_turn() {
                assert_eq!(pace.is_look(), looks);
                if looks {
                    pace.look_untimed();
                } else {
                    pace.plan();
                }
            } else {
                assert!(!looks && !pace.is_look());
            }
        }
    }
}
