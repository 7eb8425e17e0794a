//! Selects: exactly one clause wins, on both sides, and the others leave nothing behind.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::chooser::{Chosen, Want, choose, complete};
use crate::sync::channel::core::{Core, Overflow};
use crate::sync::permits::Permits;
use crate::waits::{
    Got, Line, Pipe, Sent, acquire, close, give_back, receive, send, try_receive, try_send,
};
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

/// What the models select among. It stands side by side, so that the order of the locks is the same in every interleaving.
#[derive(Debug)]
struct Tools {
    pipes: [Core<Block, u32, ()>; 2],
    lines: [Permits<Block>; 2],
}

#[derive(Clone, Copy)]
struct Bench(Kept<Tools>);

impl Bench {
    fn new() -> Self {
        Self(Kept::new(Tools {
            pipes: [0, 0].map(|limit| Core::new(limit, Overflow::Suspend)),
            lines: [0, 0].map(Permits::new),
        }))
    }

    fn pipes(self) -> [Pipe; 2] {
        // SAFETY: the memory stays to the end of the interleaving.
        let [a, b] = unsafe { &(*self.0.as_ptr()).pipes };
        [Kept::at(a), Kept::at(b)]
    }

    fn lines(self) -> [Line; 2] {
        // SAFETY: the memory stays to the end of the interleaving.
        let [a, b] = unsafe { &(*self.0.as_ptr()).lines };
        [Kept::at(a), Kept::at(b)]
    }

    /// Nobody has left anything in either channel, and so many permits are free.
    fn end(self, free: [usize; 2]) {
        for pipe in self.pipes() {
            assert!(matches!(try_receive(pipe), Got::Empty | Got::Ended));
            assert!(matches!(try_send(pipe, 0), Sent::Full(0) | Sent::Ended(0)));
        }
        assert_eq!(self.lines().map(|line| line.lock().free()), free);
        self.0.free();
    }
}

/// Two selects over the same two channels, written in opposite order: one sends, the other receives.
#[test]
fn select_two_meet_over_two_channels() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
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
        bench.end([0, 0]);
    });
}

/// Each sends on one channel and receives on the other: one of the two exchanges takes place, never both.
#[test]
fn select_two_that_send_to_each_other_exchange_once() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
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
        bench.end([0, 0]);
    });
}

/// Two plain senders come to a select: one is taken, the other keeps its element.
#[test]
fn select_takes_one_of_two_elements() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
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
        bench.end([0, 0]);
    });
}

/// An element passes over the node that a finished select has not taken out yet, and goes to the next receiver.
#[test]
fn select_a_loser_is_passed_over() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
        let sender = thread::spawn(move || {
            let task = Block::coroutine(1);
            assert_eq!(send(task, a, 1), Sent::Taken);
            assert_eq!(send(task, b, 2), Sent::Taken);
            end(task);
        });
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(a), Want::Receive(b)], None);
        assert_eq!(got, Chosen::Received(0, 1));
        assert_eq!(receive(task, b), Got::Element(2));
        sender.join().unwrap();
        end(task);
        bench.end([0, 0]);
    });
}

/// Won or cancelled: in the second case the element stays with its sender.
#[test]
fn select_meets_a_cancel() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
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
        bench.end([0, 0]);
    });
}

/// Two selects that meet while one of them is cancelled: either both have won or neither has.
#[test]
fn select_two_meet_and_one_is_cancelled() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
        let task = Block::coroutine(2);
        let canceller = thread::spawn(move || {
            cancel(task);
            release(task);
        });
        let other = chooser(vec![Want::Send(a, 1), Want::Send(b, 2)]);
        let got = choose(task, &[Want::Receive(b), Want::Receive(a)], None);
        canceller.join().unwrap();
        let expected = match got {
            Chosen::Received(0, 2) => Chosen::Sent(1),
            Chosen::Received(1, 1) => Chosen::Sent(0),
            Chosen::Cancelled => {
                // Nothing was taken from the other one: it is served now.
                let receiver = Block::coroutine(1);
                assert_eq!(receive(receiver, b), Got::Element(2));
                end(receiver);
                Chosen::Sent(1)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(other.join().unwrap(), expected);
        end(task);
        bench.end([0, 0]);
    });
}

