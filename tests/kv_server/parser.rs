//! The parser and its buffer, without a server.

use std::io;

use crate::buffer::ReadBuffer;
use crate::client::{request, words};
use crate::resp::{MAX_LINE, Parser, ProtocolError};

/// Parses what a stream holds that arrives in pieces of the given sizes, over and over.
fn parse(
    stream: &[u8],
    sizes: impl IntoIterator<Item = usize>,
) -> Result<Vec<Vec<Vec<u8>>>, ProtocolError> {
    let mut parser = Parser::new();
    let mut requests = Vec::new();
    let (mut start, mut end) = (0, 0);
    for size in sizes {
        end = stream.len().min(end + size);
        while let Some(request) = parser.next(&stream[start..end])? {
            requests.push(request.arguments().from(0).map(<[u8]>::to_vec).collect());
            start += request.length();
        }
    }
    assert_eq!(end, stream.len(), "the pieces do not add up");
    Ok(requests)
}

#[test]
fn pieces_of_any_size_make_the_same_requests() {
    let stream = [
        request(&[b"SET", b"k", b"\r\n*1\r\n"]),
        b"PING \"a b\"\r\n".to_vec(),
        b"*0\r\n\r\n".to_vec(),
        request(&[b"", b""]),
        b"x\n".to_vec(),
        request(&[&[7; 300]]),
    ]
    .concat();
    let expected: Vec<Vec<Vec<u8>>> = vec![
        vec![b"SET".to_vec(), b"k".to_vec(), b"\r\n*1\r\n".to_vec()],
        vec![b"PING".to_vec(), b"a b".to_vec()],
        vec![],
        vec![],
        vec![vec![], vec![]],
        vec![b"x".to_vec()],
        vec![vec![7; 300]],
    ];
    assert_eq!(parse(&stream, [stream.len()]).unwrap(), expected);
    for size in 1..=stream.len() {
        let pieces = std::iter::repeat_n(size, stream.len().div_ceil(size));
        assert_eq!(
            parse(&stream, pieces).unwrap(),
            expected,
            "pieces of {size}"
        );
    }
    for cut in 0..=stream.len() {
        let halves = [cut, stream.len() - cut];
        assert_eq!(parse(&stream, halves).unwrap(), expected, "cut at {cut}");
    }
}

#[test]
fn a_violation_is_found_wherever_the_stream_is_cut() {
    for (stream, violation) in [
        (&b"*1\r\n$-5\r\n"[..], ProtocolError::InvalidBulkLength),
        (b"*1x\r\n", ProtocolError::InvalidMultibulkLength),
        (b"*1\r\n+\r\n", ProtocolError::ExpectedBulk { found: b'+' }),
        (b"*1\r\n\r\n", ProtocolError::ExpectedBulk { found: b'\r' }),
        (b"a \"b\r\n", ProtocolError::UnbalancedQuotes),
    ] {
        for cut in 0..=stream.len() {
            let outcome = parse(stream, [cut, stream.len() - cut]);
            assert_eq!(outcome, Err(violation), "cut at {cut}");
        }
    }
}

#[test]
fn a_line_may_have_its_full_length_and_no_byte_more() {
    let mut line = vec![b'x'; MAX_LINE];
    line.push(b'\n');
    assert_eq!(parse(&line, [line.len()]).unwrap()[0][0].len(), MAX_LINE);
    line.insert(0, b'x');
    for first in [line.len(), MAX_LINE, MAX_LINE + 1] {
        let outcome = parse(&line, [first, line.len() - first]);
        assert_eq!(outcome, Err(ProtocolError::InlineTooLong));
    }
}

/// A stream that brings a few bytes at a time.
#[derive(Debug)]
struct Trickle<'a> {
    rest: &'a [u8],
    size: usize,
}

impl io::Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (piece, rest) = self.rest.split_at(self.size.min(self.rest.len()));
        let read = io::Read::read(&mut &piece[..], buffer)?;
        assert!(read > 0 || self.rest.is_empty(), "no room to read into");
        self.rest = if read == piece.len() {
            rest
        } else {
            &self.rest[read..]
        };
        Ok(read)
    }
}

#[test]
fn a_buffer_grows_with_a_large_request_and_returns_to_its_size() {
    for size in [5, 1000, 1 << 20] {
        let large = request(&[b"SET", b"key", &vec![b'x'; 300_000]]);
        let stream = [words("PING").repeat(2000), large, words("PING").repeat(20)].concat();
        let mut trickle = Trickle {
            rest: &stream,
            size,
        };
        let mut buffer = ReadBuffer::new();
        let mut parser = Parser::new();
        let mut lengths = Vec::new();
        let mut room: Vec<usize> = Vec::new();
        while buffer.fill(&mut trickle, parser.wanted()).unwrap() > 0 {
            room.push(buffer.size());
            while let Some(request) = parser.next(buffer.unread()).unwrap() {
                let length = request.length();
                lengths.push(length);
                buffer.consume(length);
            }
        }
        assert_eq!(lengths.len(), 2021);
        assert_eq!(lengths.iter().sum::<usize>(), stream.len());
        let most = *room.iter().max().unwrap();
        assert!((300_000..600_000).contains(&most), "{most}");
        assert_eq!(buffer.unread(), b"");
        // The last fill found the large request gone.
        assert_eq!(buffer.size(), 16 * 1024);
    }
}

#[test]
fn a_buffer_does_not_believe_a_declared_length() {
    let stream = [b"*1\r\n$536870912\r\n", &[b'x'; 100_000][..]].concat();
    let mut trickle = Trickle {
        rest: &stream,
        size: 5000,
    };
    let mut buffer = ReadBuffer::new();
    let mut parser = Parser::new();
    while buffer.fill(&mut trickle, parser.wanted()).unwrap() > 0 {
        assert!(parser.next(buffer.unread()).unwrap().is_none());
    }
    assert_eq!(buffer.unread().len(), stream.len());
    assert!(buffer.size() <= 2 * stream.len(), "{}", buffer.size());
}
