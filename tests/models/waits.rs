//! The acts of the waiting lines: what `src/sync` does with what its protocols return.
//!
//! [`Claim`] follows `sync/semaphore.rs`; [`Sending`] and [`Receiving`] follow the two ends of a
//! channel. Each wait is in two halves, so that a model can begin with somebody who waits already.

use crate::block::{Block, hand_back, park};
use crate::sync::channel::core::{Core, Locked, Offer, Overflow, Slot, Take};
use crate::sync::permits::Permits;
use crate::sync::wait_list::{Node, Waits};
use crate::task::word::{Generation, Woken, Word};
use crate::yard::Kept;

impl Waits for Block {
    fn word(&self) -> &Word {
        &self.word
    }

    fn thread() -> u64 {
        0
    }
}

/// A semaphore.
pub type Line = Kept<Permits<Block>>;

pub fn line(free: usize) -> Line {
    Kept::new(Permits::new(free))
}

/// G: gives a permit back.
pub fn give_back(line: Line) {
    give_many_back(line, 1);
}

pub fn give_many_back(line: Line, count: usize) {
    let mut claimed = Vec::new();
    line.lock()
        .give_back(count, |task| claimed.push(Kept::at(task)));
    hand_back(&claimed);
}

/// At the end: so many are free, and the line goes.
pub fn demand_free(line: Line, count: usize) {
    assert_eq!(line.lock().free(), count);
    line.free();
}

/// A wait for a permit, linked and published.
#[derive(Debug)]
pub struct Claim {
    task: Kept<Block>,
    line: Line,
    node: Kept<Node<Block, usize>>,
    count: usize,
    generation: Generation,
}

impl Claim {
    /// Takes a permit if one is free (`None` then); else begins to wait.
    pub fn begin(task: Kept<Block>, line: Line) -> Option<Self> {
        Self::begin_many(task, line, 1)
    }

    /// The same for so many.
    pub fn begin_many(task: Kept<Block>, line: Line, count: usize) -> Option<Self> {
        let locked = line.lock();
        if locked.take(count) {
            return None;
        }
        let generation = task.word.next();
        let node = Kept::new(Node::new(task.as_ptr(), count));
        // SAFETY: the node stands until `park` has freed it.
        unsafe { locked.wait(&node, generation, || task.word.publish(generation, true)) };
        Some(Self {
            task,
            line,
            node,
            count,
            generation,
        })
    }

    /// Waits for the hand-over. True if the permit is held now.
    pub fn park(self) -> bool {
        let parked = park(self.task, self.generation, true, || {
            // SAFETY: linked by `begin`.
            unsafe { self.line.lock().leave(&self.node) };
        });
        self.node.free();
        if parked.woken == Woken::Cancelled {
            let mut claimed = Vec::new();
            self.line.lock().left(|task| claimed.push(Kept::at(task)));
            hand_back(&claimed);
            return false;
        }
        if self.task.is_cancelling() {
            give_many_back(self.line, self.count);
            return false;
        }
        true
    }
}

/// Waits for a permit. True if it is held now.
pub fn acquire(task: Kept<Block>, line: Line) -> bool {
    Claim::begin(task, line).is_none_or(Claim::park)
}

/// A channel of numbers.
pub type Pipe = Kept<Core<Block, u32, ()>>;

pub fn pipe(limit: usize) -> Pipe {
    Kept::new(Core::new(limit, Overflow::Suspend))
}

type End<'a> = Locked<'a, Block, u32, ()>;

/// S: closes, and hands back whoever waited to receive.
pub fn close(pipe: Pipe) -> bool {
    let mut claimed = Vec::new();
    let closed = pipe.lock().close(None, |task| claimed.push(Kept::at(task)));
    hand_back(&claimed);
    closed.is_ok()
}

/// R: cancels, and hands back whoever waited. What was in the channel.
pub fn cancel_pipe(pipe: Pipe) -> Vec<u32> {
    let mut claimed = Vec::new();
    let (rest, _) = pipe
        .lock()
        .cancel(None, |task| claimed.push(Kept::at(task)));
    hand_back(&claimed);
    rest.elements.into_iter().flatten().collect()
}

/// What became of an element, at its sender's.
#[derive(Debug, PartialEq, Eq)]
pub enum Sent {
    Taken,
    Full(u32),
    Ended(u32),
    Cancelled(u32),
}

/// S: offers; with the lock still held if there is no room.
fn offer(pipe: &Pipe, element: u32) -> Result<Sent, (End<'_>, u32)> {
    let mut element = element;
    loop {
        let mut claimed = None;
        let locked = pipe.lock();
        match locked.offer(element, |task| claimed = Some(Kept::at(task))) {
            Offer::Taken => {
                drop(locked);
                hand_back(claimed.as_slice());
                return Ok(Sent::Taken);
            }
            Offer::Full(element) => return Err((locked, element)),
            Offer::Grow(again, capacity) => {
                drop(locked);
                let memory = std::collections::VecDeque::with_capacity(capacity);
                drop(pipe.lock().grow(memory));
                element = again;
            }
            Offer::Ended(element, _) => return Ok(Sent::Ended(element)),
            Offer::Dropped(_) => unreachable!("these channels suspend"),
        }
    }
}

