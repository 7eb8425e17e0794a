//! The request side of RESP2, the protocol of Redis: <https://redis.io/docs/latest/develop/reference/protocol-spec/>.
//!
//! A request is an array of bulk strings, `*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`, or a plain line of words (see
//! [`inline`](crate::inline)). The parser looks at whatever has arrived so far and remembers how far it came, because
//! a request may be cut anywhere by the network: to begin again from the front after each read would make a long
//! request that arrives in small pieces cost the square of its length.
//!
//! Nothing is copied (but for inline words) and nothing is reserved for a length that a client merely declares: the
//! arguments are ranges of the connection's buffer, and the buffer grows as bytes come in.

use std::fmt;
use std::ops::Range;

use crate::inline;
use crate::number::parse_integer;

/// The longest argument that may be declared.
pub const MAX_BULK: usize = 512 * 1024 * 1024;
/// The largest number of arguments that may be declared.
pub const MAX_ARGUMENTS: usize = 1024 * 1024;
/// The longest inline command, and the longest line that declares a length.
pub const MAX_LINE: usize = 64 * 1024;
/// The longest request, all arguments together.
pub const MAX_REQUEST: usize = 1024 * 1024 * 1024;

/// A list of this many ranges is kept from request to request; a longer one is given back.
const KEPT_ARGUMENTS: usize = 1024;

/// One complete request; its arguments are borrowed from where it was read.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    text: &'a [u8],
    arguments: &'a [Range<usize>],
    length: usize,
}

impl<'a> Request<'a> {
    /// Returns the command's name and its arguments; there are none in an empty line.
    pub fn arguments(&self) -> Arguments<'a> {
        Arguments {
            text: self.text,
            ranges: self.arguments,
        }
    }

    /// Returns how many bytes of the input the request took.
    pub fn length(&self) -> usize {
        self.length
    }
}

/// The arguments of a request, by position; the command's own name is number 0.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a> {
    text: &'a [u8],
    ranges: &'a [Range<usize>],
}

impl<'a> Arguments<'a> {
    pub fn len(&self) -> usize {
        self.ranges.len()
    }

    pub fn get(&self, index: usize) -> Option<&'a [u8]> {
        self.ranges
            .get(index)
            .map(|range| &self.text[range.clone()])
    }

    /// Returns the arguments from number `first` on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &'a [u8]> + Clone + use<'a> {
        let text = self.text;
        self.ranges[first.min(self.ranges.len())..]
            .iter()
            .map(move |range| &text[range.clone()])
    }
}

/// A violation of the protocol, after which the rest of the stream means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    InvalidBulkLength,
    InvalidMultibulkLength,
    ExpectedBulk { found: u8 },
    BulkHeaderTooLong,
    MultibulkHeaderTooLong,
    InlineTooLong,
    UnbalancedQuotes,
    RequestTooLarge,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Protocol error: ")?;
        match self {
            Self::InvalidBulkLength => formatter.write_str("invalid bulk length"),
            Self::InvalidMultibulkLength => formatter.write_str("invalid multibulk length"),
            Self::ExpectedBulk { found } => {
                write!(formatter, "expected '$', got '{}'", char::from(*found))
            }
            Self::BulkHeaderTooLong => formatter.write_str("too big bulk count string"),
            Self::MultibulkHeaderTooLong => formatter.write_str("too big mbulk count string"),
            Self::InlineTooLong => formatter.write_str("too big inline request"),
            Self::UnbalancedQuotes => formatter.write_str("unbalanced quotes in request"),
            Self::RequestTooLarge => formatter.write_str("too big request"),
        }
    }
}

impl std::error::Error for ProtocolError {}

/// What the parser reads next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The first byte of a request, the count of an array, or an inline line.
    Start,
    /// The line that declares the length of the next argument.
    BulkHeader,
    /// An argument of this length and the line end after it.
    Bulk(usize),
    /// Nothing: the request was handed out, the next call begins a new one.
    Done,
}

/// Cuts a stream of bytes into requests.
#[derive(Debug)]
pub struct Parser {
    stage: Stage,
    /// How much of the current request was read, counted from its first byte.
    position: usize,
    /// How many arguments of the current request are still to come.
    missing: usize,
    arguments: Vec<Range<usize>>,
    /// The words of an inline command, which are the only ones that are copied.
    words: Vec<u8>,
}

