//! A function that is lent a scope launches a child that borrows the function's own local. Were `Scope` covariant, the
//! compiler would shorten the scope's life to that of the local, and the child would read a dead stack frame.
//! expect: E0597

use switchback::prelude::*;

fn helper<'scope>(scope: &'scope Scope<'scope, '_>, text: &'scope str) {
    #[cfg(not(ok))]
    let text = String::from(text);
    #[cfg(not(ok))]
    let text = text.as_str();
    scope.launch(move |_| println!("{text}"));
}

fn main() -> Result<()> {
    let text = String::from("text");
    coroutine_scope(|s| {
        helper(s, &text);
        Ok(())
    })
}
