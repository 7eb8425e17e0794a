//! The model: an interpreter of programs that knows the rules of jobs and nothing of the library.
//!
//! There is one thread, one queue of coroutines that are ready, and a clock that jumps to the next timer when the queue is
//! empty. Everything that happens, happens in one turn of one coroutine, or in a timer.
//!
//! - [`jobs`] has the rules of the job tree.
//! - [`steps`] says what each step of a program does to it.
//!
//! # Rules
//!
//! 1. A coroutine that is launched, or woken, goes to the end of the queue. One that yields does too. One that starts
//!    undispatched takes its first turn inside the turn of the one that launches it.
//! 2. What is cancelled before its first turn never runs its body: it ends in that turn. What starts atomic or
//!    undispatched runs all the same.
//! 3. A cancellation wakes the coroutine whose wait it ends, once; one that was woken before keeps its place in the queue.
//! 4. When its turn comes, a woken coroutine finds itself cancelled if its innermost job is, whatever it was woken by. A
//!    failure that it has awaited is told all the same.
//! 5. Timers that are due at the same time go off in the order in which they were set, before any turn. That of a timeout
//!    does nothing to a scope that is cancelled already.
//! 6. A scope function is a frame on the coroutine's stack with a job of its own. Its end waits for its children, and
//!    nothing cuts that short. The job completes when the coroutine goes on.
//! 7. A panic unwinds the frames of its coroutine; each of them waits for its children, and nothing catches it but the end
//!    of the coroutine. For each job on its way it is a failure anew.
//!
//! Kotlin differs in two of them. Rule 4: there, a wait that was cut short before the awaited coroutine failed tells of the
//! cancellation. Rule 5: there, a timeout that is due takes its place in the queue.

mod jobs;
mod steps;

use std::collections::{BTreeMap, VecDeque};

use crate::program::{Body, JobId, Program, ScopeKind, Start, Step, StepId};
use crate::trace::{Answer, Fault, Trace, What};
use jobs::{Error, ErrorId, ErrorRecord, Job, Kind, Phase, Waiter};

type CoroutineId = usize;

/// A program that the model cannot bring to an end.
#[derive(Debug)]
pub struct Stuck;

/// Runs a program and tells what the library has to do.
pub fn run(program: &Program) -> Result<Trace, Stuck> {
    let mut machine = Machine {
        now: 0,
        jobs: (0..program.jobs).map(|_| None).collect(),
        coroutines: Vec::new(),
        errors: Vec::new(),
        ready: VecDeque::new(),
        timers: BTreeMap::new(),
        timers_set: 0,
        taken: vec![false; program.jobs],
        handles: Vec::new(),
        returned: None,
        trace: Trace::default(),
    };
    let root = Kind::Scope(ScopeKind::Coroutine);
    machine.new_job(0, Job::new(root, None));
    machine.new_coroutine(0, &program.root, Start::Default);
    machine.run()?;
    machine.finish();
    Ok(machine.trace)
}

struct Machine {
    now: u64,
    jobs: Vec<Option<Job>>,
    coroutines: Vec<Coroutine>,
    errors: Vec<ErrorRecord>,
    ready: VecDeque<CoroutineId>,
    /// By their time, then by the order in which they were set.
    timers: BTreeMap<(u64, usize), Timer>,
    timers_set: usize,
    /// The values that were taken by `await_`.
    taken: Vec<bool>,
    /// The steps whose handlers can be disposed of.
    handles: Vec<StepId>,
    returned: Option<Answer>,
    trace: Trace,
}

struct Coroutine {
    /// Its own body, then those of the scope functions that it is in.
    frames: Vec<Frame>,
    wait: Wait,
    /// Whether its body begins even if it is cancelled before.
    starts_cancelled: bool,
    /// How many waits there have been, to tell one from another.
    waits: usize,
}

struct Frame {
    job: JobId,
    body: Body,
    next: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wait {
    /// Not started.
    Start,
    Yield,
    Delay,
    Join,
    Await(JobId),
    Cancellation,
    /// At the end of a scope function, for the last child.
    ScopeEnd(JobId),
    /// Not any more: the last child has ended.
    ScopeEnded(JobId),
    /// Not at all: it runs, or is over.
    None,
}

enum Timer {
    Delay(Waiter),
    /// Of `with_timeout`.
    Alarm(JobId),
}

/// How a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Ok,
    Err(Error),
    /// It unwinds: no `caught` holds this up.
    Panic(ErrorId),
}