/// Two selects that meet while one of the channels is closed: both win by the other channel, or each finds the end.
#[test]
fn select_two_meet_and_a_channel_is_closed() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
        let closer = thread::spawn(move || {
            assert!(close(a));
            assert!(close(b));
        });
        let other = chooser(vec![Want::Send(a, 1), Want::Receive(b)]);
        let task = Block::coroutine(1);
        let mine = choose(task, &[Want::Send(b, 2), Want::Receive(a)], None);
        closer.join().unwrap();
        let others = other.join().unwrap();
        let met = matches!(
            (mine, others),
            (Chosen::Sent(0), Chosen::Received(1, 2)) | (Chosen::Received(1, 1), Chosen::Sent(0))
        );
        let ended = matches!((mine, others), (Chosen::Ended(_), Chosen::Ended(_)));
        assert!(met || ended, "{mine:?} {others:?}");
        end(task);
        bench.end([0, 0]);
    });
}

#[test]
fn select_meets_a_close() {
    check(|| {
        let bench = Bench::new();
        let [a, b] = bench.pipes();
        let closer = thread::spawn(move || assert!(close(b)));
        let task = Block::coroutine(1);
        let got = choose(task, &[Want::Receive(a), Want::Receive(b)], None);
        assert_eq!(got, Chosen::Ended(1));
        closer.join().unwrap();
        end(task);
        bench.end([0, 0]);
    });
}

/// A job that completes, and an element that comes: one of them wins, and the element is not lost.
#[test]
fn select_meets_the_end_of_a_job() {
    check(|| {
        let bench = Bench::new();
        let [a, _] = bench.pipes();
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
        bench.end([0, 0]);
    });
}

/// A permit is given back: it goes to the select, or stays free if that was cancelled.
fn select_for_a_turn(is_cancelled: bool) {
    check(move || {
        let bench = Bench::new();
        let lines = bench.lines();
        let task = Block::coroutine(1 + u32::from(is_cancelled));
        let canceller = is_cancelled.then(|| {
            thread::spawn(move || {
                cancel(task);
                release(task);
            })
        });
        let giver = thread::spawn(move || give_back(lines[1]));
        let got = choose(task, &lines.map(Want::Turn), None);
        giver.join().unwrap();
        if let Some(canceller) = canceller {
            canceller.join().unwrap();
        }
        let free = match got {
            Chosen::Turn(1) => 0,
            Chosen::Cancelled if is_cancelled => 1,
            other => panic!("{other:?}"),
        };
        end(task);
        bench.end([0, free]);
    });
}

#[test]
fn select_is_given_a_turn() {
    select_for_a_turn(false);
}

#[test]
fn select_for_a_turn_meets_a_cancel() {
    select_for_a_turn(true);
}

/// A permit passes over a select that has won elsewhere and has not left the line yet.
#[test]
fn select_that_has_won_takes_no_turn() {
    check(|| {
        let bench = Bench::new();
        let ([pipe, _], [line, _]) = (bench.pipes(), bench.lines());
        let giver = thread::spawn(move || {
            let sender = Block::coroutine(1);
            assert_eq!(send(sender, pipe, 7), Sent::Taken);
            give_back(line);
            end(sender);
        });
        let other = chooser(vec![Want::Turn(line), Want::Receive(pipe)]);
        let task = Block::coroutine(1);
        assert_eq!(other.join().unwrap(), Chosen::Received(1, 7));
        assert!(acquire(task, line));
        giver.join().unwrap();
        end(task);
        bench.end([0, 0]);
    });
}
