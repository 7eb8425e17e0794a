//! Workers that have enough to do, and what others do not get round to.

use std::cell::Cell;

use crate::kit::policy::{self, Floor, Note, Queues};
use crate::kit::rounds::Rounds;

/// A worker as the others see it.
#[derive(Debug, Default)]
struct Seat {
    waiting: Cell<usize>,
    given: Cell<usize>,
    taken: Cell<u32>,
}

/// A worker and its pool, in which nobody sleeps.
#[derive(Debug)]
struct Busy {
    seat: usize,
    seats: Vec<Seat>,
    injected: Cell<usize>,
    notes: Vec<Cell<Note>>,
    robbed: Cell<Option<usize>>,
    rounds: Rounds,
    now: Cell<u64>,
}

/// Where work was taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    Own,
    Injected,
    Of(usize),
    GivenTo(usize),
}

/// Takes one of so many.
fn take(number: &Cell<usize>) -> bool {
    let before = number.get();
    number.set(before.saturating_sub(1));
    before > 0
}

impl Busy {
    fn new(seat: usize, seats: usize) -> Self {
        Self {
            seat,
            seats: (0..seats).map(|_| Seat::default()).collect(),
            injected: Cell::default(),
            notes: vec![Cell::default(); seats],
            robbed: Cell::default(),
            rounds: Rounds::new(seat),
            now: Cell::new(0),
        }
    }

    /// The next visit that is due. Those before it are not.
    fn visit(&self) -> Option<Work> {
        while !self.rounds.are_due(self.now.get()) {
            self.now.set(self.now.get() + 100_000);
        }
        self.rounds.visit(self, self.now.get())
    }

    fn took(&self) {
        let taken = &self.seats[self.seat].taken;
        taken.set(taken.get() + 1);
    }
}

impl Floor for Busy {
    fn seats(&self) -> usize {
        self.seats.len()
    }

    fn waiting(&self, seat: usize) -> usize {
        self.seats[seat].waiting.get()
    }

    fn taken(&self, seat: usize) -> u32 {
        self.seats[seat].taken.get()
    }

    fn load(&self, seat: usize) -> Option<u32> {
        Some(u32::from(seat == self.seat))
    }

    fn given(&self, seat: usize) -> usize {
        self.seats[seat].given.get()
    }

    fn has_injected(&self) -> bool {
        self.injected.get() > 0
    }

    fn idle(&self) -> u32 {
        0
    }

    fn is_searched(&self) -> bool {
        false
    }

    fn is_restless(&self) -> bool {
        true
    }

    fn set_restless(&self, _: bool) {}

    fn is_asleep(&self, _: usize) -> bool {
        false
    }

    fn is_awake(&self, _: usize) -> bool {
        true
    }

    fn wake(&self, _: usize) -> bool {
        unreachable!("nobody sleeps")
    }
}

impl Queues for Busy {
    type Floor = Self;
    type Work = Work;

    fn floor(&self) -> &Self {
        self
    }

    fn seat(&self) -> usize {
        self.seat
    }

    fn taken(&self) -> u32 {
        Floor::taken(self, self.seat)
    }

    fn own(&self) -> Option<Work> {
        take(&self.seats[self.seat].waiting).then(|| {
            self.took();
            Work::Own
        })
    }

    fn injected(&self) -> Option<Work> {
        take(&self.injected).then(|| {
            self.took();
            Work::Injected
        })
    }

    fn steal_from(&self, victim: usize, _: bool) -> Option<Work> {
        take(&self.seats[victim].waiting).then_some(Work::Of(victim))
    }

    fn in_vain(&self) -> &Cell<u32> {
        unreachable!("nobody searches")
    }

    fn notes(&self, victim: usize) -> &Cell<Note> {
        &self.notes[victim]
    }

    fn robbed(&self) -> &Cell<Option<usize>> {
        &self.robbed
    }

    fn steal_given(&self, victim: usize) -> Option<Work> {
        take(&self.seats[victim].given).then_some(Work::GivenTo(victim))
    }
}

#[test]
fn what_other_threads_launch_is_every_seventh_where_there_is_always_more() {
    let busy = Busy::new(0, 1);
    busy.seats[0].waiting.set(1000);
    busy.injected.set(100);
    let next: Vec<_> = (0..700).filter_map(|_| policy::next(&busy)).collect();
    for seven in next.chunks(7) {
        let injected = seven.iter().filter(|&&work| work == Work::Injected);
        assert_eq!((seven.len(), injected.count()), (7, 1));
    }
    // What is left of one kind waits for nothing.
    assert_eq!(busy.injected.get(), 0);
    assert!((0..400).all(|_| policy::next(&busy) == Some(Work::Own)));
    busy.injected.set(100);
    assert!((0..100).all(|_| policy::next(&busy) == Some(Work::Injected)));
    assert_eq!(policy::next(&busy), None);
}

#[test]
fn what_other_threads_launch_has_its_turn_beside_two_other_sources() {
    let busy = Busy::new(0, 1);
    busy.seats[0].waiting.set(1000);
    busy.injected.set(1);
    // As in a while for what has not started, which takes turns with what was given.
    let is_injected = || {
        busy.took();
        policy::next(&busy) == Some(Work::Injected)
    };
    for first in 0..7 {
        assert!((0..first).all(|_| policy::next(&busy).is_some()));
        busy.injected.set(1);
        assert!((0..7).any(|_| is_injected()), "{first}");
    }
}

#[test]
fn what_nobody_gets_round_to_is_taken_soon_however_many_others_have_more() {
    for (seats, most) in [(2, 2), (3, 3), (8, 8), (128, 128)] {
        for of in (1..seats).step_by(seats / 2) {
            let busy = Busy::new(0, seats);
            // As many as one can want, except of one, which has launched one and computes.
            for seat in &busy.seats {
                seat.waiting.set(1000);
            }
            busy.seats[of].waiting.set(1);
            let visits = (1..).find(|_| busy.visit() == Some(Work::Of(of)));
            assert!(visits.unwrap() <= most, "{of} of {seats}: {visits:?}");
        }
    }
}

#[test]
fn what_alone_waits_in_a_pool_is_found_by_asking_a_few_at_each_visit() {
    const SEATS: usize = 128;
    for seat in 0..SEATS {
        for of in (0..SEATS).filter(|&of| of != seat).step_by(5) {
            let busy = Busy::new(seat, SEATS);
            busy.seats[of].waiting.set(1);
            let visits = (1..).find(|_| busy.visit() == Some(Work::Of(of)));
            assert!(visits.unwrap() <= SEATS / 4 + 1, "{visits:?}");
            // And then there is no more.
            assert!((0..SEATS).all(|_| busy.visit().is_none()));
        }
    }
}

#[test]
fn who_takes_something_between_two_visits_keeps_the_rest() {
    let busy = Busy::new(0, 2);
    let other = &busy.seats[1];
    other.waiting.set(100);
    for taken in 1..50 {
        assert_eq!(busy.visit(), None);
        other.taken.set(taken);
    }
    assert_eq!(busy.visit(), None);
    assert_eq!(busy.visit(), Some(Work::Of(1)));
}

#[test]
fn what_was_given_to_one_that_computes_is_taken_late_by_who_hosts_more() {
    let busy = Busy::new(0, 2);
    busy.seats[1].given.set(1);
    let visits = (1..100).find(|_| busy.visit() == Some(Work::GivenTo(1)));
    assert!(visits.is_some_and(|visits| visits > 10), "{visits:?}");
}
