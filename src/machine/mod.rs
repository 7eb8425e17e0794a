//! Labelled state machines: coroutines without a stack.
//!
//! A [`StateMachine`] is what Kotlin's compiler makes of a suspending function: a struct with the locals that live across
//! a suspension, and a function that goes on at a *label*. It needs no stack, so a million of them fit where some
//! thousands of green threads do; and nothing ties it to a thread, so any worker may resume it, which the compiler
//! checks by `Send`. In all else it is a coroutine like the others: it has a [`Job`](crate::Job), a context and a
//! dispatcher, it is cancelled and awaited, and it shows in the dump, with its label.
//!
//! ```
//! use switchback::machine::{Slot, StateMachine, Step, Turn};
//! use switchback::prelude::*;
//!
//! struct FetchUser(u32);
//!
//! impl StateMachine for FetchUser {
//!     type Output = String;
//!
//!     fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<String>> {
//!         match label {
//!             0 => turn.at(1).delay(ms(5)),
//!             _ => turn.woken().map(|()| Step::Return(format!("user {}", self.0))),
//!         }
//!     }
//! }
//!
//! struct Greet {
//!     id: u32,
//!     user: Slot<String>,
//! }
//!
//! impl StateMachine for Greet {
//!     type Output = String;
//!
//!     fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<String>> {
//!         match label {
//!             0 => turn.at(1).call(FetchUser(self.id), |me| &mut me.user),
//!             _ => Ok(Step::Return(format!("hello, {}", self.user.take()?))),
//!         }
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let greeting = run_blocking(|s| s.async_machine(Greet { id: 7, user: Slot::new() }).await_())?;
//! assert_eq!(greeting, "hello, user 7");
//! # Ok(())
//! # }
//! ```
//!
//! # How it runs
//!
//! A resumption calls [`resume`](StateMachine::resume) with the label. The machine works until it must wait, and says
//! then at which label it goes on and what it waits for: `turn.at(label)` and one of the operations of [`At`]. Such an
//! operation does not wait; its answer, returned from `resume`, does. Calling another machine makes the end of that one
//! the resumption of this one. However deep the calls, they are unwound by a loop: no recursion, and no stack that grows.
//!
//! What a wait gives comes into a [`Slot`] of the machine, or, where it gives nothing, from [`Turn::woken`]: also the
//! cancellation, which is a value here as everywhere.

mod at;
mod frame;
mod launch;
mod runner;
mod turn;
mod wait;
mod waits;

pub use at::At;
pub use turn::{Slot, Step, Suspension, Turn};

use crate::error::Result;

/// A coroutine as a struct with its saved locals, resumed at a label.
///
/// See [the module](crate::machine). Launched by [`Scope::launch_machine`](crate::Scope::launch_machine) and
/// [`Scope::async_machine`](crate::Scope::async_machine), or called by another one with [`At::call`].
///
/// What it calls that waits must be one of the operations of [`At`]: a blocking-style suspending call that would have
/// to wait returns an `Err` in a machine, since there is no stack that could wait.
pub trait StateMachine: Sized {
    /// What it ends with.
    type Output;

    /// Goes on at `label`, which is 0 the first time, to the next suspension, or to the end.
    ///
    /// # Cancellation
    ///
    /// A machine whose job is cancelled while it waits is resumed at its label, and finds the cancellation as the `Err` of
    /// what it has waited for. Each further operation gives one as well.
    ///
    /// # Errors
    ///
    /// What the machine fails with, as the `Err` of a coroutine's body: its caller gets it, or its job.
    ///
    /// # Panics
    ///
    /// A panic fails the coroutine, with all machines that are under way in it; no caller can catch it.
    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<Self::Output>>;
}
