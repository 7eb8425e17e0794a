//! What coroutines and threads use to coordinate: locks, semaphores, notices and channels that suspend.
//!
//! Each works between coroutines, between plain threads, which park, and between the two. Whoever waits, waits in line
//! (first come, first served), and what it waits for is handed to it: nobody is woken in vain.
//!
//! - One at a time: [`Mutex`]; many readers or one writer: [`RwLock`]; so many at a time: [`Semaphore`].
//! - Wait until something is so: [`Condvar`] with a lock, [`Notify`] without, [`Barrier`] for each other, [`OnceCell`] for
//!   what is made once.
//! - Pass values on: [`channel()`](channel()); one value: [`oneshot`]; every value to everybody: [`broadcast`]; the latest:
//!   [`watch`].
//!
//! A panic poisons none of them.
//!
//! # Giving way
//!
//! A coroutine stays on its thread, and has it for itself until it has to wait. So that those who live there too have their turns
//! all the same, who has received a few hundred times in one turn and always found something goes behind them once, as by
//! [`yield_`](crate::yield_()); and so does who has called the system a few dozen times for a socket. What takes less is done in one turn.
//! Under a [virtual clock](crate::testing) all of it is, however much.
//!
//! # Examples
//!
//! ```
//! use switchback::prelude::*;
//! use switchback::sync::Semaphore;
//!
//! # fn main() -> Result<()> {
//! let seats = Semaphore::new(2);
//! run_blocking(|s| {
//!     for guest in 1..=3 {
//!         let seats = &seats;
//!         s.launch(move |_| seats.with_permit(|| {
//!             println!("guest {guest} sits");
//!             delay(ms(1))
//!         }));
//!     }
//!     Ok(())
//! })
//! # }
//! ```

// Layer 8: above the scopes, whose way to suspend it uses.
//
// - `wait_list` is the one list of those who wait; `park` leads from it to the suspension.
// - `channel` has a protocol of its own over two such lists.
// - `line` is a state with those who wait at it, which the others are made of. `turn`, `rw_turns`, `permits`, `notices` and
//   `oneshot::core` are their protocols, where these are more than a few lines.
// - `select` waits at several of them at once; its header has the protocol.

mod barrier;
pub mod broadcast;
mod channel;
mod condvar;
mod guard;
mod line;
mod mutex;
mod notices;
mod notify;
mod once_cell;
pub mod oneshot;
mod owned;
mod owned_rw;
mod park;
mod permits;
mod rw_guard;
mod rw_turns;
mod rwlock;
pub(crate) mod select;
mod semaphore;
mod turn;
mod wait_list;
pub mod watch;

pub use barrier::{Barrier, BarrierWaitResult};

pub use channel::{
    Capacity, ChannelBuilder, Closed, ClosedForReceive, ClosedForSend, IntoIter, Iter, Receiver,
    SendError, Sender, TickerMode, TryRecvError, TrySendError, channel, ticker, ticker_with,
};
pub use condvar::Condvar;
pub use guard::MutexGuard;
pub use mutex::Mutex;
pub use notify::Notify;
pub use once_cell::OnceCell;
pub use owned::{OwnedMutexGuard, OwnedPermit};
pub use owned_rw::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
pub use rw_guard::{RwLockReadGuard, RwLockWriteGuard};
pub use rwlock::RwLock;
pub(crate) use select::ask::Answer;
pub use select::{Select, SelectAwait, SelectClause, SelectWaker, select, select_unbiased};
pub use semaphore::{Permit, Semaphore};
