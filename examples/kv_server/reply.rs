//! The reply side of RESP2: the answers to a batch of requests, gathered to be sent by one write.

use crate::number::Decimal;

/// A buffer of this size is kept from batch to batch; a larger one is given back.
const KEPT: usize = 64 * 1024;

/// Replies that were not sent yet.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
}

impl Reply {
    pub fn new() -> Self {
        Self { bytes: Vec::new() }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT);
    }

    /// Appends a status such as `OK`.
    pub fn simple(&mut self, text: &str) {
        self.bytes.push(b'+');
        self.bytes.extend_from_slice(text.as_bytes());
        self.end_line();
    }

    /// Appends an error; line ends in it would break the protocol, so they become spaces.
    pub fn error(&mut self, text: &[u8]) {
        self.bytes.push(b'-');
        let harmless = |byte: &u8| {
            if matches!(byte, b'\r' | b'\n') {
                b' '
            } else {
                *byte
            }
        };
        self.bytes.extend(text.iter().map(harmless));
        self.end_line();
    }

    pub fn integer(&mut self, value: i64) {
        self.header(b':', value);
    }

    pub fn bulk(&mut self, value: &[u8]) {
        self.header(b'$', value.len() as i64);
        self.bytes.extend_from_slice(value);
        self.end_line();
    }

    /// Appends the reply for a value that does not exist.
    pub fn null(&mut self) {
        self.bytes.extend_from_slice(b"$-1\r\n");
    }

    /// Appends the value, or the reply for one that does not exist.
    pub fn bulk_or_null(&mut self, value: Option<&[u8]>) {
        match value {
            Some(value) => self.bulk(value),
            None => self.null(),
        }
    }

    /// Begins an array: the next `length` replies are its elements.
    pub fn array(&mut self, length: usize) {
        self.header(b'*', length as i64);
    }

    fn header(&mut self, kind: u8, value: i64) {
        self.bytes.push(kind);
        self.bytes.extend_from_slice(Decimal::new(value).as_bytes());
        self.end_line();
    }

    fn end_line(&mut self) {
        self.bytes.extend_from_slice(b"\r\n");
    }
}
