//! Datagrams, over the loopback device and inside the machine.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::sync::Mutex;

use switchback::net::{UdpSocket, UnixDatagram};
use switchback::prelude::*;

use crate::Place;
use crate::watchdog::Watchdog;

fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn many_clients_ask_one_server_on_the_pool() {
    const CLIENTS: u32 = 100;
    let _watchdog = Watchdog::new();
    let server = bound();
    let address = server.local_addr().unwrap();
    run_blocking(|s| {
        let job = s
            .builder()
            .dispatcher(Dispatchers::default())
            .launch(|_| -> Result<()> {
                let mut buffer = [0; 64];
                loop {
                    let (length, from) = server.recv_from(&mut buffer)?;
                    server.send_to(&buffer[..length], from)?;
                }
            });
        coroutine_scope(|s| {
            for number in 0..CLIENTS {
                s.launch(move |_| {
                    let client = bound();
                    client.connect(address)?;
                    for round in 0..10 {
                        let question = (number * 1000 + round).to_le_bytes();
                        let mut answer = [0; 8];
                        client.send(&question)?;
                        assert_eq!(client.recv(&mut answer)?, 4);
                        assert_eq!(answer[..4], question);
                    }
                    Ok(())
                });
            }
            Ok(())
        })?;
        job.cancel_and_join()
    })
    .unwrap();
}

#[test]
fn a_datagram_goes_to_one_of_several_receivers_on_the_loop_a_worker_and_a_plain_thread() {
    const DATAGRAMS: u32 = 150;
    let _watchdog = Watchdog::new();
    let (server, client) = (bound(), bound());
    client.connect(server.local_addr().unwrap()).unwrap();
    let seen = Mutex::new(HashSet::new());
    let receive = || -> Result<()> {
        let mut buffer = [0; 4];
        loop {
            server.recv(&mut buffer)?;
            match u32::from_le_bytes(buffer) {
                u32::MAX => return Ok(()),
                number => assert!(seen.lock().unwrap().insert(number), "{number} came twice"),
            }
        }
    };
    std::thread::scope(|threads| {
        let plain = threads.spawn(receive);
        run_blocking(|s| {
            s.launch(|_| receive());
            s.builder()
                .dispatcher(Dispatchers::default())
                .launch(|_| receive());
            for number in 0..DATAGRAMS {
                client.send(&number.to_le_bytes())?;
                yield_()?;
            }
            // One for each to end with. They are taken one at a time, since who has one takes no more.
            for _ in 0..3 {
                client.send(&u32::MAX.to_le_bytes())?;
            }
            Ok(())
        })
        .unwrap();
        plain.join().unwrap().unwrap();
    });
    assert_eq!(seen.into_inner().unwrap().len(), DATAGRAMS as usize);
}

#[test]
fn what_is_peeked_at_stays_and_an_empty_datagram_is_one() {
    let _watchdog = Watchdog::new();
    let (one, two) = (bound(), bound());
    let address = two.local_addr().unwrap();
    assert_eq!(one.send_to(b"once", address).unwrap(), 4);
    let mut buffer = [0; 8];
    let from = one.local_addr().unwrap();
    assert_eq!(two.peek_from(&mut buffer).unwrap(), (4, from));
    assert_eq!(two.peek_from(&mut buffer[..2]).unwrap().0, 2);
    assert_eq!(two.recv_from(&mut buffer).unwrap(), (4, from));
    assert_eq!(one.send_to(b"", address).unwrap(), 0);
    assert_eq!(two.recv_from(&mut buffer).unwrap(), (0, from));
    assert_eq!(
        one.send_to(&vec![0; 70_000], address)
            .unwrap_err()
            .raw_os_error(),
        Some(libc::EMSGSIZE)
    );
}

#[test]
fn options_are_those_of_std() {
    let socket = bound();
    socket.set_broadcast(true).unwrap();
    assert!(socket.broadcast().unwrap());
    socket.set_ttl(7).unwrap();
    assert_eq!(socket.ttl().unwrap(), 7);
    socket.set_multicast_ttl_v4(3).unwrap();
    assert_eq!(socket.multicast_ttl_v4().unwrap(), 3);
    socket.set_multicast_loop_v4(false).unwrap();
    assert!(!socket.multicast_loop_v4().unwrap());
    assert!(socket.take_error().unwrap().is_none());
    assert_eq!(
        socket.peer_addr().unwrap_err().kind(),
        ErrorKind::NotConnected
    );
    let std = socket.into_std().unwrap();
    std.set_read_timeout(Some(ms(1))).unwrap();
    // In blocking mode again: it waits for the time that was set.
    assert_eq!(
        std.recv(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    assert_eq!(
        UdpSocket::bind(std.local_addr().unwrap())
            .unwrap_err()
            .kind(),
        ErrorKind::AddrInUse
    );
}

#[test]
fn nobody_at_the_other_end_is_told() {
    let _watchdog = Watchdog::new();
    let address = bound().local_addr().unwrap();
    let socket = bound();
    socket.connect(address).unwrap();
    run_blocking(|_| {
        socket.send(b"hello?")?;
        let error = socket.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        Ok(())
    })
    .unwrap();
}

/// Far more than the queues take, so each sender waits for the receiver many times.
#[test]
fn unix_datagrams_are_not_lost_connected_or_not() {
    const DATAGRAMS: u32 = 2_000;
    let _watchdog = Watchdog::new();
    for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
        let place = Place::new();
        let receiver = UnixDatagram::bind(&place.0).unwrap();
        let connected = UnixDatagram::unbound().unwrap();
        connected.connect(&place.0).unwrap();
        let free = UnixDatagram::unbound().unwrap();
        let sum = run_blocking(|s| {
            let received = s.builder().dispatcher(dispatcher).async_(|_| {
                let (mut sum, mut buffer) = (0, [0; 4]);
                for _ in 0..2 * DATAGRAMS {
                    assert_eq!(receiver.recv(&mut buffer)?, 4);
                    sum += u64::from(u32::from_le_bytes(buffer));
                }
                Ok(sum)
            });
            s.launch(|_| {
                for number in 0..DATAGRAMS {
                    connected.send(&number.to_le_bytes())?;
                }
                Ok(())
            });
            s.launch(|_| {
                for number in 0..DATAGRAMS {
                    free.send_to(&number.to_le_bytes(), &place.0)?;
                }
                Ok(())
            });
            received.await_()
        })
        .unwrap();
        assert_eq!(sum, u64::from(DATAGRAMS * (DATAGRAMS - 1)));
    }
}
