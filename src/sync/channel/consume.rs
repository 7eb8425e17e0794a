//! Receiving to the end, whoever leaves first.

use crate::error::Result;
use crate::scope::body::Outcome;
use crate::sync::channel::receiver::Receiver;

impl<T> Receiver<T> {
    /// Runs `block`, then cancels the channel, however the block ends: whoever produces for it stops.
    ///
    /// # Suspension
    ///
    /// Where the block does.
    ///
    /// # Errors
    ///
    /// The block's own, which is the cause of the cancellation that senders see.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let numbers = s.produce(Capacity::rendezvous(), |_, tx| -> Result<()> {
    ///         let mut n = 0;
    ///         loop {
    ///             tx.send(n)?;
    ///             n += 1;
    ///         }
    ///     });
    ///     let first = numbers.consume(|numbers| numbers.iter().take(3).collect::<Result<Vec<i32>>>())?;
    ///     assert_eq!(first, [0, 1, 2]);
    ///     Ok(()) // nobody counts any more
    /// })
    /// # }
    /// ```
    pub fn consume<R>(&self, block: impl FnOnce(&Self) -> Result<R>) -> Result<R> {
        let panicking = CancelOnDrop(self);
        let result = block(self);
        std::mem::forget(panicking);
        match &result {
            Ok(_) => self.cancel_with("the channel was consumed"),
            Err(error) => self.cancel_because(error.clone()),
        }
        result
    }

    /// Does something with each element until the channel is closed and empty, then cancels it; also, if `action` fails
    /// or panics before that.
    ///
    /// # Suspension
    ///
    /// For each element, as [`recv`](Receiver::recv) does.
    ///
    /// # Cancellation
    ///
    /// As for [`recv`](Receiver::recv); the channel is cancelled too.
    ///
    /// # Errors
    ///
    /// The action's own; the cause with which the channel was closed; a cancellation.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let squares = s.produce(Capacity::rendezvous(), |_, tx| {
    ///         for n in 1..=3 {
    ///             tx.send(n * n)?;
    ///         }
    ///         Ok(())
    ///     });
    ///     let mut sum = 0;
    ///     squares.consume_each(|square| sum += square)?;
    ///     assert_eq!(sum, 14);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[track_caller]
    pub fn consume_each<O: Outcome>(&self, mut action: impl FnMut(T) -> O) -> Result<()> {
        self.consume(|elements| {
            for element in elements {
                action(element?).into_result()?;
            }
            Ok(())
        })
    }
}

struct CancelOnDrop<'a, T>(&'a Receiver<T>);

impl<T> Drop for CancelOnDrop<'_, T> {
    fn drop(&mut self) {
        self.0.cancel_with("the consumer panicked");
    }
}
