//! The one way to suspend.
//!
//! A suspending call goes through these steps, all inlined into it, so that between two suspensions no frame of ours
//! returns (each that does costs two mispredicted returns):
//!
//! 1. [`Here::check`]: a cancelled coroutine gets its `Err` at once (R4).
//! 2. If the call need not wait, it is done.
//! 3. [`Here::prepare`]: may this frame suspend at all (R5, R6)? If so, it ties what is loose, and names the coming
//!    suspension. No lock of a job is held there.
//! 4. The node is linked and the word published, under the lock of what is waited for.
//! 5. [`Here::park`]: looks at the cancel flag once more, switches out, and says who woke it. A frame woken by a
//!    cancellation takes the lock of what it waited for once more and unlinks its node before it goes on.

use std::panic::Location;
use std::ptr::NonNull;

use crate::coroutine::{self, Header};
use crate::error::{Error, Result};
use crate::task::home::Home;
use crate::task::label::Label;
use crate::task::word::{Generation, Phase, Withdrawal, Woken};
use crate::task::{Task, cancel, current, installed, loose, report};

/// The bits of `Task::flags` from this one on count the suspending calls that were refused because the job is cancelled.
const REFUSALS_SHIFT: u32 = 16;
/// After so many the user is told.
const REFUSALS_TOLD: u32 = 1000;

/// Who runs now, and where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here {
    home: &'static Home,
    task: *const Task,
}

impl Here {
    /// The running task of a home.
    ///
    /// # Safety
    ///
    /// The calling thread owns `home`, and its `current` is set. The value is not kept beyond the calling frame.
    #[inline(always)]
    pub(crate) unsafe fn of(home: &'static Home) -> Self {
        Self {
            home,
            task: home.local.current.get(),
        }
    }

    #[inline(always)]
    pub(crate) fn home(&self) -> &'static Home {
        self.home
    }

    /// The name of the calling thread, for its locks.
    #[inline(always)]
    pub(crate) fn thread(&self) -> u64 {
        self.home.name()
    }

    /// The running task.
    #[inline(always)]
    pub(crate) fn task(&self) -> &Task {
        // SAFETY: the running task is alive while its frame runs, and `Here` does not outlive that frame.
        unsafe { &*self.task }
    }

    /// The innermost job whose body runs; `None` on a plain thread outside any scope.
    #[inline(always)]
    pub(crate) fn job(&self) -> Option<&Task> {
        // SAFETY: a job outlives the frame that runs its body.
        unsafe { self.task().current().as_ref() }
    }

    /// Whether the innermost job is cancelled.
    #[inline(always)]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.job().is_some_and(loose::counts_as_cancelled)
    }

    /// The check that every suspending call begins with.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn check(&self) -> Result<()> {
        if self.is_cancelled() {
            Err(self.cancelled())
        } else {
            Ok(())
        }
    }

    /// The error that a cancelled coroutine's suspending calls return.
    #[cold]
    #[track_caller]
    pub(crate) fn cancelled(self) -> Error {
        self.tie();
        match self.job() {
            Some(job) => {
                self.count_refusal(job, Location::caller());
                cancel::cancellation_of(job)
            }
            None => Error::cancelled(),
        }
    }

    /// A coroutine that goes on and on after its cancellation is told of, once for each job that it keeps alive so.
    fn count_refusal(&self, job: &Task, place: &'static Location<'static>) {
        let flags = job.flags.get();
        let refused = flags >> REFUSALS_SHIFT;
        if refused < REFUSALS_TOLD {
            job.flags.set(flags + (1 << REFUSALS_SHIFT));
        }
        if refused + 1 == REFUSALS_TOLD {
            report::ignores_cancellation(self.task(), REFUSALS_TOLD, place);
        }
    }

    /// Names the coming suspension, or tells why this frame must not suspend.
    #[inline(always)]
    pub(crate) fn prepare(&self) -> Result<Generation> {
        self.demand_may_suspend()?;
        Ok(self.task().word.next())
    }

    /// Tells why this frame must not suspend, if it must not.
    #[inline(always)]
    pub(crate) fn demand_may_suspend(&self) -> Result<()> {
        if std::thread::panicking() || self.task().word.phase() != Phase::Running {
            self.refuse()?;
        }
        Ok(())
    }

    /// Whether this frame may suspend, if it is not a closed one.
    pub(crate) fn may_suspend(&self) -> bool {
        let phase = self.task().word.phase();
        !std::thread::panicking() && matches!(phase, Phase::Running | Phase::Loose)
    }

    /// R5: a coroutine, and a thread on whose loop coroutines live, must not wait while the thread is panicking; any other
    /// plain thread parks.
    #[cold]
    fn refuse(self) -> Result<()> {
        self.tie();
        match self.task().word.phase() {
            Phase::Running if !std::thread::panicking() => return Ok(()),
            Phase::Running => {}
            Phase::Closed => refuse_in_runtime()?,
            _ => {
                return Err(Error::msg(
                    "a suspending call inside the block of a suspension that is being arranged",
                ));
            }
        }
        if self.task().stack.get().is_some() || self.home.local.loops.get() > 0 {
            return Err(Error::msg(
                "a suspending call that must wait was made while the thread is panicking",
            ));
        }
        Ok(())
    }

    /// Stores what is waited for, and where.
    #[inline(always)]
    pub(crate) fn mark(&self, label: &'static Label, place: &'static Location<'static>) {
        self.task().set_point(label, place);
    }

    /// The same for a wait for a lock that `holder` has.
    #[inline(always)]
    pub(crate) fn mark_lock(&self, holder: u64, place: &'static Location<'static>) {
        self.task().set_point_behind(holder, place);
    }

    /// Makes the suspension claimable. Comes after the node was linked, under the same lock.
    #[inline(always)]
    pub(crate) fn publish(&self, generation: Generation, cancellable: bool) {
        self.task().word.publish(generation, cancellable);
    }

    /// Waits for the claim. `undo` unlinks the node; it is called if a cancellation ended the wait.
    #[inline(always)]
    pub(crate) fn park(
        &self,
        generation: Generation,
        cancellable: bool,
        undo: impl FnOnce(),
    ) -> Woken {
        let task = self.task();
        if cancellable
            && self
                .job()
                .is_some_and(|job| job.job.is_cancelling_seq_cst())
            && task.word.withdraw(generation) == Withdrawal::Withdrawn
        {
            undo();
            return Woken::Cancelled;
        }
        if !task.word.is_local() {
            self.switch_out();
        }
        let woken = task.word.settle();
        if woken == Woken::Cancelled {
            undo();
        }
        woken
    }

    /// Goes to the end of the thread's queue and lets the others run.
    #[inline(always)]
    pub(crate) fn go_behind(&self) {
        // SAFETY: this thread owns the home; the running task is in no queue.
        unsafe { self.home.push_ready(self.task) };
        self.switch_out();
    }

    /// Switches to whoever resumed this task; comes back when the task was taken from its thread's queue.
    #[inline(always)]
    pub(crate) fn switch_out(&self) {
        match self.task().stack.get() {
            // SAFETY: the running coroutine stands on that stack.
            Some(header) => unsafe { coroutine::suspend(header) },
            None => self.pump(),
        }
    }

    /// Waits in the loop of this thread, which has no stack but its own.
    #[cold]
    fn pump(&self) {
        let pump = self
            .home
            .local
            .pump
            .get()
            .expect("a thread that suspends has a loop");
        let installed = installed::on_bare(self.task());
        if installed {
            installed::switched_out(self.task());
        }
        // SAFETY: this thread owns the home, and its own task is what runs.
        unsafe { pump(self.home, self.task) };
        if installed {
            installed::switching_in(self.task());
        }
    }
}

