//! A further outcome of a body would break inference in programs that do not know of it.
//! expect: E0277

#[cfg(not(ok))]
use switchback::Outcome;
use switchback::prelude::*;

struct Finished;

#[cfg(not(ok))]
impl Outcome for Finished {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

#[cfg(ok)]
impl Finished {
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

fn main() -> Result<()> {
    Finished.into_result()
}
