//! What each step does.
//!
//! Every suspending call looks first whether its coroutine is cancelled, even if it need not wait; `non_cancellable` and
//! what does not suspend do not look.

use super::jobs::{Error, ErrorId, Handler, Job, Kind, Phase, Waiter};
use super::{CoroutineId, Ending, Frame, Machine, Outcome, Timer, Wait};
use crate::program::{ByHand, JobId, Launch, Op, ScopeKind, Start, Step, StepId, Watch};
use crate::trace::{Answer, Failure, Fault, What};

impl From<Answer> for Outcome {
    fn from(answer: Answer) -> Self {
        Outcome::Done(answer, None)
    }
}

impl Machine {
    /// Begins a step. False if the coroutine does not go on, because it waits or is over.
    pub fn step(&mut self, coroutine: CoroutineId, step: &Step) -> bool {
        let outcome = match &step.op {
            Op::Launch(launch) => Some(self.launch(coroutine, step, launch)),
            Op::Scope {
                job, kind, shown, ..
            } => {
                return self.enter_scope(coroutine, step, *job, *kind, *shown);
            }
            Op::ByHand { job, kind, under } => Some(self.make_by_hand(*job, *kind, *under).into()),
            Op::Delay(_) | Op::Yield | Op::AwaitCancellation => {
                self.suspend_plainly(coroutine, &step.op)
            }
            Op::Join(job) | Op::CancelAndJoin(job) => self.join(coroutine, *job, &step.op),
            Op::Await { job, takes } => self.begin_await(coroutine, *job, *takes),
            Op::GetCompleted(job) => Some(Outcome::Done(self.get_completed(coroutine, *job), None)),
            Op::Fail => {
                let error = self.new_error(Fault::Step(step.id));
                Some(self.failed(error))
            }
            Op::FailCancelled => Some(self.refused(Error::Cancelled(None))),
            Op::Panic => Some(Outcome::Panic(self.new_error(Fault::Panic(step.id)))),
            Op::EnsureActive => Some(self.check(coroutine).unwrap_or(Answer::Ok.into())),
            Op::IsActive => Some(Answer::Bool(self.cancellation(coroutine).is_none()).into()),
            at_once => Some(self.act(step, at_once).into()),
        };
        match outcome {
            Some(outcome) => self.answer(coroutine, outcome),
            None => false,
        }
    }

    /// The steps that only touch a job.
    fn act(&mut self, step: &Step, op: &Op) -> Answer {
        if let Op::Dispose(step) = op {
            return self.dispose(*step);
        }
        let (Op::Start(job)
        | Op::Cancel(job)
        | Op::CancelBecause(job)
        | Op::CancelChildren(job)
        | Op::Complete(job)
        | Op::CompleteExceptionally(job)
        | Op::Watch(Watch { job, .. })
        | Op::Look(job)
        | Op::Parent(job)
        | Op::Children(job)) = op
        else {
            unreachable!("{op} does more than touch a job")
        };
        let job = *job;
        if !self.is_shown(job) {
            return Answer::Absent;
        }
        match op {
            Op::Start(_) => return Answer::Bool(self.start(job)),
            Op::Cancel(_) => self.cancel(job, None),
            Op::CancelBecause(_) => {
                let error = self.new_error(Fault::Step(step.id));
                self.cancel(job, Some(error));
            }
            Op::CancelChildren(_) => {
                for child in self.live_children(job) {
                    self.cancel(child, None);
                }
            }
            Op::Complete(_) | Op::CompleteExceptionally(_) => {
                if !matches!(self.job(job).kind, Kind::ByHand(_)) {
                    return Answer::Absent;
                }
                let fails = matches!(op, Op::CompleteExceptionally(_));
                let failure = fails.then(|| self.new_error(Fault::Step(step.id)));
                return self.complete_by_hand(job, failure);
            }
            Op::Watch(watch) => self.watch(step, *watch),
            Op::Look(_) => return Answer::State(self.job(job).state(), self.cause_shown(job)),
            Op::Parent(_) => {
                let record = self.job(job);
                // A `non_cancellable` block knows where it is, although nothing reaches it from there.
                let parent = match record.kind {
                    Kind::Scope(_) => record.around,
                    _ => record.parent,
                };
                let is_over = record.phase == Phase::Completed;
                let parent = parent.filter(|parent| !is_over && self.is_shown(*parent));
                return Answer::Jobs(parent.into_iter().collect());
            }
            _ => {
                let children = self.live_children(job).into_iter();
                return Answer::Jobs(children.filter(|child| self.is_shown(*child)).collect());
            }
        }
        Answer::Ok
    }

    pub fn is_shown(&self, job: JobId) -> bool {
        self.jobs[job].as_ref().is_some_and(|job| job.shown)
    }

