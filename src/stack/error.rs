//! Why there is no stack to be had.

use std::fmt;
use std::io;

/// Why a stack could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum StackError {
    /// The kernel refused address space or page tables.
    OutOfMemory {
        /// The size of the stack that was wanted.
        stack_bytes: usize,
        /// The system's error number.
        errno: i32,
    },
    /// The kernel has guards only at the price of mappings, and those set aside for stacks are used up.
    LimitReached {
        /// How many stacks there may be.
        limit: usize,
        /// The process's limit of mappings.
        map_count: usize,
    },
    /// Memory came in pieces so small that the table of chunks is full.
    TooManyChunks {
        /// How many chunks there may be.
        limit: usize,
    },
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { stack_bytes, errno } => write!(
                f,
                "no memory for a coroutine's stack of {} KiB: {}; let fewer coroutines run at a time, ask for smaller \
                 stacks, or raise the limit of address space (`ulimit -v`) or of committed memory \
                 (vm.overcommit_memory)",
                stack_bytes >> 10,
                io::Error::from_raw_os_error(*errno)
            ),
            Self::LimitReached { limit, map_count } => write!(
                f,
                "all {limit} stacks that the limit of mappings allows are in use: this kernel lacks \
                 MADV_GUARD_INSTALL (Linux 6.13), so that each stack's guard page takes two of the process's \
                 {map_count} mappings; let fewer coroutines run at a time, or raise the sysctl vm.max_map_count"
            ),
            Self::TooManyChunks { limit } => write!(
                f,
                "the memory for coroutines' stacks is in {limit} pieces, which is the most: address space is scarce; \
                 raise its limit (`ulimit -v`), or let fewer coroutines run at a time"
            ),
        }
    }
}

impl std::error::Error for StackError {}
