//! What is completed with a short borrow must not be awaited as a long one.
//! expect: E0597

use switchback::prelude::*;

fn complete<'a>(deferred: &CompletableDeferred<&'a str>, text: &'a str) {
    deferred.complete(text);
}

fn main() {
    let deferred: CompletableDeferred<&str> = CompletableDeferred::new();
    #[cfg(ok)]
    let text = String::from("text");
    {
        #[cfg(not(ok))]
        let text = String::from("text");
        complete(&deferred, &text);
    }
    println!("{:?}", deferred.await_().ok());
}
