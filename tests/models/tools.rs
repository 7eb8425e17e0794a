//! Locks with readers, notices, channels for one value: hand-over against cancellation, close against wait.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::lines::{
    Entering, Listening, Receiver, board, demand_nobody_inside, drop_receiver, drop_sender, enter,
    leave, listen, notify_all, notify_one, receive_single, rw, send_single, single,
};
use crate::sync::oneshot::core::Found;
use crate::sync::rw_turns::Want;
use crate::util::sync::Shared;
use crate::yard::Kept;

/// Cancels on a thread of its own, with a count of its own. Whether it has claimed the one who waits.
fn canceller(task: Kept<Block>) -> thread::JoinHandle<bool> {
    thread::spawn(move || {
        let done = cancel(task);
        release(task);
        done.claimed == 1
    })
}

fn end(task: Kept<Block>) {
    demand_not_sent(task);
    release(task);
}

#[test]
fn rw_a_writer_is_alone() {
    check(|| {
        let rw = rw();
        let inside = Kept::new(Shared::new(0));
        let write = move |me| {
            let task = Block::coroutine(1);
            assert!(enter(task, rw, Want::Write(me)));
            // SAFETY: nobody else is inside; loom checks what that is worth.
            inside.with_mut(|count| unsafe { *count += 1 });
            leave(rw, Want::Write(me));
            end(task);
        };
        let other = thread::spawn(move || write(1));
        let task = Block::coroutine(1);
        assert!(enter(task, rw, Want::Read(0)));
        // SAFETY: only readers are inside; loom checks what that is worth.
        let seen = inside.with(|count| unsafe { *count });
        assert!(seen <= 1);
        leave(rw, Want::Read(0));
        end(task);
        other.join().unwrap();
        inside.free();
        demand_nobody_inside(rw);
    });
}

/// Handed over or cancelled or both: the lock is free in the end.
#[test]
fn rw_a_hand_over_meets_a_cancel() {
    for want in [Want::Read(1), Want::Write(1)] {
        check(move || {
            let rw = rw();
            assert!(rw.lock().enter(Want::Write(0)));
            let task = Block::coroutine(2);
            let waiting = Entering::begin(task, rw, want).expect("somebody writes");
            let giver = thread::spawn(move || leave(rw, Want::Write(0)));
            let canceller = canceller(task);
            let holds = waiting.park();
            let claimed = canceller.join().unwrap();
            assert!(!claimed || !holds);
            if holds {
                leave(rw, want);
            }
            giver.join().unwrap();
            demand_nobody_inside(rw);
            end(task);
        });
    }
}

/// A writer waits in front of a reader, behind one who reads: whatever the writer meets, the reader comes in.
#[test]
fn rw_a_reader_behind_a_cancelled_writer_comes_in() {
    check(|| {
        let rw = rw();
        assert!(rw.lock().enter(Want::Read(0)));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let writing = Entering::begin(leaves, rw, Want::Write(1)).expect("somebody reads");
        let reading = Entering::begin(stays, rw, Want::Read(0)).expect("a writer waits");
        let canceller = canceller(leaves);
        // The first reader goes on reading, so the writer gets nothing.
        assert!(!writing.park());
        assert!(reading.park());
        assert_eq!(rw.lock().readers(), 2);
        canceller.join().unwrap();
        leave(rw, Want::Read(0));
        leave(rw, Want::Read(0));
        demand_nobody_inside(rw);
        end(leaves);
        end(stays);
    });
}

/// The same, while the first reader goes.
#[test]
fn rw_the_next_comes_in_whatever_the_first_has_met() {
    check(|| {
        let rw = rw();
        assert!(rw.lock().enter(Want::Read(0)));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let writing = Entering::begin(leaves, rw, Want::Write(1)).expect("somebody reads");
        let reading = Entering::begin(stays, rw, Want::Read(0)).expect("a writer waits");
        let giver = thread::spawn(move || leave(rw, Want::Read(0)));
        let canceller = canceller(leaves);
        if writing.park() {
            leave(rw, Want::Write(1));
        }
        assert!(reading.park());
        giver.join().unwrap();
        canceller.join().unwrap();
        leave(rw, Want::Read(0));
        demand_nobody_inside(rw);
        end(leaves);
        end(stays);
    });
}

#[test]
fn rw_readers_at_the_front_come_in_together() {
    check(|| {
        let rw = rw();
        assert!(rw.lock().enter(Want::Write(0)));
        let tasks = [Block::coroutine(1), Block::coroutine(1)];
        let waiting = tasks.map(|task| Entering::begin(task, rw, Want::Read(0)).expect("written"));
        let giver = thread::spawn(move || leave(rw, Want::Write(0)));
        for waiting in waiting {
            assert!(waiting.park());
        }
        giver.join().unwrap();
        assert_eq!(rw.lock().readers(), 2);
        for task in tasks {
            leave(rw, Want::Read(0));
            end(task);
        }
        demand_nobody_inside(rw);
    });
}

