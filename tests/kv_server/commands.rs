//! What each command replies, errors included, in the words of Redis.

use std::thread;

use crate::client::{Reply, bulk, error, ok};
use crate::server::Server;

const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

fn wrong_arity(command: &str) -> Reply {
    error(&format!(
        "ERR wrong number of arguments for '{command}' command"
    ))
}

fn bulks(values: &[&str]) -> Reply {
    Reply::Array(values.iter().map(bulk).collect())
}

#[test]
fn ping_and_echo_return_what_they_were_given() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("PING"), Reply::Simple("PONG".to_owned()));
    assert_eq!(client.ask("ping hello"), bulk("hello"));
    assert_eq!(client.ask("PING a b"), wrong_arity("ping"));
    assert_eq!(client.ask("ECHO hello"), bulk("hello"));
    assert_eq!(client.ask("ECHO"), wrong_arity("echo"));
}

#[test]
fn values_are_set_read_and_deleted() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("GET a"), Reply::Null);
    assert_eq!(client.ask("SET a 1"), ok());
    assert_eq!(client.ask("GET a"), bulk("1"));
    assert_eq!(client.ask("SETNX a 2"), Reply::Integer(0));
    assert_eq!(client.ask("SETNX b 2"), Reply::Integer(1));
    assert_eq!(client.ask("EXISTS a b c a"), Reply::Integer(3));
    assert_eq!(client.ask("TYPE a"), Reply::Simple("string".to_owned()));
    assert_eq!(client.ask("TYPE c"), Reply::Simple("none".to_owned()));
    assert_eq!(client.ask("GETSET a 3"), bulk("1"));
    assert_eq!(client.ask("GETDEL a"), bulk("3"));
    assert_eq!(client.ask("GETDEL a"), Reply::Null);
    assert_eq!(client.ask("APPEND b 34"), Reply::Integer(3));
    assert_eq!(client.ask("STRLEN b"), Reply::Integer(3));
    assert_eq!(client.ask("DEL a b c b"), Reply::Integer(1));
    assert_eq!(client.ask("UNLINK b"), Reply::Integer(0));
    assert_eq!(client.ask("STRLEN b"), Reply::Integer(0));
}

#[test]
fn set_obeys_its_conditions() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("SET a 1 XX"), Reply::Null);
    assert_eq!(client.ask("SET a 1 NX GET"), Reply::Null);
    assert_eq!(client.ask("SET a 2 nx"), Reply::Null);
    assert_eq!(client.ask("SET a 3 NX GET"), bulk("1"));
    assert_eq!(client.ask("SET a 4 XX GET"), bulk("1"));
    assert_eq!(client.ask("GET a"), bulk("4"));
    for wrong in [
        "SET a 1 NX XX",
        "SET a 1 EX",
        "SET a 1 EX 10 PX 10",
        "SET a 1 KEEPTTL EX 10",
        "SET a 1 EX nonsense NONSENSE",
        "SET a 1 NONSENSE",
    ] {
        assert_eq!(client.ask(wrong), error("ERR syntax error"), "{wrong}");
    }
    assert_eq!(client.ask("SET a 1 EX nonsense"), error(NOT_AN_INTEGER));
    for wrong in [
        "EX 0",
        "PX -1",
        "EXAT 0",
        "PXAT -5",
        "EX 9223372036854775807",
    ] {
        let expected = error("ERR invalid expire time in 'set' command");
        assert_eq!(client.ask(&format!("SET a 1 {wrong}")), expected, "{wrong}");
    }
    let expected = error("ERR invalid expire time in 'setex' command");
    assert_eq!(client.ask("SETEX a 0 1"), expected);
    assert_eq!(client.ask("GET a"), bulk("4"));
}

