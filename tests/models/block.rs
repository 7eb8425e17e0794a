//! A coroutine as the models know it: the protocols' parts of a task block, and the acts of the layers above on what
//! the protocols return.
//!
//! Each act follows its original step by step: `suspend` and `park` those of `task/wait.rs`, [`cancel`] that of
//! `task/cancel.rs`, [`finalise`] that of `task/finish.rs`, [`wait_for_children`] that of `scope/frame.rs`,
//! [`cancel_children`] that of `scope/job.rs`, [`tie`] that of `task/loose.rs`. In place of a stack each coroutine has a thread
//! of the model to itself, with an inbox; switching out is waiting for the inbox to give the coroutine back.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::AtomicU32 as Count;

use crate::job::children::{self, Attached, Detached, Ended};
use crate::job::joiner;
use crate::job::node::JobNode;
use crate::job::state::{CANCELLING, COROUTINE, LOOSE, SCOPE, STARTED, SUCCEEDED, SWEEPS, State};
use crate::joiners::claim;
use crate::task::inbox::{Inbox, Linked};
use crate::task::word::{Generation, Withdrawal, Woken, Word};
use crate::util::sync::{AtomicPtr, Ordering, Shared, pause};
use crate::yard::Kept;

/// A task block.
#[repr(C)]
#[derive(Debug)]
pub struct Block {
    pub job: JobNode,
    pub word: Word,
    home: Arc<Inbox<Block>>,
    link: AtomicPtr<Block>,
    current: AtomicPtr<Block>,
    owner: *const Block,
    /// Guarded by the job's lock.
    drain: Shared<Generation>,
    /// How often the job has completed: a count of the model.
    finalised: Count,
}

impl Linked for Block {
    fn link(&self) -> &AtomicPtr<Block> {
        &self.link
    }
}

impl Block {
    fn new(kind: u32, refs: u32, owner: *const Block) -> Kept<Block> {
        Kept::new(Block {
            job: JobNode::new(kind | STARTED, refs),
            word: Word::new(),
            home: Arc::new(Inbox::new()),
            link: AtomicPtr::new(ptr::null_mut()),
            current: AtomicPtr::new(ptr::null_mut()),
            owner,
            drain: Shared::new(Generation::NONE),
            finalised: Count::new(0),
        })
    }

    /// A coroutine that runs its own body. Of its `refs` counts one is its own.
    pub fn coroutine(refs: u32) -> Kept<Block> {
        let block = Self::new(COROUTINE, refs, ptr::null());
        block.set_current(block);
        block
    }

    /// The job of a scope function that `owner` has called.
    pub fn scope(owner: Kept<Block>, refs: u32) -> Kept<Block> {
        let block = Self::new(SCOPE, refs, owner.as_ptr());
        owner.set_current(block);
        block
    }

    /// The same, but nobody knows of it yet.
    pub fn loose_scope(owner: Kept<Block>, refs: u32) -> Kept<Block> {
        let sweeps = owner.state().0 & SWEEPS;
        let block = Self::new(SCOPE | LOOSE | sweeps, refs, owner.as_ptr());
        block.job.set_parent(&owner.job);
        owner.set_current(block);
        block
    }

    /// A job made by hand, without a body.
    pub fn bare(refs: u32) -> Kept<Block> {
        Self::new(0, refs, ptr::null())
    }

    fn count_completion(&self) {
        let before = self.finalised.fetch_add(1, Ordering::Relaxed);
        assert_eq!(before, 0, "completed twice");
    }

    pub fn of(job: *const JobNode) -> Kept<Block> {
        Kept::at(job.cast())
    }

    pub fn state(&self) -> State {
        self.job.state()
    }

    pub fn is_cancelling(&self) -> bool {
        self.state().has(CANCELLING)
    }

    pub fn current(&self) -> *const Block {
        self.current.load(Ordering::Acquire)
    }

    pub fn set_current(&self, job: Kept<Block>) {
        self.current
            .store(job.as_ptr().cast_mut(), Ordering::Release);
    }

    fn owner(&self) -> *const Block {
        if self.state().has(COROUTINE) {
            self
        } else {
            self.owner
        }
    }
}

/// Gives back one count, and frees the block with the last.
pub fn release(block: Kept<Block>) {
    if block.job.release() {
        block.free();
    }
}

/// What a resumer fills. It stands in the suspended frame.
#[derive(Debug)]
pub struct Slot<T>(Shared<Option<T>>);

impl<T> Slot<T> {
    pub fn new() -> Self {
        Self(Shared::new(None))
    }

    pub fn put(&self, value: T) {
        // SAFETY: the caller has claimed the word; loom checks what that is worth.
        self.0.with_mut(|slot| unsafe { *slot = Some(value) });
    }

    pub fn take(&self) -> Option<T> {
        // SAFETY: the owner was handed back; loom checks what that is worth.
        self.0.with_mut(|slot| unsafe { (*slot).take() })
    }
}

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Parked {
    pub woken: Woken,
    /// Whether the coroutine was switched out and handed back.
    pub switched: bool,
}

