//! A coroutine whose calls never have to wait gives way to others all the same, but not where the order would suffer.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use switchback::machine::{StateMachine, Step, Turn};
use switchback::net::{TcpStream, UnixListener};
use switchback::prelude::*;
use switchback::sync::{Receiver, Sender, broadcast, watch};
use switchback::testing::run_test;
use switchback::{EventLoop, new_fixed_thread_pool_context, sequence};

/// When a wait is given up: far later than anything that is waited for.
const IN_VAIN: Duration = Duration::from_secs(20);

/// So many calls are made in one turn.
const FEW: usize = 200;
/// So many are not.
const MANY: usize = 600;

/// A channel that is never empty as long as each element is sent once more.
fn filled(elements: usize) -> (Sender<usize>, Receiver<usize>) {
    let (tx, rx) = channel(Capacity::unlimited());
    for n in 0..elements {
        tx.send(n).unwrap();
    }
    (tx, rx)
}

/// Calls `operation` until others on its thread have had their turns for a while. What lives on one thread may be kept in a `Cell`.
fn give_way(mut operation: impl FnMut() -> Result<()>) -> Result<()> {
    let (start, done) = (Instant::now(), Cell::new(false));
    coroutine_scope(|s| {
        s.launch_local(|_| {
            for _ in 0..3 {
                delay(ms(1))?;
                yield_()?;
            }
            done.set(true);
            Ok(())
        });
        while !done.get() {
            operation()?;
            assert!(start.elapsed() < IN_VAIN, "nobody else has had a turn");
        }
        Ok(())
    })
}

#[test]
fn who_always_finds_an_element_gives_way() {
    let (tx, rx) = filled(1);
    let in_scope = || {
        give_way(|| {
            let n = rx.recv()?;
            tx.send(n)?;
            Ok(())
        })
    };
    // A thread with a loop, a coroutine on it, and one on a worker of a pool.
    run_blocking(|_| in_scope()).unwrap();
    run_blocking(|s| s.launch(|_| in_scope()).join()).unwrap();
    let pool = new_fixed_thread_pool_context(2, "budget").unwrap();
    with_context(pool.dispatcher(), |_| in_scope()).unwrap();
}

#[test]
fn who_always_finds_a_clause_that_is_ready_gives_way() {
    let (tx, rx) = filled(1);
    let (_never, nothing) = channel::<usize>(Capacity::rendezvous());
    run_blocking(|_| {
        give_way(|| {
            let n = select(|s| {
                s.on_recv(&nothing, Ok);
                s.on_recv(&rx, Ok);
            })?;
            tx.send(n)?;
            Ok(())
        })
    })
    .unwrap();
}

#[test]
fn who_always_finds_news_gives_way() {
    let (tx, mut rx) = broadcast::channel(4);
    let (news, mut reader) = watch::channel(0);
    run_blocking(|_| {
        give_way(|| {
            assert_eq!(tx.send(1).unwrap(), 1);
            assert_eq!(rx.recv().unwrap(), 1);
            Ok(())
        })?;
        give_way(|| {
            news.send(1)?;
            reader.changed()
        })
    })
    .unwrap();
}

#[test]
fn who_always_finds_something_to_read_or_room_to_write_gives_way() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let peer = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // More than can be read in small pieces, and everything is taken that is written.
        let mut sink = stream.try_clone().unwrap();
        let source = thread::spawn(move || {
            let mut stream = stream;
            while stream.write_all(&[7; 1 << 16]).is_ok() {}
        });
        let mut taken = vec![0; 1 << 16];
        while sink.read(&mut taken).is_ok_and(|count| count > 0) {}
        source.join().unwrap();
    });
    run_blocking(|_| {
        let mut stream = TcpStream::connect(address)?;
        give_way(|| Ok(stream.read_exact(&mut [0; 4])?))?;
        give_way(|| Ok(stream.write_all(&[7; 4])?))
    })
    .unwrap();
    peer.join().unwrap();
}

/// Has two coroutines on one thread receive `each` elements, and tells how often they took turns.
fn turns(each: usize) -> Result<usize> {
    let order = Cell::new((0, 0));
    let receive = |who: usize| {
        let (order, (_tx, rx)) = (&order, filled(each));
        move |_: &Scope<'_, '_>| {
            for _ in 0..each {
                rx.recv()?;
                let (last, turns) = order.get();
                order.set((who, turns + usize::from(last != who)));
            }
            Ok(())
        }
    };
    coroutine_scope(|s| {
        for who in [1, 2] {
            s.launch_local(receive(who));
        }
        Ok(())
    })?;
    Ok(order.get().1)
}

