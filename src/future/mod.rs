//! The bridge to `async` code: futures inside coroutines, and coroutines inside futures.
//!
//! - [`block_on`] waits for a future in blocking style, in a coroutine or on a plain thread.
//! - [`Scope::launch_future`](crate::Scope::launch_future) and [`Scope::async_future`](crate::Scope::async_future) make a
//!   coroutine of a future: a state machine written by the compiler, without a stack.
//! - [`Job`](crate::Job) and [`Deferred`](crate::Deferred) can be awaited by `async` code of any runtime.
//!
//! A future that needs a runtime of its own, as a socket of tokio's does, must find it: keep a guard of
//! `Handle::enter`, or run that runtime on threads of its own.

#![forbid(unsafe_code)]

mod block_on;
mod joining;
mod launch;

pub use block_on::block_on;
pub use joining::{DeferredFuture, JobFuture};