/// O: waits for the claim.
pub fn park(
    task: Kept<Block>,
    generation: Generation,
    cancellable: bool,
    undo: impl FnOnce(),
) -> Parked {
    if cancellable {
        let job = Kept::at(task.current());
        if job.job.is_cancelling_seq_cst()
            && task.word.withdraw(generation) == Withdrawal::Withdrawn
        {
            undo();
            return Parked {
                woken: Woken::Cancelled,
                switched: false,
            };
        }
    }
    let switched = !task.word.is_local();
    if switched {
        switch_out(task);
    }
    let woken = task.word.settle();
    if woken == Woken::Cancelled {
        undo();
    }
    Parked { woken, switched }
}

/// O: names a suspension, publishes it and waits.
pub fn suspend(task: Kept<Block>, cancellable: bool) -> Parked {
    let generation = task.word.next();
    task.word.publish(generation, cancellable);
    park(task, generation, cancellable, || ())
}

/// O: goes on when the inbox has given the coroutine back, which must be once.
pub fn switch_out(task: Kept<Block>) {
    let mut came_back = false;
    while !came_back {
        task.home.drain(|sent| {
            assert!(Kept::at(sent) == task && !came_back, "handed back twice");
            came_back = true;
        });
        if !came_back {
            pause(0);
        }
    }
}

/// O, at the end: nothing may be left in the inbox.
pub fn demand_not_sent(task: Kept<Block>) {
    assert!(task.home.is_empty(), "handed back without need");
}

/// R, X: hands claimed tasks back to their threads.
pub fn hand_back(chain: &[Kept<Block>]) {
    for task in chain {
        let home = Arc::clone(&task.home);
        // SAFETY: claimed by the caller, so in no queue, and alive until handed back.
        unsafe { home.push_chain(task.as_ptr(), task.as_ptr()) };
    }
}

/// R: resumes with a value if the suspension is still that of `generation`; otherwise only drops it.
pub fn resume<T>(task: Kept<Block>, generation: Generation, slot: Kept<Slot<T>>, value: T) -> bool {
    let claimed = task.word.claim_value(generation);
    if claimed {
        slot.put(value);
        hand_back(&[task]);
    }
    claimed
}

/// What a canceller has done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// How many jobs it was the first to mark.
    pub marked: usize,
    /// How many coroutines it has claimed and handed back.
    pub claimed: usize,
}

fn claim_waiting(job: Kept<Block>) -> Option<Kept<Block>> {
    let owner = job.owner();
    if owner.is_null() {
        return None;
    }
    let owner = Kept::at(owner);
    owner
        .word
        .claim_cancel(|| ptr::eq(owner.current(), job.as_ptr()))
        .then_some(owner)
}

/// X: cancels a job and everything below it. The caller holds a count.
pub fn cancel(job: Kept<Block>) -> Cancelled {
    let mut own = None;
    let newly = children::mark_cancelled(&job.job, 0, || (), |_| own = claim_waiting(job));
    if !newly {
        return Cancelled::default();
    }
    let mut marked = 1;
    let mut chain = Vec::new();
    // SAFETY: the caller holds a count.
    unsafe {
        children::walk(
            &job.job,
            |child| {
                marked += 1;
                claim_waiting(Block::of(child))
            },
            |claimed| chain.extend(claimed),
            |last| Block::of(last).free(),
        );
    }
    chain.extend(own);
    hand_back(&chain);
    Cancelled {
        marked,
        claimed: chain.len(),
    }
}

/// L: launches a child under a parent that takes it. True if this call was the one that cancelled it.
pub fn launch(parent: Kept<Block>, child: Kept<Block>) -> bool {
    try_launch(parent, child).expect("the parent was closed too early")
}

/// L: launches a child. `None` if the parent takes no more; the child is a root then.
pub fn try_launch(parent: Kept<Block>, child: Kept<Block>) -> Option<bool> {
    // SAFETY: new, and detached when it is finalised.
    match unsafe { children::attach(&parent.job, &child.job) } {
        Attached::Active => Some(false),
        Attached::Cancelled => Some(children::mark_cancelled(&child.job, 0, || (), |_| ())),
        Attached::Refused => None,
    }
}

/// O, or who was lent the scope: ties it.
pub fn tie(scope: Kept<Block>) {
    if scope.state().has(LOOSE) {
        let parent = Block::of(scope.job.parent());
        // SAFETY: new, and detached when it is finalised.
        unsafe { children::tie(&parent.job, &scope.job, || ()) };
    }
}

/// O: what a loose scope shows of a cancellation.
pub fn is_cancelled_loose(scope: Kept<Block>) -> bool {
    let state = scope.state();
    if state.has(CANCELLING) || !state.has(LOOSE) {
        return state.has(CANCELLING);
    }
    let parent = Block::of(scope.job.parent()).state();
    parent.has(CANCELLING) || state.was_swept(parent)
}

