//! State machines: the end of a turn against whoever ends the wait.
//!
//! Whoever sends a machine to its dispatcher gives it its next turn here, in the call: no queue in between synchronises
//! anything, so all that a turn sees it sees by the departure.

use std::sync::atomic::AtomicU32 as Count;

use loom::thread;

use crate::block::Slot;
use crate::check;
use crate::task::departure;
use crate::task::word::{Generation, Withdrawal, Woken, Word};
use crate::util::sync::{AtomicU32, Ordering, Shared};
use crate::yard::Kept;

/// The block of a machine.
#[derive(Debug)]
pub struct Machine {
    pub word: Word,
    bits: AtomicU32,
    cancelled: AtomicU32,
    /// The top of its chain: written at the very end of a turn.
    top: Shared<u32>,
    /// How many turns have begun: a count of the model.
    turns: Count,
}

impl Machine {
    pub fn new() -> Kept<Self> {
        Kept::new(Self {
            word: Word::new(),
            bits: AtomicU32::new(0),
            cancelled: AtomicU32::new(0),
            top: Shared::new(0),
            turns: Count::new(0),
        })
    }

    /// O: a turn begins. Its number.
    pub fn begin_turn(&self) -> u32 {
        let turn = self.turns.fetch_add(1, Ordering::Relaxed);
        departure::arrive(&self.bits);
        // SAFETY: the one right to the machine is the caller's; loom checks what that is worth.
        let top = self.top.with(|top| unsafe { *top });
        assert_eq!(top, turn, "the last turn is not over");
        turn
    }

    /// O: a turn ends, with the wait published. True if the caller sends the machine.
    pub fn depart(&self, turn: u32) -> bool {
        // SAFETY: nobody else has it before the departure.
        self.top.with_mut(|top| unsafe { *top = turn + 1 });
        departure::depart(&self.bits)
    }

    /// C: has claimed the word. True if the caller sends the machine.
    pub fn wake(&self) -> bool {
        departure::wake(&self.bits)
    }

    /// O, with the wait published: whether the turn goes on because the job is cancelled.
    fn withdraws(&self, generation: Generation) -> bool {
        self.cancelled.load(Ordering::SeqCst) == 1
            && self.word.withdraw(generation) == Withdrawal::Withdrawn
    }

    /// X: cancels the job. True if the wait was claimed.
    fn cancel(&self) -> bool {
        self.cancelled.store(1, Ordering::SeqCst);
        self.word.claim_cancel(|| true)
    }

    pub fn turns(&self) -> u32 {
        self.turns.load(Ordering::Relaxed)
    }
}

#[test]
fn departure_the_last_turn_is_over_before_the_next() {
    check(|| {
        let machine = Machine::new();
        let slot = Kept::new(Slot::new());
        // The second and last turn; the block is freed in it.
        let last = move || {
            machine.begin_turn();
            assert_eq!(machine.word.settle(), Woken::Value);
            assert_eq!(slot.take(), Some(7));
            assert_eq!(machine.turns(), 2);
            slot.free();
            machine.free();
        };
        let turn = machine.begin_turn();
        let generation = machine.word.next();
        machine.word.publish(generation, true);
        let resumer = thread::spawn(move || {
            assert!(machine.word.claim_value(generation));
            slot.put(7);
            if machine.wake() {
                last();
            }
        });
        if machine.depart(turn) {
            last();
        }
        resumer.join().unwrap();
    });
}

#[test]
fn departure_of_resume_and_cancel_one_brings_the_next_turn() {
    check(|| {
        let machine = Machine::new();
        let slot = Kept::new(Slot::new());
        let last = move || {
            machine.begin_turn();
            let value = slot.take();
            assert_eq!(machine.word.settle() == Woken::Value, value.is_some());
        };
        let turn = machine.begin_turn();
        let generation = machine.word.next();
        machine.word.publish(generation, true);
        let resumer = thread::spawn(move || {
            if machine.word.claim_value(generation) {
                slot.put(7);
                if machine.wake() {
                    last();
                }
            }
        });
        let canceller = thread::spawn(move || {
            if machine.cancel() && machine.wake() {
                last();
            }
        });
        if machine.withdraws(generation) {
            // The wait is over, and the turn is not.
            assert_eq!(slot.take(), None);
        } else if machine.depart(turn) {
            last();
        }
        resumer.join().unwrap();
        canceller.join().unwrap();
        assert!(machine.turns() <= 2);
        slot.free();
        machine.free();
    });
}

#[test]
fn departure_a_second_wait_begins_anew() {
    check(|| {
        let machine = Machine::new();
        // Handles of both waits; the second may come at any time, and claims nothing before that one has begun.
        let wake = move |generation, then: &dyn Fn()| {
            if machine.word.claim_value(generation) && machine.wake() {
                then();
            }
        };
        let last = move || {
            assert_eq!(machine.begin_turn(), 2);
            assert_eq!(machine.word.settle(), Woken::Value);
        };
        let second = move || {
            let turn = machine.begin_turn();
            assert_eq!(machine.word.settle(), Woken::Value);
            let generation = machine.word.next();
            machine.word.publish(generation, true);
            let other = thread::spawn(move || wake(generation, &last));
            if machine.depart(turn) {
                last();
            }
            other.join().unwrap();
        };
        let turn = machine.begin_turn();
        let generation = machine.word.next();
        machine.word.publish(generation, true);
        let resumer = thread::spawn(move || wake(generation, &second));
        if machine.depart(turn) {
            second();
        }
        resumer.join().unwrap();
        assert_eq!(machine.turns(), 3);
        machine.free();
    });
}
