//! Permits: hand-over against cancellation, and against those who come.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::waits::{Claim, acquire, demand_free, give_back, give_many_back, line};

#[test]
fn turn_one_who_comes_during_a_give_back_gets_the_permit() {
    check(|| {
        let line = line(1);
        assert!(line.lock().take(1));
        let task = Block::coroutine(1);
        let giver = thread::spawn(move || give_back(line));
        assert!(acquire(task, line));
        giver.join().unwrap();
        give_back(line);
        demand_free(line, 1);
        demand_not_sent(task);
        release(task);
    });
}

#[test]
fn turn_two_exclude_each_other() {
    check(|| {
        let line = line(1);
        let inside = crate::yard::Kept::new(crate::util::sync::Shared::new(0));
        let enter = move || {
            let task = Block::coroutine(1);
            assert!(acquire(task, line));
            // SAFETY: nobody else is inside; loom checks what that is worth.
            inside.with_mut(|count| unsafe { *count += 1 });
            give_back(line);
            demand_not_sent(task);
            release(task);
        };
        let other = thread::spawn(enter);
        enter();
        other.join().unwrap();
        // SAFETY: both have ended.
        assert_eq!(inside.with(|count| unsafe { *count }), 2);
        inside.free();
        demand_free(line, 1);
    });
}

/// Handed over or cancelled or both: the permit is free in the end, and is so once.
#[test]
fn turn_a_hand_over_meets_a_cancel() {
    check(|| {
        let line = line(1);
        assert!(line.lock().take(1));
        let task = Block::coroutine(2);
        let waiting = Claim::begin(task, line).expect("it is held");
        let giver = thread::spawn(move || give_back(line));
        let canceller = thread::spawn(move || {
            let done = cancel(task);
            release(task);
            done.claimed == 1
        });
        let holds = waiting.park();
        let claimed = canceller.join().unwrap();
        assert!(!claimed || !holds);
        if holds {
            give_back(line);
        }
        giver.join().unwrap();
        demand_free(line, 1);
        demand_not_sent(task);
        release(task);
    });
}

/// Two wait, and the first is cancelled meanwhile: passed over, or handed the permit and passing it on.
#[test]
fn turn_the_next_gets_it_whatever_the_first_has_met() {
    check(|| {
        let line = line(1);
        assert!(line.lock().take(1));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Claim::begin(leaves, line).expect("it is held");
        let staying = Claim::begin(stays, line).expect("it is held");
        let giver = thread::spawn(move || give_back(line));
        let canceller = thread::spawn(move || {
            cancel(leaves);
            release(leaves);
        });
        if leaving.park() {
            give_back(line);
        }
        assert!(staying.park());
        giver.join().unwrap();
        canceller.join().unwrap();
        give_back(line);
        demand_free(line, 1);
        for task in [leaves, stays] {
            demand_not_sent(task);
            release(task);
        }
    });
}

/// The first is cancelled before the permit is given back, and runs after the second has left its frame: it finds itself
/// passed over, and must touch nobody.
#[test]
fn turn_one_who_was_passed_over_touches_nobody() {
    check(|| {
        let line = line(1);
        assert!(line.lock().take(1));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Claim::begin(leaves, line).expect("it is held");
        let staying = Claim::begin(stays, line).expect("it is held");
        cancel(leaves);
        release(leaves);
        let giver = thread::spawn(move || give_back(line));
        assert!(staying.park());
        assert!(!leaving.park());
        giver.join().unwrap();
        give_back(line);
        demand_free(line, 1);
        for task in [leaves, stays] {
            demand_not_sent(task);
            release(task);
        }
    });
}

#[test]
fn turn_two_permits_go_to_two_of_three() {
    check(|| {
        let line = line(2);
        let tasks = [(), ()].map(|()| {
            thread::spawn(move || {
                let task = Block::coroutine(1);
                assert!(acquire(task, line));
                give_back(line);
                demand_not_sent(task);
                release(task);
            })
        });
        let task = Block::coroutine(1);
        assert!(acquire(task, line));
        give_back(line);
        demand_not_sent(task);
        release(task);
        for other in tasks {
            other.join().unwrap();
        }
        demand_free(line, 2);
    });
}

/// One who wants two waits behind a holder, and one who wants one behind it: whatever the first meets, the next goes on.
#[test]
fn turn_behind_one_who_wants_many_and_is_cancelled_the_next_goes_on() {
    check(|| {
        let line = line(2);
        assert!(line.lock().take(1));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Claim::begin_many(leaves, line, 2).expect("one is held");
        let staying = Claim::begin(stays, line).expect("somebody waits");
        let canceller = thread::spawn(move || {
            cancel(leaves);
            release(leaves);
        });
        // The holder goes on holding, so the first gets nothing.
        assert!(!leaving.park());
        assert!(staying.park());
        canceller.join().unwrap();
        give_back(line);
        give_back(line);
        demand_free(line, 2);
        for task in [leaves, stays] {
            demand_not_sent(task);
            release(task);
        }
    });
}

/// Few come while one waits who wants many: they go behind it.
#[test]
fn turn_one_who_wants_many_is_not_overtaken() {
    check(|| {
        let line = line(2);
        assert!(line.lock().take(1));
        let (many, few) = (Block::coroutine(1), Block::coroutine(1));
        let first = Claim::begin_many(many, line, 2).expect("one is held");
        let second = Claim::begin(few, line).expect("somebody waits");
        let giver = thread::spawn(move || give_back(line));
        assert!(first.park());
        assert_eq!(line.lock().free(), 0);
        give_many_back(line, 2);
        assert!(second.park());
        giver.join().unwrap();
        give_back(line);
        demand_free(line, 2);
        for task in [many, few] {
            demand_not_sent(task);
            release(task);
        }
    });
}