pub fn try_send(pipe: Pipe, element: u32) -> Sent {
    offer(&pipe, element).unwrap_or_else(|(_, element)| Sent::Full(element))
}

/// A send that waits, linked and published.
#[derive(Debug)]
pub struct Sending {
    task: Kept<Block>,
    pipe: Pipe,
    node: Kept<Node<Block, Slot<u32>>>,
    generation: Generation,
}

impl Sending {
    pub fn begin(task: Kept<Block>, pipe: Pipe, element: u32) -> Result<Sent, Self> {
        let (locked, element) = match offer(&pipe, element) {
            Ok(sent) => return Ok(sent),
            Err(full) => full,
        };
        let generation = task.word.next();
        let node = Kept::new(Node::new(task.as_ptr(), Some(element)));
        // SAFETY: the node stands until `park` has freed it.
        unsafe { locked.wait_to_send(&node, generation, || task.word.publish(generation, true)) };
        Err(Self {
            task,
            pipe,
            node,
            generation,
        })
    }

    pub fn park(self) -> Sent {
        let parked = park(self.task, self.generation, true, || {
            // SAFETY: linked by `begin`.
            unsafe { self.pipe.lock().leave_senders(&self.node) };
        });
        // SAFETY: the wait is over.
        let left = unsafe { self.node.with_slot(Option::take) };
        self.node.free();
        match (parked.woken, left) {
            (_, None) => Sent::Taken,
            (Woken::Cancelled, Some(element)) => Sent::Cancelled(element),
            (Woken::Value, Some(element)) => {
                assert!(self.pipe.lock().is_closed_for_send(), "woken in vain");
                Sent::Ended(element)
            }
        }
    }
}

pub fn send(task: Kept<Block>, pipe: Pipe, element: u32) -> Sent {
    Sending::begin(task, pipe, element).unwrap_or_else(Sending::park)
}

/// What a receiver got.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    Element(u32),
    Empty,
    Ended,
    Cancelled,
}

/// R: takes; with the lock still held if there is nothing.
fn take(pipe: &Pipe) -> Result<Got, End<'_>> {
    let batch = pipe.batch();
    if let Some(element) = batch.and_then(|batch| batch.take(Block::thread())) {
        return Ok(Got::Element(element));
    }
    let locked = pipe.lock();
    if let Some(element) = batch.and_then(|batch| locked.take_many(batch)) {
        return Ok(Got::Element(element));
    }
    let mut claimed = None;
    match locked.take_unbatched(|task| claimed = Some(Kept::at(task))) {
        Take::Element(element) => {
            drop(locked);
            hand_back(claimed.as_slice());
            Ok(Got::Element(element))
        }
        Take::Ended(_) => Ok(Got::Ended),
        Take::Empty => Err(locked),
    }
}

pub fn try_receive(pipe: Pipe) -> Got {
    let mut claimed = None;
    let take = pipe.lock().take(|task| claimed = Some(Kept::at(task)));
    hand_back(claimed.as_slice());
    match take {
        Take::Element(element) => Got::Element(element),
        Take::Ended(_) => Got::Ended,
        Take::Empty => Got::Empty,
    }
}

/// A receive that waits, linked and published.
#[derive(Debug)]
pub struct Receiving {
    task: Kept<Block>,
    pipe: Pipe,
    node: Kept<Node<Block, Slot<u32>>>,
    generation: Generation,
}

impl Receiving {
    pub fn begin(task: Kept<Block>, pipe: Pipe) -> Result<Got, Self> {
        let locked = match take(&pipe) {
            Ok(got) => return Ok(got),
            Err(empty) => empty,
        };
        let generation = task.word.next();
        let node = Kept::new(Node::new(task.as_ptr(), None));
        // SAFETY: the node stands until `park` has freed it.
        unsafe {
            locked.wait_to_receive(&node, generation, || task.word.publish(generation, true));
        }
        Err(Self {
            task,
            pipe,
            node,
            generation,
        })
    }

    pub fn park(self) -> Got {
        let parked = park(self.task, self.generation, true, || {
            // SAFETY: linked by `begin`.
            unsafe { self.pipe.lock().leave_receivers(&self.node) };
        });
        // SAFETY: the wait is over.
        let element = unsafe { self.node.with_slot(Option::take) };
        self.node.free();
        match (parked.woken, element) {
            (_, Some(element)) => Got::Element(element),
            (Woken::Cancelled, None) => Got::Cancelled,
            (Woken::Value, None) => {
                assert!(self.pipe.lock().is_closed_for_send(), "woken in vain");
                Got::Ended
            }
        }
    }
}

pub fn receive(task: Kept<Block>, pipe: Pipe) -> Got {
    Receiving::begin(task, pipe).unwrap_or_else(Receiving::park)
}
