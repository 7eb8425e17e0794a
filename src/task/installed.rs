//! What a task has installed on its thread: the `ThreadContextElement`s of the contexts in which it runs.
//!
//! Each context that brings such elements in (that of the coroutine, of `run_blocking`, of `with_context` inside them) is
//! a level. A level is entered and left by the frame that opens the context, on the task's own thread. Between the
//! two, whoever switches the task out restores all levels, the innermost first, and installs them again when it is
//! switched in.
//!
//! Only the task's own thread comes here. The levels stand among the extras, whose lock is never held while an element
//! is called: they are moved out meanwhile. An element that panics is told of, and has installed nothing.

use std::any::Any;

use crate::context::CoroutineContext;
use crate::coroutine;
use crate::task::{Task, current, report};

/// One context's elements, as far as they are installed.
pub(crate) struct Level {
    context: CoroutineContext,
    /// What was there before, for each element; empty while the level is not installed.
    old: Vec<Option<Box<dyn Any>>>,
}

/// Bit of `Task::flags`, for tasks without a stack: some level is entered.
const INSTALLED: u32 = 1 << 11;
/// Bit of the hooks of a stack: some level is entered.
pub(crate) const HOOK_INSTALLED: u8 = 1;

impl Level {
    fn install(&mut self) {
        let Some(elements) = self.context.elements() else {
            return;
        };
        for element in elements.thread_contexts() {
            let old = current::closed(|| element.update_thread_context(&self.context));
            self.old.push(match old {
                Ok(old) => Some(old),
                Err(panic) => {
                    report::handler_panicked("a ThreadContextElement", panic);
                    None
                }
            });
        }
    }

    fn restore(&mut self) {
        let Some(elements) = self.context.elements() else {
            return;
        };
        let before = std::mem::take(&mut self.old);
        let pairs: Vec<_> = elements.thread_contexts().zip(before).collect();
        for (element, old) in pairs.into_iter().rev() {
            let Some(old) = old else { continue };
            let restored = current::closed(|| element.restore_thread_context(&self.context, old));
            if let Err(panic) = restored {
                report::handler_panicked("a ThreadContextElement", panic);
            }
        }
    }
}

fn hook(task: &Task, on: bool) {
    match task.stack.get() {
        // SAFETY: the task runs on that stack, on this thread.
        Some(header) => unsafe { coroutine::set_hook(header, HOOK_INSTALLED, on) },
        None => {
            let flags = task.flags.get();
            task.flags.set(if on {
                flags | INSTALLED
            } else {
                flags & !INSTALLED
            });
        }
    }
}

/// Whether a task without a stack has entered a level.
pub(crate) fn on_bare(task: &Task) -> bool {
    task.flags.get() & INSTALLED != 0
}

/// Enters a level if the innermost context of the running task has elements for it. True if one was entered.
#[inline]
pub(crate) fn enter(task: &Task, job: &Task) -> bool {
    if !job
        .elements()
        .is_some_and(crate::context::Elements::has_thread_context)
    {
        return false;
    }
    enter_slowly(task, job.context());
    true
}

#[cold]
fn enter_slowly(task: &Task, context: CoroutineContext) {
    let mut level = Level {
        context,
        old: Vec::new(),
    };
    level.install();
    task.with_extras(|extras| extras.installed.push(level));
    hook(task, true);
}

/// Leaves the innermost level.
#[cold]
pub(crate) fn exit(task: &Task) {
    let (level, left) = task.with_extras(|extras| {
        let level = extras.installed.pop();
        (level, extras.installed.len())
    });
    if left == 0 {
        hook(task, false);
    }
    if let Some(mut level) = level {
        level.restore();
    }
}

/// The task was switched out: its thread is as it was without it.
#[cold]
pub(crate) fn switched_out(task: &Task) {
    with_levels(task, |levels| {
        levels.iter_mut().rev().for_each(Level::restore);
    });
}

/// The task is about to be switched in.
#[cold]
pub(crate) fn switching_in(task: &Task) {
    with_levels(task, |levels| levels.iter_mut().for_each(Level::install));
}

fn with_levels(task: &Task, work: impl FnOnce(&mut [Level])) {
    let mut levels = task.with_extras(|extras| std::mem::take(&mut extras.installed));
    work(&mut levels);
    task.with_extras(|extras| extras.installed = levels);
}