impl Machine {
    fn run(&mut self) -> Result<(), Stuck> {
        loop {
            if let Some(coroutine) = self.ready.pop_front() {
                self.turn(coroutine);
            } else if let Some((time, _)) = self.timers.keys().next().copied() {
                self.now = time;
                while let Some(entry) = self.timers.first_entry()
                    && entry.key().0 == time
                {
                    let timer = entry.remove();
                    self.go_off(timer);
                }
            } else {
                break;
            }
        }
        let is_over = |coroutine: &Coroutine| coroutine.frames.is_empty();
        let never_started = |coroutine: &Coroutine| coroutine.wait == Wait::Start;
        let mut coroutines = self.coroutines.iter();
        if coroutines.all(|coroutine| is_over(coroutine) || never_started(coroutine)) {
            Ok(())
        } else {
            Err(Stuck)
        }
    }

    fn go_off(&mut self, timer: Timer) {
        match timer {
            Timer::Delay(waiter) => {
                let woken = self.claim(waiter);
                self.ready.extend(woken);
            }
            // One that is cancelled already does not also run out of time.
            Timer::Alarm(job) if self.job(job).cause.is_some() => {}
            Timer::Alarm(job) => {
                let Kind::Scope(kind) = self.job(job).kind else {
                    unreachable!("only scopes have a limit")
                };
                let limit = kind.limit().expect("a scope with a limit");
                let error = self.new_error(Fault::Timeout(limit));
                self.job_mut(job).timeout = Some(error);
                self.fail(job, error);
            }
        }
    }

    fn set_timer(&mut self, after: u64, timer: Timer) {
        self.timers_set += 1;
        self.timers
            .insert((self.now + after, self.timers_set), timer);
    }

    fn withdraw_alarm(&mut self, job: JobId) {
        self.timers
            .retain(|_, timer| !matches!(timer, Timer::Alarm(other) if *other == job));
    }

    fn new_coroutine(&mut self, job: JobId, body: &Body, start: Start) {
        let coroutine = self.coroutines.len();
        self.coroutines.push(Coroutine {
            frames: vec![Frame {
                job,
                body: body.clone(),
                next: 0,
            }],
            wait: Wait::Start,
            starts_cancelled: matches!(start, Start::Atomic | Start::Undispatched),
            waits: 0,
        });
        self.job_mut(job).coroutine = Some(coroutine);
        match start {
            Start::Default | Start::Atomic => self.ready.push_back(coroutine),
            // It takes its first turn in the turn of whoever launches it.
            Start::Undispatched => {}
            Start::Lazy => self.job_mut(job).phase = Phase::New,
        }
    }

    /// Ends a wait, if it is still going on. Whoever has ended it sends the coroutine to the queue.
    fn claim(&mut self, waiter: Waiter) -> Option<CoroutineId> {
        let coroutine = &mut self.coroutines[waiter.coroutine];
        let goes_on = coroutine.waits == waiter.wait;
        if goes_on {
            coroutine.waits += 1;
        }
        goes_on.then_some(waiter.coroutine)
    }

    /// The job whose body runs.
    fn innermost(&self, coroutine: CoroutineId) -> JobId {
        let frame = self.coroutines[coroutine].frames.last();
        frame.expect("a coroutine that is not over").job
    }

    fn cancellation(&self, coroutine: CoroutineId) -> Option<Error> {
        self.cancellation_of(self.innermost(coroutine))
    }

    /// A coroutine has come to the head of the queue.
    fn turn(&mut self, coroutine: CoroutineId) {
        let wait = std::mem::replace(&mut self.coroutines[coroutine].wait, Wait::None);
        if let Wait::Delay | Wait::Join | Wait::Await(_) | Wait::Cancellation = wait {
            self.timers.retain(
                |_, timer| !matches!(timer, Timer::Delay(waiter) if waiter.coroutine == coroutine),
            );
        }
        let cancellation = self.cancellation(coroutine);
        let answer = match wait {
            Wait::Start
                if cancellation.is_some() && !self.coroutines[coroutine].starts_cancelled =>
            {
                let job = self.innermost(coroutine);
                self.coroutines[coroutine].frames.clear();
                if self.job(job).phase == Phase::Completed {
                    return self.leave_parent(job);
                }
                return self.end_body(job, Ending::Ok);
            }
            Wait::Start => {
                self.tell(What::Began(self.innermost(coroutine)));
                return self.go_on(coroutine);
            }
            Wait::ScopeEnded(job) => {
                if self.end_scope(coroutine, job) {
                    self.go_on(coroutine);
                }
                return;
            }
            Wait::Await(awaited) => self.awaited(coroutine, awaited),
            _ => cancellation.map_or_else(|| Answer::Ok.into(), |error| self.refused(error)),
        };
        if self.answer(coroutine, answer) {
            self.go_on(coroutine);
        }
    }