/// A coroutine that runs, on a stack of its own: as [`Here`], for who yields so often that he does not want to be asked each time
/// whether he is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Coroutine {
    here: Here,
    header: NonNull<Header>,
}

impl Coroutine {
    #[inline(always)]
    pub(crate) fn running(here: Here) -> Option<Self> {
        let header = here.task().stack.get()?;
        Some(Self { here, header })
    }

    /// Goes to the end of the thread's queue and lets the others run.
    #[inline(always)]
    #[track_caller]
    pub(crate) fn yield_(self) -> Result<()> {
        self.check()?;
        self.here.demand_may_suspend()?;
        // SAFETY: this thread owns the home; the running task is in no queue.
        unsafe { self.here.home.push_ready(self.here.task) };
        // SAFETY: the running coroutine stands on that stack.
        unsafe { coroutine::suspend(self.header) };
        self.check()
    }

    /// As [`Here::check`].
    #[inline(always)]
    #[track_caller]
    fn check(self) -> Result<()> {
        let job = self.here.task().current();
        debug_assert!(!job.is_null(), "a coroutine has an innermost job: its own");
        // SAFETY: it is set before the body is run, and outlives the frame that runs it.
        if loose::counts_as_cancelled(unsafe { &*job }) {
            Err(self.here.cancelled())
        } else {
            Ok(())
        }
    }
}

/// R6: refuses in a frame of the runtime that must not suspend.
#[inline]
pub(crate) fn refuse_in_closed_frames() -> Result<()> {
    if current::is_closed() {
        refuse_in_runtime()?;
    }
    Ok(())
}

/// Refuses in such a frame.
#[cold]
pub(crate) fn refuse_in_runtime() -> Result<()> {
    if current::is_in_block() {
        return Err(Error::msg(
            "a suspending call that must wait was made in the block of a sequence, which can only yield to whoever asks \
             for its elements; a producer that waits is a coroutine with a channel (`produce`)",
        ));
    }
    Err(Error::msg(
        "a suspending call that must wait was made in a completion or cancellation handler, in a destructor run by the \
         runtime, in a clause of a select, or in a state machine",
    ))
}
