//! What each act of a worker takes, in nanoseconds of virtual time.
//!
//! Measured, and rounded, on the two x86-64 cores that the checks run on; `cargo bench --bench simulation -- costs` measures
//! those that a processor or a kernel decides. A machine with 128 cores has memory that is further away and lines that more
//! processors want, which is not simulated; a look and a theft are rounded up for that.

/// To make a coroutine and push it: the `launch` path of `benches/instructions.txt` has 1,040 instructions, with START.
pub const LAUNCH: u64 = 100;
/// To begin and to end a coroutine, on a stack that is at hand.
pub const START: u64 = 200;
/// To resume a coroutine that has started, and to come back: the bench `switches`.
pub const RESUME: u64 = 20;
/// To take the next of one's own queue.
pub const POP: u64 = 10;
/// To take the first of what other threads have launched.
pub const POP_INJECTED: u64 = 25;
/// To look at another worker's words.
pub const LOOK: u64 = 10;
/// To take one from another worker's queue, or to fail to.
pub const STEAL: u64 = 100;
/// To move each further one.
pub const MOVE: u64 = 5;
/// To push to another worker's inbox.
pub const SEND: u64 = 50;
/// To wake a thread that sleeps: the system call.
pub const WAKE: u64 = 5_000;
/// Until it runs: 10 us where nothing else does, and several times that on a processor that is busy or in a deep sleep.
pub const AWAKENING: u64 = 50_000;
/// By how much a thread oversleeps: the kernel's timer slack, and what it takes to run again.
pub const OVERSLEEP: u64 = 60_000;
