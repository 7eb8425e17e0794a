//! Those who wait for a job to complete.

use loom::thread;

use crate::block::{Block, Slot, cancel, demand_not_sent, end_body, release, wait_for};
use crate::check;
use crate::job::state::COMPLETED;
use crate::task::word::Woken;
use crate::yard::Kept;

#[test]
fn join_a_waiter_is_woken_by_the_completion() {
    check(|| {
        let task = Block::coroutine(1);
        let job = Block::coroutine(2);
        let result = Kept::new(Slot::new());
        let other = thread::spawn(move || {
            result.put(7);
            end_body(job);
        });
        if let Some(parked) = wait_for(task, job, true) {
            assert_eq!(parked.woken, Woken::Value);
        }
        // Whether it was woken or came too late to wait, the result is visible.
        assert!(job.state().has(COMPLETED));
        assert_eq!(result.take(), Some(7));
        result.free();
        demand_not_sent(task);
        release(job);
        release(task);
        other.join().unwrap();
    });
}

/// A handle asks for the state without the lock.
#[test]
fn join_whoever_sees_the_completion_sees_the_result() {
    check(|| {
        let job = Block::coroutine(2);
        let result = Kept::new(Slot::new());
        let other = thread::spawn(move || {
            result.put(7);
            end_body(job);
        });
        while !job.state().has(COMPLETED) {
            thread::yield_now();
        }
        assert_eq!(result.take(), Some(7));
        result.free();
        release(job);
        other.join().unwrap();
    });
}

/// The frame with the node is gone as soon as the wait is over, so a completer that still touched it would be caught.
#[test]
fn join_a_cancelled_waiter_leaves_a_completing_job() {
    check(|| {
        let task = Block::coroutine(2);
        let job = Block::coroutine(2);
        let completer = thread::spawn(move || end_body(job));
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed == 1
        });
        let parked = wait_for(task, job, true);
        let claimed = canceller.join().unwrap();
        match parked {
            Some(parked) if parked.woken == Woken::Cancelled => {
                assert_eq!(parked.switched, claimed);
            }
            _ => {
                assert!(!claimed);
                assert!(job.state().has(COMPLETED));
            }
        }
        completer.join().unwrap();
        demand_not_sent(task);
        release(job);
        release(task);
    });
}

#[test]
fn join_one_waiter_leaves_and_the_other_is_woken() {
    check(|| {
        let job = Block::coroutine(3);
        let stays = Block::coroutine(1);
        let leaves = Block::coroutine(1);
        let other = thread::spawn(move || {
            if let Some(parked) = wait_for(stays, job, true) {
                assert_eq!(parked.woken, Woken::Value);
            }
            assert!(job.state().has(COMPLETED));
            demand_not_sent(stays);
            release(stays);
            release(job);
        });
        let completer = thread::spawn(move || end_body(job));
        // Cancelled beforehand, so that it links its node and takes it out again.
        cancel(leaves);
        if let Some(parked) = wait_for(leaves, job, true) {
            assert!(parked.woken == Woken::Cancelled || job.state().has(COMPLETED));
        }
        demand_not_sent(leaves);
        release(leaves);
        release(job);
        completer.join().unwrap();
        other.join().unwrap();
    });
}
