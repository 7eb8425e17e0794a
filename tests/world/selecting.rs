//! The clauses of `select` that wait for the world.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream as StdStream;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::io::{Watched, pipe};
use switchback::net::{TcpListener, TcpStream, UdpSocket, UnixDatagram, UnixListener, UnixStream};
use switchback::prelude::*;
use switchback::process::{Child, Command, Stdio};
use switchback::signal::{SignalKind, signal};
use switchback::sync::{SelectClause, SelectWaker, select};
use switchback::testing::{current_time, run_test};
use switchback::time::interval;

use crate::Place;
use crate::watchdog::Watchdog;

/// Something to select, and what makes it come.
struct Case {
    name: &'static str,
    selects: Box<dyn FnMut() -> Result<&'static str> + Send>,
    comes: Box<dyn FnMut() + Send>,
}

fn late<R>(_: R) -> Result<&'static str> {
    Ok("it came")
}

fn case(
    name: &'static str,
    selects: impl FnMut() -> Result<&'static str> + Send + 'static,
    comes: impl FnMut() + Send + 'static,
) -> Case {
    Case {
        name,
        selects: Box::new(selects),
        comes: Box::new(comes),
    }
}

/// A child that ends when its input does.
pub fn cat() -> Child {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Each can be made to come again and again; the signal belongs to the test.
fn cases(number: i32) -> Vec<Case> {
    let mut all = Vec::new();
    // What never comes, next to what does.
    let (never, kept) = pipe().unwrap();
    let never: &'static _ = Box::leak(Box::new(never));
    std::mem::forget(kept);

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    all.push(case(
        "on_accept",
        move || {
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_accept(&listener, late);
            })
        },
        move || drop(std::net::TcpStream::connect(address).unwrap()),
    ));

    let place = Place::new();
    let listener = UnixListener::bind(&place.0).unwrap();
    all.push(case(
        "on_accept of a file",
        move || {
            select(|s| {
                s.on_accept(&listener, late);
                s.on_readable(never, || Ok("never"));
            })
        },
        move || drop(StdStream::connect(&place.0).unwrap()),
    ));

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap();
    all.push(case(
        "on_datagram",
        move || {
            let mut buffer = [0; 8];
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_datagram(&udp, &mut buffer, |datagram, _| {
                    assert_eq!(datagram, b"some");
                    Ok("it came")
                });
            })
        },
        move || {
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(b"some", address).unwrap();
        },
    ));

    let (one, two) = UnixDatagram::pair().unwrap();
    let two = two.into_std().unwrap();
    all.push(case(
        "on_datagram inside the machine",
        move || {
            let mut buffer = [0; 8];
            select(|s| {
                s.on_datagram(&one, &mut buffer, |_, _| Ok("it came"));
                s.on_readable(never, || Ok("never"));
            })
        },
        move || assert_eq!(two.send(b"some").unwrap(), 4),
    ));

    let (one, mut two) = StdStream::pair().unwrap();
    let one = Watched::new(one).unwrap();
    all.push(case(
        "on_readable",
        move || {
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_readable(&one, || {
                    one.get_ref().read_exact(&mut [0])?;
                    Ok("it came")
                });
            })
        },
        move || two.write_all(b"x").unwrap(),
    ));

    let (reader, writer) = pipe().unwrap();
    let mut reader = reader.into_std().unwrap();
    all.push(case(
        "on_writable",
        move || {
            let told = select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_writable(&writer, || late(()));
            })?;
            // Full again for the next time, whatever room there is.
            let filled = with_timeout_or_none(ms(1), |_| -> Result<()> {
                loop {
                    (&writer).write_all(&[0; 4096])?;
                }
            })?;
            assert!(filled.is_none());
            Ok(told)
        },
        move || assert!(reader.read(&mut vec![0; 1 << 16]).unwrap() > 0),
    ));

    let number = libc::SIGRTMIN() + number;
    let signals = signal(SignalKind::from_raw(number)).unwrap();
    all.push(case(
        "on_signal",
        move || {
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_signal(&signals, || late(()));
            })
        },
        move || {
            // SAFETY: a plain system call, to this process.
            let sent = unsafe { libc::kill(libc::getpid(), number) };
            assert_eq!(sent, 0);
        },
    ));

    let (give, inputs) = std::sync::mpsc::channel();
    let mut child = None;
    let fresh = move || {
        let mut child = cat();
        give.send(child.stdin.take().unwrap()).unwrap();
        child
    };
    all.push(case(
        "on_exit",
        move || {
            let child = child.insert(fresh());
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_exit(child, |status| {
                    assert!(status.success());
                    Ok("it came")
                });
            })
        },
        move || drop(inputs.recv().unwrap()),
    ));

    all.push(case(
        "on_tick",
        move || {
            let mut ticks = interval(ms(1)).first_after(ms(1));
            select(|s| {
                s.on_readable(never, || Ok("never"));
                s.on_tick(&mut ticks, || late(()));
            })
        },
        || (),
    ));
    all
}

