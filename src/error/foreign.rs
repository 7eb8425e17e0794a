//! Somebody else's cancellation.
//!
//! Who waits for a job that is cancelled learns of a failure: nobody cancelled the one who waits. Passed on as it
//! is, the other's `Cancelled` would end the waiting coroutine in silence, so it is wrapped where it crosses.

#![forbid(unsafe_code)]

use super::Error;
use super::node::{Kind, Node};
use super::repr::Content;
use std::error::Error as StdError;
use std::fmt::{self, Debug, Display, Formatter};

/// An ordinary failure that shows a cancellation as its source, and is none.
#[derive(Clone)]
#[repr(transparent)]
pub(super) struct Foreign(pub(super) Error);

impl Foreign {
    fn parts(&self) -> (&str, &Error) {
        match self.0.content() {
            Content::Boxed(Node {
                kind: Kind::Foreign { job, cause },
                ..
            }) => (job, cause),
            _ => unreachable!("a `Foreign` is made of foreign cancellations only"),
        }
    }
}

impl Error {
    /// The failure of one who waited for `job`, which was cancelled with `cause`.
    pub(crate) fn foreign_cancellation(job: String, cause: Error) -> Self {
        Error::from_node(Kind::Foreign { job, cause }.into())
    }
}

impl Display for Foreign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "job {}, which was awaited, was cancelled",
            self.parts().0
        )
    }
}

impl Debug for Foreign {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (job, cause) = self.parts();
        f.debug_struct("Foreign")
            .field("job", &job)
            .field("cause", &format_args!("{cause:#}"))
            .finish()
    }
}

impl StdError for Foreign {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&**self.parts().1)
    }
}
