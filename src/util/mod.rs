//! Layer 0: small tools that know nothing of the crate.

pub(crate) mod biased;
pub(crate) mod fence;
pub(crate) mod list;
pub(crate) mod lock;
pub(crate) mod prefetch;
pub(crate) mod sync;