    /// Runs a coroutine to its next wait, or to its end.
    fn go_on(&mut self, coroutine: CoroutineId) {
        loop {
            let frame = self.coroutines[coroutine].frames.last_mut();
            let frame = frame.expect("a coroutine that is not over");
            let step = frame.body.get(frame.next).cloned();
            frame.next += 1;
            let goes_on = match step {
                Some(step) => self.step(coroutine, &step),
                None => self.end_frame(coroutine, Ending::Ok),
            };
            if !goes_on {
                return;
            }
        }
    }

    /// The step that the coroutine is at has ended. False if the coroutine does not go on.
    fn answer(&mut self, coroutine: CoroutineId, answer: Outcome) -> bool {
        let step = self.current_step(coroutine);
        match answer {
            Outcome::Panic(error) => self.end_frame(coroutine, Ending::Panic(error)),
            Outcome::Done(answer, error) => {
                self.tell(What::Did(step.id, answer));
                match error {
                    Some(error) if !step.caught => self.end_frame(coroutine, Ending::Err(error)),
                    _ => true,
                }
            }
        }
    }

    fn current_step(&self, coroutine: CoroutineId) -> Step {
        let frame = self.coroutines[coroutine].frames.last();
        let frame = frame.expect("a coroutine that is not over");
        frame.body[frame.next - 1].clone()
    }

    /// The body of the innermost frame has ended. False if the coroutine does not go on.
    fn end_frame(&mut self, coroutine: CoroutineId, ending: Ending) -> bool {
        let job = self.innermost(coroutine);
        let answer = match ending {
            Ending::Ok => Answer::Ok,
            Ending::Err(error) => Answer::Err(self.kind_of(error)),
            Ending::Panic(_) => Answer::Unwinds,
        };
        self.tell(What::Ended(job, answer));
        let is_scope = self.coroutines[coroutine].frames.len() > 1 || job == 0;
        if !is_scope {
            self.coroutines[coroutine].frames.clear();
            self.end_body(job, ending);
            return false;
        }
        self.job_mut(job).ending = Some(ending);
        self.end_body(job, ending);
        self.end_scope(coroutine, job)
    }

    /// The body of a scope function has ended, and perhaps the last of its children. False if the coroutine does not go on.
    fn end_scope(&mut self, coroutine: CoroutineId, job: JobId) -> bool {
        if self.complete_scope(job) {
            return self.leave_scope(coroutine, job);
        }
        self.coroutines[coroutine].wait = Wait::ScopeEnd(job);
        false
    }

    /// A scope function returns. False if the coroutine does not go on.
    fn leave_scope(&mut self, coroutine: CoroutineId, job: JobId) -> bool {
        let outcome = self.scope_outcome(job);
        self.coroutines[coroutine].frames.pop();
        if self.coroutines[coroutine].frames.is_empty() {
            self.returned = Some(match outcome {
                Outcome::Panic(_) => Answer::Unwinds,
                Outcome::Done(answer, _) => answer,
            });
            return false;
        }
        self.answer(coroutine, outcome)
    }

    fn finish(&mut self) {
        // The virtual clock has ended with `run_test`.
        self.now = 0;
        let returned = self.returned.clone().expect("the root has ended");
        self.tell(What::Returned(returned));
        for number in 0..self.jobs.len() {
            let Some(job) = &self.jobs[number] else {
                continue;
            };
            if !job.shown {
                continue;
            }
            let state = job.state();
            let suppressed = match job.outcome() {
                Some(Error::Failure(error)) => self.errors[error].suppressed.len(),
                _ => 0,
            };
            let cause = self.cause_shown(number);
            self.tell(What::Final(number, state, cause, suppressed));
        }
    }

    fn tell(&mut self, what: What) {
        self.trace.push(self.now, what);
    }
}

/// How a step ends.
enum Outcome {
    /// With an answer; and the error, if that is one.
    Done(Answer, Option<Error>),
    Panic(ErrorId),
}
