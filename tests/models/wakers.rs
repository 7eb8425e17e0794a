//! Futures: their wakers against the one who polls.
//!
//! Here a future is a flag. It is raised and read without any ordering of its own, so all that a poll sees it sees by the
//! signal.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, hand_back, park, release};
use crate::check;
use crate::departures::Machine;
use crate::task::signal::Signal;
use crate::task::word::{Withdrawal, Woken};
use crate::util::sync::{AtomicU32, Ordering};
use crate::yard::Kept;

/// A future and its signal.
#[derive(Debug)]
struct Flag {
    raised: AtomicU32,
    signal: Signal,
}

impl Flag {
    fn new() -> Kept<Self> {
        Kept::new(Self {
            raised: AtomicU32::new(0),
            signal: Signal::new(),
        })
    }

    fn poll(&self) -> bool {
        self.raised.load(Ordering::Relaxed) == 1
    }

    fn raise(&self) {
        self.raised.store(1, Ordering::Relaxed);
    }
}

/// W: wakes a coroutine.
fn wake(task: Kept<Block>, flag: Kept<Flag>) {
    if let Some(generation) = flag.signal.wake()
        && task.word.claim_value(generation)
    {
        hand_back(&[task]);
    }
}

/// O: waits as `block_on` does. Whether the future was ready.
fn block_on(task: Kept<Block>, flag: Kept<Flag>) -> bool {
    loop {
        flag.signal.begin();
        if flag.poll() {
            return true;
        }
        let generation = task.word.next();
        task.word.publish(generation, true);
        if !flag.signal.park(generation) && task.word.withdraw(generation) == Withdrawal::Withdrawn
        {
            if task.is_cancelling() {
                return false;
            }
            continue;
        }
        let parked = park(task, generation, true, || ());
        if parked.woken == Woken::Cancelled || task.is_cancelling() {
            return false;
        }
    }
}

#[test]
fn waker_a_wake_up_is_never_lost() {
    check(|| {
        let task = Block::coroutine(2);
        let flag = Flag::new();
        let waker = thread::spawn(move || {
            flag.raise();
            wake(task, flag);
            release(task);
        });
        assert!(block_on(task, flag));
        waker.join().unwrap();
        demand_not_sent(task);
        release(task);
        flag.free();
    });
}

#[test]
fn waker_what_was_done_before_a_wake_up_is_seen() {
    check(|| {
        let task = Block::coroutine(3);
        let flag = Flag::new();
        // Woken for nothing as well: this one does not make up for the other.
        let idle = thread::spawn(move || {
            wake(task, flag);
            release(task);
        });
        let waker = thread::spawn(move || {
            flag.raise();
            wake(task, flag);
            release(task);
        });
        assert!(block_on(task, flag));
        idle.join().unwrap();
        waker.join().unwrap();
        demand_not_sent(task);
        release(task);
        flag.free();
    });
}

#[test]
fn waker_a_cancellation_meets_a_wake_up() {
    check(|| {
        let task = Block::coroutine(3);
        let flag = Flag::new();
        let waker = thread::spawn(move || {
            wake(task, flag);
            release(task);
        });
        let canceller = thread::spawn(move || {
            cancel(task);
            release(task);
        });
        assert!(!block_on(task, flag));
        waker.join().unwrap();
        canceller.join().unwrap();
        demand_not_sent(task);
        release(task);
        flag.free();
    });
}

/// A turn of a machine that waits for a flag, and those that follow from it on this thread.
fn turns(machine: Kept<Machine>, flag: Kept<Flag>) {
    loop {
        let turn = machine.begin_turn();
        if turn > 0 {
            assert_eq!(machine.word.settle(), Woken::Value);
        }
        loop {
            flag.signal.begin();
            if flag.poll() {
                return;
            }
            let generation = machine.word.next();
            machine.word.publish(generation, true);
            if flag.signal.park(generation)
                || machine.word.withdraw(generation) == Withdrawal::Claimed
            {
                break;
            }
        }
        if !machine.depart(turn) {
            return;
        }
    }
}

#[test]
fn waker_of_a_machine_brings_it_to_its_end() {
    check(|| {
        let machine = Machine::new();
        let flag = Flag::new();
        let wake = move || {
            if let Some(generation) = flag.signal.wake()
                && machine.word.claim_value(generation)
                && machine.wake()
            {
                turns(machine, flag);
            }
        };
        let idle = thread::spawn(wake);
        let waker = thread::spawn(move || {
            flag.raise();
            wake();
        });
        turns(machine, flag);
        idle.join().unwrap();
        waker.join().unwrap();
        assert!(flag.poll());
        assert!(flag.signal.wake().is_none(), "somebody still waits");
        flag.free();
        machine.free();
    });
}
