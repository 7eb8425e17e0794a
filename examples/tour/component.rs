//! A component with a life of its own owns a scope. Its coroutines outlive the calls that launch them, but not the
//! component.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;

use crate::output::row;

struct Mailer {
    scope: CoroutineScope,
    delivered: Arc<AtomicUsize>,
}

impl Mailer {
    fn new() -> Self {
        let context = Dispatchers::io() + SupervisorJob::new() + CoroutineName::new("mailer");
        Self {
            scope: CoroutineScope::new(context),
            delivered: Arc::default(),
        }
    }

    /// Sends a letter, and does not wait for it.
    fn send(&self, address: &'static str, time: u64) -> Deferred<'static, ()> {
        let delivered = Arc::clone(&self.delivered);
        self.scope.async_(move |_| {
            if !address.contains('@') {
                return Err(Error::msg(format!("{address} is not an address")));
            }
            delay(ms(time))?;
            delivered.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    /// Ends everything that is still on its way, and waits for it.
    fn close(self) -> Result<()> {
        self.scope.job().cancel_and_join()
    }
}

pub fn stop() -> Result<()> {
    let mailer = Mailer::new();
    mailer.send("ada@example.org", 5).await_()?;

    // One request fails: that is between it and who awaits it.
    let refused = mailer.send("grace", 5).await_().unwrap_err();
    assert!(mailer.scope.is_active());
    mailer.send("grace@example.org", 5).await_()?;

    let delivered = Arc::clone(&mailer.delivered);
    let slow = mailer.send("kurt@example.org", 10_000).job();
    mailer.close()?;
    assert!(slow.is_cancelled() && slow.is_completed());
    assert_eq!(delivered.load(Ordering::Relaxed), 2);

    row("letters delivered", delivered.load(Ordering::Relaxed));
    row("a bad request", format!("Err: {refused}"));
    row("the mailer after that", "works on");
    row(
        "a letter on its way when the mailer closed",
        "cancelled, waited for",
    );
    Ok(())
}