/// X: cancels the children of a job, but not the job.
pub fn cancel_children(job: Kept<Block>) {
    children::sweep(&job.job);
    let mut found = Vec::new();
    children::for_each(&job.job, |child| {
        child.retain();
        found.push(Block::of(child));
    });
    for child in found {
        cancel(child);
        release(child);
    }
}

/// F: closes a scope without children, which was tied.
pub fn close_loose(scope: Kept<Block>, task: Kept<Block>) {
    assert_eq!(wait_for_children(scope, task), 0);
    task.set_current(task);
    finalise(scope);
    release(scope);
}

/// The body of a job without a frame has ended.
pub fn end_body(job: Kept<Block>) {
    let mut ready = Vec::new();
    let ended = children::end_body(&job.job, outcome, |links| claim(links, &mut ready));
    let parent = match ended {
        Ended::Completed { more } => {
            job.count_completion();
            hand_back_all(job, &ready, more);
            leave_parent(job)
        }
        Ended::Finalise => Some(job),
        Ended::Children => None,
    };
    if let Some(next) = parent {
        finalise(next);
    }
}

/// Completes a job that the caller has closed, and the ancestors whose last child that was.
pub fn finalise(job: Kept<Block>) {
    let mut at = job;
    loop {
        at.count_completion();
        let mut ready = Vec::new();
        let more = joiner::complete(&at.job, outcome, |links| claim(links, &mut ready));
        hand_back_all(at, &ready, more);
        match leave_parent(at) {
            Some(parent) => at = parent,
            None => return,
        }
    }
}

fn outcome(state: State) -> u32 {
    if state.has(CANCELLING) { 0 } else { SUCCEEDED }
}

/// The body of a coroutine has ended that completes by that, and stays in the tree until it [leaves](leave_together).
pub fn end_and_stay(job: Kept<Block>) {
    let mut ready = Vec::new();
    let more = match children::end_body(&job.job, outcome, |links| claim(links, &mut ready)) {
        Ended::Completed { more } => more,
        Ended::Finalise => joiner::complete(&job.job, outcome, |links| claim(links, &mut ready)),
        Ended::Children => panic!("it has no children"),
    };
    job.count_completion();
    hand_back_all(job, &ready, more);
}

/// Hands back those who wait for a job that has completed: the first, who are claimed, and the others.
fn hand_back_all(job: Kept<Block>, ready: &[Kept<Block>], mut more: bool) {
    hand_back(ready);
    while more {
        let mut ready = Vec::new();
        more = joiner::complete_more(&job.job, |_| (), |links| claim(links, &mut ready));
        hand_back(&ready);
    }
}

/// Children of one parent leave it, who have stayed with it until now.
pub fn leave_together(children: &[Kept<Block>]) {
    if let Some(parent) = leave(children) {
        finalise(parent);
    }
}

fn leave_parent(job: Kept<Block>) -> Option<Kept<Block>> {
    leave(&[job])
}

fn leave(jobs: &[Kept<Block>]) -> Option<Kept<Block>> {
    let parent = jobs[0].job.parent();
    let mut next = None;
    if !parent.is_null() {
        let parent = Block::of(parent);
        let mut frame = None;
        // SAFETY: linked until now.
        let detached = unsafe {
            children::detach(&parent.job, jobs.iter().map(|job| &job.job), |_| {
                frame = claim_frame(parent);
                frame.is_some()
            })
        };
        match detached {
            Detached::Nothing => {}
            Detached::Finalise => next = Some(parent),
            Detached::Wake => hand_back(frame.as_slice()),
        }
    }
    for &job in jobs {
        release(job);
    }
    next
}

fn claim_frame(parent: Kept<Block>) -> Option<Kept<Block>> {
    // SAFETY: the parent's lock is held.
    let generation = parent
        .drain
        .with_mut(|drain| unsafe { std::mem::replace(&mut *drain, Generation::NONE) });
    if generation == Generation::NONE {
        return None;
    }
    let owner = Kept::at(parent.owner());
    owner.word.claim_value(generation).then_some(owner)
}

/// F: waits for the children of a scope and closes it. How often it was woken for that.
pub fn wait_for_children(scope: Kept<Block>, task: Kept<Block>) -> usize {
    let mut woken = 0;
    loop {
        let mut armed = None;
        let closed = children::close_or(&scope.job, || {
            let generation = task.word.next();
            // SAFETY: the lock is held.
            scope.drain.with_mut(|drain| unsafe { *drain = generation });
            task.word.publish(generation, false);
            armed = Some(generation);
        });
        if closed {
            return woken;
        }
        if let Some(generation) = armed {
            let parked = park(task, generation, false, || ());
            assert_eq!(parked.woken, Woken::Value);
            woken += 1;
        }
    }
}