#[test]
fn who_waits_for_the_first_time_in_its_scope_gives_way() {
    let (tx, rx) = filled(1);
    let goes_round = || {
        with_timeout(ms(5), |_| {
            let start = Instant::now();
            while start.elapsed() < IN_VAIN {
                tx.send(rx.recv()?)?;
            }
            Ok(())
        })
    };
    run_blocking(|s| {
        assert!(goes_round().unwrap_err().is_timeout());
        tx.send(1)?;
        s.launch(|_| {
            assert!(goes_round().unwrap_err().is_timeout());
        });
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_is_started_in_place_does_little_in_place() {
    let (_tx, rx) = filled(10 * MANY);
    let done = AtomicUsize::new(0);
    run_blocking(|s| {
        for launched in 1..=10 * MANY {
            let in_place = s.builder().start(CoroutineStart::Undispatched);
            in_place.launch(|_| {
                rx.recv()?;
                done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
            assert_eq!(done.load(Ordering::Relaxed), launched);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_host_has_its_own_calls_to_itself() {
    let event_loop = EventLoop::new().unwrap();
    let (_tx, rx) = filled(10 * MANY);
    let is_posted = Arc::new(AtomicBool::new(false));
    let posted = Arc::clone(&is_posted);
    event_loop
        .handle()
        .post(move || posted.store(true, Ordering::Relaxed));
    for _ in 0..10 * MANY {
        rx.recv().unwrap();
    }
    assert!(!is_posted.load(Ordering::Relaxed));
    event_loop.run_until_idle();
    assert!(is_posted.load(Ordering::Relaxed));
}

#[test]
fn what_never_suspends_does_not_give_way() {
    let others = AtomicBool::new(false);
    run_blocking(|s| {
        s.launch(|_| others.store(true, Ordering::Relaxed));
        for _ in 0..MANY {
            UnixListener::bind("/nowhere/at all").unwrap_err();
        }
        assert!(!others.load(Ordering::Relaxed));
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_does_little_has_it_done_in_one_turn() {
    run_blocking(|_| {
        for _ in 0..20 {
            assert_eq!(turns(FEW)?, 2);
            assert!(turns(MANY)? > 2);
        }
        Ok(())
    })
    .unwrap();
}

#[test]
fn in_virtual_time_the_order_depends_on_nothing_but_the_program() {
    run_test(|_| {
        assert_eq!(turns(10 * MANY)?, 2);
        Ok(())
    })
    .unwrap();
}

#[test]
fn who_must_not_suspend_takes_what_is_there() {
    let (_tx, rx) = filled(6 * MANY);
    let rx = Arc::new(rx);
    let take = move || (0..MANY).map(|_| rx.recv()).sum::<Result<usize>>();
    // A plain thread, and one with a loop on which nobody else lives.
    take().unwrap();
    run_blocking(|_| take()).unwrap();
    run_blocking(|_| {
        // The block of a suspension that is being arranged.
        suspend_cancellable_coroutine(|continuation| {
            continuation.resume(take()?);
            Ok(())
        })?;
        // That of a sequence.
        let take = take.clone();
        let sums = sequence(move |s| s.yield_(take()?));
        assert_eq!(sums.into_iter().count(), 1);
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_state_machine_takes_what_is_there() {
    struct Takes<'a>(&'a Receiver<usize>);
    impl StateMachine for Takes<'_> {
        type Output = usize;

        fn resume(&mut self, _: u32, _: &mut Turn<'_, Self>) -> Result<Step<usize>> {
            let sum = (0..MANY).map(|_| self.0.recv()).sum::<Result<usize>>()?;
            Ok(Step::Return(sum))
        }
    }
    let (_tx, rx) = filled(2 * MANY);
    let pool = new_fixed_thread_pool_context(2, "machine").unwrap();
    run_blocking(|s| s.async_machine(Takes(&rx)).await_()).unwrap();
    with_context(pool.dispatcher(), |s| s.async_machine(Takes(&rx)).await_()).unwrap();
}

#[test]
fn a_destructor_takes_what_is_there_while_its_thread_panics() {
    struct Drain<'a>(&'a Receiver<usize>, &'a AtomicBool);
    impl Drop for Drain<'_> {
        fn drop(&mut self) {
            for _ in 0..MANY {
                self.0.recv().unwrap();
            }
            assert!(!self.1.load(Ordering::Relaxed), "it has given way");
        }
    }
    let (_tx, rx) = filled(MANY);
    let other = AtomicBool::new(false);
    run_blocking(|_| {
        supervisor_scope(|s| {
            s.launch(|s| -> Result<()> {
                let _drain = Drain(&rx, &other);
                s.launch(|_| other.store(true, Ordering::Relaxed));
                panic!("with something to drop");
            });
            Ok(())
        })
    })
    .unwrap();
    assert!(rx.try_recv().is_err(), "all was taken");
}

#[test]
fn a_handler_takes_what_is_there() {
    let (_tx, rx) = filled(MANY);
    let taken = Arc::new(AtomicUsize::new(0));
    run_blocking(|s| {
        let job = s.launch(|_| yield_());
        let taken = Arc::clone(&taken);
        job.invoke_on_completion(move |_| {
            while rx.recv().is_ok() {
                if taken.fetch_add(1, Ordering::Relaxed) + 1 == MANY {
                    break;
                }
            }
        });
        job.join()
    })
    .unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), MANY);
}

#[test]
fn who_is_cancelled_while_it_gives_way_loses_nothing() {
    let (tx, rx) = filled(10 * MANY);
    let received = Mutex::new(0);
    let goes_on = AtomicBool::new(true);
    run_blocking(|s| {
        let receiving = s.launch(|_| {
            while goes_on.load(Ordering::Relaxed) {
                rx.recv()?;
                *received.lock().unwrap() += 1;
            }
            Ok(())
        });
        // It has its first turn, and gives way in it.
        yield_()?;
        receiving.cancel_and_join()
    })
    .unwrap();
    drop(tx);
    let received = received.into_inner().unwrap();
    assert!((1..10 * MANY).contains(&received), "{received}");
    let left = rx.iter().filter(Result::is_ok).count();
    assert_eq!(received + left, 10 * MANY);
}
