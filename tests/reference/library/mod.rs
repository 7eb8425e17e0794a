//! A program run by the library itself, on the virtual clock.
//!
//! - [`shared`] is what all bodies of a run have in common, [`awaits`] what each can await.
//! - [`errors`] tells the errors apart.

mod awaits;
mod errors;
mod shared;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use switchback::CoroutineStart;
use switchback::prelude::*;
use switchback::testing::run_test;

use crate::program::{Body, JobId, Launch, Op, Program, ScopeKind, Start, Step, StepId, Watch};
use crate::trace::{Answer, State, Trace, What};
use awaits::{Await, Deferreds, Known};
pub use errors::PANIC;
use errors::{StepFailed, answer, failure};
use shared::{Completable, Run};

/// Runs a program and tells what it did; if it is `shown`, also on standard output, as it happens.
pub fn run(program: &Program, shown: bool) -> Trace {
    let run = Run::new(program, shown);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        run_test(|s| {
            run.show(0, &s.job());
            body(&run, 0, s, &Known::default(), &program.root)
        })
    }));
    run.tell(What::Returned(match ended {
        Ok(result) => answer(&result),
        Err(_) => Answer::Unwinds,
    }));
    for (number, job) in run.shown_jobs() {
        let cause = job.cause();
        let suppressed = cause.as_ref().map_or(0, |cause| cause.suppressed().len());
        let cause = cause.as_ref().map(failure);
        run.tell(What::Final(number, state(&job), cause, suppressed));
    }
    run.into_trace()
}

/// Tells how a body ended, even if by a panic.
struct Ending<'a> {
    run: &'a Run,
    job: JobId,
    answer: Answer,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        let answer = std::mem::replace(&mut self.answer, Answer::Unwinds);
        self.run.tell(What::Ended(self.job, answer));
    }
}

fn body<'scope, 'env>(
    run: &Arc<Run>,
    job: JobId,
    s: &'scope Scope<'scope, 'env>,
    known: &Known<'env>,
    steps: &Body,
) -> Result<()> {
    run.tell(What::Began(job));
    let mut ending = Ending {
        run,
        job,
        answer: Answer::Unwinds,
    };
    let here: Arc<Deferreds<'scope>> = Arc::default();
    let mut known: Known<'scope> = known.clone();
    known.0.push(here.clone());
    let body = Running {
        run,
        s,
        here,
        known,
    };
    let result = body.steps(steps);
    ending.answer = answer(&result);
    result
}

struct Running<'a, 'scope, 'env: 'scope> {
    run: &'a Arc<Run>,
    s: &'scope Scope<'scope, 'env>,
    here: Arc<Deferreds<'scope>>,
    known: Known<'scope>,
}

impl<'scope> Running<'_, 'scope, '_> {
    fn steps(&self, steps: &Body) -> Result<()> {
        for step in steps.iter() {
            let (answer, result) = match self.step(step) {
                Ok(answer) => (answer, Ok(())),
                Err(error) => (Answer::Err(failure(&error)), Err(error)),
            };
            self.run.tell(What::Did(step.id, answer));
            if !step.caught {
                result?;
            }
        }
        Ok(())
    }

    fn step(&self, step: &Step) -> Result<Answer> {
        let run = self.run;
        match &step.op {
            Op::Launch(launch) => Ok(self.launch(step.id, launch)),
            Op::Scope {
                job,
                kind,
                shown,
                body,
            } => self.scope(*job, *kind, *shown, body),
            Op::ByHand { job, kind, under } => {
                let parent = match under.map(|parent| run.job(parent)) {
                    Some(None) => return Ok(Answer::Absent),
                    parent => parent.flatten(),
                };
                let by_hand = Completable::new(*kind, parent.as_ref());
                run.add_by_hand(*job, by_hand);
                Ok(Answer::Ok)
            }
            Op::Delay(time) => delay(ms(*time)).map(|()| Answer::Ok),
            Op::Yield => yield_().map(|()| Answer::Ok),
            Op::AwaitCancellation => await_cancellation(),
            Op::Join(job) => self.with(*job, |job| job.join().map(|()| Answer::Ok)),
            Op::CancelAndJoin(job) => {
                self.with(*job, |job| job.cancel_and_join().map(|()| Answer::Ok))
            }
            Op::Await { job, takes } => {
                let all = self.everything_to_await();
                let found = all.into_iter().find_map(|known| known.wait(*job, *takes));
                found.map_or(Ok(Answer::Absent), |result| result.map(|()| Answer::Ok))
            }
            Op::Start(job) => self.with(*job, |job| Ok(Answer::Bool(job.start()))),
            Op::CancelBecause(job) => self.with(*job, |job| {
                job.cancel_because(StepFailed(step.id));
                Ok(Answer::Ok)
            }),
            Op::Cancel(job) => self.with(*job, |job| {
                job.cancel();
                Ok(Answer::Ok)
            }),
            Op::CancelChildren(job) => self.with(*job, |job| {
                job.cancel_children();
                Ok(Answer::Ok)
            }),
            Op::Complete(job) => Ok(match run.completable(*job) {
                Some(by_hand) => Answer::Bool(by_hand.complete(*job)),
                None => Answer::Absent,
            }),
            Op::CompleteExceptionally(job) => Ok(match run.completable(*job) {
                Some(by_hand) => Answer::Bool(by_hand.fail(StepFailed(step.id))),
                None => Answer::Absent,
            }),
            Op::Watch(watch) => self.with(watch.job, |job| {
                run.watch(step.id, *watch, job);
                Ok(Answer::Ok)
            }),
            Op::Dispose(step) if run.dispose(*step) => Ok(Answer::Ok),
            Op::Dispose(_) => Ok(Answer::Absent),
            Op::GetCompleted(job) => {
                let all = self.everything_to_await();
                let found = all.into_iter().find_map(|known| known.completed(*job));
                Ok(found.unwrap_or(Answer::Absent))
            }
            Op::Parent(job) => self.with(*job, |job| {
                let parent = job.parent();
                Ok(Answer::Jobs(
                    parent.iter().filter_map(|job| run.number(job)).collect(),
                ))
            }),
            Op::EnsureActive => ensure_active().map(|()| Answer::Ok),
            Op::IsActive => Ok(Answer::Bool(is_active())),
            Op::Look(job) => self.with(*job, |job| {
                Ok(Answer::State(state(job), job.cause().as_ref().map(failure)))
            }),
            Op::Children(job) => self.with(*job, |job| {
                let number = |child: &Job| run.number(child);
                Ok(Answer::Jobs(
                    job.children().iter().filter_map(number).collect(),
                ))
            }),
            Op::Fail => Err(StepFailed(step.id).into()),
            Op::FailCancelled => Err(Error::cancelled()),
            Op::Panic => panic!("{PANIC}{}", step.id),
        }
    }

