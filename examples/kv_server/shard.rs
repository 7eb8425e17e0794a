//! One part of the key space: a map from keys to values with their expiry.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::number::{Decimal, parse_integer};

/// A value may keep this much room beyond its length when a shorter one takes its place.
const KEPT_ROOM: usize = 4096;

/// Returns the milliseconds since 1970, the clock of all expiry times.
pub fn now() -> i64 {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// When a value that is being written shall expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Never,
    At(i64),
    /// As the value that it replaces.
    Keep,
}

/// Why a counter cannot be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CounterError {
    NotAnInteger,
    Overflow,
}

/// A value and its time of expiry.
#[derive(Debug)]
pub struct Entry {
    value: Vec<u8>,
    expires_at: Option<i64>,
}

impl Entry {
    pub fn value(&self) -> &[u8] {
        &self.value
    }

    pub fn expires_at(&self) -> Option<i64> {
        self.expires_at
    }

    /// The clock is read only for values that expire at all.
    fn is_live(&self) -> bool {
        self.expires_at.is_none_or(|time| time > now())
    }

    /// Overwrites in place: a key that is set again and again does not allocate.
    fn replace_value(&mut self, value: &[u8]) {
        self.value.clear();
        self.value.shrink_to(value.len() + KEPT_ROOM);
        self.value.extend_from_slice(value);
    }
}

/// A part of the key space.
///
/// An entry whose time has come is absent for every reader at once; that its memory returns is the work of
/// [`sweep`](Shard::sweep), which finds it by the reminder that was noted when the time was set. A reminder is not
/// taken back when the entry changes, it only turns out to be void when it comes up. When void ones prevail they are
/// dropped together.
#[derive(Debug, Default)]
pub struct Shard {
    entries: HashMap<Vec<u8>, Entry>,
    reminders: BinaryHeap<Reverse<(i64, Vec<u8>)>>,
}

impl Shard {
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.entries.get(key).filter(|entry| entry.is_live())
    }

    pub fn set(&mut self, key: &[u8], value: &[u8], expiry: Expiry) {
        match self.entries.get_mut(key) {
            Some(entry) => {
                let kept = entry
                    .expires_at
                    .filter(|_| expiry == Expiry::Keep && entry.is_live());
                entry.replace_value(value);
                entry.expires_at = kept;
            }
            None => {
                let entry = Entry {
                    value: value.to_vec(),
                    expires_at: None,
                };
                self.entries.insert(key.to_vec(), entry);
            }
        }
        if let Expiry::At(time) = expiry {
            self.expire_at(key, Some(time));
        }
    }

    /// Sets or takes away a key's time of expiry, and tells whether there was such a key.
    pub fn expire_at(&mut self, key: &[u8], time: Option<i64>) -> bool {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.is_live()) else {
            return false;
        };
        entry.expires_at = time;
        if let Some(time) = time {
            self.reminders.push(Reverse((time, key.to_vec())));
            if self.reminders.len() > 2 * self.entries.len() + 64 {
                self.renew_reminders();
            }
        }
        true
    }

    pub fn remove(&mut self, key: &[u8]) -> bool {
        self.entries
            .remove(key)
            .is_some_and(|entry| entry.is_live())
    }

    /// Extends the value and returns its length, or `None` if that would exceed `limit`.
    pub fn append(&mut self, key: &[u8], suffix: &[u8], limit: usize) -> Option<usize> {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.is_live()) else {
            self.set(key, suffix, Expiry::Never);
            return Some(suffix.len());
        };
        if entry.value.len() + suffix.len() > limit {
            return None;
        }
        entry.value.extend_from_slice(suffix);
        Some(entry.value.len())
    }

    /// Adds to the integer that the key holds, 0 if it holds none; its time of expiry stays.
    pub fn add(&mut self, key: &[u8], amount: i64) -> Result<i64, CounterError> {
        let Some(entry) = self.entries.get_mut(key).filter(|entry| entry.is_live()) else {
            self.set(key, Decimal::new(amount).as_bytes(), Expiry::Never);
            return Ok(amount);
        };
        let old = parse_integer(&entry.value).ok_or(CounterError::NotAnInteger)?;
        let new = old.checked_add(amount).ok_or(CounterError::Overflow)?;
        entry.replace_value(Decimal::new(new).as_bytes());
        Ok(new)
    }

    /// Returns the number of entries, those included that await the sweep.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns how many reminders are noted, void ones included.
    #[cfg(test)]
    pub fn reminders(&self) -> usize {
        self.reminders.len()
    }

    pub fn live_keys(&self) -> impl Iterator<Item = &[u8]> {
        self.entries
            .iter()
            .filter(|(_, entry)| entry.is_live())
            .map(|(key, _)| &key[..])
    }

    /// Removes entries whose time has come, looking at no more than `limit` reminders; tells whether more are due.
    pub fn sweep(&mut self, limit: usize) -> bool {
        let now = now();
        for _ in 0..limit {
            match self.reminders.peek() {
                Some(Reverse((time, _))) if *time <= now => {}
                _ => return false,
            }
            let Some(Reverse((_, key))) = self.reminders.pop() else {
                return false;
            };
            let is_due = |entry: &Entry| entry.expires_at.is_some_and(|time| time <= now);
            if self.entries.get(&key).is_some_and(is_due) {
                self.entries.remove(&key);
            }
        }
        true
    }

    fn renew_reminders(&mut self) {
        let valid = self
            .entries
            .iter()
            .filter_map(|(key, entry)| entry.expires_at.map(|time| Reverse((time, key.clone()))));
        self.reminders = valid.collect();
    }
}
