//! What a connection has read and not yet understood.

use std::io::{self, Read};

/// The size that a buffer begins with, and returns to when a large request is over.
const INITIAL: usize = 16 * 1024;
/// A buffer that grew no further than this is kept as it is.
const KEPT: usize = 64 * 1024;

/// A growing window on a stream: bytes are read in behind and consumed in front.
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl ReadBuffer {
    pub fn new() -> Self {
        Self {
            bytes: vec![0; INITIAL],
            start: 0,
            end: 0,
        }
    }

    /// Returns the bytes that were read and not consumed.
    pub fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Returns how much memory the buffer takes.
    #[cfg(test)]
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    pub fn consume(&mut self, length: usize) {
        self.start += length;
        assert!(self.start <= self.end, "consumed more than was read");
    }

    /// Reads once. `wanted` is how many unread bytes the next request is known to need.
    ///
    /// # Suspension
    ///
    /// Suspends the connection's coroutine until something arrives. Returns 0 at the end of the stream.
    pub fn fill(&mut self, mut stream: impl Read, wanted: usize) -> io::Result<usize> {
        self.move_to_front();
        self.make_room(wanted);
        let read = stream.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read)
    }

    fn move_to_front(&mut self) {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
    }

    /// Leaves room behind the unread bytes, growing by what has really arrived and never by what was only declared.
    fn make_room(&mut self, wanted: usize) {
        let size = self.bytes.len();
        if self.end == size {
            let larger = wanted.clamp(size + size / 2, size * 2);
            self.bytes.resize(larger, 0);
        } else if size > KEPT && self.end.max(wanted) <= INITIAL {
            self.bytes.truncate(INITIAL);
            self.bytes.shrink_to_fit();
        }
    }
}
