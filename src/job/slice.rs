//! How far a walk over children, or over those who wait for a job, goes in one go.
//!
//! A file of its own, so that the models can let go of the lock after every one.

/// How many a walk visits before it lets others have the lock.
pub(crate) const SLICE: usize = 64;
