//! How requests travel: in batches, in pieces, with arbitrary bytes in them, and cut off.

use std::thread;

use crate::client::{Reply, bulk, error, ok, request, words};
use crate::server::{Server, until};

#[test]
fn ten_thousand_pipelined_commands_are_answered_in_order() {
    const COMMANDS: i64 = 10_000;
    let server = Server::start();
    let mut client = server.connect();
    let requests = words("INCR counter").repeat(COMMANDS as usize);
    let writer = client.stream().try_clone().unwrap();
    thread::scope(|scope| {
        // Written from a thread of its own, so that neither side's full buffers can stop the other.
        scope.spawn(move || std::io::Write::write_all(&mut &writer, &requests).unwrap());
        for expected in 1..=COMMANDS {
            assert_eq!(client.reply(), Reply::Integer(expected));
        }
    });
    client.assert_alive();
}

#[test]
fn a_request_may_be_cut_at_any_byte() {
    let server = Server::start();
    let mut client = server.connect();
    let ping = words("PING");
    let requests = [
        request(&[b"SET", b"key", b"a\r\nb"]),
        b"GET key\r\n".to_vec(),
        request(&[b"DEL", b"key", b"other key"]),
    ]
    .concat();
    for cut in 0..=requests.len() {
        // The reply to the PING tells that the server has read up to the cut.
        client.send([&ping, &requests[..cut]].concat());
        assert_eq!(client.reply(), Reply::Simple("PONG".to_owned()), "{cut}");
        client.send(&requests[cut..]);
        assert_eq!(client.reply(), ok(), "{cut}");
        assert_eq!(client.reply(), bulk("a\r\nb"), "{cut}");
        assert_eq!(client.reply(), Reply::Integer(1), "{cut}");
    }
    for byte in requests.chunks(1) {
        client.send(byte);
    }
    assert_eq!(client.reply(), ok());
    assert_eq!(client.reply(), bulk("a\r\nb"));
    assert_eq!(client.reply(), Reply::Integer(1));
}

#[test]
fn keys_and_values_may_hold_any_bytes() {
    let server = Server::start();
    let mut client = server.connect();
    let all_bytes: Vec<u8> = (0..=255).collect();
    for value in [&all_bytes[..], b"", b"\r\n", b"$3\r\nfoo\r\n"] {
        assert_eq!(client.ask_bytes(&[b"SET", value, value]), ok());
        assert_eq!(client.ask_bytes(&[b"GET", value]), bulk(value));
        assert_eq!(client.ask_bytes(&[b"ECHO", value]), bulk(value));
    }
    assert_eq!(client.ask("DBSIZE"), Reply::Integer(4));
}

#[test]
fn large_values_come_back_whole_and_leave_room_for_small_ones() {
    let server = Server::start();
    let mut client = server.connect();
    for size in [16 * 1024, 16 * 1024 + 1, 100_000, 8 * 1024 * 1024] {
        let value: Vec<u8> = (0..size).map(|index| (index % 251) as u8).collect();
        assert_eq!(client.ask_bytes(&[b"SET", b"large", &value]), ok());
        assert_eq!(client.ask("GET large"), bulk(&value));
        client.assert_alive();
    }
}

#[test]
fn a_request_of_many_arguments_is_understood() {
    const KEYS: usize = 50_000;
    let server = Server::start();
    let mut client = server.connect();
    let keys: Vec<String> = (0..KEYS).map(|number| format!("key:{number}")).collect();
    let mut arguments: Vec<&[u8]> = vec![b"MSET"];
    arguments.extend(keys.iter().flat_map(|key| [key.as_bytes(), key.as_bytes()]));
    assert_eq!(client.ask_bytes(&arguments), ok());
    assert_eq!(client.ask("DBSIZE"), Reply::Integer(KEYS as i64));
    assert_eq!(client.ask("GET key:49999"), bulk("key:49999"));
}

