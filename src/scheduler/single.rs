//! A thread with an event loop of its own, which somebody owns and may shut.
//!
//! One queue for what has started and what has not, first in, first out, as on any loop.

use std::io;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use crate::context::Dispatcher;
use crate::scheduler::gate::LoopGate;
use crate::scheduler::thread;
use crate::scheduler::worker::{OpenLoop, Worker};

/// Starts the thread. `dispatcher` makes the loop's dispatcher.
pub(crate) fn start(
    name: &str,
    dispatcher: impl FnOnce(Arc<LoopGate>) -> Dispatcher + Send + 'static,
) -> io::Result<OpenLoop> {
    let (sender, receiver) = bounded(1);
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || work(dispatcher, &sender))?;
    receiver.recv().map_err(io::Error::other)
}

fn work(dispatcher: impl FnOnce(Arc<LoopGate>) -> Dispatcher, started: &Sender<OpenLoop>) {
    let _alternate = crate::stack::overflow::AltStack::install();
    let home = thread::here().home();
    let worker = Worker::of(home);
    let gate = Arc::new(LoopGate::new(home));
    let open = OpenLoop {
        dispatcher: dispatcher(gate.clone()),
        gate,
    };
    *worker.open.borrow_mut() = Some(open.clone());
    home.local.loops.set(1);
    // Whoever waits for it is there.
    let _ = started.send(open);
    worker.run(|popped| popped.is_null() && worker.is_over());
    *worker.open.borrow_mut() = None;
    home.local.loops.set(0);
}
