//! Layer 2: the lifecycle of a job and the tree that jobs form. Nothing here suspends, schedules or runs user code.
//!
//! - [`node`] is a job: its state, its cause, its place in the tree.
//! - [`children`] is the protocol of the child list: attach, cancel, detach.
//! - [`joiner`] is the list of those who wait for a job to complete.

pub(crate) mod children;
pub(crate) mod joiner;
pub(crate) mod node;
mod slice;
pub(crate) mod state;
