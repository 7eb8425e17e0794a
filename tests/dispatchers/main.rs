//! Where and when coroutines run: start modes, views, threads of one's own, the unconfined dispatcher, host loops.

mod closing;
mod event_loops;
mod limited;
mod local;
mod starting;
mod unconfined;

use std::sync::{Arc, Mutex};

/// What happened, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

fn thread_name() -> String {
    std::thread::current().name().unwrap_or("?").to_owned()
}
