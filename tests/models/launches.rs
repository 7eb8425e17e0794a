//! Whom a launch wakes: the pool's policy over two sleep words.

use loom::sync::Arc;
use loom::thread;

use crate::check;
use crate::scheduler::policy::{self, Floor};
use crate::task::sleep::{Bed, SleepWord, Wake};

/// Two workers that sleep, one in each manner.
#[derive(Debug)]
struct Sleepers([SleepWord; 2]);

impl Floor for Sleepers {
    fn seats(&self) -> usize {
        self.0.len()
    }

    fn waiting(&self, _: usize) -> usize {
        0
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
        true
    }

    fn idle(&self) -> u32 {
        self.0.len() as u32
    }

    fn is_searched(&self) -> bool {
        false
    }

    fn is_restless(&self) -> bool {
        true
    }

    fn set_restless(&self, _: bool) {}

    fn is_asleep(&self, seat: usize) -> bool {
        self.0[seat].is_drowsy()
    }

    fn is_awake(&self, _: usize) -> bool {
        false
    }

    fn wake(&self, seat: usize) -> bool {
        self.0[seat].wake_up() != Wake::Needless
    }
}

/// Two launch at the same time. If both relied on the same sleeper, it would take what one of them has launched, and the other
/// would wait for as long as that lasts.
#[test]
fn launch_two_wake_two() {
    check(|| {
        let floor = Arc::new(Sleepers([SleepWord::new(), SleepWord::new()]));
        floor.0[0].announce(Bed::Descriptors);
        floor.0[1].announce(Bed::Word);
        let other = {
            let floor = Arc::clone(&floor);
            thread::spawn(move || policy::launched(&*floor))
        };
        policy::launched(&*floor);
        other.join().unwrap();
        assert!(floor.0.iter().all(SleepWord::wake), "one sleeps on");
    });
}
