//! The table of `Send` and `Sync`: what must hold. What must not is in `tests/compile_fail`.

use std::cell::Cell;

use switchback::sync::{
    Barrier, ChannelBuilder, Closed, Condvar, IntoIter, Iter, Mutex, MutexGuard, Notify, OnceCell,
    OwnedMutexGuard, OwnedPermit, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, Permit, Receiver,
    RwLock, RwLockReadGuard, RwLockWriteGuard, SelectWaker, Semaphore, SendError, Sender,
    TryRecvError, TrySendError, broadcast, oneshot, watch,
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
    send::<OwnedMutexGuard<Movable>>();
    sync::<OwnedMutexGuard<u8>>();
    send::<OwnedPermit>();
    sync::<OwnedPermit>();
    send::<RwLock<Movable>>();
    sync::<RwLock<u8>>();
    sync::<RwLockReadGuard<'_, u8>>();
    sync::<RwLockWriteGuard<'_, u8>>();
    send::<OwnedRwLockReadGuard<u8>>();
    sync::<OwnedRwLockReadGuard<u8>>();
    send::<OwnedRwLockWriteGuard<u8>>();
    sync::<OwnedRwLockWriteGuard<u8>>();
    send::<OnceCell<Movable>>();
    sync::<OnceCell<u8>>();
    send::<Condvar>();
    sync::<Condvar>();
    send::<Notify>();
    sync::<Notify>();
    send::<Barrier>();
    sync::<Barrier>();
    // One value is moved; what everybody sees is shared.
    send::<oneshot::Sender<Movable>>();
    sync::<oneshot::Receiver<Movable>>();
    send::<broadcast::Sender<u8>>();
    sync::<broadcast::Receiver<u8>>();
    send::<watch::Sender<u8>>();
    sync::<watch::Receiver<u8>>();
    send::<watch::Ref<u8>>();
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
