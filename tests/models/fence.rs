//! The two halves of the asymmetric fence, both full ones here.

pub(crate) use crate::util::sync::{full_fence as heavy, full_fence as light};

pub(crate) fn is_available() -> bool {
    true
}
