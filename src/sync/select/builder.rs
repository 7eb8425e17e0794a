//! The list of clauses, as it is written.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::scope::job::Job;
use crate::sync::select::ask::{Answer, Ask};
use crate::sync::select::channels::{Receive, Send};
use crate::sync::select::clause::AnyClause;
use crate::sync::select::event::{Await, Join, SelectAwait, Timeout};
use crate::sync::select::open::{Open, SelectClause};
use crate::sync::select::turns::{Acquire, Lock};
use crate::sync::{Closed, Mutex, MutexGuard, Permit, Receiver, Semaphore, Sender};
use crate::task::Task;
use crate::task::wait::Here;

/// The clauses of a [`select`](crate::sync::select), in the order in which they are written.
///
/// Each names what is waited for, and a handler that runs if that comes first. A clause may stand in a condition or a
/// loop, and the same thing may be named twice. Two handlers cannot both borrow the same local mutably: let them return
/// what is to be done, and do it behind the select.
///
/// # Suspension
///
/// Naming a clause never suspends; [`select`](crate::sync::select) does.
pub struct Select<'a, R> {
    task: *const Task,
    id: u64,
    clauses: Vec<AnyClause<'a, R>>,
}

impl<'a, R> Select<'a, R> {
    pub(super) fn new(task: &Task) -> Self {
        Self {
            task,
            id: task.id,
            clauses: Vec::new(),
        }
    }

