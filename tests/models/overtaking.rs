//! A lock between threads: summons against those who go first, and against cancellation.
//!
//! [`Wanting`] follows `sync/mutex.rs`. The clock stands still, so nobody waits too long.

use loom::thread;

use crate::block::{Block, cancel, demand_not_sent, hand_back, park, release};
use crate::check;
use crate::sync::turn::{self, Claimant, Found, Ticket, Turns, Worker};
use crate::sync::wait_list::Node;
use crate::task::word::{Generation, Woken};
use crate::yard::Kept;

type Lock = Kept<Turns<Block, u32>>;

fn lock() -> Lock {
    Kept::new(turn::free())
}

fn now() -> u64 {
    1
}

/// Somebody of a thread of its own. What is noted of a holder is the same number.
fn claimant(me: u32) -> Claimant<u32> {
    Claimant {
        holder: me,
        worker: Worker(me as usize),
    }
}

fn take(lock: Lock, me: u32) -> bool {
    lock.lock().take(claimant(me))
}

/// G: gives the lock up, on its own thread.
fn give_up(lock: Lock, me: u32) {
    give_up_at(lock, me, now(), false);
}

/// G: the same, having held it within one turn of its thread.
fn give_up_briefly(lock: Lock, me: u32) {
    give_up_at(lock, me, now(), true);
}

fn give_up_at(lock: Lock, me: u32, now: u64, is_brief: bool) {
    let next = lock
        .lock()
        .give_up(|| is_brief, || Worker(me as usize), || now);
    hand_back(next.map(Kept::at).as_slice());
}

/// A lock that one of thread 1 has, for which a second one of that thread waits; both have waited for one of thread 2.
fn shared() -> (Lock, Kept<Block>, Wanting) {
    let lock = lock();
    assert!(take(lock, 2));
    let (first, second) = (Block::coroutine(1), Block::coroutine(1));
    let holding = Wanting::begin(first, lock, 1).expect("it is held");
    let waiting = Wanting::begin(second, lock, 1).expect("it is held");
    give_up(lock, 2);
    assert!(holding.park());
    end(first);
    (lock, second, waiting)
}

/// At the end: nobody has it, and it goes.
fn demand_free(lock: Lock) {
    assert_eq!(lock.lock().holder(), None);
    assert!(take(lock, 99), "somebody is waited for");
    lock.free();
}

/// A wait for the lock, linked and published.
struct Wanting {
    task: Kept<Block>,
    lock: Lock,
    me: u32,
    node: Kept<Node<Block, Ticket<u32>>>,
    generation: Generation,
}

impl Wanting {
    /// Takes the lock if it may (`None` then); else begins to wait.
    fn begin(task: Kept<Block>, lock: Lock, me: u32) -> Option<Self> {
        let held = lock.lock();
        if held.take(claimant(me)) {
            return None;
        }
        let ticket = held.ticket(claimant(me), now);
        let generation = task.word.next();
        let node = Kept::new(Node::new(task.as_ptr(), ticket));
        // SAFETY: the node stands until `park` has freed it.
        unsafe {
            held.queue_up(&node, claimant(me).worker, generation, || {
                task.word.publish(generation, true);
            });
        }
        Some(Self {
            task,
            lock,
            me,
            node,
            generation,
        })
    }

    /// Waits for the lock. True if it has it now.
    fn park(mut self) -> bool {
        let has_it = self.wait();
        self.node.free();
        if has_it && self.task.is_cancelling() {
            give_up(self.lock, self.me);
            return false;
        }
        has_it
    }

    fn wait(&mut self) -> bool {
        loop {
            let parked = park(self.task, self.generation, true, || {
                // SAFETY: linked by `begin`, or below.
                unsafe { self.lock.lock().leave(&self.node) };
            });
            if parked.woken == Woken::Cancelled {
                return false;
            }
            // SAFETY: handed back, so the node is idle.
            if unsafe { self.node.with_slot(|ticket| ticket.has_turn) } {
                return true;
            }
            let held = self.lock.lock();
            let Found::Taken(ticket) = held.come() else {
                return true;
            };
            // SAFETY: as above.
            unsafe { self.node.with_slot(|slot| *slot = ticket) };
            let (task, generation) = (self.task, self.task.word.next());
            self.generation = generation;
            // SAFETY: as for the first time.
            unsafe {
                held.wait_first(&self.node, generation, || {
                    task.word.publish(generation, true);
                });
            }
        }
    }
}