#[test]
fn counters_count_and_refuse_to_overflow() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("INCR a"), Reply::Integer(1));
    assert_eq!(client.ask("INCRBY a 41"), Reply::Integer(42));
    assert_eq!(client.ask("DECR a"), Reply::Integer(41));
    assert_eq!(client.ask("DECRBY a 42"), Reply::Integer(-1));
    assert_eq!(client.ask("GET a"), bulk("-1"));
    for wrong in ["x", "1x", "+1", "01", "-0", "9223372036854775808", "1.0"] {
        client.ask(&format!("SET b {wrong}"));
        assert_eq!(client.ask("INCR b"), error(NOT_AN_INTEGER), "{wrong}");
        let by = client.ask(&format!("INCRBY a {wrong}"));
        assert_eq!(by, error(NOT_AN_INTEGER), "{wrong}");
    }
    let overflow = error("ERR increment or decrement would overflow");
    client.ask("SET b 9223372036854775807");
    assert_eq!(client.ask("INCR b"), overflow);
    assert_eq!(client.ask("GET b"), bulk("9223372036854775807"));
    client.ask("SET b -9223372036854775808");
    assert_eq!(client.ask("DECR b"), overflow);
    assert_eq!(
        client.ask("DECRBY a -9223372036854775808"),
        error("ERR decrement would overflow")
    );
}

#[test]
fn several_keys_are_set_and_read_together() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("MSET a 1 b 2 a 3"), ok());
    let expected = vec![bulk("3"), Reply::Null, bulk("2"), bulk("3")];
    assert_eq!(client.ask("MGET a c b a"), Reply::Array(expected));
    assert_eq!(client.ask("MSET a 1 b"), wrong_arity("mset"));
    assert_eq!(client.ask("MSET a"), wrong_arity("mset"));
    assert_eq!(client.ask("MGET"), wrong_arity("mget"));
}

