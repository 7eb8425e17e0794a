//! A text that is put together without allocating, for use in a signal handler.

use std::fmt;

/// The most bytes that a text has; the rest is cut off.
const CAPACITY: usize = 512;

/// A text of at most 512 bytes.
pub(crate) struct Message {
    bytes: [u8; CAPACITY],
    length: usize,
}

impl Message {
    /// An empty text.
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; CAPACITY],
            length: 0,
        }
    }

    /// Appends a text.
    pub(crate) fn push(&mut self, text: &str) {
        self.push_bytes(text.as_bytes());
    }

    /// Appends bytes, which may be no UTF-8.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(CAPACITY - self.length);
        self.bytes[self.length..][..count].copy_from_slice(&bytes[..count]);
        self.length += count;
    }

    /// Appends a number in decimal.
    pub(crate) fn push_number(&mut self, number: u64) {
        const DIGITS: usize = 20;
        let mut digits = [0; DIGITS];
        let mut first = DIGITS;
        let mut rest = number;
        loop {
            first -= 1;
            digits[first] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push_bytes(&digits[first..]);
    }

    /// What was appended so far.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Writes the text to standard error as it stands, whatever comes of it. Safe in a signal handler.
    pub(super) fn write_to_stderr(&self) {
        let mut rest = self.as_bytes();
        while !rest.is_empty() {
            // SAFETY: the bytes are valid for their length.
            let written =
                unsafe { libc::write(libc::STDERR_FILENO, rest.as_ptr().cast(), rest.len()) };
            match usize::try_from(written) {
                Ok(count) if count > 0 => rest = &rest[count..],
                _ => return,
            }
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Message")
            .field(&String::from_utf8_lossy(self.as_bytes()))
            .finish()
    }
}
