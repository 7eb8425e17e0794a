//! A guard lends its value for writing: a guard of a long-lived borrow must not take a short-lived one in.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;
use switchback::sync::MutexGuard;

#[cfg(not(ok))]
fn weaken<'a, 'short>(guard: MutexGuard<'a, &'static str>) -> MutexGuard<'a, &'short str> {
    guard
}

#[cfg(ok)]
fn weaken<'a>(guard: MutexGuard<'a, &'static str>) -> MutexGuard<'a, &'static str> {
    guard
}

fn main() -> Result<()> {
    let lock = Mutex::new("text");
    println!("{}", weaken(lock.lock()?));
    Ok(())
}
