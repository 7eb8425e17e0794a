//! The commands: which there are, how many arguments each takes, and how one is carried out.
//!
//! A command never suspends. It reads its arguments where they lie in the connection's buffer and appends its reply to
//! the connection's batch, so in the common case nothing is allocated between the two system calls.

mod admin;
mod failure;
mod keys;
mod strings;
mod time;

use std::time::Instant;

use crate::reply::Reply;
use crate::resp::Arguments;
use crate::store::Store;
use failure::Failure;

/// What all connections share.
#[derive(Debug)]
pub struct Keyspace {
    pub store: Store,
    started: Instant,
}

impl Keyspace {
    pub fn new() -> Self {
        Self {
            store: Store::new(),
            started: Instant::now(),
        }
    }
}

/// What one connection remembers from command to command.
#[derive(Debug)]
pub struct Session {
    id: u64,
    name: Vec<u8>,
    quitting: bool,
}

impl Session {
    pub fn new(id: u64) -> Self {
        Self {
            id,
            name: Vec::new(),
            quitting: false,
        }
    }

    /// Tells whether the client said goodbye.
    pub fn is_quitting(&self) -> bool {
        self.quitting
    }
}

/// One request on its way through a command.
#[derive(Debug)]
struct Call<'a> {
    arguments: Arguments<'a>,
    keyspace: &'a Keyspace,
    session: &'a mut Session,
    reply: &'a mut Reply,
}

impl<'a> Call<'a> {
    /// Returns an argument that the command's arity promises.
    fn argument(&self, index: usize) -> &'a [u8] {
        self.arguments.get(index).expect("the arity was checked")
    }

    fn store(&self) -> &'a Store {
        &self.keyspace.store
    }
}

/// How many arguments a command takes, its own name included.
#[derive(Clone, Copy, Debug)]
enum Arity {
    Exactly(usize),
    AtLeast(usize),
}

impl Arity {
    fn allows(self, count: usize) -> bool {
        match self {
            Self::Exactly(expected) => count == expected,
            Self::AtLeast(least) => count >= least,
        }
    }
}

#[derive(Debug)]
struct Command {
    name: &'static str,
    arity: Arity,
    run: fn(&mut Call<'_>) -> Result<(), Failure>,
}

const fn exactly(
    count: usize,
    name: &'static str,
    run: fn(&mut Call<'_>) -> Result<(), Failure>,
) -> Command {
    Command {
        name,
        arity: Arity::Exactly(count),
        run,
    }
}

const fn at_least(
    count: usize,
    name: &'static str,
    run: fn(&mut Call<'_>) -> Result<(), Failure>,
) -> Command {
    Command {
        name,
        arity: Arity::AtLeast(count),
        run,
    }
}

/// Looked through from the front, so the frequent ones come first.
static COMMANDS: [Command; 40] = [
    exactly(2, "get", strings::get),
    at_least(3, "set", strings::set),
    exactly(2, "incr", strings::incr),
    at_least(1, "ping", admin::ping),
    at_least(2, "mget", strings::mget),
    at_least(3, "mset", strings::mset),
    at_least(2, "del", keys::del),
    at_least(2, "exists", keys::exists),
    exactly(2, "decr", strings::decr),
    exactly(3, "incrby", strings::incrby),
    exactly(3, "decrby", strings::decrby),
    exactly(3, "setnx", strings::setnx),
    exactly(4, "setex", strings::setex),
    exactly(4, "psetex", strings::psetex),
    exactly(3, "getset", strings::getset),
    exactly(2, "getdel", strings::getdel),
    exactly(3, "append", strings::append),
    exactly(2, "strlen", strings::strlen),
    at_least(2, "unlink", keys::del),
    exactly(2, "type", keys::type_of),
    at_least(3, "expire", keys::expire),
    at_least(3, "pexpire", keys::pexpire),
    at_least(3, "expireat", keys::expireat),
    at_least(3, "pexpireat", keys::pexpireat),
    exactly(2, "persist", keys::persist),
    exactly(2, "ttl", keys::ttl),
    exactly(2, "pttl", keys::pttl),
    exactly(2, "keys", keys::keys),
    exactly(1, "dbsize", keys::dbsize),
    at_least(1, "flushall", keys::flush),
    at_least(1, "flushdb", keys::flush),
    exactly(2, "echo", admin::echo),
    exactly(2, "select", admin::select),
    at_least(1, "hello", admin::hello),
    at_least(2, "client", admin::client),
    at_least(1, "command", admin::command),
    at_least(2, "config", admin::config),
    at_least(1, "info", admin::info),
    at_least(1, "quit", admin::quit),
    exactly(1, "time", admin::time),
];

/// Carries out a request and appends its reply; an empty request has none.
pub fn execute(
    arguments: Arguments<'_>,
    keyspace: &Keyspace,
    session: &mut Session,
    reply: &mut Reply,
) {
    let Some(name) = arguments.get(0) else { return };
    let outcome = match COMMANDS
        .iter()
        .find(|c| name.eq_ignore_ascii_case(c.name.as_bytes()))
    {
        None => Err(Failure::unknown_command(arguments)),
        Some(command) if !command.arity.allows(arguments.len()) => {
            Err(Failure::wrong_arity(command.name))
        }
        Some(command) => (command.run)(&mut Call {
            arguments,
            keyspace,
            session,
            reply,
        }),
    };
    if let Err(failure) = outcome {
        reply.error(failure.text());
    }
}
