//! One frame waits for many jobs at once, as in `scope/gather.rs`.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, hand_back, park, release};
use crate::check;
use crate::job::joiner::{self, Countdown};
use crate::job::state::{COMPLETED, SUCCEEDED};
use crate::task::word::{Generation, Withdrawal, Woken};
use crate::util::list::Links;
use crate::util::sync::Shared;
use crate::yard::Kept;

/// A place among the joiners of a job, as in `task/waiter.rs`.
#[repr(C)]
#[derive(Debug)]
struct Node {
    links: Links,
    task: Kept<Block>,
    generation: Shared<Generation>,
    countdown: Kept<Countdown>,
}

/// Completes a job, and claims who waits for it, if it is time.
fn complete(job: Kept<Block>, succeeded: bool) {
    let mut claimed = Vec::new();
    let mut claim = |links: *const Links| {
        let node: Kept<Node> = Kept::at(links.cast());
        if !node.countdown.arrive(links, succeeded) {
            return;
        }
        // SAFETY: armed before it was linked, and only read since.
        let generation = node.generation.with(|generation| unsafe { *generation });
        if node.task.word.claim_value(generation) {
            claimed.push(node.task);
        }
    };
    let outcome = |_| if succeeded { SUCCEEDED } else { 0 };
    if joiner::complete(&job.job, outcome, &mut claim) {
        while joiner::complete_more(&job.job, |_| (), &mut claim) {}
    }
    hand_back(&claimed);
}

#[derive(Debug, PartialEq, Eq)]
enum Gathered {
    All,
    Unhappy(usize),
    Cancelled,
}

/// O: waits until both have succeeded, or one has not, and leaves the frame with the nodes.
fn wait_for_all(task: Kept<Block>, jobs: [Kept<Block>; 2]) -> Gathered {
    let generation = task.word.next();
    let countdown = Kept::new(Countdown::new(2));
    let nodes = jobs.map(|_| {
        Kept::new(Node {
            links: Links::new(),
            task,
            generation: Shared::new(generation),
            countdown,
        })
    });
    task.word.publish(generation, true);
    let mut armed = 0;
    let mut succeeded = 0;
    let mut unhappy = None;
    for (at, (job, node)) in jobs.iter().zip(nodes).enumerate() {
        armed += 1;
        // SAFETY: the node stands until it was taken out, below, or all have counted down.
        if unsafe { joiner::join(&job.job, &node.links, || ()) } {
            continue;
        }
        if job.state().has(SUCCEEDED) {
            succeeded += 1;
        } else {
            unhappy = Some(at);
            break;
        }
    }
    let goes_on = (unhappy.is_some() || countdown.settle(succeeded))
        && task.word.abandon(generation) == Withdrawal::Withdrawn;
    let woken = if goes_on {
        Woken::Value
    } else {
        park(task, generation, true, || ()).woken
    };
    if !countdown.is_over(woken == Woken::Cancelled) {
        for (job, node) in jobs.iter().zip(nodes).take(armed) {
            // SAFETY: linked above, or the job had completed.
            unsafe { joiner::leave(&job.job, &node.links) };
        }
    }
    let first = countdown.unhappy();
    let first = nodes
        .iter()
        .position(|node| std::ptr::eq(&raw const node.links, first));
    for node in nodes {
        node.free();
    }
    countdown.free();
    match (woken, first.or(unhappy)) {
        (Woken::Cancelled, _) => Gathered::Cancelled,
        (Woken::Value, Some(at)) => Gathered::Unhappy(at),
        (Woken::Value, None) => Gathered::All,
    }
}

/// Two jobs that end on threads of their own, and what the wait for both has come to.
fn gather(ends: [bool; 2]) -> Gathered {
    let task = Block::coroutine(1);
    let jobs = [Block::coroutine(1), Block::coroutine(1)];
    let [first, second] = [0, 1].map(|at| {
        let job = jobs[at];
        thread::spawn(move || complete(job, ends[at]))
    });
    let gathered = wait_for_all(task, jobs);
    if gathered == Gathered::All {
        for job in jobs {
            // It counts down before it publishes its completion, under one lock.
            drop(job.job.lock());
            assert!(job.state().has(COMPLETED));
        }
    }
    first.join().unwrap();
    second.join().unwrap();
    demand_not_sent(task);
    for block in [jobs[0], jobs[1], task] {
        release(block);
    }
    gathered
}

/// The nodes are gone as soon as the wait is over, so a completer that still touched one would be caught.
#[test]
fn gather_is_woken_by_the_last() {
    check(|| assert_eq!(gather([true, true]), Gathered::All));
}

#[test]
fn gather_is_woken_by_one_that_fails() {
    check(|| assert_eq!(gather([true, false]), Gathered::Unhappy(1)));
}

#[test]
fn gather_names_one_of_two_that_fail() {
    check(|| {
        assert!(matches!(gather([false, false]), Gathered::Unhappy(_)));
    });
}

#[test]
fn gather_meets_the_cancellation_of_its_owner() {
    check(|| {
        let task = Block::coroutine(2);
        let jobs = [Block::coroutine(1), Block::coroutine(1)];
        let [ending, _] = jobs;
        let other = thread::spawn(move || complete(ending, true));
        let canceller = cancelled_by_another(task);
        assert_eq!(wait_for_all(task, jobs), Gathered::Cancelled);
        other.join().unwrap();
        canceller.join().unwrap();
        demand_not_sent(task);
        for block in [jobs[0], jobs[1], task] {
            release(block);
        }
    });
}

fn cancelled_by_another(task: Kept<Block>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        cancel(task);
        release(task);
    })
}

/// All have counted down, and the last of them comes too late to claim the owner, which leaves with the nodes.
#[test]
fn gather_meets_a_cancellation_before_the_last_claims() {
    check(|| {
        let task = Block::coroutine(2);
        let jobs = [Block::coroutine(1), Block::coroutine(1)];
        let [first, last] = jobs;
        complete(first, true);
        let other = thread::spawn(move || complete(last, true));
        let canceller = cancelled_by_another(task);
        assert!(matches!(
            wait_for_all(task, jobs),
            Gathered::All | Gathered::Cancelled
        ));
        other.join().unwrap();
        canceller.join().unwrap();
        demand_not_sent(task);
        for block in [first, last, task] {
            release(block);
        }
    });
}
