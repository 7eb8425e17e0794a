//! A worker alone with the policy: its own work comes again and again, or there is more and more to take.

use std::cell::Cell;

use crate::kit::policy::{self, Floor, Idler, Note, Queues};

/// So many are taken at once.
const LOT: usize = 32;

/// What it has been asked for since it was woken by a launch.
#[derive(Debug, Default)]
struct Alone {
    restless: Cell<bool>,
    searching: Cell<u32>,
    searches: Cell<u32>,
    /// How much waits at this worker, and at the other one.
    own: Cell<usize>,
    waiting: Cell<usize>,
    /// How many others sleep.
    asleep: Cell<u32>,
    is_ready: Cell<bool>,
    in_vain: Cell<u32>,
    note: Cell<Note>,
    robbed: Cell<Option<usize>>,
    naps: Cell<u32>,
    sleeps: Cell<u32>,
}

impl Floor for Alone {
    fn seats(&self) -> usize {
        2
    }

    fn waiting(&self, seat: usize) -> usize {
        [&self.own, &self.waiting][seat].get()
    }

    fn taken(&self, _: usize) -> u32 {
        0
    }

    fn load(&self, _: usize) -> Option<u32> {
        Some(0)
    }

    fn given(&self, _: usize) -> usize {
        0
    }

    fn has_injected(&self) -> bool {
        false
    }

    fn idle(&self) -> u32 {
        self.asleep.get()
    }

    fn is_searched(&self) -> bool {
        self.searching.get() > 0
    }

    fn is_restless(&self) -> bool {
        self.restless.get()
    }

    fn set_restless(&self, restless: bool) {
        self.restless.set(restless);
    }

    fn is_asleep(&self, _: usize) -> bool {
        false
    }

    fn is_awake(&self, _: usize) -> bool {
        true
    }

    fn wake(&self, _: usize) -> bool {
        false
    }
}

impl Queues for Alone {
    type Floor = Self;
    type Work = ();

    fn floor(&self) -> &Self {
        self
    }

    fn seat(&self) -> usize {
        0
    }

    fn taken(&self) -> u32 {
        0
    }

    fn own(&self) -> Option<()> {
        None
    }

    fn injected(&self) -> Option<()> {
        None
    }

    fn steal_from(&self, _: usize, _: bool) -> Option<()> {
        let before = self.waiting.get();
        self.waiting.set(before.saturating_sub(LOT));
        self.own.set(before.min(LOT).saturating_sub(1));
        (before > 0).then_some(())
    }

    fn in_vain(&self) -> &Cell<u32> {
        &self.in_vain
    }

    fn notes(&self, _: usize) -> &Cell<Note> {
        &self.note
    }

    fn robbed(&self) -> &Cell<Option<usize>> {
        &self.robbed
    }

    fn steal_given(&self, _: usize) -> Option<()> {
        None
    }
}

impl Idler for Alone {
    type Queues = Self;

    fn with_queues<R>(&self, look: impl FnOnce(&Self) -> R) -> R {
        look(self)
    }

    fn floor(&self) -> &Self {
        self
    }

    fn place(&self, (): ()) {
        self.is_ready.set(true);
    }

    fn poll(&self) {}

    fn has_ready(&self) -> bool {
        self.is_ready.get()
    }

    fn enter_idle(&self) {}

    fn leave_idle(&self) {}

    fn enter_search(&self, most: u32) -> bool {
        let enters = self.searching.get() < most;
        self.searching.set(self.searching.get() + u32::from(enters));
        self.searches.set(self.searches.get() + u32::from(enters));
        enters
    }

    fn leave_search(&self) {
        self.searching.set(self.searching.get() - 1);
    }

    fn nap(&self, _: u64) {
        self.naps.set(self.naps.get() + 1);
        self.is_ready.set(true);
    }

    fn sleep_unless(&self, wanted: impl FnOnce() -> bool) {
        if !wanted() {
            self.sleeps.set(self.sleeps.get() + 1);
            self.is_ready.set(true);
        }
    }
}

#[test]
fn one_whose_own_work_comes_again_and_again_gives_up_searching_all_the_same() {
    let alone = Alone::default();
    for launches in 1..=3 {
        // A launch has woken it, and somebody else has taken what was launched.
        alone.restless.set(true);
        for _ in 0..100 {
            alone.is_ready.set(false);
            policy::search(&alone);
            assert!(alone.is_ready.get());
        }
        assert!(!alone.restless.get());
        assert_eq!(alone.naps.get(), 3 * launches);
        assert_eq!(alone.sleeps.get(), 97 * launches);
    }
}

#[test]
fn one_that_takes_much_again_and_again_from_the_same_one_searches_once() {
    let alone = Alone::default();
    // How much is left, how often it has searched, and whether it wakes another one for what is left.
    let takes = |waiting: usize| {
        alone.own.set(0);
        alone.waiting.set(waiting);
        alone.is_ready.set(false);
        policy::search(&alone);
        assert!(alone.is_ready.get());
        (
            alone.waiting.get(),
            alone.searches.get(),
            alone.restless.replace(false),
        )
    };
    alone.restless.set(true);
    assert_eq!(takes(LOT).1, 1);
    for asleep in [0, 1] {
        alone.asleep.set(asleep);
        for _ in 0..100 {
            // What it has not started of that may wait for long: one who sleeps is woken, wherever the rest is.
            assert_eq!(takes(LOT), (0, 1, asleep > 0));
            assert_eq!(takes(LOT + 1), (1, 1, asleep > 0));
        }
    }
    alone.asleep.set(0);
    // Little is left to the one that launched it, for a while; and then much has to be searched for.
    assert_eq!(takes(1).1, 2);
    assert_eq!(takes(LOT).1, 3);
    assert_eq!(takes(LOT), (0, 3, false));
}
