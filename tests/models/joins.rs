//! Those who wait for a job to complete.

use loom::thread;

use crate::block::{Block, Slot, cancel, demand_not_sent, end_body, release};
use crate::check;
use crate::job::state::COMPLETED;
use crate::joiners::{Joining, wait_for};
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
        if let Some(parked) = wait_for(task, job) {
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
        let parked = wait_for(task, job);
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

/// Which of two comes first.
#[derive(Debug, PartialEq, Eq)]
enum First {
    Leaves,
    Stays,
}

/// Two wait; one is cancelled, and may find itself taken out already, or still in the list of a job that has completed. `listed`
/// says which of the two is in front in the list, and `left` whose frame is left first.
fn one_leaves_and_the_other_is_woken(listed: First, left: First) {
    let job = Block::coroutine(2);
    let leaves = Block::coroutine(2);
    let stays = Block::coroutine(1);
    let begin = |task| Joining::begin(task, job).expect("not completed");
    let (leaving, staying) = if listed == First::Leaves {
        let leaving = begin(leaves);
        (leaving, begin(stays))
    } else {
        let staying = begin(stays);
        (begin(leaves), staying)
    };
    let completer = thread::spawn(move || end_body(job));
    let canceller = thread::spawn(move || {
        let done = cancel(leaves);
        release(leaves);
        done.claimed == 1
    });
    let leave = |leaving: Joining| {
        let parked = leaving.park();
        assert!(parked.woken == Woken::Cancelled || job.state().has(COMPLETED));
        parked
    };
    let stay = |staying: Joining| {
        assert_eq!(staying.park().woken, Woken::Value);
        assert!(job.state().has(COMPLETED));
    };
    let left = if left == First::Leaves {
        let left = leave(leaving);
        stay(staying);
        left
    } else {
        stay(staying);
        leave(leaving)
    };
    let claimed = canceller.join().unwrap();
    assert!(!claimed || left.woken == Woken::Cancelled);
    completer.join().unwrap();
    for task in [leaves, stays] {
        demand_not_sent(task);
        release(task);
    }
    release(job);
}

#[test]
fn join_one_leaves_before_the_other_is_woken() {
    check(|| one_leaves_and_the_other_is_woken(First::Leaves, First::Leaves));
}

#[test]
fn join_one_leaves_after_the_other_was_woken() {
    check(|| one_leaves_and_the_other_is_woken(First::Leaves, First::Stays));
}

/// The other one is taken first, and the job has completed when this one leaves.
#[test]
fn join_the_second_leaves_what_has_completed() {
    check(|| one_leaves_and_the_other_is_woken(First::Stays, First::Stays));
}

#[test]
fn join_the_second_leaves_before_the_other_is_woken() {
    check(|| one_leaves_and_the_other_is_woken(First::Stays, First::Leaves));
}
