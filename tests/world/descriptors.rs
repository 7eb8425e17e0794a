//! No descriptor is left behind, and their end is told.

use std::io::{Read, Write};

use switchback::io::{Watched, pipe};
use switchback::net::{UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::prelude::*;
use switchback::process::{Command, Stdio};
use switchback::signal::{SignalKind, signal};

use crate::child::{in_a_child, in_child};
use crate::watchdog::Watchdog;
use crate::{Place, open_descriptors};

/// Everything once, some of it given up while it waits.
fn everything() {
    let place = Place::new();
    run_blocking(|_| {
        let listener = UnixListener::bind(&place.0)?;
        let mut client = UnixStream::connect(&place.0)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"x")?;
        server.read_exact(&mut [0])?;
        client.try_clone()?.into_std()?;
        let (one, two) = UnixDatagram::pair()?;
        one.send(b"x")?;
        two.recv(&mut [0])?;
        let udp = UdpSocket::bind("127.0.0.1:0")?;
        udp.send_to(b"x", udp.local_addr()?)?;
        udp.recv(&mut [0])?;
        let (reader, mut writer) = pipe()?;
        writer.write_all(b"x")?;
        let reader = Watched::new(reader.into_std()?)?;
        reader.readable()?;
        let hangups = signal(SignalKind::hangup())?;
        assert_eq!(Command::new("echo").arg("hi").output()?.stdout, b"hi\n");
        coroutine_scope(|s| {
            let given_up = [
                s.launch(|_| Ok(listener.accept().map(drop)?)),
                s.launch(|_| Ok((&server).read_exact(&mut [0])?)),
                s.launch(|_| Ok(udp.recv(&mut [0]).map(drop)?)),
                s.launch(|_| Ok(hangups.recv()?)),
            ];
            yield_()?;
            given_up
                .into_iter()
                .try_for_each(|job| job.cancel_and_join())
        })?;
        assert!(Command::new("no-such-program-anywhere").output().is_err());
        Ok(())
    })
    .unwrap();
}

#[test]
fn no_descriptor_is_left_behind() {
    const NAME: &str = "descriptors::no_descriptor_is_left_behind";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    // What is kept for the next time is made once.
    everything();
    let before = open_descriptors();
    for _ in 0..20 {
        everything();
    }
    assert_eq!(open_descriptors(), before);
}

#[test]
fn when_there_is_none_left_each_says_so_and_goes_on_when_there_is_one() {
    const NAME: &str =
        "descriptors::when_there_is_none_left_each_says_so_and_goes_on_when_there_is_one";
    let _watchdog = Watchdog::new();
    if !in_child(NAME) {
        return in_a_child(NAME);
    }
    everything();
    let limit = libc::rlimit {
        rlim_cur: 64,
        rlim_max: 64,
    };
    // SAFETY: the structure is ours.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
    assert_eq!(set, 0);
    let place = Place::new();
    run_blocking(|_| {
        let listener = UnixListener::bind(&place.0)?;
        let mut hoard = Vec::new();
        while let Ok(file) = std::fs::File::open("/dev/null") {
            hoard.push(file);
        }
        let none_left = |error: std::io::Error| {
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error:?}");
        };
        none_left(pipe().unwrap_err());
        none_left(UnixStream::pair().unwrap_err());
        none_left(UnixDatagram::pair().unwrap_err());
        none_left(UnixStream::connect(&place.0).unwrap_err());
        none_left(UdpSocket::bind("127.0.0.1:0").unwrap_err());
        let mut piped = Command::new("true");
        none_left(piped.stdout(Stdio::piped()).spawn().unwrap_err());
        // A signal that nobody has listened to yet needs one.
        none_left(signal(SignalKind::quit()).unwrap_err());
        hoard.pop();
        let client = UnixStream::connect(&place.0)?;
        none_left(listener.accept().unwrap_err());
        hoard.pop();
        let (server, _) = listener.accept()?;
        drop((client, server, hoard));
        assert!(Command::new("true").status()?.success());
        Ok(())
    })
    .unwrap();
}
