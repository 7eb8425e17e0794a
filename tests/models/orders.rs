//! Small programs on a channel and a lock, with a cancellation at every moment: each interleaving has an order that the
//! specifications of `tests/linearizability` allow.
//!
//! A coroutine performs two operations that may wait, and is cancelled at some time; another only tries, so nobody waits
//! for ever. The clock is not one of the model's atomics, so it orders nothing that the protocols do not. Hence a
//! cancellation may be seen later than its call returns, for all that the memory model promises: its end is open.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, release};
use crate::check;
use crate::checker::{Act, Call, History, Spec, is_linearizable, listing};
use crate::specs::pipe::{Operation, Outcome, Overflow, Pipe as SpecOfPipe};
use crate::specs::turns::{Operation as Turn, Outcome as Turned, Turns};
use crate::waits::{
    Claim, Got, Line, Pipe, Receiving, Sending, Sent, cancel_pipe, close, give_back, line, pipe,
    try_receive, try_send,
};
use crate::yard::Kept;

/// Who cancels.
const CANCELLER: usize = 2;
const USERS: usize = 3;

struct Record<S: Spec> {
    clock: AtomicU64,
    history: Mutex<History<S>>,
}

impl<S: Spec<Operation: Clone>> Record<S> {
    fn new() -> Arc<Self> {
        let history = (0..USERS).map(|_| Vec::new()).collect();
        Arc::new(Self {
            clock: AtomicU64::new(0),
            history: Mutex::new(history),
        })
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn note(&self, by: usize, begin: u64, end: u64, act: Act<S::Operation, S::Outcome>) {
        let call = Call {
            begin,
            asked: None,
            end,
            act,
        };
        self.history.lock().unwrap()[by].push(call);
    }

    fn run(&self, by: usize, program: &[S::Operation], act: impl Fn(&S::Operation) -> S::Outcome) {
        for operation in program {
            let begin = self.tick();
            let outcome = act(operation);
            self.note(by, begin, self.tick(), Act::Do(operation.clone(), outcome));
        }
    }

    fn cancel(&self, whom: usize, task: Kept<Block>) {
        let begin = self.tick();
        cancel(task);
        release(task);
        self.note(CANCELLER, begin, u64::MAX, Act::Cancel(whom));
    }

    #[track_caller]
    fn demand(&self, spec: S) {
        let history = self.history.lock().unwrap();
        assert!(
            is_linearizable(spec, &history),
            "{}",
            listing::<S>(&history)
        );
    }
}

fn send(task: Kept<Block>, pipe: Pipe, element: u32) -> Outcome {
    let (sent, has_waited) = match Sending::begin(task, pipe, element) {
        Ok(sent) => (sent, false),
        Err(waiting) => (waiting.park(), true),
    };
    // As `sync/channel/sender.rs` does: a cancellation wins until the moment of resumption.
    let is_cancelled = has_waited && task.is_cancelling();
    match sent {
        Sent::Taken if is_cancelled => Outcome::Gone,
        Sent::Taken => Outcome::Sent { lost: Vec::new() },
        Sent::Ended(_) if !is_cancelled => Outcome::Closed,
        Sent::Ended(_) | Sent::Cancelled(_) => Outcome::Cancelled,
        Sent::Full(_) => unreachable!("it waits"),
    }
}

fn receive(task: Kept<Block>, pipe: Pipe) -> Outcome {
    let (got, has_waited) = match Receiving::begin(task, pipe) {
        Ok(got) => (got, false),
        Err(waiting) => (waiting.park(), true),
    };
    match got {
        Got::Element(element) => Outcome::Got(element),
        // As `sync/channel/receiver.rs` does.
        Got::Ended if has_waited && task.is_cancelling() => Outcome::Cancelled,
        Got::Ended => Outcome::Closed,
        Got::Cancelled => Outcome::Cancelled,
        Got::Empty => unreachable!("it waits"),
    }
}

fn perform(task: Kept<Block>, pipe: Pipe, operation: &Operation) -> Outcome {
    match *operation {
        Operation::Send(_) | Operation::Receive if task.is_cancelling() => Outcome::Cancelled,
        Operation::Send(element) => send(task, pipe, element),
        Operation::Receive => receive(task, pipe),
        Operation::TrySend(element) => match try_send(pipe, element) {
            Sent::Taken => Outcome::Sent { lost: Vec::new() },
            Sent::Full(_) => Outcome::Full,
            Sent::Ended(_) => Outcome::Closed,
            Sent::Cancelled(_) => unreachable!("it does not wait"),
        },
        Operation::TryReceive => match try_receive(pipe) {
            Got::Element(element) => Outcome::Got(element),
            Got::Empty => Outcome::Empty,
            Got::Ended => Outcome::Closed,
            Got::Cancelled => unreachable!("it does not wait"),
        },
        Operation::Close => Outcome::Is(close(pipe)),
        Operation::End => Outcome::Ended {
            lost: cancel_pipe(pipe),
        },
        Operation::IsClosedForSend => Outcome::Is(pipe.lock().is_closed_for_send()),
        Operation::IsClosedForReceive => Outcome::Is(pipe.lock().is_closed_for_receive()),
    }
}

/// All programs of one that waits against all of one that tries.
fn demand_of_pipe(limit: usize, waits: &'static [Operation]) {
    use Operation::{Close, End, TryReceive, TrySend};
    static TRIES: [[Operation; 2]; 6] = [
        [TrySend(11), TrySend(12)],
        [TrySend(11), TryReceive],
        [TryReceive, TryReceive],
        [TryReceive, TrySend(11)],
        [TrySend(11), Close],
        [TryReceive, End],
    ];
    for tries in &TRIES {
        check(move || {
            let (pipe, record) = (pipe(limit), Record::<SpecOfPipe>::new());
            let (waiting, trying) = (Block::coroutine(2), Block::coroutine(1));
            let canceller = {
                let record = Arc::clone(&record);
                thread::spawn(move || record.cancel(0, waiting))
            };
            let waiter = {
                let record = Arc::clone(&record);
                thread::spawn(move || {
                    record.run(0, waits, |operation| perform(waiting, pipe, operation));
                })
            };
            record.run(1, tries, |operation| perform(trying, pipe, operation));
            canceller.join().unwrap();
            waiter.join().unwrap();
            record.demand(SpecOfPipe::new(limit, Overflow::Wait, USERS));
            for task in [waiting, trying] {
                demand_not_sent(task);
                release(task);
            }
            pipe.free();
        });
    }
}

#[test]
fn order_of_two_receives_that_are_cancelled() {
    for limit in [0, 1, usize::MAX] {
        demand_of_pipe(limit, &[Operation::Receive, Operation::Receive]);
    }
}

#[test]
fn order_of_two_sends_that_are_cancelled() {
    for limit in [0, 1] {
        demand_of_pipe(limit, &[Operation::Send(1), Operation::Send(2)]);
    }
}

#[test]
fn order_of_a_send_and_a_receive_that_are_cancelled() {
    for limit in [0, 1, usize::MAX] {
        demand_of_pipe(limit, &[Operation::Send(1), Operation::Receive]);
    }
}

/// Takes a permit, gives it back, and looks how many are free then.
fn take_and_give_back(record: &Record<Turns>, by: usize, task: Kept<Block>, line: Line) {
    let take = |_: &Turn| {
        if task.is_cancelling() || !Claim::begin(task, line).is_none_or(Claim::park) {
            return Turned::Cancelled;
        }
        Turned::Taken
    };
    let begin = record.tick();
    let outcome = take(&Turn::Take);
    let has_it = outcome == Turned::Taken;
    record.note(by, begin, record.tick(), Act::Do(Turn::Take, outcome));
    if has_it {
        record.run(by, &[Turn::GiveBack, Turn::Look], |operation| {
            if *operation == Turn::Look {
                return Turned::Free(line.lock().free());
            }
            give_back(line);
            Turned::GivenBack
        });
    }
}

#[test]
fn order_of_two_who_want_a_permit_one_of_them_cancelled() {
    for permits in [1, 2] {
        check(move || {
            let (line, record) = (line(permits), Record::<Turns>::new());
            let tasks = [Block::coroutine(2), Block::coroutine(1)];
            let canceller = {
                let record = Arc::clone(&record);
                thread::spawn(move || record.cancel(0, tasks[0]))
            };
            let first = {
                let record = Arc::clone(&record);
                thread::spawn(move || take_and_give_back(&record, 0, tasks[0], line))
            };
            take_and_give_back(&record, 1, tasks[1], line);
            canceller.join().unwrap();
            first.join().unwrap();
            record.demand(Turns::semaphore(permits, USERS));
            for task in tasks {
                demand_not_sent(task);
                release(task);
            }
            line.free();
        });
    }
}
