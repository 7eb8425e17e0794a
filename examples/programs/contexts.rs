//! Program 6. The context at three depths: inherited, with a dispatcher replaced, with a name replaced.
//!
//! In Kotlin: `runBlocking(CoroutineName("main")) { println(coroutineContext); launch { .. }; launch(Dispatchers.IO +
//! CoroutineName("loader")) { launch { .. } } }`.

use switchback::prelude::*;
use switchback::{current_context, run_blocking_with};

use super::log::{Log, say};

pub fn run() -> Result<Log> {
    let log = Log::new();
    run_blocking_with(CoroutineName::new("main"), |s| {
        say!(log, "main        {:?}", current_context());
        let inherits = s.launch(|s| {
            say!(log, "  child     {:?}", current_context());
            s.launch(|_| say!(log, "    its own {:?}", current_context()));
        });
        inherits.join()?;

        let context = Dispatchers::io() + CoroutineName::new("loader");
        let replaces = s.builder().context(context).launch(|s| {
            say!(log, "  loader    {:?}", current_context());
            let renamed = s.builder().name("parser").launch(|_| {
                say!(log, "    parser  {:?}", current_context());
            });
            renamed.join()?;
            with_context(Dispatchers::default(), |_| {
                say!(log, "    moved   {:?}", current_context());
                Ok(())
            })
        });
        replaces.join()?;
        say!(log, "main        {:?}", current_context());
        Ok(())
    })?;

    // Of two elements of one kind the right one wins.
    let sum = Dispatchers::io() + CoroutineName::new("left") + CoroutineName::new("right");
    say!(log, "left + right: {sum:?}");
    let minus = sum.minus::<CoroutineName>();
    say!(log, "without a name: {minus:?}");

    log.assert(&[
        "main        [CoroutineName(main), EventLoop]",
        "  child     [CoroutineName(main), EventLoop]",
        "    its own [CoroutineName(main), EventLoop]",
        "  loader    [CoroutineName(loader), Dispatchers.IO]",
        "    parser  [CoroutineName(parser), Dispatchers.IO]",
        "    moved   [CoroutineName(loader), Dispatchers.Default]",
        "main        [CoroutineName(main), EventLoop]",
        "left + right: [CoroutineName(right), Dispatchers.IO]",
        "without a name: [Dispatchers.IO]",
    ]);
    Ok(log)
}