fn enter(task: Kept<Block>, lock: Lock, me: u32) -> bool {
    Wanting::begin(task, lock, me).is_none_or(Wanting::park)
}

fn end(task: Kept<Block>) {
    demand_not_sent(task);
    release(task);
}

/// Three threads, each with the lock once, one of them waiting already: whoever goes first.
#[test]
fn overtaking_excludes_and_forgets_nobody() {
    check(|| {
        let lock = lock();
        let inside = Kept::new(crate::util::sync::Shared::new(0));
        // SAFETY: nobody else is inside; loom checks what that is worth.
        let add = move || inside.with_mut(|count| unsafe { *count += 1 });
        assert!(take(lock, 1));
        let task = Block::coroutine(1);
        let waiting = Wanting::begin(task, lock, 2).expect("it is held");
        let giver = thread::spawn(move || {
            give_up(lock, 1);
            let task = Block::coroutine(1);
            assert!(enter(task, lock, 1));
            add();
            give_up(lock, 1);
            end(task);
        });
        assert!(waiting.park());
        add();
        give_up(lock, 2);
        giver.join().unwrap();
        // SAFETY: both have ended.
        assert_eq!(inside.with(|count| unsafe { *count }), 2);
        inside.free();
        end(task);
        demand_free(lock);
    });
}

/// Summoned or handed over, cancelled or not: the lock is free in the end.
#[test]
fn overtaking_a_summons_meets_a_cancel() {
    check(|| {
        let lock = lock();
        assert!(take(lock, 1));
        let task = Block::coroutine(2);
        let waiting = Wanting::begin(task, lock, 2).expect("it is held");
        let giver = thread::spawn(move || {
            give_up(lock, 1);
            if take(lock, 1) {
                give_up(lock, 1);
            }
        });
        let canceller = thread::spawn(move || {
            cancel(task);
            release(task);
        });
        if waiting.park() {
            give_up(lock, 2);
        }
        giver.join().unwrap();
        canceller.join().unwrap();
        end(task);
        demand_free(lock);
    });
}

/// The first is cancelled, summoned or not: the next comes in.
#[test]
fn overtaking_the_next_comes_in_whatever_the_first_has_met() {
    check(|| {
        let lock = lock();
        assert!(take(lock, 1));
        let (leaves, stays) = (Block::coroutine(2), Block::coroutine(1));
        let leaving = Wanting::begin(leaves, lock, 2).expect("it is held");
        let staying = Wanting::begin(stays, lock, 3).expect("it is held");
        let giver = thread::spawn(move || give_up(lock, 1));
        let canceller = thread::spawn(move || {
            cancel(leaves);
            release(leaves);
        });
        if leaving.park() {
            give_up(lock, 2);
        }
        assert!(staying.park());
        give_up(lock, 3);
        giver.join().unwrap();
        canceller.join().unwrap();
        end(leaves);
        end(stays);
        demand_free(lock);
    });
}

/// One who waits is passed until it has waited too long; then the lock is kept for it.
#[test]
fn overtaking_comes_to_an_end() {
    check(|| {
        let lock = lock();
        assert!(take(lock, 1));
        let task = Block::coroutine(1);
        let waiting = Wanting::begin(task, lock, 2).expect("it is held");
        give_up(lock, 1);
        let mut passes = 0;
        loop {
            assert!(!take(lock, 2), "its own thread does not pass it");
            if !take(lock, 1) {
                break;
            }
            passes += 1;
            assert!(passes < 100, "nobody looks at the clock");
            // It stands still for the first few.
            give_up_at(lock, 1, if passes < 3 { now() } else { 2_000_000 }, false);
        }
        assert!(passes >= 3);
        assert_eq!(lock.lock().holder(), Some(2), "kept");
        assert!(waiting.park());
        give_up(lock, 2);
        end(task);
        demand_free(lock);
    });
}