#[test]
fn several_keys_set_together_are_never_seen_half_done() {
    let server = Server::start();
    let keys: Vec<String> = (0..20).map(|number| format!("key:{number}")).collect();
    let read = format!("MGET {}", keys.join(" "));
    server.connect().ask(&mset(&keys, 0));
    thread::scope(|scope| {
        for writer in 0..2 {
            let (server, keys) = (&server, &keys);
            scope.spawn(move || {
                let mut client = server.connect();
                for value in 0..300 {
                    assert_eq!(client.ask(&mset(keys, 2 * value + writer)), ok());
                }
            });
        }
        let mut client = server.connect();
        for _ in 0..300 {
            match client.ask(&read) {
                Reply::Array(values) => {
                    assert!(values.iter().all(|value| *value == values[0]), "{values:?}")
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

fn mset(keys: &[String], value: i64) -> String {
    let pairs = keys.iter().map(|key| format!(" {key} {value}"));
    format!("MSET{}", pairs.collect::<String>())
}

#[test]
fn keys_are_listed_by_pattern_counted_and_flushed() {
    let server = Server::start();
    let mut client = server.connect();
    client.ask("MSET one 1 two 2 three 3 t*o 4");
    let mut listed = |pattern: &str| match client.ask(&format!("KEYS {pattern}")) {
        Reply::Array(mut keys) => {
            keys.sort_by_key(|key| format!("{key:?}"));
            Reply::Array(keys)
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(listed("t?o"), sorted(&["t*o", "two"]));
    assert_eq!(listed("t\\*o"), sorted(&["t*o"]));
    assert_eq!(listed("[ot]*e"), sorted(&["one", "three"]));
    assert_eq!(listed("[^o]*"), sorted(&["t*o", "three", "two"]));
    assert_eq!(listed("*"), sorted(&["one", "t*o", "three", "two"]));
    assert_eq!(listed("nothing*"), sorted(&[]));
    assert_eq!(client.ask("DBSIZE"), Reply::Integer(4));
    assert_eq!(client.ask("FLUSHALL NONSENSE"), error("ERR syntax error"));
    assert_eq!(client.ask("FLUSHALL ASYNC"), ok());
    assert_eq!(client.ask("DBSIZE"), Reply::Integer(0));
}

fn sorted(keys: &[&str]) -> Reply {
    let mut keys: Vec<Reply> = keys.iter().map(bulk).collect();
    keys.sort_by_key(|key| format!("{key:?}"));
    Reply::Array(keys)
}

#[test]
fn unknown_commands_and_wrong_numbers_of_arguments_are_refused() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(
        client.ask("foo"),
        error("ERR unknown command 'foo', with args beginning with: ")
    );
    assert_eq!(
        client.ask("Foo bar baz"),
        error("ERR unknown command 'Foo', with args beginning with: 'bar' 'baz' ")
    );
    // What is quoted is cut, and a line end in it would end the reply.
    let long = "x".repeat(300);
    let cut = "x".repeat(128);
    assert_eq!(
        client.ask(&format!("{long} {long} {long}")),
        error(&format!(
            "ERR unknown command '{cut}', with args beginning with: '{cut}' "
        ))
    );
    assert_eq!(
        client.ask_bytes(&[b"a\r\nb"]),
        error("ERR unknown command 'a  b', with args beginning with: ")
    );
    for (request, command) in [
        ("GET", "get"),
        ("GET a b", "get"),
        ("SET a", "set"),
        ("SETNX a", "setnx"),
        ("DEL", "del"),
        ("EXISTS", "exists"),
        ("INCR", "incr"),
        ("INCRBY a", "incrby"),
        ("EXPIRE a", "expire"),
        ("TTL", "ttl"),
        ("PTTL a b", "pttl"),
        ("KEYS", "keys"),
        ("DBSIZE a", "dbsize"),
        ("SELECT", "select"),
        ("CONFIG GET", "config|get"),
        ("CLIENT SETNAME", "client|setname"),
    ] {
        assert_eq!(client.ask(request), wrong_arity(command), "{request}");
    }
    client.assert_alive();
}

#[test]
fn tools_get_the_answers_they_need_to_connect() {
    let server = Server::start();
    let mut client = server.connect();
    assert_eq!(client.ask("SELECT 0"), ok());
    assert_eq!(
        client.ask("SELECT 1"),
        error("ERR DB index is out of range")
    );
    assert_eq!(client.ask("SELECT x"), error(NOT_AN_INTEGER));
    assert_eq!(client.ask("CLIENT SETINFO LIB-NAME test"), ok());
    assert_eq!(client.ask("CLIENT GETNAME"), Reply::Null);
    assert_eq!(client.ask("CLIENT SETNAME me"), ok());
    assert_eq!(client.ask("CLIENT GETNAME"), bulk("me"));
    assert_eq!(
        client.ask("CLIENT NONSENSE"),
        error("ERR unknown subcommand 'NONSENSE'. Try CLIENT HELP.")
    );
    assert_eq!(client.ask("COMMAND DOCS"), Reply::Array(vec![]));
    assert_eq!(client.ask("COMMAND"), Reply::Array(vec![]));
    assert!(client.ask_integer("COMMAND COUNT") >= 25);
    assert_eq!(client.ask("CONFIG GET save"), bulks(&["save", ""]));
    assert_eq!(
        client.ask("CONFIG GET append* SAVE"),
        bulks(&["appendonly", "no", "save", ""])
    );
    assert_eq!(client.ask("CONFIG GET nothing"), Reply::Array(vec![]));
    assert_eq!(
        client.ask("HELLO 3"),
        error("NOPROTO unsupported protocol version")
    );
    assert_eq!(
        client.ask("HELLO x"),
        error("ERR Protocol version is not an integer or out of range")
    );
    match client.ask("HELLO 2 SETNAME you") {
        Reply::Array(fields) => {
            let proto = fields.iter().position(|field| *field == bulk("proto"));
            assert_eq!(fields[proto.unwrap() + 1], Reply::Integer(2));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.ask("CLIENT GETNAME"), bulk("you"));
    client.ask("SET a 1");
    match client.ask("INFO") {
        Reply::Bulk(text) => {
            let text = String::from_utf8(text).unwrap();
            assert!(text.contains("redis_mode:standalone\r\n"), "{text}");
            assert!(text.contains("db0:keys=1\r\n"), "{text}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn quit_is_answered_and_ends_the_connection() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("*1\r\n$4\r\nQUIT\r\n*1\r\n$4\r\nPING\r\n");
    assert_eq!(client.reply(), ok());
    client.assert_closed();
    server.assert_alive();
}
