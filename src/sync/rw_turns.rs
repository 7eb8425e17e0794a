//! Whose turn it is at a lock with readers and writers.
//!
//! Many read or one writes. Everybody waits in one line, and the line is admitted from its front: a reader while nobody
//! writes, a writer while nobody is inside. Who comes goes past the line only if nobody waits, so that neither kind starves
//! the other.
//!
//! ```text
//! free      -O> read by 1 | written        nobody waited
//! read by n -O> read by n + 1              nobody waited
//! read by 1 -G> free, then admission
//! written   -G> free, then admission
//! ```
//!
//! Admission hands the lock over to those at the front (their words are claimed) as long as the next may go in. It follows
//! everything that may let somebody in: a turn that was given back, a write that became a read, and *a waiter that left*:
//! behind a writer that was cancelled there may be readers who need not wait any more.
//!
//! The first few who read are noted, so that one who reads and would wait behind himself can be told so. More of them are
//! only counted: a lock that many read at once allocates nothing for it.
//!
//! Handed over and cancelled before it runs, O has the lock and must give it back itself.

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::Waits;

/// So many readers are noted.
const NOTED: usize = 4;

/// What somebody waits for. `H` is what is noted of him.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Want<H> {
    Read(H),
    Write(H),
}

/// Who is inside.
#[derive(Debug)]
pub(crate) struct Inside<H> {
    readers: usize,
    noted: [Option<H>; NOTED],
    writer: Option<H>,
}

impl<H: Copy + PartialEq> Inside<H> {
    fn may_enter(&self, want: &Want<H>) -> bool {
        match want {
            Want::Read(_) => self.writer.is_none(),
            Want::Write(_) => self.writer.is_none() && self.readers == 0,
        }
    }

    fn enter(&mut self, want: &Want<H>) {
        match *want {
            Want::Read(reader) => {
                self.readers += 1;
                if let Some(free) = self.noted.iter_mut().find(|note| note.is_none()) {
                    *free = Some(reader);
                }
            }
            Want::Write(writer) => self.writer = Some(writer),
        }
    }

    fn end_read(&mut self, reader: H) {
        self.readers -= 1;
        if let Some(own) = self.noted.iter_mut().find(|note| **note == Some(reader)) {
            *own = None;
        }
    }
}

/// The turns of one lock.
pub(crate) type RwTurns<K, H> = Line<K, Inside<H>, Want<H>>;

/// A lock where nobody is inside.
pub(crate) fn free<K: Waits, H: Copy + PartialEq>() -> RwTurns<K, H> {
    Line::new(Inside {
        readers: 0,
        noted: [None; NOTED],
        writer: None,
    })
}

impl<K: Waits, H: Copy + PartialEq> Held<'_, K, Inside<H>, Want<H>> {
    /// O: goes in if it need not wait.
    #[must_use]
    pub(crate) fn enter(&self, want: Want<H>) -> bool {
        let is_first = cfg!(mutation = "rw_readers_overtake") || !self.has_waiters();
        self.state(|inside| {
            let may = is_first && inside.may_enter(&want);
            if may {
                inside.enter(&want);
            }
            may
        })
    }

    /// Who writes.
    pub(crate) fn writer(&self) -> Option<H> {
        self.state(|inside| inside.writer)
    }

    /// One who is inside, so far as noted, and is meant.
    pub(crate) fn find(&self, is_meant: impl Fn(&H) -> bool) -> Option<H> {
        self.state(|inside| {
            let mut all = inside.writer.iter().chain(inside.noted.iter().flatten());
            all.find(|holder| is_meant(holder)).copied()
        })
    }

    /// How many read.
    pub(crate) fn readers(&self) -> usize {
        self.state(|inside| inside.readers)
    }

    /// G: a reader goes. Whoever is admitted is told to `claimed`, and must be handed back after the lock was released.
    pub(crate) fn end_read(&self, reader: H, claimed: impl FnMut(*const K)) {
        self.state(|inside| inside.end_read(reader));
        self.admit(claimed);
    }

    /// G: the writer goes.
    pub(crate) fn end_write(&self, claimed: impl FnMut(*const K)) {
        self.state(|inside| inside.writer = None);
        self.admit(claimed);
    }

    /// G: the writer reads from now on.
    pub(crate) fn downgrade(&self, claimed: impl FnMut(*const K)) {
        self.state(|inside| {
            if let Some(writer) = inside.writer.take() {
                inside.enter(&Want::Read(writer));
            }
        });
        self.admit(claimed);
    }

    /// O has left the line before its turn.
    pub(crate) fn left(&self, claimed: impl FnMut(*const K)) {
        if !cfg!(mutation = "rw_leave_admits_nobody") {
            self.admit(claimed);
        }
    }

    /// Hands the lock over to those at the front who may go in.
    fn admit(&self, mut claimed: impl FnMut(*const K)) {
        while let Some(task) = self.claim_first_if(
            |inside, want| inside.may_enter(want),
            |inside, want| inside.enter(want),
        ) {
            claimed(task);
            if cfg!(mutation = "rw_admit_one") {
                return;
            }
        }
    }
}
