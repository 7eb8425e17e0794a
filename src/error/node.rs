//! What an error that is more than a plain cancellation consists of, and how a long chain of them is taken apart.

#![forbid(unsafe_code)]

use super::suppressed::Suppressed;
use super::{Error, chain};
use std::any::Any;
use std::borrow::Cow;
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::time::Duration;

pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) suppressed: Suppressed,
}

pub(super) enum Kind {
    Cancelled {
        /// The coroutine that owns the cancelled job, 0 for none.
        owner: u64,
        message: Option<Cow<'static, str>>,
        cause: Option<Error>,
    },
    TimedOut {
        id: u64,
        limit: Duration,
    },
    Panicked {
        message: Option<Cow<'static, str>>,
        /// Taken by the first who rethrows it.
        payload: Mutex<Option<Box<dyn Any + Send>>>,
    },
    /// Somebody else's cancellation, which is an ordinary failure here.
    Foreign {
        job: String,
        cause: Error,
    },
    Other(Box<dyn StdError + Send + Sync>),
}

impl From<Kind> for Node {
    fn from(kind: Kind) -> Self {
        Node {
            kind,
            suppressed: Suppressed::default(),
        }
    }
}

impl Node {
    /// Drops the node and everything that only it holds, by a loop: causes may be nested deeper than any stack.
    pub(super) fn dismantle(self) {
        let mut pending = Vec::new();
        self.shed(&mut pending);
        while let Some(error) = pending.pop() {
            if let Some(node) = error.into_last_node() {
                node.shed(&mut pending);
            }
        }
    }

    /// Drops the node itself, and leaves the errors in it to the caller.
    fn shed(self, pending: &mut Vec<Error>) {
        let Node { kind, suppressed } = self;
        pending.extend(suppressed.into_list());
        match kind {
            Kind::Cancelled { cause, .. } => pending.extend(cause),
            Kind::Foreign { cause, .. } => pending.push(cause),
            Kind::Other(user) => {
                // The user's error drops the next of ours, which drops the next of theirs: a recursion that crosses
                // code which is not ours. A count taken beforehand turns it into this loop. A panic of their `source`
                // must not leave a destructor.
                let next = catch_unwind(AssertUnwindSafe(|| chain::carried(&*user).cloned()));
                pending.extend(next.ok().flatten());
                drop(user);
            }
            Kind::TimedOut { .. } | Kind::Panicked { .. } => {}
        }
    }
}
