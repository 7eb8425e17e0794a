//! One client: read, answer, write, until either side has had enough.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use switchback::net::TcpStream;
use switchback::prelude::*;

use crate::buffer::ReadBuffer;
use crate::command::{self, Keyspace, Session};
use crate::connections::Guest;
use crate::reply::Reply;
use crate::resp::{Parser, ProtocolError};

/// Replies are sent when they amount to this much, even if the batch has more requests: a few bytes that ask for a
/// large value again and again would otherwise fill the memory.
const REPLY_LIMIT: usize = 256 * 1024;
/// After this many batches in a row the coroutine steps back, should its client never let it wait.
const BATCHES_IN_A_ROW: u32 = 32;
/// How long a client that broke the protocol may go on talking, unheard.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves a client until the connection ends.
///
/// # Errors
///
/// Only if cancelled: a client that resets its connection is no failure of the server's.
pub fn serve(guest: &Guest<'_>, keyspace: &Keyspace) -> Result<()> {
    match converse(guest, keyspace) {
        Err(error) if !error.is_cancelled() => Ok(()),
        ended => ended,
    }
}

fn converse(guest: &Guest<'_>, keyspace: &Keyspace) -> Result<()> {
    let mut stream = guest.stream();
    stream.set_nodelay(true)?;
    let mut buffer = ReadBuffer::new();
    let mut parser = Parser::new();
    let mut session = Session::new(guest.id());
    let mut reply = Reply::new();
    let mut batches = 0;

    while buffer.fill(stream, parser.wanted())? > 0 {
        let fate = loop {
            let fate = answer(&mut buffer, &mut parser, keyspace, &mut session, &mut reply);
            stream.write_all(reply.as_bytes())?;
            reply.clear();
            if fate != Fate::ReplyIsFull {
                break fate;
            }
        };
        match fate {
            Fate::Finished => return Ok(()),
            Fate::ProtocolViolated => return bid_farewell(stream),
            Fate::NeedsMore | Fate::ReplyIsFull => {}
        }
        batches += 1;
        if batches == BATCHES_IN_A_ROW {
            batches = 0;
            yield_()?;
        }
    }
    Ok(())
}

/// What is to happen after some requests were answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// The next request has not arrived completely.
    NeedsMore,
    /// The replies are to be sent before more requests are answered.
    ReplyIsFull,
    /// The client said goodbye.
    Finished,
    ProtocolViolated,
}

/// Carries out the requests that have arrived completely.
fn answer(
    buffer: &mut ReadBuffer,
    parser: &mut Parser,
    keyspace: &Keyspace,
    session: &mut Session,
    reply: &mut Reply,
) -> Fate {
    loop {
        let length = match parser.next(buffer.unread()) {
            Ok(Some(request)) => {
                command::execute(request.arguments(), keyspace, session, reply);
                request.length()
            }
            Ok(None) => return Fate::NeedsMore,
            Err(violation) => {
                reply_to_violation(reply, violation);
                return Fate::ProtocolViolated;
            }
        };
        buffer.consume(length);
        if session.is_quitting() {
            return Fate::Finished;
        }
        if reply.as_bytes().len() >= REPLY_LIMIT {
            return Fate::ReplyIsFull;
        }
    }
}

fn reply_to_violation(reply: &mut Reply, violation: ProtocolError) {
    reply.error(format!("ERR {violation}").as_bytes());
}

/// Ends a connection whose client may still be sending.
///
/// To close a socket with unread bytes in it resets the connection, and the reset may overtake the reply that says what
/// was wrong. So the stream is ended, and what still comes is thrown away for a while.
fn bid_farewell(mut stream: &TcpStream) -> Result<()> {
    stream.shutdown(Shutdown::Write)?;
    with_timeout(FAREWELL, |_| {
        let mut scrap = [0; 4096];
        while stream.read(&mut scrap)? > 0 {}
        Ok(())
    })
}
