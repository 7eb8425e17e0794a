//! The acts of the tools that are made of a line: what `src/sync` does with what their protocols return.
//!
//! [`Standing`] follows `sync/park.rs`; [`Entering`] follows `sync/rwlock.rs`, [`Listening`] follows `sync/notify.rs`,
//! [`Receiver`] follows `sync/oneshot/mod.rs`. Each wait is in two halves, so that a model can begin with somebody who
//! waits already.

use crate::block::{Block, hand_back, park};
use crate::sync::line::{Held, Line};
use crate::sync::notices::{Notice, Notices};
use crate::sync::oneshot::core::{self, Core, Found};
use crate::sync::rw_turns::{self, RwTurns, Want};
use crate::sync::wait_list::Node;
use crate::task::word::{Generation, Woken};
use crate::yard::Kept;

/// A wait in a line, linked and published.
#[derive(Debug)]
struct Standing<S: 'static, P: 'static> {
    task: Kept<Block>,
    line: Kept<Line<Block, S, P>>,
    node: Kept<Node<Block, P>>,
    generation: Generation,
}

impl<S, P: Default> Standing<S, P> {
    fn begin(
        task: Kept<Block>,
        line: Kept<Line<Block, S, P>>,
        held: Held<'_, Block, S, P>,
        slot: P,
    ) -> Self {
        let generation = task.word.next();
        let node = Kept::new(Node::new(task.as_ptr(), slot));
        // SAFETY: the node stands until `park` has freed it.
        unsafe { held.wait(&node, generation, || task.word.publish(generation, true)) };
        Self {
            task,
            line,
            node,
            generation,
        }
    }

    /// Waits. Who has woken it, and what is in the slot.
    fn park(self) -> (Woken, P) {
        let parked = park(self.task, self.generation, true, || {
            // SAFETY: linked by `begin`.
            unsafe { self.line.lock().leave(&self.node) };
        });
        // SAFETY: the wait is over.
        let slot = unsafe { self.node.with_slot(std::mem::take) };
        self.node.free();
        (parked.woken, slot)
    }
}

/// Runs a transition that tells whom it claims, and hands those back.
fn handing_back(transition: impl FnOnce(&mut dyn FnMut(*const Block))) {
    let mut claimed = Vec::new();
    transition(&mut |task| claimed.push(Kept::at(task)));
    hand_back(&claimed);
}

/// A lock with readers and writers. What is noted of a writer is a number.
pub type Rw = Kept<RwTurns<Block, u32>>;

pub fn rw() -> Rw {
    Kept::new(rw_turns::free())
}

impl Default for Want<u32> {
    fn default() -> Self {
        Self::Read(0)
    }
}

/// G: gives up what `want` has got.
pub fn leave(rw: Rw, want: Want<u32>) {
    handing_back(|claimed| match want {
        Want::Read(me) => rw.lock().end_read(me, claimed),
        Want::Write(_) => rw.lock().end_write(claimed),
    });
}

/// At the end: nobody is inside, and the lock goes.
pub fn demand_nobody_inside(rw: Rw) {
    assert!(rw.lock().enter(Want::Write(0)), "somebody is inside");
    rw.free();
}

/// A wait for a turn.
#[derive(Debug)]
pub struct Entering {
    standing: Standing<rw_turns::Inside<u32>, Want<u32>>,
    want: Want<u32>,
}

impl Entering {
    /// Goes in if it may (`None` then); else begins to wait.
    pub fn begin(task: Kept<Block>, rw: Rw, want: Want<u32>) -> Option<Self> {
        let held = rw.lock();
        if held.enter(want) {
            return None;
        }
        let standing = Standing::begin(task, rw, held, want);
        Some(Self { standing, want })
    }

    /// Waits for the turn. True if it is inside now.
    pub fn park(self) -> bool {
        let (task, rw) = (self.standing.task, self.standing.line);
        let (woken, _) = self.standing.park();
        if woken == Woken::Cancelled {
            handing_back(|claimed| rw.lock().left(claimed));
            return false;
        }
        if task.is_cancelling() {
            leave(rw, self.want);
            return false;
        }
        true
    }
}

pub fn enter(task: Kept<Block>, rw: Rw, want: Want<u32>) -> bool {
    Entering::begin(task, rw, want).is_none_or(Entering::park)
}

/// A place for notices.
pub type Board = Kept<Notices<Block>>;

pub fn board() -> Board {
    Kept::new(Line::new(false))
}

/// N: tells one, or keeps it.
pub fn notify_one(board: Board) {
    let next = board.lock().notify_one(true);
    hand_back(next.map(Kept::at).as_slice());
}

/// N: tells all.
pub fn notify_all(board: Board) {
    handing_back(|claimed| board.lock().notify_all(claimed));
}

/// A wait for a notice.
#[derive(Debug)]
pub struct Listening(Standing<bool, Notice>);

impl Listening {
    /// Takes the notice that was kept (`None` then); else begins to wait.
    pub fn begin(task: Kept<Block>, board: Board) -> Option<Self> {
        let held = board.lock();
        if held.take() {
            return None;
        }
        Some(Self(Standing::begin(task, board, held, Notice::None)))
    }

    /// Waits for a notice. True if it has one.
    pub fn park(self) -> bool {
        let (task, board) = (self.0.task, self.0.line);
        let (woken, notice) = self.0.park();
        if woken == Woken::Cancelled {
            return false;
        }
        if task.is_cancelling() {
            if notice == Notice::One {
                notify_one(board);
            }
            return false;
        }
        true
    }
}

pub fn listen(task: Kept<Block>, board: Board) -> bool {
    Listening::begin(task, board).is_none_or(Listening::park)
}

/// A channel for one number.
pub type Single = Kept<Core<Block, u32>>;

pub fn single() -> Single {
    Kept::new(core::open())
}

/// S: sends. The value, if nobody wants it.
pub fn send_single(single: Single, value: u32) -> Result<(), u32> {
    let sent = single.lock().send(value);
    sent.map(|claimed| hand_back(claimed.map(Kept::at).as_slice()))
}

/// S: goes without having sent.
pub fn drop_sender(single: Single) {
    let claimed = single.lock().drop_sender();
    hand_back(claimed.map(Kept::at).as_slice());
}

/// R: goes. What it has not taken.
pub fn drop_receiver(single: Single) -> Option<u32> {
    single.lock().drop_receiver()
}

/// A receive that waits.
#[derive(Debug)]
pub struct Receiver(Standing<core::Between<u32>, Option<u32>>);

impl Receiver {
    pub fn begin(task: Kept<Block>, single: Single) -> Result<Found<u32>, Self> {
        let held = single.lock();
        match held.take() {
            Found::Empty => Err(Self(Standing::begin(task, single, held, None))),
            found => Ok(found),
        }
    }

    /// Waits. `Empty` if it was cancelled.
    pub fn park(self) -> Found<u32> {
        let single = self.0.line;
        let (woken, slot) = self.0.park();
        let value = slot.or_else(|| match single.lock().take() {
            Found::Value(value) => Some(value),
            Found::Empty | Found::Closed => None,
        });
        match (value, woken) {
            (Some(value), _) => Found::Value(value),
            (None, Woken::Cancelled) => Found::Empty,
            (None, Woken::Value) => Found::Closed,
        }
    }
}

pub fn receive_single(task: Kept<Block>, single: Single) -> Found<u32> {
    Receiver::begin(task, single).unwrap_or_else(Receiver::park)
}
