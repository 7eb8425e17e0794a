//! Kotlin's coroutines for plain, blocking-style Rust: no `async`, no `await`, no colour.
//!
//! ```
//! use switchback::prelude::*;
//!
//! fn compute_sum() -> Result<i32> {
//!     coroutine_scope(|s| {
//!         let a = s.async_(|_| { delay(ms(5))?; Ok(3) });
//!         let b = s.async_(|_| { delay(ms(5))?; Ok(4) });
//!         Ok(a.await_()? + b.await_()?)
//!     })
//! }
//!
//! fn main() -> Result<()> {
//!     let greeting = String::from("hello");
//!     run_blocking(|s| {
//!         let job = s.launch(|s| {
//!             s.launch(|_| println!("{greeting}, grandchild"));
//!             delay(ms(10))
//!         });
//!         job.join()?;
//!         println!("{}", compute_sum()?);
//!         Ok(())
//!     })
//! }
//! ```

//! # Where to look
//!
//! - Start: [`run_blocking`], [`coroutine_scope`], [`Scope::launch`], [`Scope::async_`].
//! - Wait: [`delay`], [`Job::join`], [`Deferred::await_`], [`with_timeout`].
//! - Talk to the world: [`net`], [`io`], [`process`], [`signal`], [`time`].
//! - Coordinate: [`sync`], with channels of several kinds, locks, semaphores and notices.
//! - Move: [`with_context`], [`Dispatchers`], [`CoroutineContext`].
//! - Own: [`CoroutineScope`], [`SupervisorJob`], [`GlobalScope`].
//! - Bridge: [`suspend_coroutine`], [`suspend_cancellable_coroutine`], [`Continuation`],
//!   [`start_coroutine`], [`create_coroutine`].
//!
//! - Compute step by step: [`sequence()`], [`iterator()`].
//! - Do without a stack: [`machine`], labelled state machines; [`future`], the bridge to `async` code.
//! - Drive: [`EventLoop`], for programs that have a main loop already.
//! - Test: [`testing::run_test`], on a virtual clock.
//! - Coming from Kotlin: [the table of names and differences](coming_from_kotlin).
//!
//! # What holds
//!
//! - A started coroutine never changes its thread: what is not `Send` may live across a suspension.
//! - A scope cannot be left before everything launched in it has ended, so children may borrow.
//! - Cancellation is a value: every suspending call of a cancelled coroutine returns an `Err`, again and again.
//! - Every suspending call works on a plain thread too, and parks it.
//!
//! # Limits
//!
//! A crate whose own unsafe code keeps pointers into the stack in a thread-local (`scoped-tls`, interpreter guards) must
//! not be suspended inside. A lock of `std` held across a suspension can deadlock its worker. A coroutine that does not
//! yield stalls what lives on its thread. Two coroutines on different threads talk at the price of a thread's wake-up.
//!
//! An [`EventLoop`], or the iterator of a [sequence], that is itself kept in a thread-local ends when the thread's locals
//! are destroyed, in no particular order: what is suspended in it must not stand inside the `with` of another thread-local.

#![warn(missing_docs)]

mod util;

mod context;
mod error;
mod stack;

mod coroutine;
mod job;

mod continuation;
mod task;

mod driver;

mod scheduler;

mod dispatchers;

mod scope;

pub mod machine;

pub mod future;

pub mod net;

pub mod io;

pub mod process;

pub mod signal;

pub mod time;

mod sequence;

pub mod sync;

pub mod testing;

pub mod prelude;

#[doc = include_str!("guide/coming_from_kotlin.md")]
pub mod coming_from_kotlin {}

pub use context::{
    CoroutineContext, CoroutineExceptionHandler, CoroutineName, Dispatcher, Element, StackBytes,
    ThreadContextElement, ThreadLocalElement,
};
pub use continuation::Continuation;
pub use dispatchers::{
    CloseableDispatcher, Dispatchers, new_fixed_thread_pool_context, new_single_thread_context,
};
pub use error::{AsStdError, Cancelled, Error, Panicked, Result, TimedOut};
pub use scope::all::{Awaitable, await_all, join_all};
pub use scope::body::Outcome;
pub use scope::builder::{Builder, CoroutineStart, OwnedBuilder};
pub use scope::by_hand::{CompletableJob, SupervisorJob};
pub use scope::completable::CompletableDeferred;
pub use scope::completion::CompletionHandle;
pub use scope::deferred::Deferred;
pub use scope::event_loop::{EventLoop, EventLoopHandle, event_loop};
pub use scope::functions::{coroutine_scope, non_cancellable, supervisor_scope};
pub use scope::hop::with_context;
pub use scope::job::Job;
pub use scope::job_context::JobContext;
pub use scope::owned::{CoroutineScope, GlobalScope};
pub use scope::raw::{
    CreatedCoroutine, create_coroutine, create_coroutine_local, start_coroutine,
    start_coroutine_local,
};
pub use scope::run_blocking::{run_blocking, run_blocking_with};
pub use scope::scope::Scope;
pub use scope::suspend::{
    await_cancellation, blocking, current_context, current_coroutine, current_job, delay,
    ensure_active, is_active, suspend_cancellable_coroutine, suspend_coroutine, yield_,
};
pub use scope::timeout::{with_timeout, with_timeout_or_none};
pub use sequence::{
    Sequence, SequenceIterator, SequenceResults, SequenceScope, iterator, sequence,
};
pub use task::report::set_message_hook;

/// So many milliseconds, for the many places that want some.
///
/// # Examples
///
/// ```
/// assert_eq!(switchback::ms(1500).as_secs_f64(), 1.5);
/// ```
#[must_use]
pub const fn ms(milliseconds: u64) -> std::time::Duration {
    std::time::Duration::from_millis(milliseconds)
}

/// The examples of the README run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadMe;
