//! Channels: each element ends once, and nobody waits for ever.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::waits::{
    Got, Receiving, Sending, Sent, cancel_pipe, close, pipe, receive, send, try_receive, try_send,
};

/// Cancels on a thread of its own, with a count of its own.
fn canceller(task: crate::yard::Kept<Block>) -> thread::JoinHandle<bool> {
    thread::spawn(move || {
        let done = cancel(task);
        release(task);
        done.claimed == 1
    })
}

fn end(task: crate::yard::Kept<Block>) {
    demand_not_sent(task);
    release(task);
}

#[test]
fn pipe_a_rendezvous_hands_over_in_order() {
    check(|| {
        let pipe = pipe(0);
        let other = thread::spawn(move || {
            let task = Block::coroutine(1);
            assert_eq!(send(task, pipe, 1), Sent::Taken);
            assert_eq!(send(task, pipe, 2), Sent::Taken);
            end(task);
        });
        let task = Block::coroutine(1);
        assert_eq!(receive(task, pipe), Got::Element(1));
        assert_eq!(receive(task, pipe), Got::Element(2));
        other.join().unwrap();
        end(task);
        pipe.free();
    });
}

#[test]
fn pipe_a_buffer_of_one_keeps_the_order() {
    check(|| {
        let pipe = pipe(1);
        let other = thread::spawn(move || {
            let task = Block::coroutine(1);
            for element in 1..=3 {
                assert_eq!(send(task, pipe, element), Sent::Taken);
            }
            end(task);
        });
        let task = Block::coroutine(1);
        for element in 1..=3 {
            assert_eq!(receive(task, pipe), Got::Element(element));
        }
        other.join().unwrap();
        end(task);
        pipe.free();
    });
}

#[test]
fn pipe_an_element_meets_the_cancel_of_its_receiver() {
    check(|| {
        let pipe = pipe(0);
        let task = Block::coroutine(2);
        let waiting = Receiving::begin(task, pipe).expect_err("it is empty");
        let sender = thread::spawn(move || try_send(pipe, 7));
        let canceller = canceller(task);
        let got = waiting.park();
        let claimed = canceller.join().unwrap();
        match sender.join().unwrap() {
            Sent::Taken => assert!(got == Got::Element(7) && !claimed),
            Sent::Full(7) => assert_eq!(got, Got::Cancelled),
            other => panic!("{other:?}"),
        }
        end(task);
        pipe.free();
    });
}

#[test]
fn pipe_a_receive_meets_the_cancel_of_the_sender() {
    check(|| {
        let pipe = pipe(0);
        let task = Block::coroutine(2);
        let waiting = Sending::begin(task, pipe, 7).expect_err("nobody receives");
        let receiver = thread::spawn(move || try_receive(pipe));
        let canceller = canceller(task);
        let sent = waiting.park();
        canceller.join().unwrap();
        match receiver.join().unwrap() {
            Got::Element(7) => assert_eq!(sent, Sent::Taken),
            Got::Empty => assert_eq!(sent, Sent::Cancelled(7)),
            other => panic!("{other:?}"),
        }
        end(task);
        pipe.free();
    });
}

/// Two receivers wait, the first is cancelled: the element goes to one of them, never to nobody.
#[test]
fn pipe_an_element_passes_over_a_cancelled_receiver() {
    check(|| {
        let pipe = pipe(0);
        let (first, second) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Receiving::begin(first, pipe).expect_err("it is empty");
        let staying = Receiving::begin(second, pipe).expect_err("it is empty");
        let sender = thread::spawn(move || {
            assert_eq!(try_send(pipe, 7), Sent::Taken);
            close(pipe);
        });
        let canceller = canceller(first);
        let got = [leaving.park(), staying.park()];
        canceller.join().unwrap();
        sender.join().unwrap();
        assert!(
            got == [Got::Element(7), Got::Ended] || got == [Got::Cancelled, Got::Element(7)],
            "{got:?}"
        );
        end(first);
        end(second);
        pipe.free();
    });
}

/// The same, but the second frame is left first, and the cancelled one finds itself passed over.
#[test]
fn pipe_a_receiver_that_was_passed_over_touches_nobody() {
    check(|| {
        let pipe = pipe(0);
        let (first, second) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Receiving::begin(first, pipe).expect_err("it is empty");
        let staying = Receiving::begin(second, pipe).expect_err("it is empty");
        cancel(first);
        release(first);
        let sender = thread::spawn(move || try_send(pipe, 7));
        assert_eq!(staying.park(), Got::Element(7));
        assert_eq!(leaving.park(), Got::Cancelled);
        assert_eq!(sender.join().unwrap(), Sent::Taken);
        end(first);
        end(second);
        pipe.free();
    });
}

#[test]
fn pipe_a_receiver_that_comes_during_a_close_learns_of_it() {
    check(|| {
        let pipe = pipe(0);
        let closer = thread::spawn(move || assert!(close(pipe)));
        let task = Block::coroutine(1);
        assert_eq!(receive(task, pipe), Got::Ended);
        closer.join().unwrap();
        assert!(!close(pipe));
        end(task);
        pipe.free();
    });
}

#[test]
fn pipe_what_was_sent_before_the_close_is_received() {
    check(|| {
        let pipe = pipe(1);
        let other = thread::spawn(move || {
            let task = Block::coroutine(1);
            assert_eq!(send(task, pipe, 1), Sent::Taken);
            let second = try_send(pipe, 2);
            assert!(close(pipe));
            end(task);
            second
        });
        let task = Block::coroutine(1);
        assert_eq!(receive(task, pipe), Got::Element(1));
        let second = receive(task, pipe);
        match other.join().unwrap() {
            Sent::Taken => {
                assert_eq!(second, Got::Element(2));
                assert_eq!(receive(task, pipe), Got::Ended);
            }
            Sent::Full(2) => assert_eq!(second, Got::Ended),
            other => panic!("{other:?}"),
        }
        end(task);
        pipe.free();
    });
}

