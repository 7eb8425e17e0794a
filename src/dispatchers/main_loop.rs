//! The loop that a host has installed as the main one.

use std::fmt;
use std::sync::{PoisonError, RwLock};

use crate::context::{Dispatch, Dispatcher, Refused, Unstarted};
use crate::stack::StackSize;

static INSTALLED: RwLock<Option<Dispatcher>> = RwLock::new(None);

/// The installed one, as it is now.
pub(super) fn installed() -> Option<Dispatcher> {
    let installed = INSTALLED.read().unwrap_or_else(PoisonError::into_inner);
    installed.clone()
}

/// Installs a loop's dispatcher. False if there is one already.
pub(crate) fn install(dispatcher: Dispatcher) -> bool {
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    let free = installed.is_none();
    if free {
        *installed = Some(dispatcher);
    }
    free
}

/// Takes a loop's dispatcher away again, if it was installed.
pub(crate) fn uninstall(dispatcher: &Dispatcher) {
    let mut installed = INSTALLED.write().unwrap_or_else(PoisonError::into_inner);
    if installed.as_ref() == Some(dispatcher) {
        *installed = None;
    }
}

/// Stands for the main loop while there is none: what is sent to it goes to the one that is installed by then.
pub(super) struct Main;

impl Dispatch for Main {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        match installed() {
            Some(main) => main.dispatch(task),
            None => Err(Refused(task)),
        }
    }

    fn stack_size(&self) -> StackSize {
        StackSize::DEFAULT
    }

    fn is_here(&self) -> bool {
        installed().is_some_and(|main| main.is_here())
    }
}

impl fmt::Debug for Main {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if installed().is_some() {
            "Dispatchers.Main"
        } else {
            "Dispatchers.Main (no EventLoop is installed as the main one)"
        })
    }
}
