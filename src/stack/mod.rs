//! Layer 1: memory for the stacks of coroutines. Nothing here knows what runs on them.
//!
//! ```text
//! [ guard | ... unused ... | frames grow down | whatever the user puts at the top | colour ]
//! ^ limit()                                                                       ^ top()  ^ end of the slot
//! ```
//!
//! A [`Stack`] is one *slot* of a *chunk*, and comes by this way:
//!
//! ```text
//! region: reserves chunks, cuts slots, each with a guard
//!   -> store: free stacks of the process, under a lock per class
//!     -> cache: free stacks of one worker, the hottest first
//!       -> coroutine, and back to the cache when it has ended
//! ```
//!
//! Memory is given back to the kernel neither when a coroutine ends nor at every sleep, but where it was idle for a
//! while, in batches. [`overflow`] tells which coroutine hit its guard.

mod advice;
mod alt_stack;
mod cache;
mod chunks;
mod error;
mod guard;
mod memory;
mod message;
pub(crate) mod overflow;
mod region;
mod size;
mod slot;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use cache::StackCache;
#[allow(unused_imports, reason = "named by whoever tells the reasons apart")]
pub(crate) use error::StackError;
#[allow(
    unused_imports,
    reason = "for a debugger or a dump, which need not be there"
)]
pub(crate) use memory::{StackMemory, memory};
pub(crate) use size::StackSize;
pub(crate) use slot::Stack;
