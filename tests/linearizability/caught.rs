//! A check that cannot fail proves nothing: wrong histories are refused, and so are right ones by a wrong specification.

use switchback::prelude::*;

use crate::checker::{Act, Call, History, Spec, is_linearizable};
use crate::pipe::{self, Operation, Outcome, Overflow, Pipe};
use crate::plans::{Random, of_pipe, of_turns};
use crate::play::{Plan, Seats, Tool, USERS, play};
use crate::tools::Channel;
use crate::turns::{self, Turns};

fn call<O, R>(begin: u64, end: u64, operation: O, outcome: R) -> Call<O, R> {
    Call {
        begin,
        asked: None,
        end,
        act: Act::Do(operation, outcome),
    }
}

fn sent() -> Outcome {
    Outcome::Sent { lost: Vec::new() }
}

fn channel_allows(limit: usize, history: &History<Pipe>) -> bool {
    let users = history.len();
    is_linearizable(Pipe::new(limit, Overflow::Wait, users), history)
}

fn lock_allows(history: &History<Turns>) -> bool {
    is_linearizable(Turns::lock(history.len()), history)
}

#[test]
fn two_elements_of_one_sender_do_not_overtake_each_other() {
    let history = |first, second| {
        vec![
            vec![
                call(0, 1, Operation::Send(1), sent()),
                call(2, 3, Operation::Send(2), sent()),
            ],
            vec![
                call(4, 5, Operation::Receive, Outcome::Got(first)),
                call(6, 7, Operation::Receive, Outcome::Got(second)),
            ],
        ]
    };
    assert!(channel_allows(2, &history(1, 2)));
    assert!(!channel_allows(2, &history(2, 1)));
    assert!(!channel_allows(2, &history(1, 1)), "received twice");
    assert!(!channel_allows(1, &history(1, 2)), "there was no room");
}

#[test]
fn the_order_of_two_senders_is_open_only_while_their_sends_overlap() {
    let history = |end| {
        vec![
            vec![call(0, end, Operation::Send(1), sent())],
            vec![call(2, 4, Operation::Send(2), sent())],
            vec![call(5, 6, Operation::Receive, Outcome::Got(2))],
        ]
    };
    assert!(channel_allows(2, &history(3)));
    assert!(!channel_allows(2, &history(1)));
}

#[test]
fn nothing_is_received_before_it_was_sent_nor_found_missing_after() {
    let receive = |begin, end, outcome| {
        vec![
            vec![call(2, 3, Operation::TrySend(1), sent())],
            vec![call(begin, end, Operation::TryReceive, outcome)],
        ]
    };
    assert!(channel_allows(1, &receive(1, 4, Outcome::Got(1))));
    assert!(channel_allows(1, &receive(1, 4, Outcome::Empty)));
    assert!(!channel_allows(1, &receive(0, 1, Outcome::Got(1))));
    assert!(!channel_allows(1, &receive(4, 5, Outcome::Empty)));
}

#[test]
fn a_send_without_a_buffer_returns_only_when_it_was_received() {
    let history = |end| {
        vec![
            vec![call(0, end, Operation::Send(1), sent())],
            vec![call(2, 3, Operation::Receive, Outcome::Got(1))],
        ]
    };
    assert!(channel_allows(0, &history(4)));
    assert!(!channel_allows(0, &history(1)));
}

#[test]
fn a_cancellation_comes_from_somebody() {
    let history = |cancelled: bool, received| {
        let cancel = Call {
            begin: 2,
            asked: None,
            end: 3,
            act: Act::Cancel(0),
        };
        vec![
            vec![call(0, 9, Operation::Send(1), Outcome::Cancelled)],
            if cancelled { vec![cancel] } else { Vec::new() },
            vec![call(4, 5, Operation::TryReceive, received)],
        ]
    };
    assert!(channel_allows(0, &history(true, Outcome::Empty)));
    assert!(!channel_allows(0, &history(false, Outcome::Empty)));
    // Given back and received: it would be there twice.
    assert!(!channel_allows(0, &history(true, Outcome::Got(1))));
}

#[test]
fn a_lock_has_one_holder_at_a_time_and_the_line_keeps_its_order() {
    use turns::{Operation, Outcome};
    let history = |second, third| {
        vec![
            vec![
                call(0, 1, Operation::Take, Outcome::Taken),
                call(10, 11, Operation::GiveBack, Outcome::GivenBack),
            ],
            vec![
                call(2, second, Operation::Take, Outcome::Taken),
                call(20, 21, Operation::GiveBack, Outcome::GivenBack),
            ],
            vec![
                call(16, 17, Operation::Look, Outcome::Free(0)),
                call(18, third, Operation::Take, Outcome::Taken),
            ],
        ]
    };
    assert!(lock_allows(&history(12, 22)));
    assert!(!lock_allows(&history(9, 22)), "taken while it was held");
    assert!(!lock_allows(&history(12, 19)), "taken while it was held");
}

/// Plays on one loop, where the same seed brings the same history, until the specification refuses one.
fn catches<T: Tool>(
    planner: fn(Seats, &mut Random) -> Plan<<T::Spec as Spec>::Operation>,
    make: impl Fn() -> (T, T::Spec),
) -> bool {
    (1..3000).any(|seed| {
        let plan = planner(Seats::Together, &mut Random(seed));
        let (tool, spec) = make();
        !is_linearizable(spec, &play(&tool, &plan))
    })
}

#[test]
fn a_wrong_channel_is_caught() {
    let catches = |limit: usize, spec: Pipe| {
        catches(of_pipe, || {
            (Channel::new(Capacity::buffered(limit)), spec.clone())
        })
    };
    let right = |limit| Pipe::new(limit, Overflow::Wait, USERS);
    for limit in 0..3 {
        assert!(!catches(limit, right(limit)), "{limit} is right");
        assert!(catches(limit, right(limit + 1)), "{limit}: one more");
        for wrong in [
            pipe::Wrong::LineReversed,
            pipe::Wrong::CloseDropsSenders,
            pipe::Wrong::CancelKeepsPlace,
        ] {
            assert!(
                catches(limit, right(limit).but(wrong)),
                "{limit}: {wrong:?}"
            );
        }
    }
    assert!(catches(2, right(2).but(pipe::Wrong::LastInFirstOut)));
}

#[test]
fn a_wrong_lock_is_caught() {
    let catches = |spec: Turns| catches(of_turns, || (Mutex::new(()), spec.clone()));
    let right = || Turns::lock(USERS);
    assert!(!catches(right()));
    assert!(catches(right().but(turns::Wrong::LineReversed)));
    assert!(catches(right().but(turns::Wrong::CancelLosesPermit)));
    assert!(catches(Turns::semaphore(2, USERS)), "two at a time");
}

#[test]
fn a_wrong_semaphore_is_caught() {
    let catches = |spec: Turns| catches(of_turns, || (Semaphore::new(2), spec.clone()));
    let right = || Turns::semaphore(2, USERS);
    assert!(!catches(right()));
    assert!(catches(right().but(turns::Wrong::LineReversed)));
    assert!(catches(right().but(turns::Wrong::CancelLosesPermit)));
    assert!(catches(Turns::semaphore(1, USERS)), "one at a time");
}
