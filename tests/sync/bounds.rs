//! The table of `Send` and `Sync`: what must hold. What must not is in `tests/compile_fail`.

use std::cell::Cell;

use switchback::sync::{
    ChannelBuilder, Closed, IntoIter, Iter, Mutex, MutexGuard, Permit, Receiver, SelectWaker,
    Semaphore, SendError, Sender, TryRecvError, TrySendError,
};

fn send<T: Send>() {}
fn sync<T: Sync + ?Sized>() {}

/// `Send`, and not `Sync`.
type Movable = Cell<u8>;

#[test]
fn what_may_be_sent_and_shared_can_be() {
    // An end moves elements and never lends one: `Send` elements are enough for both.
    send::<Sender<Movable>>();
    sync::<Sender<Movable>>();
    send::<Receiver<Movable>>();
    sync::<Receiver<Movable>>();
    send::<Iter<'_, Movable>>();
    send::<IntoIter<Movable>>();
    send::<ChannelBuilder<Movable>>();
    // A lock lends to one at a time.
    send::<Mutex<Movable>>();
    sync::<Mutex<Movable>>();
    sync::<Mutex<dyn Send>>();
    sync::<MutexGuard<'_, u8>>();
    send::<Semaphore>();
    sync::<Semaphore>();
    send::<Permit<'_>>();
    sync::<Permit<'_>>();
    // A waker goes to whoever makes the event happen.
    send::<SelectWaker>();
    sync::<SelectWaker>();
    // Errors are as their values are.
    send::<SendError<Movable>>();
    send::<TrySendError<Movable>>();
    sync::<SendError<u8>>();
    send::<TryRecvError>();
    sync::<Closed>();
}
