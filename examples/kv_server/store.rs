//! The key space, shared by all connections on all worker threads.
//!
//! It is cut into shards with a lock each, so that connections on different workers seldom meet. The locks are plain
//! std mutexes: a command takes the locks of its keys, does its work and gives them back, and **never suspends in
//! between**. A coroutine that slept with such a lock would stop its whole worker, for the next one there that wants
//! the lock blocks the thread on which the sleeper would have to wake.

use std::array;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::shard::Shard;

const SHARDS: usize = 16;

/// The whole key space.
#[derive(Debug)]
pub struct Store {
    shards: [Padded; SHARDS],
}

/// A shard on cache lines of its own: its lock does not slow down its neighbour's.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(Mutex<Shard>);

impl Padded {
    fn lock(&self) -> MutexGuard<'_, Shard> {
        // A command that panicked ends its own connection; the others go on with the shard as it is.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    pub fn new() -> Self {
        Self {
            shards: array::from_fn(|_| Padded::default()),
        }
    }

    /// Locks the shard of one key.
    pub fn shard(&self, key: &[u8]) -> MutexGuard<'_, Shard> {
        self.shards[shard_index(key)].lock()
    }

    /// Locks the shards of several keys, so that a command on all of them is seen as a whole or not at all.
    pub fn shards_of<'k>(&self, keys: impl Iterator<Item = &'k [u8]>) -> LockedShards<'_> {
        let mut involved = [false; SHARDS];
        for key in keys {
            involved[shard_index(key)] = true;
        }
        self.lock_involved(involved)
    }

    /// Locks everything.
    pub fn all_shards(&self) -> LockedShards<'_> {
        self.lock_involved([true; SHARDS])
    }

    /// Removes entries whose time has come, at most `limit` in each shard; tells whether more are due.
    pub fn sweep(&self, limit: usize) -> bool {
        let mut more = false;
        for shard in &self.shards {
            more |= shard.lock().sweep(limit);
        }
        more
    }

    /// Removes everything. The memory is given back after the locks.
    pub fn clear(&self) {
        let mut locked = self.all_shards();
        let emptied: Vec<Shard> = locked.iter_mut().map(mem::take).collect();
        drop(locked);
        drop(emptied);
    }

    /// Takes the locks in ascending order, as every command does, so that no two can wait for each other.
    fn lock_involved(&self, involved: [bool; SHARDS]) -> LockedShards<'_> {
        LockedShards {
            guards: array::from_fn(|index| involved[index].then(|| self.shards[index].lock())),
        }
    }
}

/// Several shards, locked at the same time.
#[derive(Debug)]
pub struct LockedShards<'a> {
    guards: [Option<MutexGuard<'a, Shard>>; SHARDS],
}

impl LockedShards<'_> {
    /// Returns the shard of a key that was named when the locks were taken.
    ///
    /// # Panics
    ///
    /// If it was not.
    pub fn of(&mut self, key: &[u8]) -> &mut Shard {
        self.guards[shard_index(key)]
            .as_deref_mut()
            .expect("the key's shard was not locked")
    }

    pub fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.guards.iter().flatten().map(|guard| &**guard)
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Shard> {
        self.guards.iter_mut().flatten().map(|guard| &mut **guard)
    }
}

/// Chooses by a cheap hash: whoever provokes collisions wins nothing but a busy lock, the map below has a keyed hash.
fn shard_index(key: &[u8]) -> usize {
    let mut hash = key.len() as u64;
    for chunk in key.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        // The multiplier is 2^64 divided by the golden ratio, as in Fibonacci hashing.
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
    // The upper bits are the well mixed ones.
    (hash >> 60) as usize % SHARDS
}
