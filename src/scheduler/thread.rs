//! A thread and its home.

use std::panic::Location;
use std::ptr::NonNull;

use crate::driver::Driver;
use crate::scheduler::nested;
use crate::scheduler::worker::{self, Worker};
use crate::task::cell::{BARE, allocate_bare};
use crate::task::current;
use crate::task::home::Home;
use crate::task::wait::Here;
use crate::task::{Birth, Task};

/// Who runs on the calling thread. A thread that asks for the first time is given a home.
#[inline(always)]
#[track_caller]
pub(crate) fn here() -> Here {
    let home = match current::home() {
        Some(home) => home,
        None => settle(),
    };
    // SAFETY: the home is this thread's, and has had a current task since it was settled.
    unsafe { Here::of(home) }
}

/// The same, and whether a frame that must not suspend is on this thread's stack.
#[inline(always)]
#[track_caller]
pub(crate) fn here_and_closed() -> (Here, bool) {
    match open_here() {
        Some(here) => (here, false),
        None => (here(), current::is_closed()),
    }
}

/// Who runs on the calling thread, if that has a home and no frame that must not suspend is on its stack.
#[inline(always)]
pub(crate) fn open_here() -> Option<Here> {
    // SAFETY: as in `here`.
    current::open_home().map(|home| unsafe { Here::of(home) })
}

/// Who runs on the calling thread, if it has a home already.
#[inline]
pub(crate) fn here_if_settled() -> Option<Here> {
    // SAFETY: as in `here`.
    current::home().map(|home| unsafe { Here::of(home) })
}

/// Which turn the calling thread is in, whose home that is: another one whenever the loop has resumed somebody since. What is
/// started or resumed in place belongs to the turn of whoever does it.
#[inline(always)]
pub(crate) fn turn(home: &'static Home) -> u32 {
    Worker::of(home).pace.turn()
}

#[cold]
fn settle() -> &'static Home {
    let home = Home::obtain();
    let task = bare_task(home);
    let loop_task = bare_task(home);
    // SAFETY: just made.
    unsafe { loop_task.as_ref() }.word.close();
    home.local.loop_task.set(loop_task.as_ptr());
    home.local.thread_task.set(task.as_ptr());
    home.local.current.set(task.as_ptr());
    home.local.pump.set(Some(worker::pump));
    home.local.nest.set(Some(nested::resume_unconfined));
    home.local
        .driver
        .set(Box::into_raw(Box::new(Driver::new())).cast_const().cast());
    home.local.worker.set(
        Box::into_raw(Box::new(Worker::new(home)))
            .cast_const()
            .cast(),
    );
    // A thread that runs its last destructors cannot be told of its end any more: what it is given here is leaked.
    current::settle(home, leave);
    home
}

/// A task without a body, living on `home`.
fn bare_task(home: &'static Home) -> NonNull<Task> {
    let task = allocate_bare(Birth {
        kind: crate::job::state::STARTED,
        refs: 1,
        owner: std::ptr::null(),
        vtable: &BARE,
        id: home.next_id(),
        place: Location::caller(),
    });
    // SAFETY: just allocated.
    unsafe { task.as_ref() }.set_home(home, false);
    task
}

/// Whether it is the process that ends, and not just this thread: `exit` runs the last destructors of the thread that calls it,
/// on top of whatever runs there.
fn process_ends(home: &Home) -> bool {
    let local = &home.local;
    let own = local.thread_task.get();
    // SAFETY: the thread's own task is released by `leave` alone.
    let is_in_scope = unsafe { own.as_ref() }.is_some_and(|own| !own.current().is_null());
    // SAFETY: they touch no memory.
    let is_main = unsafe { libc::gettid() == libc::getpid() };
    is_in_scope || local.turning.get() || !std::ptr::eq(local.current.get(), own) || is_main
}

/// Runs when the thread ends: gives back what `settle` took.
fn leave(home: &'static Home) {
    if process_ends(home) {
        // Nothing that lives here goes on, and its stacks stay.
        return;
    }
    let hosted = home.hosted.load(std::sync::atomic::Ordering::Relaxed);
    let closed = match &*Worker::of(home).open.borrow() {
        // Of an event loop that its host has forgotten.
        Some(open) => home.local.ready.is_empty() && open.gate.close(),
        None => home.local.ready.is_empty(),
    };
    if hosted > 0 || !closed {
        // R3: the stacks of started coroutines must not outlive their thread.
        crate::task::report::tell(format_args!(
            "the thread {:?} ended while {hosted} coroutines lived on it; an EventLoop that hosts coroutines must be \
             dropped, not forgotten",
            std::thread::current().name().unwrap_or("without a name")
        ));
        std::process::abort();
    }
    let worker = home.local.worker.get().cast::<Worker>().cast_mut();
    let driver = home.local.driver.get().cast::<Driver>().cast_mut();
    let tasks = [&home.local.thread_task, &home.local.loop_task].map(|task| task.get().cast_mut());
    home.give_back();
    // SAFETY: made in `settle`; this thread's last use.
    drop(unsafe { Box::from_raw(worker) });
    // SAFETY: as above.
    drop(unsafe { Box::from_raw(driver) });
    for task in tasks.into_iter().filter_map(NonNull::new) {
        crate::task::release(task);
    }
}
