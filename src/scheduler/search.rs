//! What an idle worker of the CPU pool gives to the [`policy`], which decides how it finds work.

use std::sync::atomic::{Ordering, fence};

use crate::driver::Driver;
use crate::scheduler::Fresh;
use crate::scheduler::member::Member;
use crate::scheduler::policy::{self, Idler};
use crate::scheduler::pool::Pool;
use crate::scheduler::worker::Worker;

/// By how much the system may prolong a sleep of a worker, in nanoseconds. Its default is 50 us, which would double the
/// patience of one that searches.
const PROLONGED: libc::c_ulong = 1;

/// A worker that has a seat in a pool, and nothing to do.
struct Idle<'w> {
    worker: &'w Worker,
    member: &'w Member,
}

/// Demands that the sleeps of the calling thread, a worker, end when they should.
pub(super) fn sleep_exactly() {
    // SAFETY: a system call that takes a number. Where it fails, sleeps last as long as they did.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, PROLONGED) };
}

impl Worker {
    /// Searches for work, or sleeps until there is some. True if the loop should look again.
    pub(super) fn search(&self) -> bool {
        let Some(member) = self.member() else {
            return false;
        };
        policy::search(&Idle {
            worker: self,
            member,
        });
        true
    }
}

impl Idler for Idle<'_> {
    type Queues = Member;

    fn with_queues<R>(&self, look: impl FnOnce(&Member) -> R) -> R {
        look(self.member)
    }

    fn floor(&self) -> &Pool {
        self.member.pool
    }

    fn place(&self, work: Fresh) {
        self.worker.place(work);
    }

    fn poll(&self) {
        Driver::of(self.worker.home()).poll_reactor();
    }

    fn has_ready(&self) -> bool {
        self.worker.home().has_ready()
    }

    fn enter_idle(&self) {
        // ORDERING: before the look at the queues; pairs with the fence of `dispatch`.
        self.member.pool.idle.fetch_add(1, Ordering::SeqCst);
    }

    fn leave_idle(&self) {
        self.member.pool.idle.fetch_sub(1, Ordering::SeqCst);
    }

    fn enter_search(&self, most: u32) -> bool {
        let enter = |searching| (searching < most).then_some(searching + 1);
        let searching = &self.member.pool.searching;
        // ORDERING: seq-cst, in one order with `leave_search`. Who does not enter has seen somebody who searches, and who
        // will look at the queues after that.
        let entered = searching.fetch_update(Ordering::SeqCst, Ordering::SeqCst, enter);
        entered.is_ok()
    }

    fn leave_search(&self) {
        self.member.pool.searching.fetch_sub(1, Ordering::SeqCst);
        // ORDERING: that comes before the next look at the queues; pairs with the fence of `dispatch`, so that either
        // this worker sees what was pushed or the pusher sees that nobody searches.
        fence(Ordering::SeqCst);
    }

    fn nap(&self, nanos: u64) {
        let until = Driver::of(self.worker.home()).clock.now() + nanos;
        self.worker.sleep(Some(until));
    }

    fn sleep_unless(&self, wanted: impl FnOnce() -> bool) {
        self.worker.sleep_unless(None, wanted);
    }
}
