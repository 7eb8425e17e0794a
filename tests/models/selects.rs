//! Selects: exactly one clause wins, on both sides, and the others leave nothing behind.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::chooser::{Chosen, Want, choose, complete};
use crate::sync::channel::core::{Core, Overflow};
use crate::waits::{Got, Pipe, Sent, close, receive, send, try_receive, try_send};
use crate::yard::Kept;

fn end(task: Kept<Block>) {
    demand_not_sent(task);
    release(task);
}

/// A thread with a coroutine that selects once.
fn chooser(wants: Vec<Want>) -> thread::JoinHandle<Chosen> {
    thread::spawn(move || {
        let task = Block::coroutine(1);
        let chosen = choose(task, &wants, None);
        end(task);
        chosen
    })
}

/// Two channels side by side, so that the order of their locks is the same in every interleaving.
#[derive(Clone, Copy)]
struct Pair(Kept<[Core<Block, u32, ()>; 2]>);

impl Pair {
    fn new() -> Self {
        Self(Kept::new(
            [0, 0].map(|limit| Core::new(limit, Overflow::Suspend)),
        ))
    }

    fn ends(self) -> [Pipe; 2] {
        // SAFETY: the memory stays to the end of the interleaving.
        let [a, b] = unsafe { &*self.0.as_ptr() };
        [Kept::at(a), Kept::at(b)]
    }

    /// Nobody has left anything in either.
    fn free(self) {
        for pipe in self.ends() {
            assert!(matches!(try_receive(pipe), Got::Empty | Got::Ended));
            assert!(matches!(try_send(pipe, 0), Sent::Full(0) | Sent::Ended(0)));
        }
        self.0.free();
    }
}

/// Two selects over the same two channels, written in opposite order: one sends, the other receives.
#[test]
fn select_two_meet_over_two_channels() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let other = chooser(vec![Want::Send(a, 1), Want::Send(b, 2)]);
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(b), Want::Receive(a)], None);
        let sent = other.join().unwrap();
        assert!(
            (got == Chosen::Received(0, 2) && sent == Chosen::Sent(1))
                || (got == Chosen::Received(1, 1) && sent == Chosen::Sent(0)),
            "{got:?} {sent:?}"
        );
        end(task);
        pair.free();
    });
}

/// Each sends on one channel and receives on the other: one of the two exchanges takes place, never both.
#[test]
fn select_two_that_send_to_each_other_exchange_once() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let other = chooser(vec![Want::Send(a, 1), Want::Receive(b)]);
        let task = Block::coroutine(1);
        let mine = choose(task, &[Want::Send(b, 2), Want::Receive(a)], None);
        let others = other.join().unwrap();
        assert!(
            (mine == Chosen::Sent(0) && others == Chosen::Received(1, 2))
                || (mine == Chosen::Received(1, 1) && others == Chosen::Sent(0)),
            "{mine:?} {others:?}"
        );
        end(task);
        pair.free();
    });
}

/// Two plain senders come to a select: one is taken, the other keeps its element.
#[test]
fn select_takes_one_of_two_elements() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let sender = thread::spawn(move || [try_send(a, 1), try_send(b, 2)]);
        let other = chooser(vec![Want::Receive(b), Want::Receive(a)]);
        let sent = sender.join().unwrap();
        // Whoever has not been served is served now.
        let late = match sent {
            [Sent::Full(_), Sent::Full(_)] => {
                let task = Block::coroutine(1);
                assert_eq!(send(task, a, 3), Sent::Taken);
                end(task);
                Some(Chosen::Received(1, 3))
            }
            _ => None,
        };
        let got = other.join().unwrap();
        match sent {
            [Sent::Taken, Sent::Full(2)] => assert_eq!(got, Chosen::Received(1, 1)),
            [Sent::Full(1), Sent::Taken] => assert_eq!(got, Chosen::Received(0, 2)),
            [Sent::Full(1), Sent::Full(2)] => assert_eq!(Some(got), late),
            other => panic!("{other:?}"),
        }
        pair.free();
    });
}

/// An element passes over the node that a finished select has not taken out yet, and goes to the next receiver.
#[test]
fn select_a_loser_is_passed_over() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let sender = thread::spawn(move || {
            let task = Block::coroutine(1);
            assert_eq!(send(task, a, 1), Sent::Taken);
            assert_eq!(send(task, b, 2), Sent::Taken);
            end(task);
        });
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(b), Want::Receive(a)], None);
        assert_eq!(got, Chosen::Received(1, 1));
        assert_eq!(receive(task, b), Got::Element(2));
        sender.join().unwrap();
        end(task);
        pair.free();
    });
}

/// Won or cancelled: in the second case the element stays with its sender.
#[test]
fn select_meets_a_cancel() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let task = Block::coroutine(2);
        let canceller = thread::spawn(move || {
            cancel(task);
            release(task);
        });
        let sender = thread::spawn(move || try_send(b, 7));
        let got = choose(task, &[Want::Receive(a), Want::Receive(b)], None);
        canceller.join().unwrap();
        match sender.join().unwrap() {
            Sent::Taken => assert_eq!(got, Chosen::Received(1, 7)),
            Sent::Full(7) => assert_eq!(got, Chosen::Cancelled),
            other => panic!("{other:?}"),
        }
        end(task);
        pair.free();
    });
}

#[test]
fn select_meets_a_close() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let closer = thread::spawn(move || assert!(close(b)));
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(a), Want::Receive(b)], None);
        assert_eq!(got, Chosen::Ended(1));
        closer.join().unwrap();
        end(task);
        pair.free();
    });
}

/// A job that completes, and an element that comes: one of them wins, and the element is not lost.
#[test]
fn select_meets_the_end_of_a_job() {
    check(|| {
        let pair = Pair::new();
        let [a, b] = pair.ends();
        let job = Block::bare(1);
        let completer = thread::spawn(move || complete(job));
        let sender = thread::spawn(move || try_send(a, 7));
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(a)], Some(job));
        completer.join().unwrap();
        match sender.join().unwrap() {
            Sent::Taken => assert_eq!(got, Chosen::Received(0, 7)),
            Sent::Full(7) => assert_eq!(got, Chosen::Joined),
            other => panic!("{other:?}"),
        }
        end(task);
        release(job);
        pair.free();
    });
}
