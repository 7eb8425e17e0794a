//! The continuation word: its owner, resumers and cancellers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use loom::thread;

use crate::block::{
    Block, Parked, Slot, cancel, demand_not_sent, park, release, resume, suspend, switch_out,
};
use crate::check;
use crate::task::word::{Withdrawal, Woken};
use crate::yard::Kept;

/// A value that counts how many of its kind were dropped.
#[derive(Debug)]
struct Value(u32, Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn word_a_cancellation_is_never_lost() {
    check(|| {
        let task = Block::coroutine(2);
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed
        });
        let parked = suspend(task, true);
        let claimed = canceller.join().unwrap();
        assert_eq!(parked.woken, Woken::Cancelled);
        // Either the owner took the suspension back, or the canceller claimed it: one of the two.
        assert_eq!(parked.switched, claimed == 1);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_a_value_is_seen_after_the_hand_back() {
    check(|| {
        let task = Block::coroutine(2);
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        task.word.publish(generation, true);
        let resumer = thread::spawn(move || {
            assert!(resume(task, generation, slot, 7));
            release(task);
        });
        let parked = park(task, generation, true, || ());
        assert_eq!(parked.woken, Woken::Value);
        assert!(parked.switched);
        assert_eq!(slot.take(), Some(7));
        slot.free();
        resumer.join().unwrap();
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_a_waker_that_comes_before_the_suspension_claims_nothing() {
    check(|| {
        let task = Block::coroutine(2);
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        let early = thread::spawn(move || {
            let claimed = resume(task, generation, slot, 1);
            release(task);
            claimed
        });
        // Until it publishes, the owner does what it likes with its frame.
        slot.put(0);
        assert_eq!(slot.take(), Some(0));
        task.word.publish(generation, true);
        let claimed = match task.word.abandon(generation) {
            Withdrawal::Withdrawn => false,
            Withdrawal::Claimed => {
                switch_out(task);
                assert_eq!(task.word.settle(), Woken::Value);
                true
            }
        };
        assert_eq!(slot.take().is_some(), claimed);
        slot.free();
        assert_eq!(early.join().unwrap(), claimed);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_of_resume_and_cancel_exactly_one_wins() {
    check(|| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let task = Block::coroutine(3);
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        task.word.publish(generation, true);
        let value = Value(7, Arc::clone(&dropped));
        let resumer = thread::spawn(move || {
            let claimed = resume(task, generation, slot, value);
            release(task);
            claimed
        });
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed == 1
        });
        let Parked { woken, switched } = park(task, generation, true, || ());
        let got = slot.take();
        slot.free();
        let resumed = resumer.join().unwrap();
        let cancelled = canceller.join().unwrap();
        let withdrawn = !switched;
        let winners = [resumed, cancelled, withdrawn];
        assert_eq!(winners.iter().filter(|won| **won).count(), 1, "{winners:?}");
        assert_eq!(woken == Woken::Value, resumed);
        assert_eq!(got.as_ref().map(|value| value.0), resumed.then_some(7));
        // The value of a loser is gone; that of a winner is ours.
        assert_eq!(dropped.load(Ordering::Relaxed), usize::from(!resumed));
        drop(got);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_a_stale_handle_does_not_wake_the_next_suspension() {
    check(|| {
        let task = Block::coroutine(3);
        let first_slot = Kept::new(Slot::new());
        let first = task.word.next();
        task.word.publish(first, true);
        let stale = thread::spawn(move || {
            let claimed = resume(task, first, first_slot, 1);
            release(task);
            claimed
        });
        // The block that was to arrange the wake-up has failed, but its handle is out already.
        let claimed = task.word.abandon(first) == Withdrawal::Claimed;
        if claimed {
            switch_out(task);
            assert_eq!(task.word.settle(), Woken::Value);
        }
        assert_eq!(first_slot.take().is_some(), claimed);
        first_slot.free();

        let slot = Kept::new(Slot::new());
        let second = task.word.next();
        assert_ne!(first, second);
        task.word.publish(second, true);
        let resumer = thread::spawn(move || {
            assert!(resume(task, second, slot, 2));
            release(task);
        });
        assert_eq!(park(task, second, true, || ()).woken, Woken::Value);
        assert_eq!(slot.take(), Some(2));
        slot.free();
        resumer.join().unwrap();
        assert_eq!(stale.join().unwrap(), claimed);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_a_local_resume_needs_no_switch() {
    check(|| {
        let task = Block::coroutine(2);
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        task.word.publish(generation, true);
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed == 1
        });
        let local = task.word.claim_local(generation);
        if local {
            slot.put(7);
        }
        let parked = park(task, generation, true, || ());
        assert_eq!(slot.take(), local.then_some(7));
        slot.free();
        let cancelled = canceller.join().unwrap();
        // No withdrawal: a canceller that was too late for its claim cannot be too early for the local one.
        assert_eq!(local, !cancelled);
        assert_eq!(parked.woken == Woken::Value, local);
        assert_eq!(parked.switched, cancelled);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn word_a_shielded_suspension_is_not_woken_by_cancel() {
    check(|| {
        let task = Block::coroutine(3);
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        task.word.publish(generation, false);
        let canceller = thread::spawn(move || {
            assert_eq!(cancel(task).claimed, 0);
            release(task);
        });
        let resumer = thread::spawn(move || {
            assert!(resume(task, generation, slot, 7));
            release(task);
        });
        let parked = park(task, generation, false, || ());
        assert_eq!(parked.woken, Woken::Value);
        assert_eq!(slot.take(), Some(7));
        slot.free();
        canceller.join().unwrap();
        resumer.join().unwrap();
        demand_not_sent(task);
        release(task);
    });
}

/// The body of `non_cancellable` waits, and the job around it is cancelled.
#[test]
fn word_a_canceller_of_an_outer_job_leaves_the_inner_wait_alone() {
    check(|| {
        let task = Block::coroutine(2);
        let inner = Block::scope(task, 1);
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed
        });
        let slot = Kept::new(Slot::new());
        let generation = task.word.next();
        task.word.publish(generation, true);
        task.job.retain();
        let resumer = thread::spawn(move || {
            assert!(resume(task, generation, slot, 7));
            release(task);
        });
        assert_eq!(park(task, generation, true, || ()).woken, Woken::Value);
        assert_eq!(slot.take(), Some(7));
        slot.free();
        // Back in the outer body, the cancellation is met at the next suspension.
        task.set_current(task);
        release(inner);
        let parked = suspend(task, true);
        assert_eq!(parked.woken, Woken::Cancelled);
        assert_eq!(parked.switched, canceller.join().unwrap() == 1);
        resumer.join().unwrap();
        demand_not_sent(task);
        release(task);
    });
}
