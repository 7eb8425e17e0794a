//! Random plans.

use crate::pipe::Operation as OfPipe;
use crate::play::{ACTORS, Order, Plan, Seat, Seats, Step};
use crate::turns::Operation as OfTurns;

/// splitmix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// On several threads.
pub fn apart(random: &mut Random) -> Seats {
    let seats = [Seat::Thread, Seat::Loop, Seat::Pool, Seat::Pool];
    Seats::Apart([(); ACTORS].map(|()| seats[random.below(seats.len())]))
}

/// Three operations each, of whatever `operation` makes for somebody's so-manieth step.
fn plan<O>(
    seats: Seats,
    random: &mut Random,
    mut operation: impl FnMut(&mut Random, usize, u32) -> O,
) -> Plan<O> {
    let programs = [0, 1, 2].map(|who| {
        let mut program = Vec::new();
        for step in 0..3 {
            if random.below(3) == 0 {
                program.push(Step::Yield);
            }
            program.push(Step::Do(operation(random, who, step)));
        }
        program
    });
    let mut orders = Vec::new();
    for _ in 0..random.below(3) {
        if random.below(3) > 0 {
            orders.push(Order::Rest(random.next() % 6));
        }
        orders.push(Order::Cancel(random.below(ACTORS)));
    }
    Plan {
        seats,
        programs,
        orders,
    }
}

/// A plan for a channel. Whoever waits to the end is cancelled or, where a plain thread may wait, the channel is ended.
pub fn of_pipe(seats: Seats, random: &mut Random) -> Plan<OfPipe> {
    // Who sends more than receives, and the other way round.
    let taste = [0, 1, 2].map(|_| random.below(3));
    let mut plan = plan(seats, random, |random, who, step| {
        let element = 10 * who as u32 + step;
        match random.below(12) {
            0 => OfPipe::TrySend(element),
            1 => OfPipe::TryReceive,
            2 if random.below(4) == 0 => OfPipe::Close,
            3 if random.below(4) == 0 => OfPipe::IsClosedForReceive,
            4 if random.below(8) == 0 => OfPipe::End,
            n if n % 3 > taste[who] => OfPipe::Receive,
            n if n % 3 < taste[who] => OfPipe::Send(element),
            n if n % 2 == 0 => OfPipe::Receive,
            _ => OfPipe::Send(element),
        }
    });
    for number in 0..random.below(3) {
        let at = random.below(plan.orders.len() + 1);
        let operation = match random.below(6) {
            0 => OfPipe::Close,
            1 => OfPipe::IsClosedForSend,
            2 | 3 => OfPipe::TryReceive,
            _ => OfPipe::TrySend(90 + number as u32),
        };
        plan.orders.insert(at, Order::Do(operation));
    }
    plan.orders.push(Order::Rest(random.next() % 40));
    if plan.seats.has_threads() || random.below(2) == 0 {
        plan.orders.push(Order::Do(OfPipe::End));
    } else {
        plan.orders.extend((0..ACTORS).map(Order::Cancel));
    }
    plan
}

/// A plan for a lock or a semaphore: everybody gives back in the end, so nobody waits for ever.
pub fn of_turns(seats: Seats, random: &mut Random) -> Plan<OfTurns> {
    let mut plan = plan(seats, random, |random, _, step| {
        match (random.below(8), step) {
            (0, _) => OfTurns::Look,
            (1, _) => OfTurns::TryTake,
            (2..=5, 1) => OfTurns::GiveBack,
            _ => OfTurns::Take,
        }
    });
    for _ in 0..random.below(3) {
        let at = random.below(plan.orders.len() + 1);
        let operation = match random.below(4) {
            0 => OfTurns::Look,
            1 => OfTurns::TryTake,
            _ => OfTurns::GiveBack,
        };
        plan.orders.insert(at, Order::Do(operation));
    }
    plan.orders.push(Order::Do(OfTurns::GiveBack));
    plan
}
