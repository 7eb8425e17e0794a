//! The child list against cancellation.

use loom::thread;

use crate::block::{
    Block, cancel, cancel_children, close_loose, demand_not_sent, end_and_stay, end_body,
    is_cancelled_loose, launch, leave_together, release, suspend, tie,
};
use crate::check;
use crate::task::word::Woken;

#[test]
fn tree_a_child_attached_during_a_cancel_is_cancelled() {
    check(|| {
        let parent = Block::coroutine(2);
        let canceller = thread::spawn(move || {
            let done = cancel(parent);
            release(parent);
            done.marked
        });
        let child = Block::coroutine(2);
        let told = launch(parent, child);
        let marked = canceller.join().unwrap();
        assert!(child.is_cancelling());
        // Told at the attach or found by the walk: one of the two.
        assert_eq!(marked + usize::from(told), 2);
        end_body(child);
        end_body(parent);
        release(child);
    });
}

/// The job of a scope is made known while an ancestor is cancelled: by the coroutine itself, or by who was lent the scope.
#[test]
fn tree_a_loose_scope_is_cancelled_with_its_parent_whoever_ties_it() {
    check(|| {
        let parent = Block::coroutine(2);
        let scope = Block::loose_scope(parent, 2);
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        let borrower = thread::spawn(move || tie(scope));
        let seen = is_cancelled_loose(scope);
        tie(scope);
        borrower.join().unwrap();
        assert!(
            !seen || is_cancelled_loose(scope),
            "a cancellation that was taken back"
        );
        let woken = suspend(parent, true).woken;
        assert_eq!(woken, Woken::Cancelled);
        canceller.join().unwrap();
        assert!(scope.is_cancelling());
        close_loose(scope, parent);
        end_body(parent);
    });
}

/// All children of a job are cancelled, but not the job: whoever ties a scope of its late is told.
#[test]
fn tree_a_sweep_reaches_a_loose_scope() {
    check(|| {
        let parent = Block::coroutine(2);
        let scope = Block::loose_scope(parent, 2);
        let sweeper = thread::spawn(move || {
            cancel_children(parent);
            release(parent);
        });
        tie(scope);
        sweeper.join().unwrap();
        assert!(scope.is_cancelling() && !parent.is_cancelling());
        close_loose(scope, parent);
        end_body(parent);
    });
}

/// With a walk that lets go of the lock after every child, any of the two may end while the walk stands on it.
#[test]
fn tree_children_end_while_they_are_cancelled() {
    check(|| {
        let parent = Block::coroutine(2);
        let children = [Block::coroutine(1), Block::coroutine(1)];
        for child in children {
            launch(parent, child);
        }
        let canceller = thread::spawn(move || {
            let done = cancel(parent);
            assert!(done.marked <= 3);
            release(parent);
        });
        let other = thread::spawn(move || end_body(children[0]));
        end_body(children[1]);
        other.join().unwrap();
        canceller.join().unwrap();
        end_body(parent);
    });
}

/// A walk passes by who has completed and is still in the list, and finds its place again when they all leave at once.
#[test]
fn tree_children_leave_together_while_they_are_cancelled() {
    check(|| {
        let parent = Block::coroutine(2);
        let children = [Block::coroutine(1), Block::coroutine(1)];
        let last = Block::coroutine(2);
        for child in children.into_iter().chain([last]) {
            launch(parent, child);
        }
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        for child in children {
            end_and_stay(child);
        }
        leave_together(&children);
        canceller.join().unwrap();
        assert!(last.is_cancelling());
        end_body(last);
        release(last);
        end_body(parent);
    });
}

#[test]
fn tree_a_walk_whose_place_was_lost_misses_nobody() {
    check(|| {
        let parent = Block::coroutine(2);
        let first = Block::coroutine(1);
        let others = [Block::coroutine(2), Block::coroutine(2)];
        launch(parent, first);
        for child in others {
            launch(parent, child);
        }
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        end_body(first);
        canceller.join().unwrap();
        for child in others {
            assert!(child.is_cancelling());
            end_body(child);
            release(child);
        }
        end_body(parent);
    });
}

#[test]
fn tree_a_walk_meets_an_end_and_a_launch() {
    check(|| {
        let parent = Block::coroutine(2);
        let first = Block::coroutine(1);
        let second = Block::coroutine(2);
        launch(parent, first);
        launch(parent, second);
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        let ending = thread::spawn(move || end_body(first));
        let third = Block::coroutine(2);
        launch(parent, third);
        canceller.join().unwrap();
        ending.join().unwrap();
        for child in [second, third] {
            assert!(child.is_cancelling());
            end_body(child);
            release(child);
        }
        end_body(parent);
    });
}

#[test]
fn tree_a_grandchild_attached_during_a_cancel_is_cancelled() {
    check(|| {
        let parent = Block::coroutine(2);
        let child = Block::coroutine(1);
        launch(parent, child);
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        let grandchild = Block::coroutine(2);
        launch(child, grandchild);
        canceller.join().unwrap();
        assert!(child.is_cancelling());
        assert!(grandchild.is_cancelling());
        end_body(grandchild);
        release(grandchild);
        end_body(child);
        end_body(parent);
    });
}

/// The walk claims it on its way down, and hands it back on its way up.
#[test]
fn tree_a_waiting_child_with_children_is_woken() {
    check(|| {
        let parent = Block::coroutine(2);
        let child = Block::coroutine(1);
        let grandchild = Block::coroutine(1);
        launch(parent, child);
        launch(child, grandchild);
        let canceller = thread::spawn(move || {
            let done = cancel(parent);
            release(parent);
            done.claimed
        });
        let parked = suspend(child, true);
        assert_eq!(parked.woken, Woken::Cancelled);
        assert_eq!(parked.switched, canceller.join().unwrap() == 1);
        assert!(grandchild.is_cancelling());
        end_body(grandchild);
        demand_not_sent(child);
        end_body(child);
        end_body(parent);
    });
}

/// The walk stands on a child while it visits the children below, and that child may end meanwhile.
#[test]
fn tree_a_subtree_ends_while_the_walk_is_in_it() {
    check(|| {
        let parent = Block::coroutine(2);
        let child = Block::coroutine(1);
        let grandchild = Block::coroutine(1);
        launch(parent, child);
        launch(child, grandchild);
        end_body(child);
        let canceller = thread::spawn(move || {
            cancel(parent);
            release(parent);
        });
        end_body(grandchild);
        canceller.join().unwrap();
        end_body(parent);
    });
}

#[test]
fn tree_two_cancellers_mark_each_job_once() {
    check(|| {
        let parent = Block::coroutine(2);
        let child = Block::coroutine(2);
        let grandchild = Block::coroutine(1);
        launch(parent, child);
        launch(child, grandchild);
        let from_above = thread::spawn(move || {
            let done = cancel(parent);
            release(parent);
            done.marked
        });
        let from_below = cancel(child).marked;
        release(child);
        assert_eq!(from_above.join().unwrap() + from_below, 3);
        assert!(grandchild.is_cancelling());
        end_body(grandchild);
        end_body(child);
        end_body(parent);
    });
}