impl Parser {
    pub fn new() -> Self {
        Self {
            stage: Stage::Start,
            position: 0,
            missing: 0,
            arguments: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Returns the request at the head of `input`, or `None` if its end has not arrived.
    ///
    /// After a `None` the next call must bring the same bytes again with more behind them, after a request the bytes
    /// that follow it.
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<Option<Request<'a>>, ProtocolError> {
        if self.stage == Stage::Done {
            self.start_over();
        }
        let is_array = match input.first() {
            None => return Ok(None),
            Some(first) => *first == b'*',
        };
        let complete = if is_array {
            self.advance_array(input)?
        } else {
            self.advance_inline(input)?
        };
        if !complete {
            let too_large = input.len() > MAX_REQUEST;
            return if too_large {
                Err(ProtocolError::RequestTooLarge)
            } else {
                Ok(None)
            };
        }
        self.stage = Stage::Done;
        Ok(Some(Request {
            text: if is_array { input } else { &self.words },
            arguments: &self.arguments,
            length: self.position,
        }))
    }

    /// Returns how long the input must at least be before the parser can get any further. Where it waits for the end of
    /// a line, of unknown length, that much may be there already.
    pub fn wanted(&self) -> usize {
        match self.stage {
            Stage::Bulk(length) => self.position + length + 2,
            Stage::Start | Stage::BulkHeader => self.position + 1,
            Stage::Done => 1,
        }
    }

    fn start_over(&mut self) {
        self.stage = Stage::Start;
        self.position = 0;
        self.arguments.clear();
        self.arguments.shrink_to(KEPT_ARGUMENTS);
        self.words.clear();
    }

    fn advance_array(&mut self, input: &[u8]) -> Result<bool, ProtocolError> {
        loop {
            match self.stage {
                Stage::Start => {
                    let too_long = ProtocolError::MultibulkHeaderTooLong;
                    let Some(line) = self.take_line(input, too_long)? else {
                        return Ok(false);
                    };
                    let count = parse_integer(&line[1..])
                        .filter(|count| *count <= MAX_ARGUMENTS as i64)
                        .ok_or(ProtocolError::InvalidMultibulkLength)?;
                    // An array without elements, or the absent one, counts as an empty line.
                    self.missing = usize::try_from(count).unwrap_or(0);
                    self.stage = Stage::BulkHeader;
                }
                Stage::BulkHeader if self.missing == 0 => return Ok(true),
                Stage::BulkHeader => {
                    let too_long = ProtocolError::BulkHeaderTooLong;
                    let Some(line) = self.take_line(input, too_long)? else {
                        return Ok(false);
                    };
                    let length = match line {
                        [b'$', length @ ..] => length,
                        // An empty line shows its carriage return.
                        other => {
                            let found = other.first().copied().unwrap_or(b'\r');
                            return Err(ProtocolError::ExpectedBulk { found });
                        }
                    };
                    let length = parse_integer(length)
                        .and_then(|length| usize::try_from(length).ok())
                        .filter(|length| *length <= MAX_BULK)
                        .ok_or(ProtocolError::InvalidBulkLength)?;
                    self.stage = Stage::Bulk(length);
                }
                Stage::Bulk(length) => {
                    if input.len() < self.wanted() {
                        return Ok(false);
                    }
                    self.arguments.push(self.position..self.position + length);
                    self.position = self.wanted();
                    self.missing -= 1;
                    self.stage = Stage::BulkHeader;
                }
                Stage::Done => unreachable!("a new request starts over"),
            }
        }
    }

    fn advance_inline(&mut self, input: &[u8]) -> Result<bool, ProtocolError> {
        // What earlier calls have seen holds no line end.
        let line_end = input[self.position..]
            .iter()
            .position(|byte| *byte == b'\n');
        let length = line_end.map_or(input.len(), |offset| self.position + offset);
        if length > MAX_LINE {
            return Err(ProtocolError::InlineTooLong);
        }
        self.position = length;
        if line_end.is_none() {
            return Ok(false);
        }
        self.position += 1;
        let line = input[..length]
            .strip_suffix(b"\r")
            .unwrap_or(&input[..length]);
        inline::split_words(line, &mut self.words, &mut self.arguments)
            .map_err(|_| ProtocolError::UnbalancedQuotes)?;
        Ok(true)
    }

    /// Takes a line without its end, if all of it has arrived.
    fn take_line<'a>(
        &mut self,
        input: &'a [u8],
        too_long: ProtocolError,
    ) -> Result<Option<&'a [u8]>, ProtocolError> {
        let rest = &input[self.position..];
        let Some(length) = rest.iter().position(|byte| *byte == b'\r') else {
            return if rest.len() > MAX_LINE {
                Err(too_long)
            } else {
                Ok(None)
            };
        };
        if rest.len() < length + 2 {
            return Ok(None);
        }
        self.position += length + 2;
        Ok(Some(&rest[..length]))
    }
}