/// Lets it come four times, before and while it is waited for.
fn comes_and_is_selected(case: &mut Case) -> Result<()> {
    let Case {
        name,
        selects,
        comes,
    } = case;
    let (ask, asked) = std::sync::mpsc::channel();
    std::thread::scope(|threads| {
        threads.spawn(move || {
            for late in asked {
                if late {
                    std::thread::sleep(ms(3));
                }
                comes();
            }
        });
        // Moved in, so that the thread ends whatever happens.
        let ask = ask;
        for late in [false, true, true, false] {
            ask.send(late).unwrap();
            if !late {
                delay(ms(2))?;
            }
            assert_eq!(selects()?, "it came", "{name}");
        }
        Ok(())
    })
}

#[test]
fn each_clause_wins_when_it_comes_before_or_while_it_is_waited_for() {
    let _watchdog = Watchdog::new();
    for mut case in cases(1) {
        run_blocking(|_| comes_and_is_selected(&mut case)).unwrap();
        for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
            run_blocking(|s| {
                let builder = s.builder().dispatcher(dispatcher);
                builder
                    .async_(|_| comes_and_is_selected(&mut case))
                    .await_()
            })
            .unwrap();
        }
        run_blocking(|_| comes_and_is_selected(&mut case)).unwrap();
    }
}

#[test]
fn each_clause_wins_on_a_plain_thread_too() {
    let _watchdog = Watchdog::new();
    for mut case in cases(2) {
        comes_and_is_selected(&mut case).unwrap();
        std::thread::scope(|threads| {
            let other = threads.spawn(|| comes_and_is_selected(&mut case));
            other.join().unwrap().unwrap();
        });
    }
}

#[test]
fn each_clause_is_withdrawn_by_a_cancellation_and_comes_afterwards() {
    let _watchdog = Watchdog::new();
    for Case {
        name,
        mut selects,
        mut comes,
    } in cases(3)
    {
        if ["on_tick", "on_exit", "on_writable"].contains(&name) {
            continue;
        }
        for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
            run_blocking(|_| {
                for wait in [false, true] {
                    coroutine_scope(|s| {
                        let builder = s.builder().dispatcher(dispatcher.clone());
                        let job = builder.launch(|_| {
                            let error = selects().unwrap_err();
                            assert!(error.is_cancelled(), "{name}: {error:?}");
                        });
                        if wait {
                            delay(ms(2))?;
                            assert!(job.is_active(), "{name}");
                        }
                        job.cancel_and_join()
                    })?;
                }
                let cut = with_timeout(ms(2), |_| selects());
                assert!(cut.unwrap_err().is_timeout(), "{name}");
                comes();
                assert_eq!(selects()?, "it came", "{name}");
                Ok(())
            })
            .unwrap();
        }
        let cut = with_timeout(ms(2), |_| selects());
        assert!(cut.unwrap_err().is_timeout(), "{name}");
        comes();
        assert_eq!(selects().unwrap(), "it came", "{name}");
    }
}

