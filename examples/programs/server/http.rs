//! As much of HTTP/1.1 as the routes need. Reading and writing look as if they blocked.

use std::io::{BufRead, BufReader, Read, Write};

use switchback::net::TcpStream;
use switchback::prelude::*;

/// No line and no body may be longer.
const LONGEST: u64 = 8 * 1024;

/// A request, without its headers.
#[derive(Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub body: String,
}

/// A status and a text.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

impl Response {
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        let body = body.into();
        Self { status, body }
    }
}

/// The server's end of a connection.
#[derive(Debug)]
pub struct Connection(BufReader<TcpStream>);

impl Connection {
    pub fn new(stream: TcpStream) -> Self {
        Self(BufReader::new(stream))
    }

    /// The next request; `None` if the client has left.
    pub fn receive(&mut self) -> Result<Option<Request>> {
        let Some(first) = self.line()? else {
            return Ok(None);
        };
        let mut words = first.split(' ').map(str::to_owned);
        let (Some(method), Some(path)) = (words.next(), words.next()) else {
            return Err(Error::msg(format!("not a request: {first:?}")));
        };
        let mut length = 0;
        while let Some(line) = self.line()?.filter(|line| !line.is_empty()) {
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse()?;
            }
        }
        if length > LONGEST {
            return Err(Error::msg("the body is too long"));
        }
        let mut body = String::new();
        (&mut self.0).take(length).read_to_string(&mut body)?;
        Ok(Some(Request { method, path, body }))
    }

    /// Answers the last request.
    pub fn send(&mut self, response: &Response) -> Result<()> {
        let Response { status, body } = response;
        let length = body.len();
        let text = format!("HTTP/1.1 {status} \r\ncontent-length: {length}\r\n\r\n{body}");
        Ok(self.0.get_mut().write_all(text.as_bytes())?)
    }

    /// A line without its end; `None` at the end of the stream.
    fn line(&mut self) -> Result<Option<String>> {
        let mut line = String::new();
        if (&mut self.0).take(LONGEST).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        match line.strip_suffix('\n') {
            Some(text) => Ok(Some(text.trim_end_matches('\r').to_owned())),
            None => Err(Error::msg("a line is too long, or is cut short")),
        }
    }
}
