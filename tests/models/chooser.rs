//! The acts of a select: what `sync/select/engine.rs` does around its protocol.
//!
//! The clauses stand in blocks of the yard, so that one that is touched after its frame was left is noticed.

use std::convert::Infallible;

use crate::block::{Block, hand_back, park};
use crate::job::joiner;
use crate::sync::line::Held;
use crate::sync::select::ends::{ReceiveEnd, SendEnd, TurnEnd};
use crate::sync::select::exchange::{Exchange, Linked, Locks, leave_all, look_and_link, try_alone};
use crate::task::word::{Generation, Withdrawal, Woken};
use crate::util::list::Links;
use crate::util::sync::Shared;
use crate::waits::{Line, Pipe, give_back};
use crate::yard::Kept;

/// What a clause is about.
#[derive(Clone, Copy, Debug)]
pub enum Want {
    Receive(Pipe),
    Send(Pipe, u32),
    Turn(Line),
}

/// What came of a select: the number of the clause that has won, and what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chosen {
    Received(usize, u32),
    Sent(usize),
    Ended(usize),
    Turn(usize),
    Joined,
    Cancelled,
}

type Take = fn(&Held<'_, Block, usize, usize>) -> bool;

fn take(held: &Held<'_, Block, usize, usize>) -> bool {
    held.take(1)
}

#[derive(Debug)]
enum End {
    Receive(Kept<ReceiveEnd<'static, Block, u32, ()>>),
    Send(Kept<SendEnd<'static, Block, u32, ()>>),
    Turn(Kept<TurnEnd<'static, Block, usize, usize, Take>>, Line),
}

impl End {
    fn new(task: Kept<Block>, want: Want) -> Self {
        match want {
            // SAFETY: the models free their channels after everything else.
            Want::Receive(pipe) => Self::Receive(Kept::new(ReceiveEnd::new(
                unsafe { &*pipe.as_ptr() },
                task.as_ptr(),
            ))),
            // SAFETY: as above.
            Want::Send(pipe, element) => Self::Send(Kept::new(SendEnd::new(
                unsafe { &*pipe.as_ptr() },
                task.as_ptr(),
                element,
            ))),
            // SAFETY: as above.
            Want::Turn(line) => Self::Turn(
                Kept::new(TurnEnd::new(
                    unsafe { &*line.as_ptr() },
                    task.as_ptr(),
                    1,
                    take as Take,
                )),
                line,
            ),
        }
    }

    fn exchange(&self) -> &dyn Exchange<Block> {
        match self {
            Self::Receive(end) => &**end,
            Self::Send(end) => &**end,
            Self::Turn(end, _) => &**end,
        }
    }

    fn chosen(&self, at: usize) -> Chosen {
        match self {
            // SAFETY: the select is over.
            Self::Receive(end) => match unsafe { end.element() } {
                Some(element) => Chosen::Received(at, element),
                None => Chosen::Ended(at),
            },
            // SAFETY: as above.
            Self::Send(end) => match unsafe { end.unsent() } {
                Some(_) => Chosen::Ended(at),
                None => Chosen::Sent(at),
            },
            Self::Turn(..) => Chosen::Turn(at),
        }
    }

    /// It has won, and the one who selects was cancelled before it ran: whether the clause goes on all the same.
    fn survives(&self) -> bool {
        match self {
            // SAFETY: the select is over.
            Self::Receive(end) => unsafe { end.has_element() },
            Self::Send(_) | Self::Turn(..) => false,
        }
    }

    fn discard(&self) {
        if let Self::Turn(_, line) = self {
            give_back(*line);
        }
    }

    fn free(self) {
        match self {
            Self::Receive(end) => end.free(),
            Self::Send(end) => end.free(),
            Self::Turn(end, _) => end.free(),
        }
    }
}

/// A place among the joiners of a job, as in `task/waiter.rs`.
#[repr(C)]
#[derive(Debug)]
struct Joining {
    links: Links,
    task: Kept<Block>,
    generation: Shared<Generation>,
}

/// E: completes a job, and wakes those who select.
pub fn complete(job: Kept<Block>) {
    let mut claimed = Vec::new();
    let mut claim = |links: *const Links| {
        let joining: Kept<Joining> = Kept::at(links.cast());
        // SAFETY: under the lock of the job.
        let generation = joining.generation.with(|generation| unsafe { *generation });
        if joining.task.word.claim_value(generation) {
            claimed.push(joining.task);
        }
    };
    if joiner::complete(&job.job, |_| 0, &mut claim) {
        while joiner::complete_more(&job.job, |_| (), &mut claim) {}
    }
    hand_back(&claimed);
}

/// O: selects among exchanges and, last, the end of a job.
pub fn choose(task: Kept<Block>, wants: &[Want], job: Option<Kept<Block>>) -> Chosen {
    let ends: Vec<End> = wants.iter().map(|want| End::new(task, *want)).collect();
    let chosen = choose_among(task, &ends, job);
    for end in ends {
        end.free();
    }
    chosen
}

fn choose_among(task: Kept<Block>, ends: &[End], job: Option<Kept<Block>>) -> Chosen {
    let exchanges: Vec<&dyn Exchange<Block>> = ends.iter().map(End::exchange).collect();
    loop {
        if task.is_cancelling() {
            return Chosen::Cancelled;
        }
        for (at, exchange) in exchanges.iter().enumerate() {
            let mut claimed = Vec::new();
            let is_ready = try_alone(*exchange, &mut |task| claimed.push(Kept::at(task)));
            hand_back(&claimed);
            if is_ready {
                return ends[at].chosen(at);
            }
        }
        if job.is_some_and(|job| job.state().is_completed()) {
            return Chosen::Joined;
        }
        match wait(task, &exchanges, job) {
            (Some(winner), Waited::Slept(_))
                if task.is_cancelling() && !ends[winner].survives() =>
            {
                ends[winner].discard();
                return Chosen::Cancelled;
            }
            (Some(winner), _) => return ends[winner].chosen(winner),
            (None, Waited::Slept(Woken::Cancelled)) => return Chosen::Cancelled,
            (None, _) => {
                assert!(
                    job.is_some_and(|job| job.state().is_completed()),
                    "woken in vain"
                );
            }
        }
    }
}

enum Waited {
    No,
    Slept(Woken),
}

/// Steps 2 to 5.
fn wait(
    task: Kept<Block>,
    exchanges: &[&dyn Exchange<Block>],
    job: Option<Kept<Block>>,
) -> (Option<usize>, Waited) {
    let mut locks = Locks::of(exchanges);
    let mut claimed = Vec::new();
    // SAFETY: the clauses stand until they have left.
    let linked = unsafe {
        look_and_link(
            exchanges,
            &mut locks,
            &mut |task| claimed.push(Kept::at(task)),
            || Ok::<_, Infallible>(task.word.next()),
            |generation| task.word.publish(generation, true),
        )
    };
    hand_back(&claimed);
    let generation = match linked {
        Ok(Linked::Waits(generation)) => generation,
        Ok(Linked::Won(at)) => return (Some(at), Waited::No),
        Ok(Linked::Grow(..)) => unreachable!("these channels have no buffer"),
        Err(never) => match never {},
    };
    let joining = Kept::new(Joining {
        links: Links::new(),
        task,
        generation: Shared::new(generation),
    });
    // SAFETY: it stands until it was taken out, below.
    let is_joined = job.is_none_or(|job| unsafe { joiner::join(&job.job, &joining.links, || ()) });
    let woken = if !is_joined && task.word.withdraw(generation) == Withdrawal::Withdrawn {
        Woken::Value
    } else {
        park(task, generation, true, || ()).woken
    };
    // SAFETY: the suspension is over.
    let winner = unsafe { leave_all(exchanges) };
    if let Some(job) = job.filter(|_| is_joined) {
        // SAFETY: linked above.
        unsafe { joiner::leave(&job.job, &joining.links) };
    }
    joining.free();
    (winner, Waited::Slept(woken))
}