#[test]
fn losers_take_nothing() {
    let _watchdog = Watchdog::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let signals = signal(SignalKind::child()).unwrap();
    let mut child = cat();
    let mut ticks = interval(ms(1));
    let mut buffer = [0; 8];
    let mut all = || -> Result<()> {
        let _client = TcpStream::connect(listener.local_addr()?)?;
        udp.send_to(b"some", udp.local_addr()?)?;
        // It raises the signal too.
        drop(child.stdin.take());
        child.wait()?;
        delay(ms(2))?;
        let first = select(|s| {
            s.on_timeout(ms(0), || Ok("first"));
            s.on_accept(&listener, |_| Ok("accept"));
            s.on_datagram(&udp, &mut buffer, |_, _| Ok("datagram"));
            s.on_signal(&signals, || Ok("signal"));
            s.on_exit(&mut child, |_| Ok("exit"));
            s.on_tick(&mut ticks, || Ok("tick"));
        })?;
        assert_eq!(first, "first");
        listener.accept()?;
        assert_eq!(udp.recv(&mut buffer)?, 4);
        assert!(signals.try_recv());
        assert!(child.wait()?.success());
        ticks.tick()
    };
    run_blocking(|_| all()).unwrap();
}

/// It does something when it is asked, after what was asked before it has said that there is nothing.
struct Does<F>(F);

impl<F: FnMut()> SelectClause for Does<F> {
    type Output = ();

    fn try_take(&mut self) -> Option<()> {
        (self.0)();
        None
    }

    fn watch(&mut self, _: SelectWaker) {}

    fn unwatch(&mut self) {}
}

#[test]
fn what_comes_between_the_question_and_the_wait_is_not_missed() {
    let _watchdog = Watchdog::new();
    let (one, mut two) = StdStream::pair().unwrap();
    let one = Watched::new(one).unwrap();
    run_blocking(|_| {
        for _ in 0..5 {
            // Registered, and told to wait.
            let early = with_timeout_or_none(ms(1), |_| Ok(one.readable()?))?;
            assert!(early.is_none());
            let mut asked = 0;
            let told = select(|s| {
                s.on_readable(&one, || Ok("read"));
                s.on(
                    Does(|| {
                        asked += 1;
                        if asked == 1 {
                            two.write_all(b"x").unwrap();
                        }
                    }),
                    |()| Ok("asked"),
                );
            });
            let _: &'static str = told?;
            one.get_ref().read_exact(&mut [0])?;
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn several_wait_for_the_same_descriptors_and_each_byte_goes_to_one() {
    const BYTES: usize = 200;
    let _watchdog = Watchdog::new();
    let (one, mut far_one) = UnixStream::pair().unwrap();
    let (two, mut far_two) = UnixStream::pair().unwrap();
    let seen = AtomicUsize::new(0);
    let read = || -> Result<()> {
        loop {
            let read = select(|s| {
                s.on_readable(&one, || Ok((&one).read(&mut [0])?));
                s.on_readable(&two, || Ok((&two).read(&mut [0])?));
            })?;
            if read == 0 {
                return Ok(());
            }
            seen.fetch_add(read, Ordering::Relaxed);
        }
    };
    std::thread::scope(|threads| {
        let plain = threads.spawn(read);
        run_blocking(|s| {
            s.launch(|_| read());
            for dispatcher in [Dispatchers::default(), Dispatchers::io()] {
                s.builder().dispatcher(dispatcher).launch(|_| read());
            }
            for _ in 0..BYTES {
                far_one.write_all(b"x")?;
                far_two.write_all(b"y")?;
                yield_()?;
            }
            // A reader that was too late for a byte waits for the next in its handler: the ends wake all.
            while seen.load(Ordering::Relaxed) < 2 * BYTES {
                delay(ms(1))?;
            }
            drop((far_one, far_two));
            Ok(())
        })
        .unwrap();
        plain.join().unwrap().unwrap();
    });
    assert_eq!(seen.into_inner(), 2 * BYTES);
}

#[test]
fn ticks_and_timeouts_of_a_virtual_clock_come_in_order() {
    run_test(|_| {
        let (mut slow, mut fast) = (interval(ms(500)).first_after(ms(500)), interval(ms(300)));
        let mut seen = Vec::new();
        for _ in 0..6 {
            let which = select(|s| {
                s.on_tick(&mut slow, || Ok('s'));
                s.on_tick(&mut fast, || Ok('f'));
            })?;
            seen.push((which, current_time().as_millis()));
        }
        let expected = [
            ('f', 0),
            ('f', 300),
            ('s', 500),
            ('f', 600),
            ('f', 900),
            ('s', 1000),
        ];
        assert_eq!(seen, expected);
        Ok(())
    })
    .unwrap();
}
