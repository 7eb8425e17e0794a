//! A scope that could pass for one that lives shorter would take children that borrow too shortly.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

#[cfg(not(ok))]
fn shrink<'long: 'short, 'short, 'env>(
    scope: &'long Scope<'long, 'env>,
) -> &'short Scope<'short, 'env> {
    scope
}

#[cfg(ok)]
fn shrink<'long: 'short, 'short, 'env>(
    scope: &'long Scope<'long, 'env>,
) -> &'short Scope<'long, 'env> {
    scope
}

fn main() -> Result<()> {
    coroutine_scope(|s| {
        shrink(s);
        Ok(())
    })
}
