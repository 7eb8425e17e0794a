//! Layer 7: scopes and builders, where the job tree meets the scheduler.
//!
//! - [`scope`] is the borrowing scope that every body is given; [`owned`] the one that components own, under a job made
//!   [`by_hand`], from a [`job_context`].
//! - [`launch`] makes a coroutine and runs its body; [`builder`] is the long form.
//! - [`frame`] is a scope whose body runs in the caller's frame: `coroutine_scope` and its kin in [`functions`],
//!   [`timeout`], and [`run_blocking`].
//! - [`event_loop`] is a loop that a host drives; [`local`] launches on the calling thread what is not `Send`.
//! - [`raw`] starts what belongs to no scope and has a completion.
//! - [`hop`] runs a block on another dispatcher.
//! - [`job`] and [`deferred`] are the handles, [`completable`] a value without a coroutine, [`all`] waits for many;
//!   [`completion`] has the handlers; [`dump`] prints the tree.
//! - [`suspend`] has the suspending functions that need nothing else.

pub(crate) mod all;
pub(crate) mod body;
pub(crate) mod builder;
pub(crate) mod by_hand;
pub(crate) mod completable;
pub(crate) mod completion;
pub(crate) mod deferred;
pub(crate) mod dump;
pub(crate) mod event_loop;
pub(crate) mod frame;
pub(crate) mod functions;
mod gather;
pub(crate) mod hop;
pub(crate) mod job;
pub(crate) mod job_context;
pub(crate) mod launch;
pub(crate) mod local;
pub(crate) mod owned;
pub(crate) mod raw;
pub(crate) mod run_blocking;
#[allow(clippy::module_inception)]
pub(crate) mod scope;
pub(crate) mod suspend;
pub(crate) mod timeout;
pub(crate) mod verdict;
