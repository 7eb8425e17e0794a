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
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let (tx, _rx) = channel(Capacity::rendezvous());
    /// assert!(tx.try_send(1).is_err(), "nobody waits for it");
    /// ```
    #[must_use]
    pub const fn rendezvous() -> Self {
        Self::buffered(0)
    }

    /// Holds so many elements; a send into a full channel waits. With 0 it is a rendezvous.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let (tx, _rx) = channel(Capacity::buffered(2));
    /// assert_eq!((0..10).filter(|n| tx.try_send(*n).is_ok()).count(), 2);
    /// ```
    #[must_use]
    pub const fn buffered(limit: usize) -> Self {
        Self {
            limit,
            overflow: Overflow::Suspend,
        }
    }

    /// Holds everything: a send never waits, and memory is the limit.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// let (tx, _rx) = channel(Capacity::unlimited());
    /// assert!((0..1000).all(|n| tx.try_send(n).is_ok()));
    /// ```
    #[must_use]
    pub const fn unlimited() -> Self {
        Self::buffered(usize::MAX)
    }

    /// Holds the newest element only; the one before it is dropped. A send never waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::conflated());
    /// tx.send("old")?;
    /// tx.send("new")?;
    /// assert_eq!(rx.recv()?, "new");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn conflated() -> Self {
        Self::drop_oldest(1)
    }

    /// Holds so many elements, at least one; a send into a full channel drops the oldest, and never waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::drop_oldest(2));
    /// for n in 1..=3 {
    ///     tx.send(n)?;
    /// }
    /// assert_eq!(rx.recv()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub const fn drop_oldest(limit: usize) -> Self {
        Self::dropping(limit, Overflow::DropOldest)
    }

    /// Holds so many elements, at least one; what is sent into a full channel is dropped. A send never waits.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, rx) = channel(Capacity::drop_latest(1));
    /// tx.send("first")?;
    /// tx.send("second")?;
    /// assert_eq!(rx.recv()?, "first");
    /// # Ok(())
    /// # }
    /// ```
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
