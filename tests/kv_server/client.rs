//! A client that is slow and simple, and believes nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use crate::server::SOON;

/// A reply as it stands on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Simple(String),
    Error(String),
    Integer(i64),
    Bulk(Vec<u8>),
    Null,
    Array(Vec<Reply>),
}

pub fn ok() -> Reply {
    Reply::Simple("OK".to_owned())
}

pub fn bulk(text: impl AsRef<[u8]>) -> Reply {
    Reply::Bulk(text.as_ref().to_vec())
}

pub fn error(text: &str) -> Reply {
    Reply::Error(text.to_owned())
}

/// Writes a request as an array of bulk strings.
pub fn request(arguments: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", arguments.len()).into_bytes();
    for argument in arguments {
        bytes.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        bytes.extend_from_slice(argument);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// Writes a request whose arguments are the words of a line.
pub fn words(line: &str) -> Vec<u8> {
    let words: Vec<&[u8]> = line.split_whitespace().map(str::as_bytes).collect();
    request(&words)
}

/// A connection to the server, every operation of which has a time limit.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.set_write_timeout(Some(SOON)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    pub fn stream(&self) -> &TcpStream {
        self.stream.get_ref()
    }

    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.get_mut().write_all(bytes.as_ref()).unwrap();
    }

    /// Sends the words of a line as a request and returns the reply.
    pub fn ask(&mut self, line: &str) -> Reply {
        self.send(words(line));
        self.reply()
    }

    /// Sends a request of arbitrary bytes and returns the reply.
    pub fn ask_bytes(&mut self, arguments: &[&[u8]]) -> Reply {
        self.send(request(arguments));
        self.reply()
    }

    pub fn ask_integer(&mut self, line: &str) -> i64 {
        match self.ask(line) {
            Reply::Integer(value) => value,
            other => panic!("{line}: {other:?}"),
        }
    }

    pub fn reply(&mut self) -> Reply {
        let line = self.line();
        let (kind, text) = line.split_at(1);
        let text = text.to_owned();
        match kind {
            "+" => Reply::Simple(text),
            "-" => Reply::Error(text),
            ":" => Reply::Integer(text.parse().unwrap()),
            "$" if text == "-1" => Reply::Null,
            "$" => {
                let mut value = vec![0; text.parse::<usize>().unwrap() + 2];
                self.stream.read_exact(&mut value).unwrap();
                assert_eq!(value.split_off(value.len() - 2), b"\r\n");
                Reply::Bulk(value)
            }
            "*" => Reply::Array((0..text.parse().unwrap()).map(|_| self.reply()).collect()),
            _ => panic!("not a reply: {line:?}"),
        }
    }

    pub fn assert_alive(&mut self) {
        assert_eq!(self.ask("PING"), Reply::Simple("PONG".to_owned()));
    }

    /// Asserts that nothing more comes and the server has closed the connection in good order, without a reset.
    pub fn assert_closed(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "more than was expected");
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.stream.read_until(b'\n', &mut line).unwrap();
        let line = String::from_utf8(line).unwrap();
        line.strip_suffix("\r\n")
            .unwrap_or_else(|| panic!("the connection ended at {line:?}"))
            .to_owned()
    }
}
