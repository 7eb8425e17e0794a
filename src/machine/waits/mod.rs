//! The things that a machine can wait for.

pub(super) mod delay;
pub(super) mod future;
pub(super) mod join;
pub(super) mod select;
pub(super) mod suspend;
pub(super) mod yielding;
