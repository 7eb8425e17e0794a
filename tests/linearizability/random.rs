//! Random programs against the specifications.

use switchback::prelude::*;

use crate::checker::{is_linearizable, listing};
use crate::pipe::{Overflow, Pipe};
use crate::plans::{Random, apart, of_pipe, of_turns};
use crate::play::{Plan, Seats, Tool, USERS, play};
use crate::tools::Channel;
use crate::turns::Turns;

fn number(name: &str, default: u64) -> u64 {
    let text = std::env::var(name).ok();
    text.and_then(|text| text.parse().ok()).unwrap_or(default)
}

type Planner<T> =
    fn(Seats, &mut Random) -> Plan<<<T as Tool>::Spec as crate::checker::Spec>::Operation>;

/// Plays so many plans, each with a fresh tool, and demands that the specification allows what happens.
fn demand<T: Tool>(planner: Planner<T>, make: impl Fn(&mut Random) -> (T, T::Spec)) {
    let first = number("SWITCHBACK_STRESS_SEED", 1);
    for seed in first..first + number("SWITCHBACK_HISTORIES", 1000) {
        let mut random = Random(seed);
        let seats = if seed % 4 == 0 {
            Seats::Together
        } else {
            apart(&mut random)
        };
        let plan = planner(seats, &mut random);
        let (tool, spec) = make(&mut random);
        let history = play(&tool, &plan);
        assert!(
            is_linearizable(spec, &history),
            "seed {seed}: {:?}\n{:?}\n{}",
            plan.seats,
            plan.orders,
            listing::<T::Spec>(&history)
        );
    }
}

#[test]
fn a_channel_that_suspends_is_linearizable() {
    demand(of_pipe, |random| {
        let limit = [0, 0, 1, 1, 2, 3][random.below(6)];
        let spec = Pipe::new(limit, Overflow::Wait, USERS);
        (Channel::new(Capacity::buffered(limit)), spec)
    });
}

#[test]
fn a_channel_without_a_limit_is_linearizable() {
    demand(of_pipe, |_| {
        let spec = Pipe::new(usize::MAX, Overflow::Wait, USERS);
        (Channel::new(Capacity::unlimited()), spec)
    });
}

#[test]
fn a_channel_that_drops_is_linearizable() {
    demand(of_pipe, |random| {
        let limit = 1 + random.below(2);
        let (capacity, overflow) = match random.below(3) {
            0 => (Capacity::drop_oldest(limit), Overflow::DropOldest),
            1 => (Capacity::drop_latest(limit), Overflow::DropLatest),
            _ => (Capacity::conflated(), Overflow::DropOldest),
        };
        let limit = if capacity == Capacity::conflated() {
            1
        } else {
            limit
        };
        (Channel::new(capacity), Pipe::new(limit, overflow, USERS))
    });
}

#[test]
fn a_lock_is_linearizable() {
    demand(of_turns, |_| (Mutex::new(()), Turns::lock(USERS)));
}

#[test]
fn a_semaphore_is_linearizable() {
    demand(of_turns, |random| {
        let permits = 1 + random.below(2);
        (Semaphore::new(permits), Turns::semaphore(permits, USERS))
    });
}