    fn make_by_hand(&mut self, job: JobId, kind: ByHand, under: Option<JobId>) -> Answer {
        if under.is_some_and(|parent| !self.is_shown(parent)) {
            return Answer::Absent;
        }
        self.new_job(job, Job::new(Kind::ByHand(kind), under));
        if let Some(parent) = under {
            self.follow(job, parent);
        }
        Answer::Ok
    }

    /// Under a job that is cancelled or over, a new one is cancelled from the beginning.
    fn follow(&mut self, job: JobId, parent: JobId) {
        let record = self.job(parent);
        let is_over = record.phase == Phase::Completed;
        let cause = if is_over {
            record.outcome()
        } else {
            record.cause
        };
        match cause {
            Some(Error::Failure(error)) => self.cancel(job, Some(error)),
            Some(Error::Cancelled(because)) => self.cancel(job, because),
            None if is_over => self.cancel(job, None),
            None => {}
        }
    }

    fn watch(&mut self, step: &Step, watch: Watch) {
        let handler = Handler {
            step: step.id,
            on_cancelling: watch.on_cancelling,
            cancels: watch.cancels,
        };
        let record = self.job_mut(watch.job);
        let is_over = record.phase == Phase::Completed;
        if is_over || watch.on_cancelling && record.cause.is_some() {
            let outcome = record.outcome();
            self.call_handler(handler, watch.job, outcome);
        } else {
            record.handlers.push(handler);
        }
        self.handles.push(step.id);
    }

    fn dispose(&mut self, step: StepId) -> Answer {
        let Some(at) = self.handles.iter().position(|handle| *handle == step) else {
            return Answer::Absent;
        };
        self.handles.swap_remove(at);
        for job in self.jobs.iter_mut().flatten() {
            job.handlers.retain(|handler| handler.step != step);
        }
        Answer::Ok
    }

    fn launch(&mut self, coroutine: CoroutineId, step: &Step, launch: &Launch) -> Outcome {
        let parent = match launch.under {
            Some(parent) if !self.is_shown(parent) => return Answer::Absent.into(),
            Some(parent) => parent,
            None => self.innermost(coroutine),
        };
        let mut job = Job::new(Kind::Coroutine, Some(parent));
        job.is_async = launch.is_async;
        job.around = launch.under.is_none().then_some(parent);
        self.new_job(launch.job, job);

        // The others learn of it when the launch is over.
        self.job_mut(launch.job).shown = false;
        self.new_coroutine(launch.job, &launch.body, launch.start);
        self.follow(launch.job, parent);
        if launch.start == Start::Undispatched {
            let new = self.coroutines.len() - 1;
            self.turn(new);
        }
        self.job_mut(launch.job).shown = true;
        if launch.watched {
            let watch = Watch {
                job: launch.job,
                on_cancelling: false,
                cancels: None,
            };
            self.watch(step, watch);
        }
        Answer::Ok.into()
    }

    fn enter_scope(
        &mut self,
        coroutine: CoroutineId,
        step: &Step,
        number: JobId,
        kind: ScopeKind,
        shown: bool,
    ) -> bool {
        let shielded = kind == ScopeKind::NonCancellable;
        if !shielded && let Some(refusal) = self.check(coroutine) {
            return self.answer(coroutine, refusal);
        }
        match kind {
            ScopeKind::Timeout(0) => {
                let error = self.new_error(Fault::Timeout(0));
                let outcome = self.failed(error);
                return self.answer(coroutine, outcome);
            }
            ScopeKind::TimeoutOrNone(0) => {
                return self.answer(coroutine, Answer::TimedOutToNone.into());
            }
            _ => {}
        }
        let parent = (!shielded).then(|| self.innermost(coroutine));
        let mut job = Job::new(Kind::Scope(kind), parent);
        job.shown = shown;
        job.around = Some(self.innermost(coroutine));
        job.coroutine = Some(coroutine);
        self.new_job(number, job);
        if let Some(limit) = kind.limit() {
            self.set_timer(limit, Timer::Alarm(number));
        }
        let body = step.op.body().expect("a scope has a body").clone();
        self.coroutines[coroutine].frames.push(Frame {
            job: number,
            body,
            next: 0,
        });
        self.tell(What::Began(number));
        true
    }

    /// What a scope function returns: the first failure in the scope, or a cancellation, or the body's own answer. A panic
    /// of the body goes on.
    pub fn scope_outcome(&mut self, job: JobId) -> Outcome {
        let record = self.job(job);
        if let Some(Ending::Panic(error)) = record.ending {
            // For each body that it unwinds it is a failure anew: what was attached to it stays inside.
            let fault = self.errors[error].fault;
            return Outcome::Panic(self.new_error(fault));
        }
        match record.outcome() {
            None => Answer::Ok.into(),
            Some(cancelled @ Error::Cancelled(_)) => self.refused(cancelled),
            Some(Error::Failure(error)) => match record.kind {
                Kind::Scope(ScopeKind::TimeoutOrNone(_)) if record.timeout == Some(error) => {
                    Answer::TimedOutToNone.into()
                }
                _ => self.failed(error),
            },
        }
    }