/// A close and a cancel of the one who waits: it ends once.
#[test]
fn pipe_a_close_meets_the_cancel_of_a_receiver() {
    check(|| {
        let pipe = pipe(0);
        let task = Block::coroutine(2);
        let waiting = Receiving::begin(task, pipe).expect_err("it is empty");
        let closer = thread::spawn(move || assert!(close(pipe)));
        let canceller = canceller(task);
        let got = waiting.park();
        let claimed = canceller.join().unwrap();
        assert!(got == Got::Cancelled || (got == Got::Ended && !claimed));
        closer.join().unwrap();
        end(task);
        pipe.free();
    });
}

/// An element on its way into a channel that is cancelled: taken and dropped with the rest, or given back.
#[test]
fn pipe_a_send_meets_the_cancel_of_the_channel() {
    for limit in [0, 1] {
        check(move || {
            let pipe = pipe(limit);
            let canceller = thread::spawn(move || cancel_pipe(pipe));
            let task = Block::coroutine(1);
            let sent = send(task, pipe, 7);
            let rest = canceller.join().unwrap();
            match sent {
                Sent::Taken => assert_eq!(rest, [7]),
                Sent::Ended(7) => assert!(rest.is_empty()),
                other => panic!("{other:?}"),
            }
            assert_eq!(try_receive(pipe), Got::Ended);
            end(task);
            pipe.free();
        });
    }
}

/// A sender waits; a receiver takes, and the channel is cancelled.
#[test]
fn pipe_a_waiting_sender_meets_a_receive_and_the_cancel_of_the_channel() {
    check(|| {
        let pipe = pipe(0);
        let task = Block::coroutine(1);
        let waiting = Sending::begin(task, pipe, 7).expect_err("nobody receives");
        let receiver = thread::spawn(move || try_receive(pipe));
        let canceller = thread::spawn(move || assert!(cancel_pipe(pipe).is_empty()));
        let sent = waiting.park();
        canceller.join().unwrap();
        match receiver.join().unwrap() {
            Got::Element(7) => assert_eq!(sent, Sent::Taken),
            Got::Ended => assert_eq!(sent, Sent::Ended(7)),
            other => panic!("{other:?}"),
        }
        end(task);
        pipe.free();
    });
}

/// The buffer grows outside the lock while another thread sends and receives.
#[test]
fn pipe_a_buffer_that_grows_loses_nothing() {
    check(|| {
        let pipe = pipe(usize::MAX);
        let other = thread::spawn(move || assert_eq!(try_send(pipe, 1), Sent::Taken));
        assert_eq!(try_send(pipe, 2), Sent::Taken);
        other.join().unwrap();
        let mut got = [try_receive(pipe), try_receive(pipe)];
        got.sort_by_key(|got| *got == Got::Element(2));
        assert_eq!(got, [Got::Element(1), Got::Element(2)]);
        pipe.free();
    });
}

/// Two receivers of an unlimited channel, each of which may take many elements at once, and find that the other has.
#[test]
fn pipe_a_batch_is_received_in_order_and_once() {
    check(|| {
        let pipe = pipe(usize::MAX);
        for element in 1..=2 {
            assert_eq!(try_send(pipe, element), Sent::Taken);
        }
        let receivers = [2, 1].map(|times| {
            thread::spawn(move || {
                let task = Block::coroutine(1);
                let got = (0..times).map(|_| match receive(task, pipe) {
                    Got::Element(element) => element,
                    other => panic!("{other:?}"),
                });
                let got: Vec<u32> = got.collect();
                end(task);
                got
            })
        });
        for element in 3..=5 {
            assert_eq!(try_send(pipe, element), Sent::Taken);
        }
        let mut all = Vec::new();
        for receiver in receivers {
            let got = receiver.join().unwrap();
            assert!(got.is_sorted(), "{got:?}");
            all.extend(got);
        }
        assert!(!pipe.lock().is_closed_for_receive());
        while let Got::Element(element) = try_receive(pipe) {
            assert!(
                all.iter().all(|earlier| *earlier < element),
                "{all:?}, {element}"
            );
            all.push(element);
        }
        all.sort_unstable();
        assert_eq!(all, [1, 2, 3, 4, 5]);
        pipe.free();
    });
}

/// What is in a batch is there for those who do not wait, and for a cancel.
#[test]
fn pipe_a_batch_meets_a_cancel() {
    check(|| {
        let pipe = pipe(usize::MAX);
        for element in 1..=4 {
            assert_eq!(try_send(pipe, element), Sent::Taken);
        }
        let task = Block::coroutine(1);
        assert_eq!(receive(task, pipe), Got::Element(1));
        let canceller = thread::spawn(move || cancel_pipe(pipe));
        let other = thread::spawn(move || try_receive(pipe));
        let got = [receive(task, pipe), other.join().unwrap()];
        let mut all = canceller.join().unwrap();
        for got in got {
            match got {
                Got::Element(element) => all.push(element),
                other => assert_eq!(other, Got::Ended),
            }
        }
        all.sort_unstable();
        assert_eq!(all, [2, 3, 4]);
        assert!(pipe.lock().is_closed_for_receive());
        end(task);
        pipe.free();
    });
}
