//! How long a thread that has run dry looks at its inbox before it sleeps.
//!
//! To sleep and to be woken costs both sides system calls, and some ten microseconds where the processor had gone to
//! sleep too. Where two threads pass things back and forth, the answer is there before that is over: it pays to look for a
//! moment longer. Where it is not, the moment is lost, and somebody else may have needed the processor: even the very
//! one who is waited for. So a thread looks only while that succeeds at once. After a few looks in vain it tries again only now
//! and then, each time after twice as many sleeps that were short.
//!
//! Two who both sleep are slow to answer each other, and neither would ever find out that they need not. So whoever tries
//! says so, and others who wake from a short sleep meanwhile try with it.
//!
//! What a trial can waste is bounded: four looks of 40 us in, in the end, 4096 short sleeps, which are some percent of what
//! those sleeps have cost. What does not come by the inbox is found at the end of the look: at most 40 us later.

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::driver::clock;

/// The longest look, in nanoseconds: longer than it takes to wake somebody, who then looks as well and answers faster the next time.
const LOOK: u64 = 40_000;
/// A look that was over so soon has cost less than sleeping.
const QUICK: u64 = 5_000;
/// A sleep that was shorter could have been a look: most of it was the waking.
const SHORT_SLEEP: u64 = 100_000;
/// So many looks that were not quick, one after the other, end it.
const MOST: u32 = 4;
/// A trial comes after two to the power of this many short sleeps at the latest.
const RAREST: u32 = 12;
/// How long others join in a trial.
const TRIAL: u64 = 100_000;
/// How many looks come between two readings of the clock.
const STRIDE: u32 = 16;

/// Until when others are to join in a trial.
static TRIED_UNTIL: AtomicU64 = AtomicU64::new(0);

/// What one thread has learnt.
#[derive(Debug)]
pub(super) struct Patience {
    /// How many looks that are not quick it has left.
    credit: Cell<u32>,
    /// How many trials were in vain, up to `RAREST`.
    trials: Cell<u32>,
    /// How many short sleeps are left until the next trial.
    until_trial: Cell<u32>,
}

/// With one processor, whoever is waited for cannot run meanwhile.
fn has_processors() -> bool {
    static SEVERAL: OnceLock<bool> = OnceLock::new();
    *SEVERAL.get_or_init(|| std::thread::available_parallelism().is_ok_and(|count| count.get() > 1))
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self {
            credit: Cell::new(0),
            trials: Cell::new(0),
            until_trial: Cell::new(4),
        }
    }

    /// Looks for a moment, if that has paid of late. True if there is something.
    pub(super) fn look(&self, mut is_there: impl FnMut() -> bool) -> bool {
        let credit = self.credit.get();
        if credit == 0 {
            return false;
        }
        let start = clock::now();
        loop {
            for _ in 0..STRIDE {
                if is_there() {
                    if clock::now() - start < QUICK {
                        self.credit.set(MOST);
                        self.trials.set(0);
                    } else {
                        self.spend(credit);
                    }
                    return true;
                }
                std::hint::spin_loop();
            }
            if clock::now() - start >= LOOK {
                self.spend(credit);
                return false;
            }
        }
    }

    fn spend(&self, credit: u32) {
        self.credit.set(credit - 1);
        if credit == 1 {
            let trials = (self.trials.get() + 1).min(RAREST);
            self.trials.set(trials);
            self.until_trial.set(1 << trials);
        }
    }

    /// A sleep from which something has woken the thread is over.
    pub(super) fn slept(&self, start: u64, now: u64) {
        if self.credit.get() > 0 || now - start >= SHORT_SLEEP || !has_processors() {
            return;
        }
        let until_trial = self.until_trial.get() - 1;
        if until_trial == 0 {
            // ORDERING: relaxed, a hint: who misses it joins in another one.
            TRIED_UNTIL.store(now + TRIAL, Ordering::Relaxed);
        // ORDERING: relaxed, as above.
        } else if now >= TRIED_UNTIL.load(Ordering::Relaxed) {
            self.until_trial.set(until_trial);
            return;
        }
        self.until_trial.set(1);
        self.credit.set(MOST);
    }
}
