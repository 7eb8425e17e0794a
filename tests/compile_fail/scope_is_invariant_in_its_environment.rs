//! What a scope may borrow from cannot be exchanged for something that lives shorter.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

#[cfg(not(ok))]
fn exchange<'scope, 'long, 'short: 'scope>(
    scope: &'scope Scope<'scope, 'long>,
) -> &'scope Scope<'scope, 'short>
where
    'long: 'short,
{
    scope
}

#[cfg(ok)]
fn exchange<'scope, 'long>(scope: &'scope Scope<'scope, 'long>) -> &'scope Scope<'scope, 'long> {
    scope
}

fn main() -> Result<()> {
    coroutine_scope(|s| {
        exchange(s);
        Ok(())
    })
}