    fn with(&self, job: JobId, act: impl FnOnce(&Job) -> Result<Answer>) -> Result<Answer> {
        self.run
            .job(job)
            .map_or(Ok(Answer::Absent), |job| act(&job))
    }

    /// What this body can await.
    fn everything_to_await(&self) -> Vec<&dyn Await> {
        let mut all: Vec<&dyn Await> = vec![&**self.run, &*self.run.deferreds];
        all.extend(self.known.0.iter().map(|known| &**known as &dyn Await));
        all
    }

    fn launch(&self, step: StepId, launch: &Launch) -> Answer {
        let number = launch.job;
        let job = match launch.under {
            Some(parent) => match self.run.job(parent) {
                Some(parent) => self.launch_owned(parent, launch),
                None => return Answer::Absent,
            },
            None => self.launch_here(launch),
        };
        self.run.show(number, &job);
        if launch.watched {
            let watch = Watch {
                job: number,
                on_cancelling: false,
                cancels: None,
            };
            self.run.watch(step, watch, &job);
        }
        Answer::Ok
    }

    fn launch_here(&self, launch: &Launch) -> Job {
        let (run, number, steps) = (self.run.clone(), launch.job, launch.body.clone());
        let builder = self.s.builder().start(start(launch.start));
        let builder = builder
            .context(run.exception_handler())
            .name(number.to_string());
        let known = self.known.clone();
        if launch.is_async {
            let deferred = builder.async_(move |s| {
                body(&run, number, s, &known, &steps)?;
                Ok(number as u64)
            });
            let job = deferred.job();
            self.here.add(number, deferred);
            job
        } else {
            builder.launch(move |s| body(&run, number, s, &known, &steps))
        }
    }

    fn launch_owned(&self, parent: Job, launch: &Launch) -> Job {
        let (run, number, steps) = (self.run.clone(), launch.job, launch.body.clone());
        let scope = CoroutineScope::new(self.s.context() + run.exception_handler() + parent);
        let builder = scope
            .builder()
            .start(start(launch.start))
            .name(number.to_string());
        if launch.is_async {
            let deferred = builder.async_(move |s| {
                body(&run, number, s, &Known::default(), &steps)?;
                Ok(number as u64)
            });
            let job = deferred.job();
            self.run.deferreds.add(number, deferred);
            job
        } else {
            builder.launch(move |s| body(&run, number, s, &Known::default(), &steps))
        }
    }

    fn scope(&self, job: JobId, kind: ScopeKind, shown: bool, steps: &Body) -> Result<Answer> {
        let run = self.run;
        let known = &self.known;
        // A macro, because the closures are generic over the lifetime of their scope.
        macro_rules! inside {
            () => {
                |s| {
                    if shown {
                        run.show(job, &s.job());
                    }
                    body(run, job, s, known, steps)
                }
            };
        }
        match kind {
            ScopeKind::Coroutine => coroutine_scope(inside!())?,
            ScopeKind::Supervisor => supervisor_scope(inside!())?,
            ScopeKind::NonCancellable => non_cancellable(inside!())?,
            ScopeKind::WithContext => {
                with_context(CoroutineName::new(job.to_string()), inside!())?;
            }
            ScopeKind::RunBlocking => run_blocking(inside!())?,
            ScopeKind::Timeout(limit) => with_timeout(ms(limit), inside!())?,
            ScopeKind::TimeoutOrNone(limit) => {
                if with_timeout_or_none(ms(limit), inside!())?.is_none() {
                    return Ok(Answer::TimedOutToNone);
                }
            }
        }
        Ok(Answer::Ok)
    }
}

fn start(start: Start) -> CoroutineStart {
    match start {
        Start::Default => CoroutineStart::Default,
        Start::Lazy => CoroutineStart::Lazy,
        Start::Atomic => CoroutineStart::Atomic,
        Start::Undispatched => CoroutineStart::Undispatched,
    }
}

fn state(job: &Job) -> State {
    State {
        active: job.is_active(),
        cancelled: job.is_cancelled(),
        completed: job.is_completed(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
