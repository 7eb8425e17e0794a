//! The tools of coordination, through the public API.
//!
//! - [`channel`]: order, capacities, errors; [`ending`]: closing; [`cancelling`]: those who wait at one.
//! - [`mutex`] and [`semaphore`]: turns, hand-over, cancellation in every state, threads.

mod cancelling;
mod channel;
mod ending;
mod mutex;
mod semaphore;
mod support;
