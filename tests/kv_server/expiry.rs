//! Keys that live for a while.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::client::{Client, Reply, bulk, error, ok};
use crate::server::{Server, until};

#[test]
fn an_expired_key_is_gone_and_its_memory_too() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("SET a 1 PX 50"), ok());
    assert_eq!(client.ask("SET b 1"), ok());
    let left = client.ask_integer("PTTL a");
    assert!((-2..=50).contains(&left), "{left}");
    until_gone(&mut client, "a");
    assert_eq!(client.ask("PTTL a"), Reply::Integer(-2));
    assert_eq!(client.ask("EXISTS a"), Reply::Integer(0));
    assert_eq!(client.ask("KEYS *"), Reply::Array(vec![bulk("b")]));
    // The count includes what was not swept yet: nobody touches the key, so this is the sweeper's work.
    until("the sweep", || {
        (client.ask("DBSIZE") == Reply::Integer(1)).then_some(())
    });
}

#[test]
fn an_expired_key_counts_as_absent_for_every_command() {
    let server = Server::start();
    let mut client = server.connect();
    let mut expired = |command: &str| {
        assert_eq!(client.ask("SET a 7 PX 1"), ok());
        until_gone(&mut client, "a");
        client.ask(command)
    };
    assert_eq!(expired("INCR a"), Reply::Integer(1));
    assert_eq!(expired("DEL a"), Reply::Integer(0));
    assert_eq!(expired("SETNX a 1"), Reply::Integer(1));
    assert_eq!(expired("SET a 1 XX"), Reply::Null);
    assert_eq!(expired("APPEND a 12"), Reply::Integer(2));
    assert_eq!(expired("EXPIRE a 100"), Reply::Integer(0));
    assert_eq!(expired("PERSIST a"), Reply::Integer(0));
    assert_eq!(expired("SET a 1 KEEPTTL"), ok());
    // It is a new value, so it does not inherit the time that has passed.
    assert_eq!(client.ask("TTL a"), Reply::Integer(-1));
}

#[test]
fn a_lifetime_is_told_changed_and_taken_away() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("TTL a"), Reply::Integer(-2));
    assert_eq!(client.ask("EXPIRE a 100"), Reply::Integer(0));
    client.ask("SET a 1");
    assert_eq!(client.ask("TTL a"), Reply::Integer(-1));
    assert_eq!(client.ask("PTTL a"), Reply::Integer(-1));
    assert_eq!(client.ask("PERSIST a"), Reply::Integer(0));
    assert_eq!(client.ask("EXPIRE a 100"), Reply::Integer(1));
    assert_lifetime(&mut client, "a", 100);
    assert_eq!(client.ask("INCR a"), Reply::Integer(2));
    assert_lifetime(&mut client, "a", 100);
    assert_eq!(client.ask("SET a 2 KEEPTTL"), ok());
    assert_lifetime(&mut client, "a", 100);
    assert_eq!(client.ask("SET a 3"), ok());
    assert_eq!(client.ask("TTL a"), Reply::Integer(-1));
    assert_eq!(client.ask("PEXPIRE a 200000"), Reply::Integer(1));
    assert_lifetime(&mut client, "a", 200);
    assert_eq!(client.ask("PERSIST a"), Reply::Integer(1));
    assert_eq!(client.ask("TTL a"), Reply::Integer(-1));

    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let later = now + Duration::from_secs(300);
    client.ask(&format!("SET b 1 EXAT {}", later.as_secs() + 1));
    assert_lifetime(&mut client, "b", 301);
    client.ask(&format!("SET b 1 PXAT {}", later.as_millis()));
    assert_lifetime(&mut client, "b", 300);
    client.ask(&format!("EXPIREAT b {}", later.as_secs() + 101));
    assert_lifetime(&mut client, "b", 401);
    client.ask("SETEX b 500 1");
    assert_lifetime(&mut client, "b", 500);
}

#[test]
fn a_lifetime_in_the_past_deletes_the_key() {
    let server = Server::start();
    let mut client = server.connect();
    client.ask("SET a 1");
    assert_eq!(client.ask("EXPIRE a -1"), Reply::Integer(1));
    assert_eq!(client.ask("GET a"), Reply::Null);
    assert_eq!(client.ask("SET a 1 EXAT 1"), ok());
    assert_eq!(client.ask("GET a"), Reply::Null);
}

#[test]
fn expire_obeys_its_conditions() {
    let server = Server::start();
    let mut client = server.connect();
    client.ask("SET a 1");
    // A key without a lifetime counts as one that lives for ever.
    for (condition, allowed) in [("XX", 0), ("GT", 0), ("LT", 1)] {
        let reply = client.ask(&format!("EXPIRE a 100 {condition}"));
        assert_eq!(reply, Reply::Integer(allowed), "{condition}");
    }
    for (request, allowed) in [
        ("EXPIRE a 200 NX", 0),
        ("EXPIRE a 50 GT", 0),
        ("EXPIRE a 200 LT", 0),
        ("EXPIRE a 200 GT", 1),
        ("EXPIRE a 50 LT XX", 1),
    ] {
        assert_eq!(client.ask(request), Reply::Integer(allowed), "{request}");
    }
    assert_eq!(
        client.ask("EXPIRE a 1 NX GT"),
        error("ERR NX and XX, GT or LT options at the same time are not compatible")
    );
    assert_eq!(
        client.ask("EXPIRE a 1 GT LT"),
        error("ERR GT and LT options at the same time are not compatible")
    );
    assert_eq!(
        client.ask("EXPIRE a 1 nonsense"),
        error("ERR Unsupported option nonsense")
    );
    assert_eq!(
        client.ask("EXPIRE a x"),
        error("ERR value is not an integer or out of range")
    );
    assert_eq!(
        client.ask("EXPIRE a 9223372036854775807"),
        error("ERR invalid expire time in 'expire' command")
    );
}

fn until_gone(client: &mut Client, key: &str) {
    until("the key expires", || {
        (client.ask(&format!("GET {key}")) == Reply::Null).then_some(())
    });
}

/// Asserts that a key has about this many seconds left; the test itself takes some.
fn assert_lifetime(client: &mut Client, key: &str, seconds: i64) {
    let left = client.ask_integer(&format!("TTL {key}"));
    assert!((seconds - 30..=seconds).contains(&left), "{key}: {left}");
}
