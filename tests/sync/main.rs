//! The tools of coordination, through the public API.
//!
//! - [`mutex`] and [`semaphore`]: turns, hand-over, cancellation in every state, threads.

mod mutex;
mod semaphore;
mod support;
