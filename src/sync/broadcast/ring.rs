//! The latest values, each until all who were there when it was sent have seen it.

use std::collections::VecDeque;

/// A value, and how many have not seen it. Gone with the last of them.
#[derive(Debug)]
struct Entry<V> {
    value: Option<V>,
    unseen: usize,
}

/// The ring. Values are numbered from 0; it holds those from `first` on.
#[derive(Debug)]
pub(super) struct Ring<V> {
    entries: VecDeque<Entry<V>>,
    capacity: usize,
    first: u64,
    senders: usize,
    receivers: usize,
}

/// What a receiver finds.
#[derive(Debug)]
pub(super) enum Found<V> {
    Value(V),
    Empty,
    Lagged(u64),
    Closed,
}

impl<V: Clone> Ring<V> {
    /// With one end of each kind. All its memory is taken now, so that no later act allocates.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: VecDeque::with_capacity(capacity),
            capacity,
            first: 0,
            senders: 1,
            receivers: 1,
        }
    }

    pub(super) fn receivers(&self) -> usize {
        self.receivers
    }

    fn end(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    /// Adds a value that so many are to see later. The oldest value if it had to go for it; or this one, if nobody is to.
    #[must_use]
    pub(super) fn push(&mut self, value: V, unseen: usize) -> [Option<V>; 2] {
        let mut oldest = None;
        if self.entries.len() == self.capacity {
            self.first += 1;
            oldest = self.entries.pop_front().and_then(|entry| entry.value);
        }
        let (value, seen) = match unseen {
            0 => (None, Some(value)),
            _ => (Some(value), None),
        };
        self.entries.push_back(Entry { value, unseen });
        [oldest, seen]
    }

    /// Takes the next value for one receiver.
    pub(super) fn take(&mut self, next: &mut u64) -> Found<V> {
        if *next < self.first {
            let missed = self.first - *next;
            *next = self.first;
            return Found::Lagged(missed);
        }
        match self.see(*next) {
            Some(value) => {
                *next += 1;
                Found::Value(value)
            }
            None if self.senders == 0 => Found::Closed,
            None => Found::Empty,
        }
    }

    /// One receiver sees a value; the last takes it.
    fn see(&mut self, number: u64) -> Option<V> {
        let index = usize::try_from(number - self.first).ok()?;
        let entry = self.entries.get_mut(index)?;
        entry.unseen -= 1;
        if entry.unseen == 0 {
            entry.value.take()
        } else {
            entry.value.clone()
        }
    }

    pub(super) fn add_sender(&mut self) {
        self.senders += 1;
    }

    /// Whether it was the last.
    pub(super) fn drop_sender(&mut self) -> bool {
        self.senders -= 1;
        self.senders == 0
    }

    /// The number of the value that a new receiver sees first.
    pub(super) fn add_receiver(&mut self) -> u64 {
        self.receivers += 1;
        self.end()
    }

    /// One step of a receiver's end: what it was to see next, and where it goes on; nowhere, when it has gone.
    pub(super) fn drop_receiver_at(&mut self, next: u64) -> (Option<V>, Option<u64>) {
        let next = next.max(self.first);
        if next == self.end() {
            self.receivers -= 1;
            return (None, None);
        }
        (self.see(next), Some(next + 1))
    }

    /// How many values a receiver has not seen, lost ones included.
    pub(super) fn behind(&self, next: u64) -> u64 {
        self.end() - next
    }
}
