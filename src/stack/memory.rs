//! What the stacks have come to, for those who look for where memory went.

use super::store::{STORE, Store};

/// The stacks of the process, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(
    dead_code,
    reason = "for a debugger or a dump, which need not be there"
)]
pub(crate) struct StackMemory {
    /// Address space that is reserved; memory is only what was touched of it.
    pub(crate) reserved_bytes: usize,
    /// Mappings that the address space came in.
    pub(crate) chunks: usize,
    /// Stacks that coroutines run on or that workers keep for their next ones.
    pub(crate) slots_in_use: usize,
    /// Free stacks in the store that may still hold memory.
    pub(crate) slots_warm: usize,
    /// Free stacks in the store whose memory was given back.
    pub(crate) slots_cold: usize,
}

/// Counts the stacks of the process. Takes a lock per class, one after the other, so it is no snapshot.
#[must_use]
#[allow(
    dead_code,
    reason = "for a debugger or a dump, which need not be there"
)]
pub(crate) fn memory() -> StackMemory {
    count(&STORE)
}

/// Counts the stacks of one store.
pub(super) fn count(store: &Store) -> StackMemory {
    store
        .stocks()
        .fold(StackMemory::default(), |sum, stock| StackMemory {
            reserved_bytes: sum.reserved_bytes + stock.region.reserved_bytes,
            chunks: sum.chunks + stock.region.chunks,
            slots_in_use: sum.slots_in_use + stock.region.slots - stock.warm - stock.cold,
            slots_warm: sum.slots_warm + stock.warm,
            slots_cold: sum.slots_cold + stock.cold,
        })
}