#[test]
fn a_line_of_words_is_a_command() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("SET a 1\r\n  GET   a  \n");
    assert_eq!(client.reply(), ok());
    assert_eq!(client.reply(), bulk("1"));
    client.send("ECHO \"a b\\x41\\n\\\"\"\r\nECHO 'it\\'s \\n'\r\n");
    assert_eq!(client.reply(), bulk("a bA\n\""));
    assert_eq!(client.reply(), bulk("it's \\n"));
    client.send("SET \"\" ''\r\nGET ''\r\n");
    assert_eq!(client.reply(), ok());
    assert_eq!(client.reply(), bulk(""));
}

#[test]
fn empty_requests_have_no_reply() {
    let server = Server::start();
    let mut client = server.connect();
    client.send("\r\n\n*0\r\n*-1\r\n   \r\n");
    client.assert_alive();
}

#[test]
fn a_client_that_goes_in_the_middle_of_a_request_harms_nobody() {
    let server = Server::start();
    let mut other = server.connect();
    other.assert_alive();
    let whole = words("SET key value");
    for cut in 1..whole.len() {
        let mut client = server.connect();
        client.send(&whole[..cut]);
    }
    assert_eq!(other.ask("EXISTS key"), Reply::Integer(0));
    server.assert_alive();
}

#[test]
fn a_client_that_ends_its_half_gets_its_replies() {
    let server = Server::start();
    let mut client = server.connect();
    client.send(words("INCR counter").repeat(100));
    client.send("*2\r\n$3\r\nGE");
    client.stream().shutdown(std::net::Shutdown::Write).unwrap();
    for expected in 1..=100 {
        assert_eq!(client.reply(), Reply::Integer(expected));
    }
    client.assert_closed();
}

#[test]
fn a_client_that_resets_its_connection_harms_nobody() {
    let server = Server::start();
    let mut other = server.connect();
    assert_eq!(other.ask_bytes(&[b"SET", b"large", &[b'x'; 1 << 20]]), ok());
    let sockets = server.sockets();
    for _ in 0..10 {
        let mut client = server.connect();
        // The replies exceed all buffers. To close with unread data in the socket resets the connection.
        client.send(words("GET large").repeat(100));
        client.stream().peek(&mut [0]).unwrap();
    }
    until("the connections are closed", || {
        (server.sockets() <= sockets).then_some(())
    });
    other.assert_alive();
    server.assert_alive();
}

#[test]
fn two_hundred_clients_count_without_losing_one() {
    const CLIENTS: usize = 200;
    const EACH: usize = 50;
    let server = Server::start();
    thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = server.connect();
                let mut last = 0;
                for _ in 0..EACH {
                    let value = client.ask_integer("INCR counter");
                    assert!(value > last, "{value} after {last}");
                    last = value;
                }
            });
        }
    });
    let sum = (CLIENTS * EACH).to_string();
    assert_eq!(server.connect().ask("GET counter"), bulk(sum));
}

#[test]
fn a_violation_is_told_and_ends_only_its_own_connection() {
    let server = Server::start();
    let mut other = server.connect();
    for (violation, told) in [
        ("*1\r\n$x\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$007\r\n", "invalid bulk length"),
        ("*1\r\n$536870913\r\n", "invalid bulk length"),
        ("*x\r\n", "invalid multibulk length"),
        ("*1048577\r\n", "invalid multibulk length"),
        ("*99999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\nx\r\n", "expected '$', got 'x'"),
        ("*1\r\n:1\r\n", "expected '$', got ':'"),
        ("GET \"open\r\n", "unbalanced quotes in request"),
        ("GET 'a'b\r\n", "unbalanced quotes in request"),
    ] {
        let mut client = server.connect();
        // What was right before it is answered, what comes after it is not.
        client.send(format!("PING\r\n{violation}PING\r\n"));
        assert_eq!(client.reply(), Reply::Simple("PONG".to_owned()));
        let expected = error(&format!("ERR Protocol error: {told}"));
        assert_eq!(client.reply(), expected, "{violation:?}");
        client.assert_closed();
        other.assert_alive();
    }
    server.assert_alive();
}
