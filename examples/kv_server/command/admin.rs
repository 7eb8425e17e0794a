//! Commands about the connection and the server: greetings, settings, and what tools ask for when they connect.

use std::fmt::Write as _;

use super::failure::Failure;
use super::{COMMANDS, Call};
use crate::glob;
use crate::number::parse_integer;
use crate::shard::{Shard, now};

/// The settings that tools ask for: nothing is ever written to disk.
const SETTINGS: [(&str, &str); 4] = [
    ("appendonly", "no"),
    ("databases", "1"),
    ("maxmemory", "0"),
    ("save", ""),
];

pub(super) fn ping(call: &mut Call<'_>) -> Result<(), Failure> {
    match call.arguments.len() {
        1 => call.reply.simple("PONG"),
        2 => call.reply.bulk(call.argument(1)),
        _ => return Err(Failure::wrong_arity("ping")),
    }
    Ok(())
}

pub(super) fn echo(call: &mut Call<'_>) -> Result<(), Failure> {
    call.reply.bulk(call.argument(1));
    Ok(())
}

pub(super) fn quit(call: &mut Call<'_>) -> Result<(), Failure> {
    call.session.quitting = true;
    call.reply.simple("OK");
    Ok(())
}

pub(super) fn select(call: &mut Call<'_>) -> Result<(), Failure> {
    match parse_integer(call.argument(1)) {
        None => Err(Failure::NOT_AN_INTEGER),
        Some(0) => {
            call.reply.simple("OK");
            Ok(())
        }
        Some(_) => Err(Failure::DB_OUT_OF_RANGE),
    }
}

/// Agrees on version 2 of the protocol, the only one spoken here; clients that prefer 3 fall back to it.
pub(super) fn hello(call: &mut Call<'_>) -> Result<(), Failure> {
    if let Some(version) = call.arguments.get(1) {
        match parse_integer(version) {
            None => return Err(Failure::BAD_PROTOCOL_VERSION),
            Some(2) => {}
            Some(_) => return Err(Failure::NO_PROTOCOL),
        }
    }
    let mut name = None;
    let mut options = call.arguments.from(2);
    while let Some(option) = options.next() {
        match options.next() {
            Some(value) if option.eq_ignore_ascii_case(b"setname") => name = Some(value),
            _ => return Err(Failure::hello_option(option)),
        }
    }
    if let Some(name) = name {
        call.session.name = name.to_vec();
    }
    let reply = &mut *call.reply;
    reply.array(14);
    for (field, value) in [("server", "redis"), ("version", env!("CARGO_PKG_VERSION"))] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"proto");
    reply.integer(2);
    reply.bulk(b"id");
    reply.integer(call.session.id as i64);
    for (field, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(field.as_bytes());
        reply.bulk(value.as_bytes());
    }
    reply.bulk(b"modules");
    reply.array(0);
    Ok(())
}

pub(super) fn client(call: &mut Call<'_>) -> Result<(), Failure> {
    let subcommand = call.argument(1);
    let is = |name: &str| subcommand.eq_ignore_ascii_case(name.as_bytes());
    match call.arguments.len() {
        3 if is("setname") => {
            call.session.name = call.argument(2).to_vec();
            call.reply.simple("OK");
        }
        4 if is("setinfo") => call.reply.simple("OK"),
        2 if is("getname") => match &call.session.name[..] {
            [] => call.reply.null(),
            name => call.reply.bulk(name),
        },
        2 if is("id") => call.reply.integer(call.session.id as i64),
        _ if is("setname") => return Err(Failure::wrong_arity("client|setname")),
        _ if is("setinfo") => return Err(Failure::wrong_arity("client|setinfo")),
        _ => return Err(Failure::unknown_subcommand("CLIENT", subcommand)),
    }
    Ok(())
}

/// Lists nothing: `redis-cli` then simply has no hints to show.
pub(super) fn command(call: &mut Call<'_>) -> Result<(), Failure> {
    match call.arguments.get(1) {
        None => call.reply.array(0),
        Some(word) if word.eq_ignore_ascii_case(b"count") => {
            call.reply.integer(COMMANDS.len() as i64);
        }
        Some(word) if word.eq_ignore_ascii_case(b"docs") => call.reply.array(0),
        Some(word) => return Err(Failure::unknown_subcommand("COMMAND", word)),
    }
    Ok(())
}

pub(super) fn config(call: &mut Call<'_>) -> Result<(), Failure> {
    let subcommand = call.argument(1);
    if !subcommand.eq_ignore_ascii_case(b"get") {
        return Err(Failure::unknown_subcommand("CONFIG", subcommand));
    }
    if call.arguments.len() < 3 {
        return Err(Failure::wrong_arity("config|get"));
    }
    let is_asked_for = |name: &str| {
        call.arguments
            .from(2)
            .any(|pattern| glob::matches(&pattern.to_ascii_lowercase(), name.as_bytes()))
    };
    let found = SETTINGS.iter().filter(|(name, _)| is_asked_for(name));
    call.reply.array(2 * found.clone().count());
    for (name, value) in found {
        call.reply.bulk(name.as_bytes());
        call.reply.bulk(value.as_bytes());
    }
    Ok(())
}

pub(super) fn info(call: &mut Call<'_>) -> Result<(), Failure> {
    let wanted = |section: &str| {
        let is_wanted = |word: &[u8]| {
            [section, "all", "default", "everything"]
                .iter()
                .any(|name| word.eq_ignore_ascii_case(name.as_bytes()))
        };
        call.arguments.len() == 1 || call.arguments.from(1).any(is_wanted)
    };
    let mut text = String::new();
    if wanted("server") {
        let uptime = call.keyspace.started.elapsed().as_secs();
        let version = env!("CARGO_PKG_VERSION");
        let process = std::process::id();
        write_lines(
            &mut text,
            format_args!(
                "# Server\r\nredis_version:{version}\r\nredis_mode:standalone\r\n\
                 process_id:{process}\r\nuptime_in_seconds:{uptime}\r\n"
            ),
        );
    }
    if wanted("keyspace") {
        let keys: usize = call.store().all_shards().iter().map(Shard::len).sum();
        write_lines(&mut text, format_args!("# Keyspace\r\ndb0:keys={keys}\r\n"));
    }
    call.reply.bulk(text.as_bytes());
    Ok(())
}

fn write_lines(text: &mut String, lines: std::fmt::Arguments<'_>) {
    if !text.is_empty() {
        text.push_str("\r\n");
    }
    text.write_fmt(lines)
        .expect("a string takes whatever is written to it");
}

pub(super) fn time(call: &mut Call<'_>) -> Result<(), Failure> {
    let now = now();
    call.reply.array(2);
    call.reply.bulk((now / 1000).to_string().as_bytes());
    call.reply.bulk((now % 1000 * 1000).to_string().as_bytes());
    Ok(())
}
