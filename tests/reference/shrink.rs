//! Smaller programs, made of one that shows a difference.
//!
//! A cut is one edit of a program. Cuts are applied one after another to the program of a seed, so a shrunk program is a
//! seed and a list of cuts: short enough for an environment variable, which is how a child process is told what to run.

use std::fmt::{self, Display, Formatter};
use std::str::FromStr;
use std::sync::Arc;

use crate::program::{Body, ByHand, Launch, Op, Program, ScopeKind, Start, Step, StepId, Watch};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Takes a step out, with all that is in it.
    Remove(StepId),
    /// Puts the body of a step in its place.
    Unwrap(StepId),
    /// Makes a step plainer: default start, no handler, a plain scope, a short time.
    Plain(StepId),
    /// Carries the error of a step on.
    Uncaught(StepId),
}

impl Display for Cut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Remove(step) => write!(f, "-{step}"),
            Cut::Unwrap(step) => write!(f, "^{step}"),
            Cut::Plain(step) => write!(f, "~{step}"),
            Cut::Uncaught(step) => write!(f, "?{step}"),
        }
    }
}

impl FromStr for Cut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("no cut: {text:?}");
        let sign = text.chars().next().ok_or_else(wrong)?;
        let step = text[sign.len_utf8()..].parse().map_err(|_| wrong())?;
        Ok(match sign {
            '-' => Cut::Remove(step),
            '^' => Cut::Unwrap(step),
            '~' => Cut::Plain(step),
            '?' => Cut::Uncaught(step),
            _ => return Err(wrong()),
        })
    }
}

/// The cuts that make a program smaller, those that take most first.
pub fn cuts(program: &Program) -> Vec<Cut> {
    let mut steps = program.steps();
    steps.sort_by_key(|step| std::cmp::Reverse(weight(step)));
    let ids = || steps.iter().map(|step| step.id);
    let removed = ids().map(Cut::Remove);
    let unwrapped = steps.iter().filter(|step| step.op.body().is_some());
    let unwrapped = unwrapped.map(|step| Cut::Unwrap(step.id));
    let plain = steps.iter().filter(|step| plainer(&step.op).is_some());
    let plain = plain.map(|step| Cut::Plain(step.id));
    let caught = steps.iter().filter(|step| step.caught);
    let uncaught = caught.map(|step| Cut::Uncaught(step.id));
    removed
        .chain(unwrapped)
        .chain(plain)
        .chain(uncaught)
        .collect()
}

fn weight(step: &Step) -> usize {
    1 + step
        .op
        .body()
        .map_or(0, |body| body.iter().map(weight).sum())
}

pub fn apply(program: &Program, cuts: &[Cut]) -> Program {
    let mut program = program.clone();
    for cut in cuts {
        program.root = cut_body(&program.root, *cut);
    }
    program
}

fn cut_body(body: &Body, cut: Cut) -> Body {
    let mut steps = Vec::new();
    for step in body.iter() {
        let mut step = step.clone();
        match cut {
            Cut::Remove(id) if id == step.id => continue,
            Cut::Unwrap(id) if id == step.id => {
                steps.extend(
                    step.op
                        .body()
                        .into_iter()
                        .flat_map(|body| body.iter().cloned()),
                );
                continue;
            }
            Cut::Plain(id) if id == step.id => {
                if let Some(op) = plainer(&step.op) {
                    step.op = op;
                }
            }
            Cut::Uncaught(id) if id == step.id => step.caught = false,
            _ => {
                if let Some(inner) = step.op.body_mut() {
                    *inner = cut_body(inner, cut);
                }
            }
        }
        steps.push(step);
    }
    Arc::new(steps)
}

fn plainer(op: &Op) -> Option<Op> {
    match op {
        Op::Launch(launch) => {
            let plain = Launch {
                is_async: false,
                start: Start::Default,
                under: None,
                watched: false,
                ..launch.clone()
            };
            let is_plain = !launch.is_async
                && launch.start == Start::Default
                && launch.under.is_none()
                && !launch.watched;
            (!is_plain).then_some(Op::Launch(plain))
        }
        Op::Scope {
            job,
            kind,
            shown,
            body,
        } => {
            let is_plain = *kind == ScopeKind::Coroutine && !*shown;
            (!is_plain).then(|| Op::Scope {
                job: *job,
                kind: ScopeKind::Coroutine,
                shown: false,
                body: body.clone(),
            })
        }
        Op::Watch(watch) if watch.on_cancelling || watch.cancels.is_some() => {
            Some(Op::Watch(Watch {
                job: watch.job,
                on_cancelling: false,
                cancels: None,
            }))
        }
        Op::Delay(time) if *time > 1 => Some(Op::Delay(1)),
        Op::ByHand { job, kind, under } if *kind != ByHand::Job || under.is_some() => {
            Some(Op::ByHand {
                job: *job,
                kind: ByHand::Job,
                under: None,
            })
        }
        _ => None,
    }
}

/// Cuts a program down for as long as `still` says that it shows the same.
pub fn shrink(program: &Program, mut still: impl FnMut(&[Cut]) -> bool) -> Vec<Cut> {
    let mut done = Vec::new();
    loop {
        let smaller = apply(program, &done);
        let next = cuts(&smaller).into_iter().find(|cut| {
            done.push(*cut);
            let shows = still(&done);
            if !shows {
                done.pop();
            }
            shows
        });
        if next.is_none() {
            return done;
        }
    }
}