/// One who came in vain waits in front of those who came later.
#[test]
fn overtaking_keeps_the_place_of_one_who_came_in_vain() {
    check(|| {
        let lock = lock();
        assert!(take(lock, 1));
        let (first, second) = (Block::coroutine(1), Block::coroutine(1));
        let mut waiting = Wanting::begin(first, lock, 2).expect("it is held");
        let behind = Wanting::begin(second, lock, 2).expect("it is held");
        give_up(lock, 1);
        assert!(take(lock, 1));
        let helper = thread::spawn(move || {
            give_up(lock, 1);
            if take(lock, 1) {
                give_up(lock, 1);
            }
        });
        assert!(waiting.wait());
        assert_eq!(lock.lock().holder(), Some(2));
        waiting.node.free();
        helper.join().unwrap();
        give_up(lock, 2);
        assert!(behind.park());
        give_up(lock, 2);
        end(first);
        end(second);
        demand_free(lock);
    });
}

/// As the first, but the one who waits is of the giver's own thread, and a third comes from another one.
#[test]
fn overtaking_on_one_thread_excludes_and_forgets_nobody() {
    check(|| {
        let (lock, task, waiting) = shared();
        let inside = Kept::new(crate::util::sync::Shared::new(0));
        // SAFETY: nobody else is inside; loom checks what that is worth.
        let add = move || inside.with_mut(|count| unsafe { *count += 1 });
        let giver = thread::spawn(move || {
            give_up_briefly(lock, 1);
            let passes = take(lock, 1);
            if passes {
                add();
                give_up_briefly(lock, 1);
            }
            passes
        });
        let other = thread::spawn(move || {
            let task = Block::coroutine(1);
            assert!(enter(task, lock, 2));
            add();
            give_up_briefly(lock, 2);
            end(task);
        });
        assert!(waiting.park());
        add();
        give_up_briefly(lock, 1);
        let passes = giver.join().unwrap();
        other.join().unwrap();
        // SAFETY: all have ended.
        let entries = inside.with(|count| unsafe { *count });
        assert_eq!(entries, 2 + u32::from(passes));
        inside.free();
        end(task);
        demand_free(lock);
    });
}

/// Who waits on the giver's own thread is passed there until it has waited too long; others of its thread do not.
#[test]
fn overtaking_on_one_thread_comes_to_an_end() {
    check(|| {
        let (lock, task, waiting) = shared();
        give_up_briefly(lock, 1);
        let mut passes = 0;
        while take(lock, 1) {
            passes += 1;
            assert!(passes < 100, "nobody looks at the clock");
            give_up_at(lock, 1, 2_000_000, true);
        }
        assert_eq!(lock.lock().holder(), Some(1), "kept");
        assert!(waiting.park());
        give_up(lock, 1);
        end(task);
        demand_free(lock);
    });
}

/// Who has held the lock for longer than a turn of its thread hands it over; so does everybody while one thread alone uses it,
/// whoever has used it before.
#[test]
fn overtaking_on_one_thread_is_for_those_who_share_and_are_brief() {
    for is_brief in [true, false] {
        check(move || {
            let (lock, task, waiting) = if is_brief {
                let lock = lock();
                assert!(take(lock, 2));
                give_up(lock, 2);
                assert!(take(lock, 1));
                let task = Block::coroutine(1);
                let waiting = Wanting::begin(task, lock, 1).expect("it is held");
                (lock, task, waiting)
            } else {
                shared()
            };
            give_up_at(lock, 1, now(), is_brief);
            assert!(!take(lock, 1));
            assert!(waiting.park());
            give_up(lock, 1);
            end(task);
            demand_free(lock);
        });
    }
}

/// One who must not be passed stands in line behind one who may be: nobody passes both.
#[test]
fn overtaking_on_one_thread_passes_nobody_who_selects() {
    check(|| {
        let (lock, task, waiting) = shared();
        let selecting = Block::coroutine(1);
        let held = lock.lock();
        held.note_unpassed();
        let generation = selecting.word.next();
        let node = Kept::new(Node::new(selecting.as_ptr(), Ticket::unpassed(claimant(1))));
        // SAFETY: the node stands until it has the lock, below.
        unsafe {
            held.queue_up(&node, claimant(1).worker, generation, || {
                selecting.word.publish(generation, true);
            });
        }
        give_up_briefly(lock, 1);
        assert!(!take(lock, 1));
        assert!(waiting.park());
        give_up_briefly(lock, 1);
        assert_eq!(lock.lock().holder(), Some(1), "handed over");
        let parked = park(selecting, generation, true, || {
            unreachable!("it was handed back")
        });
        assert_eq!(parked.woken, Woken::Value);
        node.free();
        give_up(lock, 1);
        end(task);
        end(selecting);
        demand_free(lock);
    });
}