    /// For the task in whose frame it was made: one that was exchanged for another coroutine's is refused, since its
    /// clauses stand for that one.
    pub(super) fn into_clauses(self, task: &Task) -> Result<Vec<AnyClause<'a, R>>> {
        if self.id == task.id {
            Ok(self.clauses)
        } else {
            Err(Error::msg(
                "the clauses of a select were exchanged for those of another coroutine",
            ))
        }
    }

    /// Wins with the next element of a channel.
    ///
    /// A channel that is closed and empty is ready at once, and wins with its failure: `select` returns the cause, or
    /// [`ClosedForReceive`](crate::sync::ClosedForReceive), as [`recv`](Receiver::recv) does. See
    /// [`on_recv_catching`](Select::on_recv_catching).
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// An element that was handed over before the cancellation is given to the handler.
    ///
    /// # Fairness
    ///
    /// Receivers that wait are served in the order in which they came, selecting or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, first) = channel(Capacity::buffered(1));
    /// let (_tx, second) = channel::<i32>(Capacity::buffered(1));
    /// tx.send(20)?;
    /// let doubled = select(|s| {
    ///     s.on_recv(&first, |n| Ok(n * 2));
    ///     s.on_recv(&second, Ok);
    /// })?;
    /// assert_eq!(doubled, 40);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_recv<T: 'a>(
        &mut self,
        receiver: &'a Receiver<T>,
        handler: impl FnOnce(T) -> Result<R> + 'a,
    ) {
        self.on_recv_catching(receiver, |received| handler(received?));
    }

    /// As [`on_recv`](Select::on_recv), but the end of the channel is an ordinary answer, given to the handler.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// As for [`on_recv`](Select::on_recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, numbers) = channel::<i32>(Capacity::rendezvous());
    /// drop(tx);
    /// let told = select(|s| {
    ///     s.on_recv_catching(&numbers, |received| match received {
    ///         Ok(n) => Ok(format!("number {n}")),
    ///         Err(_) => Ok("no more numbers".to_owned()),
    ///     });
    /// })?;
    /// assert_eq!(told, "no more numbers");
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_recv_catching<T: 'a>(
        &mut self,
        receiver: &'a Receiver<T>,
        handler: impl FnOnce(Result<T, Closed>) -> Result<R> + 'a,
    ) {
        let clause = Receive::new(receiver, self.task, handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when the channel has taken the value.
    ///
    /// If another clause wins, or none, the value is dropped; [`on_send_from`](Select::on_send_from) keeps it. A channel
    /// that is closed wins with its failure, as [`send`](Sender::send) fails.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// If the channel has taken the value, and then, before it runs again, the one who selects is cancelled, the select
    /// returns the cancellation, as [`send`](Sender::send) does. The value will be received.
    ///
    /// # Fairness
    ///
    /// Senders that wait are served in the order in which they came, selecting or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (full, _rx) = channel(Capacity::rendezvous());
    /// let (free, rx) = channel(Capacity::buffered(1));
    /// let sent_to = select(|s| {
    ///     s.on_send(&full, 1, || Ok("full"));
    ///     s.on_send(&free, 2, || Ok("free"));
    /// })?;
    /// assert_eq!(sent_to, "free");
    /// assert_eq!(rx.recv()?, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_send<T: 'a>(
        &mut self,
        sender: &'a Sender<T>,
        value: T,
        handler: impl FnOnce() -> Result<R> + 'a,
    ) {
        let clause = Send::new(sender, self.task, value, None, handler);
        self.clauses.push(Box::new(clause));
    }

    /// As [`on_send`](Select::on_send), with a value that stands in `slot` and is there again if it was not sent: because
    /// another clause has won, the select was cancelled, or the channel is closed. With an empty slot the clause never
    /// wins.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// As for [`on_send`](Select::on_send): an empty slot says that it was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (tx, _rx) = channel(Capacity::rendezvous());
    /// let mut precious = Some(String::from("precious"));
    /// select(|s| {
    ///     s.on_send_from(&tx, &mut precious, || Ok(()));
    ///     s.on_timeout(ms(1), || Ok(()));
    /// })?;
    /// assert_eq!(precious.as_deref(), Some("precious"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_send_from<T: 'a>(
        &mut self,
        sender: &'a Sender<T>,
        slot: &'a mut Option<T>,
        handler: impl FnOnce() -> Result<R> + 'a,
    ) {
        if let Some(value) = slot.take() {
            let clause = Send::new(sender, self.task, value, Some(slot), handler);
            self.clauses.push(Box::new(clause));
        }
    }

    /// Wins when something awaited has completed, with its value.
    ///
    /// Takes a `&mut Deferred`, from which the value is moved (to await it again is an error then), or a
    /// `&CompletableDeferred`, whose value is cloned. The handle stays, and so does the coroutine: one that has lost goes
    /// on. If it has failed or was cancelled, `select` returns that failure, as `await_` does.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// If the awaited one fails while the select waits, its failure is returned even if that failure has cancelled the one
    /// who waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let mut slow = s.async_(|_| { delay(ms(20))?; Ok("slow") });
    ///     let mut fast = s.async_(|_| { delay(ms(1))?; Ok("fast") });
    ///     let first = select(|s| {
    ///         s.on_await(&mut slow, Ok);
    ///         s.on_await(&mut fast, Ok);
    ///     })?;
    ///     assert_eq!(first, "fast");
    ///     assert_eq!(slow.await_()?, "slow");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn on_await<A: SelectAwait<'a> + 'a>(
        &mut self,
        awaited: A,
        handler: impl FnOnce(A::Value) -> Result<R> + 'a,
    ) {
        let clause = Await::new(awaited, self.task, handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when a job has completed, however it has ended.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let job = s.launch(|_| delay(ms(1)));
    ///     let first = select(|s| {
    ///         s.on_join(&job, || Ok("joined"));
    ///         s.on_timeout(std::time::Duration::from_secs(60), || Ok("late"));
    ///     })?;
    ///     assert_eq!(first, "joined");
    ///     Ok(())
    /// })
    /// # }
    /// ```
    pub fn on_join(&mut self, job: &'a Job, handler: impl FnOnce() -> Result<R> + 'a) {
        let clause = Join::new(job, self.task, handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when so much time has passed and nothing else was ready. With a time of zero it is ready at once: what stands
    /// before it is tried, and nothing is waited for.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (_tx, numbers) = channel::<i32>(Capacity::rendezvous());
    /// let number = select(|s| {
    ///     s.on_recv(&numbers, |n| Ok(Some(n)));
    ///     s.on_timeout(ms(1), || Ok(None));
    /// })?;
    /// assert_eq!(number, None);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_timeout(&mut self, time: Duration, handler: impl FnOnce() -> Result<R> + 'a) {
        let clause = Timeout::new(time, self.task, handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when the lock is free, with the guard. A lock that the coroutine holds itself wins with an error, as
    /// [`lock`](Mutex::lock) fails.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// If the lock was handed over before the cancellation, it goes on to the next.
    ///
    /// # Fairness
    ///
    /// First come, first served, selecting or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let (left, right) = (Mutex::new(1), Mutex::new(2));
    /// let held = left.try_lock();
    /// std::thread::scope(|threads| {
    ///     let waiter = threads.spawn(|| select(|s| {
    ///         s.on_lock(&left, |number| Ok(*number));
    ///         s.on_lock(&right, |number| Ok(*number));
    ///     }));
    ///     assert_eq!(waiter.join().unwrap()?, 2);
    ///     Ok::<_, Error>(())
    /// })?;
    /// # drop(held);
    /// # Ok(())
    /// # }
    /// ```
    #[track_caller]
    pub fn on_lock<T: ?Sized + 'a>(
        &mut self,
        mutex: &'a Mutex<T>,
        handler: impl FnOnce(MutexGuard<'a, T>) -> Result<R> + 'a,
    ) {
        let clause = Lock::new(mutex, self.task, self.id, Location::caller(), handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when the semaphore has a permit, with it.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    ///
    /// # Cancellation
    ///
    /// If a permit was handed over before the cancellation, it goes on to the next.
    ///
    /// # Fairness
    ///
    /// First come, first served, selecting or not.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    /// use switchback::sync::select;
    ///
    /// # fn main() -> Result<()> {
    /// let seats = Semaphore::new(1);
    /// let free = select(|s| {
    ///     s.on_permit(&seats, |_permit| Ok(seats.available_permits()));
    ///     s.on_timeout(ms(1), || Ok(99));
    /// })?;
    /// assert_eq!(free, 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn on_permit(
        &mut self,
        semaphore: &'a Semaphore,
        handler: impl FnOnce(Permit<'a>) -> Result<R> + 'a,
    ) {
        let clause = Acquire::new(semaphore, self.task, handler);
        self.clauses.push(Box::new(clause));
    }

    /// Wins when a clause of another kind has something. See [`SelectClause`], with an example.
    ///
    /// # Suspension
    ///
    /// Never suspends by itself.
    pub fn on<C: SelectClause + 'a>(
        &mut self,
        clause: C,
        handler: impl FnOnce(C::Output) -> Result<R> + 'a,
    ) {
        let clause = Open::new(clause, handler);
        self.clauses.push(Box::new(clause));
    }

    /// A clause of another module, which is asked and asked again.
    pub(crate) fn on_answer<T: 'a>(
        &mut self,
        ask: impl FnMut(&Here) -> Result<Answer<'a, T>> + 'a,
        handler: impl FnOnce(T) -> Result<R> + 'a,
    ) {
        let clause = Ask::new(self.task, ask, handler);
        self.clauses.push(Box::new(clause));
    }
}

impl<R> fmt::Debug for Select<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Select")
            .field("clauses", &self.clauses.len())
            .finish_non_exhaustive()
    }
}
