//! How does a coroutine suspend on another architecture? For asm-notes/aarch64.md.

use switchback::prelude::*;

/// The loop of benches/instructions.rs.
#[inline(never)]
pub fn yield_in_a_loop(rounds: u64) -> Result<()> {
    for _ in 0..rounds {
        yield_()?;
    }
    Ok(())
}
