//! How far a walk over children goes in one go.
//!
//! A file of its own, so that the models can let go of the lock after every child.

/// How many children a walk visits before it lets others have the lock.
pub(crate) const SLICE: usize = 64;