/// One reads, a writer waits: a reader that comes now stands behind it.
#[test]
fn rw_a_reader_does_not_overtake_a_writer_that_waits() {
    check(|| {
        let rw = rw();
        assert!(rw.lock().enter(Want::Read(0)));
        let (writer, reader) = (Block::coroutine(1), Block::coroutine(1));
        let writing = Entering::begin(writer, rw, Want::Write(1)).expect("somebody reads");
        let reading = Entering::begin(reader, rw, Want::Read(0)).expect("a writer waits");
        let giver = thread::spawn(move || leave(rw, Want::Read(0)));
        assert!(writing.park());
        assert_eq!(rw.lock().writer(), Some(1));
        leave(rw, Want::Write(1));
        assert!(reading.park());
        giver.join().unwrap();
        leave(rw, Want::Read(0));
        demand_nobody_inside(rw);
        end(writer);
        end(reader);
    });
}

#[test]
fn notice_is_not_lost_whether_it_comes_before_or_after_the_wait() {
    check(|| {
        let board = board();
        let notifier = thread::spawn(move || notify_one(board));
        let task = Block::coroutine(1);
        assert!(listen(task, board));
        notifier.join().unwrap();
        assert!(!board.lock().take(), "one notice, one who goes on");
        end(task);
        board.free();
    });
}

/// The notice for one is had by somebody or kept, whatever the first has met.
#[test]
fn notice_for_one_who_is_cancelled_goes_on() {
    check(|| {
        let board = board();
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Listening::begin(leaves, board).expect("nothing is kept");
        let staying = Listening::begin(stays, board).expect("nothing is kept");
        let notifier = thread::spawn(move || notify_one(board));
        let canceller = canceller(leaves);
        if leaving.park() {
            notify_one(board);
        }
        assert!(staying.park());
        notifier.join().unwrap();
        canceller.join().unwrap();
        assert!(!board.lock().take());
        end(leaves);
        end(stays);
        board.free();
    });
}

#[test]
fn notice_for_all_reaches_all_who_wait_and_is_not_kept() {
    check(|| {
        let board = board();
        let tasks = [Block::coroutine(1), Block::coroutine(1)];
        let waiting = tasks.map(|task| Listening::begin(task, board).expect("nothing is kept"));
        let notifier = thread::spawn(move || notify_all(board));
        for waiting in waiting {
            assert!(waiting.park());
        }
        notifier.join().unwrap();
        assert!(!board.lock().take());
        for task in tasks {
            end(task);
        }
        board.free();
    });
}

#[test]
fn single_value_arrives_whether_it_is_waited_for_or_not() {
    check(|| {
        let single = single();
        let sender = thread::spawn(move || assert_eq!(send_single(single, 7), Ok(())));
        let task = Block::coroutine(1);
        assert_eq!(receive_single(task, single), Found::Value(7));
        sender.join().unwrap();
        assert_eq!(drop_receiver(single), None);
        end(task);
        single.free();
    });
}

#[test]
fn single_close_is_learnt_whether_it_is_waited_for_or_not() {
    check(|| {
        let single = single();
        let sender = thread::spawn(move || drop_sender(single));
        let task = Block::coroutine(1);
        assert_eq!(receive_single(task, single), Found::Closed);
        sender.join().unwrap();
        end(task);
        single.free();
    });
}

/// Received, given back, or dropped by the receiver as it goes: once.
#[test]
fn single_value_meets_the_end_of_its_receiver() {
    check(|| {
        let single = single();
        let sender = thread::spawn(move || send_single(single, 7));
        let unreceived = drop_receiver(single);
        let sent = sender.join().unwrap();
        assert_eq!(sent == Ok(()), unreceived == Some(7));
        assert_eq!(drop_receiver(single), None);
        single.free();
    });
}

/// What was sent before the receiver has left is received, cancelled or not; the sender learns of the rest.
#[test]
fn single_value_meets_the_cancel_of_its_receiver() {
    check(|| {
        let single = single();
        let task = Block::coroutine(2);
        let waiting = Receiver::begin(task, single).expect_err("nothing was sent");
        let sender = thread::spawn(move || send_single(single, 7));
        let canceller = canceller(task);
        let found = waiting.park();
        let unreceived = drop_receiver(single);
        canceller.join().unwrap();
        let sent = sender.join().unwrap();
        let ends = [
            found == Found::Value(7),
            unreceived == Some(7),
            sent == Err(7),
        ];
        assert_eq!(ends.iter().filter(|&&end| end).count(), 1, "{ends:?}");
        end(task);
        single.free();
    });
}

/// A close and a cancel of the one who waits: it is woken once.
#[test]
fn single_close_meets_the_cancel_of_its_receiver() {
    check(|| {
        let single = single();
        let task = Block::coroutine(2);
        let waiting = Receiver::begin(task, single).expect_err("nothing was sent");
        let sender = thread::spawn(move || drop_sender(single));
        let canceller = canceller(task);
        let found = waiting.park();
        let claimed = canceller.join().unwrap();
        assert!(found == Found::Empty || (found == Found::Closed && !claimed));
        sender.join().unwrap();
        end(task);
        single.free();
    });
}
