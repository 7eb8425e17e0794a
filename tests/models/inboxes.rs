//! The inbox and the sleep word of one thread, and those who send to it.

use std::collections::VecDeque;
use std::ptr;

use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::check;
use crate::task::inbox::{Inbox, Linked};
use crate::task::sleep::{Bed, SleepWord};
use crate::util::sync::{AtomicPtr, Shared};
use crate::yard::Kept;

/// What is sent: the number of its sender, and its number there.
#[derive(Debug)]
struct Parcel {
    link: AtomicPtr<Parcel>,
    content: Shared<(usize, usize)>,
}

impl Linked for Parcel {
    fn link(&self) -> &AtomicPtr<Parcel> {
        &self.link
    }
}

/// Stands for the eventfd: a count, and how often it was written.
#[derive(Debug)]
struct Event {
    state: Mutex<(u64, usize)>,
    written: Condvar,
}

/// As `task/home.rs` and the sleep of `scheduler/worker.rs`.
struct Home {
    inbox: Inbox<Parcel>,
    sleep: SleepWord,
    bed: Bed,
    event: Event,
}

impl Home {
    fn new(bed: Bed) -> Arc<Self> {
        Arc::new(Self {
            inbox: Inbox::new(),
            sleep: SleepWord::new(),
            bed,
            event: Event {
                state: Mutex::new((0, 0)),
                written: Condvar::new(),
            },
        })
    }

    /// P: sends parcels `from..to` of a sender, as one chain.
    fn send(&self, sender: usize, numbers: std::ops::Range<usize>) {
        let mut newest: *const Parcel = ptr::null();
        let mut oldest: *const Parcel = ptr::null();
        for number in numbers {
            let parcel = Kept::new(Parcel {
                link: AtomicPtr::new(newest.cast_mut()),
                content: Shared::new((0, 0)),
            });
            // SAFETY: nobody else knows it yet.
            parcel
                .content
                .with_mut(|content| unsafe { *content = (sender, number) });
            newest = parcel.as_ptr();
            if oldest.is_null() {
                oldest = newest;
            }
        }
        // SAFETY: new, in no queue, and freed only by the owner.
        if unsafe { self.inbox.push_chain(newest, oldest) } && self.sleep.notify() {
            let mut state = self.event.state.lock().unwrap();
            state.0 += 1;
            state.1 += 1;
            self.event.written.notify_one();
        }
    }

    /// O: takes what has come.
    fn take_inbox(&self, ready: &mut VecDeque<(usize, usize)>) {
        if !self.inbox.looks_empty() {
            self.inbox.drain(|parcel| {
                let parcel = Kept::at(parcel);
                // SAFETY: handed over with the parcel; loom checks it.
                ready.push_back(parcel.content.with(|content| unsafe { *content }));
                parcel.free();
            });
        }
    }

    /// O: sleeps until something comes, or not at all if its deadline is over.
    fn sleep(&self, is_over: bool) {
        self.sleep.announce(self.bed);
        if self.inbox.is_empty() && !is_over && self.bed == Bed::Word {
            self.sleep.doze(None);
        } else if self.inbox.is_empty() && !is_over {
            let mut state = self.event.state.lock().unwrap();
            while state.0 == 0 {
                state = self.event.written.wait(state).unwrap();
            }
            state.0 = 0;
        }
        self.sleep.wake();
    }

    /// O: receives so many parcels, sleeping in between, and checks their order. The first `deadlines` sleeps are cut
    /// short.
    fn receive(&self, senders: usize, each: usize, deadlines: usize) {
        let mut ready = VecDeque::new();
        let mut next = vec![0; senders];
        let mut announced = 0;
        for _ in 0..senders * each {
            while ready.is_empty() {
                self.take_inbox(&mut ready);
                if ready.is_empty() {
                    self.sleep(announced < deadlines);
                    announced += 1;
                }
            }
            let (sender, number) = ready.pop_front().unwrap();
            assert_eq!(number, next[sender], "out of order");
            next[sender] += 1;
        }
        assert!(ready.is_empty());
        let writes = self.event.state.lock().unwrap().1;
        assert!(
            writes <= announced,
            "{writes} writes for {announced} sleeps"
        );
    }
}

/// The protocol is the same wherever the thread sleeps.
fn in_both_beds(model: fn(Bed)) {
    for bed in [Bed::Descriptors, Bed::Word] {
        check(move || model(bed));
    }
}

#[test]
fn inbox_two_senders_wake_a_sleeper_and_keep_their_order() {
    in_both_beds(|bed| {
        let home = Home::new(bed);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let home = Arc::clone(&home);
                thread::spawn(move || {
                    home.send(sender, 0..1);
                    home.send(sender, 1..2);
                })
            })
            .collect();
        home.receive(2, 2, 0);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

#[test]
fn inbox_a_wake_up_is_never_lost() {
    in_both_beds(|bed| {
        let home = Home::new(bed);
        let sender = {
            let home = Arc::clone(&home);
            thread::spawn(move || {
                for number in 0..3 {
                    home.send(0, number..number + 1);
                }
            })
        };
        home.receive(1, 3, 0);
        sender.join().unwrap();
    });
}

/// The sender that saw the announcement of a sleep that was cut short may write during the next one.
#[test]
fn inbox_a_deadline_loses_no_wake_up() {
    in_both_beds(|bed| {
        let home = Home::new(bed);
        let sender = {
            let home = Arc::clone(&home);
            thread::spawn(move || {
                home.send(0, 0..1);
                home.send(0, 1..2);
            })
        };
        home.receive(1, 2, 2);
        sender.join().unwrap();
    });
}

#[test]
fn inbox_a_chain_comes_in_order() {
    in_both_beds(|bed| {
        let home = Home::new(bed);
        let senders: Vec<_> = (0..2)
            .map(|sender| {
                let home = Arc::clone(&home);
                thread::spawn(move || home.send(sender, 0..2))
            })
            .collect();
        home.receive(2, 2, 0);
        for sender in senders {
            sender.join().unwrap();
        }
    });
}

/// Three threads answer one announcement: the exchange makes one writer of them.
#[test]
fn inbox_a_burst_is_one_write() {
    check(|| {
        let sleep = Arc::new(SleepWord::new());
        sleep.announce(Bed::Descriptors);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let sleep = Arc::clone(&sleep);
                thread::spawn(move || usize::from(sleep.notify()))
            })
            .collect();
        let mut writes = usize::from(sleep.notify());
        for other in others {
            writes += other.join().unwrap();
        }
        assert_eq!(writes, 1);
        assert!(sleep.wake(), "the sleeper knows that it was told");
        assert!(!sleep.notify(), "nobody writes for one who is awake");
    });
}

/// Who sleeps on the word is woken by whoever notifies, and nobody owes a write.
#[test]
fn inbox_a_doze_ends_without_a_write() {
    check(|| {
        let sleep = Arc::new(SleepWord::new());
        sleep.announce(Bed::Word);
        let other = {
            let sleep = Arc::clone(&sleep);
            thread::spawn(move || assert!(!sleep.notify(), "nobody writes for one who dozes"))
        };
        sleep.doze(None);
        assert!(sleep.wake(), "the sleeper knows that it was told");
        other.join().unwrap();
    });
}
