//! How much a channel holds, and what happens when it is full.

use crate::sync::channel::core::Overflow;

/// How many elements a channel holds that nobody has received yet, and what a send into a full one does.
///
/// | | holds | a send into a full one |
/// |---|---|---|
/// | [`rendezvous`](Capacity::rendezvous) | nothing | waits for a receiver |
/// | [`buffered`](Capacity::buffered) | `n` | waits for room |
/// | [`unlimited`](Capacity::unlimited) | everything | never happens |
/// | [`conflated`](Capacity::conflated) | the newest | replaces it |
/// | [`drop_oldest`](Capacity::drop_oldest) | `n` | drops the oldest |
/// | [`drop_latest`](Capacity::drop_latest) | `n` | drops what was to be sent |
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// for (capacity, kept) in [
///     (Capacity::conflated(), vec![5]),
///     (Capacity::unlimited(), vec![1, 2, 3, 4, 5]),
///     (Capacity::drop_oldest(2), vec![4, 5]),
///     (Capacity::drop_latest(2), vec![1, 2]),
/// ] {
///     let (tx, rx) = channel(capacity);
///     for n in 1..=5 {
///         tx.send(n)?;
///     }
///     tx.close();
///     assert_eq!(rx.iter().collect::<Result<Vec<_>>>()?, kept);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    pub(super) limit: usize,
    pub(super) overflow: Overflow,
}

impl Capacity {
    /// Holds nothing: a send waits until a receiver takes the element.
    #[must_use]
    pub const fn rendezvous() -> Self {
        Self::buffered(0)
    }

    /// Holds so many elements; a send into a full channel waits. With 0 it is a rendezvous.
    #[must_use]
    pub const fn buffered(limit: usize) -> Self {
        Self {
            limit,
            overflow: Overflow::Suspend,
        }
    }

    /// Holds everything: a send never waits, and memory is the limit.
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::buffered(usize::MAX)
    }

    /// Holds the newest element only; the one before it is dropped. A send never waits.
    #[must_use]
    pub const fn conflated() -> Self {
        Self::drop_oldest(1)
    }

    /// Holds so many elements, at least one; a send into a full channel drops the oldest, and never waits.
    #[must_use]
    pub const fn drop_oldest(limit: usize) -> Self {
        Self::dropping(limit, Overflow::DropOldest)
    }

    /// Holds so many elements, at least one; what is sent into a full channel is dropped. A send never waits.
    #[must_use]
    pub const fn drop_latest(limit: usize) -> Self {
        Self::dropping(limit, Overflow::DropLatest)
    }

    const fn dropping(limit: usize, overflow: Overflow) -> Self {
        Self {
            limit: if limit == 0 { 1 } else { limit },
            overflow,
        }
    }
}