    fn failed(&self, error: ErrorId) -> Outcome {
        self.refused(Error::Failure(error))
    }

    /// The coroutine waits, and its innermost job can end that.
    fn suspend(&mut self, coroutine: CoroutineId, wait: Wait) -> Waiter {
        let job = self.innermost(coroutine);
        let record = &mut self.coroutines[coroutine];
        record.wait = wait;
        let waiter = Waiter {
            coroutine,
            wait: record.waits,
        };
        let record = self.job_mut(job);
        record.body_waits = Some(waiter);
        waiter
    }

    fn suspend_plainly(&mut self, coroutine: CoroutineId, op: &Op) -> Option<Outcome> {
        if let Some(refusal) = self.check(coroutine) {
            return Some(refusal);
        }
        match op {
            Op::Delay(0) => return Some(Answer::Ok.into()),
            Op::Delay(time) => {
                let waiter = self.suspend(coroutine, Wait::Delay);
                self.set_timer(*time, Timer::Delay(waiter));
            }
            Op::Yield => {
                self.coroutines[coroutine].wait = Wait::Yield;
                self.ready.push_back(coroutine);
            }
            _ => {
                self.suspend(coroutine, Wait::Cancellation);
            }
        }
        None
    }

    fn join(&mut self, coroutine: CoroutineId, job: JobId, op: &Op) -> Option<Outcome> {
        if !self.is_shown(job) {
            return Some(Answer::Absent.into());
        }
        if let Op::CancelAndJoin(_) = op {
            self.cancel(job, None);
        }
        if let Some(refusal) = self.check(coroutine) {
            return Some(refusal);
        }
        if self.job(job).phase == Phase::Completed {
            return Some(Answer::Ok.into());
        }
        self.start(job);
        let waiter = self.suspend(coroutine, Wait::Join);
        self.job_mut(job).joiners.push(waiter);
        None
    }

    fn begin_await(&mut self, coroutine: CoroutineId, job: JobId, takes: bool) -> Option<Outcome> {
        if !self.can_await(coroutine, job) {
            return Some(Answer::Absent.into());
        }
        self.taken[job] |= takes && self.job(job).is_async;
        if let Some(refusal) = self.check(coroutine) {
            return Some(refusal);
        }
        if self.job(job).phase == Phase::Completed {
            return Some(self.awaited(coroutine, job));
        }
        self.start(job);
        let waiter = self.suspend(coroutine, Wait::Await(job));
        self.job_mut(job).joiners.push(waiter);
        None
    }

    /// A value can be awaited in the scope of its coroutine and everywhere below, while nobody has taken it; that of an
    /// owned scope everywhere.
    fn can_await(&self, coroutine: CoroutineId, job: JobId) -> bool {
        let Some(record) = &self.jobs[job] else {
            return false;
        };
        if record.kind == Kind::ByHand(ByHand::Deferred) {
            return true;
        }
        if !record.shown {
            return false;
        }
        if !record.is_async || self.taken[job] {
            return false;
        }
        let Some(scope) = record.around else {
            return true;
        };
        // The bodies around the running one, outwards: frames, then where the coroutine was launched.
        let mut at = Some(self.innermost(coroutine));
        while let Some(job) = at {
            if job == scope {
                return true;
            }
            at = self.job(job).around;
        }
        false
    }

    fn get_completed(&mut self, coroutine: CoroutineId, job: JobId) -> Answer {
        if !self.can_await(coroutine, job) || self.job(job).phase != Phase::Completed {
            return Answer::Absent;
        }
        match self.cause_shown(job) {
            None => Answer::Ok,
            Some(Failure::Cancelled(_)) => Answer::Err(Failure::Failed(Fault::Foreign)),
            Some(failure) => Answer::Err(failure),
        }
    }

    /// What an `await_` that waits no longer gives.
    ///
    /// The awaited coroutine's failure is the answer even if it has cancelled the waiting one. Of a cancellation the waiting
    /// coroutine is told as of a failure, since nobody has cancelled it.
    pub fn awaited(&mut self, coroutine: CoroutineId, job: JobId) -> Outcome {
        match self.job(job).outcome() {
            Some(Error::Failure(error)) => self.failed(error),
            outcome => match (self.check(coroutine), outcome) {
                (Some(refusal), _) => refusal,
                (None, Some(Error::Cancelled(because))) => {
                    let error = self.new_error_of(Fault::Foreign, because);
                    self.failed(error)
                }
                (None, _) => Answer::Ok.into(),
            },
        }
    }

    /// What every suspending call begins with.
    fn check(&self, coroutine: CoroutineId) -> Option<Outcome> {
        self.cancellation(coroutine)
            .map(|error| self.refused(error))
    }

    pub fn refused(&self, error: Error) -> Outcome {
        Outcome::Done(Answer::Err(self.kind_of(error)), Some(error))
    }
}
