//! The child list against completion: bodies that end, frames that wait.

use loom::thread;

use crate::block::{
    Block, cancel, demand_not_sent, end_and_stay, end_body, finalise, launch, leave_together,
    release, try_launch, wait_for_children,
};
use crate::check;
use crate::job::state::{BODY_DONE, CANCELLING, CLOSED, COMPLETED};
use crate::yard::Kept;

/// Nobody but the finaliser holds the parent, so whoever touches it too late touches a freed block.
#[test]
fn end_of_two_children_and_a_body_one_completes_the_parent() {
    check(|| {
        let parent = Block::coroutine(1);
        let children = [Block::coroutine(1), Block::coroutine(1)];
        for child in children {
            launch(parent, child);
        }
        let others = children.map(|child| thread::spawn(move || end_body(child)));
        end_body(parent);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// Two that have ended on one thread leave under one lock, while a third ends elsewhere.
#[test]
fn end_of_two_that_leave_together_and_of_another() {
    check(|| {
        let parent = Block::coroutine(1);
        let children = [(); 3].map(|()| Block::coroutine(1));
        for child in children {
            launch(parent, child);
        }
        let [first, second, third] = children;
        let others = [
            thread::spawn(move || {
                end_and_stay(first);
                end_and_stay(second);
                leave_together(&[second, first]);
            }),
            thread::spawn(move || end_body(third)),
        ];
        end_body(parent);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// The frame that waits is woken by the last of those who leave together, and not before.
#[test]
fn end_of_the_last_who_leave_together_wakes_the_waiting_frame() {
    check(|| {
        let task = Block::coroutine(1);
        let scope = Block::scope(task, 1);
        let children = [Block::coroutine(1), Block::coroutine(1)];
        for child in children {
            launch(scope, child);
        }
        let other = thread::spawn(move || {
            for child in children {
                end_and_stay(child);
            }
            leave_together(&children);
        });
        leave_frame(scope, task);
        other.join().unwrap();
    });
}

/// Waits for the children, is woken once at most, and leaves the frame, whose job is freed at once: a child that still touched
/// either would be caught.
fn leave_frame(scope: Kept<Block>, task: Kept<Block>) {
    assert!(wait_for_children(scope, task) <= 1);
    task.set_current(task);
    finalise(scope);
    demand_not_sent(task);
    release(task);
}

#[test]
fn end_of_a_chain_completes_the_ancestors_in_one_loop() {
    check(|| {
        let parent = Block::coroutine(1);
        let child = Block::coroutine(1);
        let grandchild = Block::coroutine(1);
        launch(parent, child);
        launch(child, grandchild);
        let others = [child, grandchild].map(|job| thread::spawn(move || end_body(job)));
        end_body(parent);
        for other in others {
            other.join().unwrap();
        }
    });
}

#[test]
fn end_of_the_last_child_wakes_the_waiting_frame_once() {
    check(|| {
        let task = Block::coroutine(1);
        let scope = Block::scope(task, 1);
        let children = [Block::coroutine(1), Block::coroutine(1)];
        for child in children {
            launch(scope, child);
        }
        let others = children.map(|child| thread::spawn(move || end_body(child)));
        leave_frame(scope, task);
        for other in others {
            other.join().unwrap();
        }
    });
}

/// A scope that waits for its children is not woken by its cancellation, only by the last child. The canceller may come
/// as late as it likes: the frame and its coroutine are gone by then.
#[test]
fn end_of_a_cancelled_scope_waits_for_its_children() {
    check(|| {
        let task = Block::coroutine(1);
        let scope = Block::scope(task, 2);
        let child = Block::coroutine(1);
        launch(scope, child);
        let canceller = thread::spawn(move || {
            let done = cancel(scope);
            assert_eq!(done.claimed, 0);
            release(scope);
        });
        let other = thread::spawn(move || end_body(child));
        leave_frame(scope, task);
        canceller.join().unwrap();
        other.join().unwrap();
    });
}

/// As `CompletableJob::complete`.
fn complete_by_hand(job: Kept<Block>) {
    {
        let guard = job.job.lock();
        if job.state().has(BODY_DONE | CANCELLING | CLOSED | COMPLETED) {
            return;
        }
        job.job.set_relaxed_order(&guard, BODY_DONE);
    }
    end_body(job);
}

/// A job made by hand ends with its cancellation, with `complete`, or with its last child after either.
#[test]
fn end_of_a_job_made_by_hand_is_one_end() {
    check(|| {
        let job = Block::bare(3);
        let child = Block::coroutine(1);
        launch(job, child);
        let canceller = thread::spawn(move || {
            if cancel(job).marked > 0 {
                end_body(job);
            }
            release(job);
        });
        let other = thread::spawn(move || end_body(child));
        complete_by_hand(job);
        canceller.join().unwrap();
        other.join().unwrap();
        assert!(job.state().has(COMPLETED));
        release(job);
    });
}

/// Either the job is still open, and then waits for the child; or it is closed, and the child is none of its own.
#[test]
fn end_of_a_job_made_by_hand_refuses_a_late_child() {
    check(|| {
        let job = Block::bare(3);
        let launcher = thread::spawn(move || {
            let child = Block::coroutine(1);
            if try_launch(job, child).is_some() {
                assert!(!job.state().has(COMPLETED));
            }
            end_body(child);
            release(job);
        });
        complete_by_hand(job);
        launcher.join().unwrap();
        assert!(job.state().has(COMPLETED));
        release(job);
    });
}
