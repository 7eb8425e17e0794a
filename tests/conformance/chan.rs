//! Channels.

use switchback::prelude::*;
use switchback::sync::{ClosedForReceive, ClosedForSend, TryRecvError, TrySendError};
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Trace, attempt, boom, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(chan_01_rendezvous),
    scenario!(chan_02_buffered),
    scenario!(chan_03_overflow_kinds),
    scenario!(chan_04_close),
    scenario!(chan_05_close_with_cause),
    scenario!(chan_06_cancel),
    scenario!(chan_07_try_results),
    scenario!(chan_08_iteration_ends),
    scenario!(chan_09_produce_consume),
    scenario!(chan_10_fan_out),
    scenario!(chan_11_fan_in),
    scenario!(chan_12_cancelled_sender),
    scenario!(chan_13_cancelled_receiver),
    scenario!(
        chan_14_producer_ends_badly,
        differs: "Somebody else's job that I await was cancelled; An element handed to a receiver that is cancelled before it runs",
        "got 1\n\
         receive after cancel -> threw AwaitedJobCancelled(cancelled: producer stopped)\n\
         got 1\n\
         consume -> threw CancellationException\n\
         scope -> threw Boom(producer failed)\n\
         got 1\n\
         supervised consume -> threw Boom(isolated producer failed)\n\
         END\n"
    ),
    scenario!(chan_15_invoke_on_close),
];

fn chan_01_rendezvous(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(|_| {
            for n in 1..=2 {
                t!(trace, "sending {n}");
                tx.send(n)?;
                t!(trace, "sent {n}");
            }
            Ok(())
        });
        delay(ms(30))?;
        t!(trace, "receiver arrives");
        t!(trace, "received {}", rx.recv()?);
        delay(ms(30))?;
        t!(trace, "received {}", rx.recv()?);
        Ok(())
    })
}

fn chan_02_buffered(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::buffered(2));
    run_test(|s| {
        s.launch(|_| {
            for n in 1..=4 {
                tx.send(n)?;
                t!(trace, "sent {n}");
            }
            Ok(())
        });
        delay(ms(30))?;
        t!(trace, "received {}", rx.recv()?);
        delay(ms(30))?;
        for _ in 0..3 {
            t!(trace, "received {}", rx.recv()?);
        }
        Ok(())
    })
}

fn chan_03_overflow_kinds(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        for (name, capacity) in [
            ("conflated", Capacity::conflated()),
            ("unlimited", Capacity::unlimited()),
            ("drop oldest 2", Capacity::drop_oldest(2)),
            ("drop latest 2", Capacity::drop_latest(2)),
        ] {
            let (tx, rx) = channel(capacity);
            for n in 1..=5 {
                tx.send(n)?;
            }
            tx.close();
            let got = rx.iter().collect::<Result<Vec<i32>>>()?;
            t!(trace, "{name}: {got:?}");
        }
        let (tx, rx) = channel(Capacity::drop_latest(1));
        let [first, second] = [1, 2].map(|n| tx.try_send(n).is_ok());
        let kept = rx.recv()?;
        t!(
            trace,
            "trySend into DROP_LATEST: {first} {second} keeps {kept}"
        );
        Ok(())
    })
}

fn chan_04_close(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let (tx, rx) = channel(Capacity::buffered(5));
        let ends = || {
            let (send, receive) = (tx.is_closed_for_send(), rx.is_closed_for_receive());
            t!(trace, "closed for send: {send} for receive: {receive}");
        };
        tx.send(1)?;
        tx.send(2)?;
        t!(trace, "close: {} again: {}", tx.close(), tx.close());
        ends();
        if tx.send(3).is_err_and(|e| e.error().is::<ClosedForSend>()) {
            t!(trace, "send threw ClosedSendChannelException");
        }
        t!(trace, "{} {}", rx.recv()?, rx.recv()?);
        ends();
        if rx.recv().is_err_and(|e| e.is::<ClosedForReceive>()) {
            t!(trace, "receive threw ClosedReceiveChannelException");
        }
        Ok(())
    })
}

fn chan_05_close_with_cause(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let (tx, rx) = channel(Capacity::buffered(5));
        tx.send(1)?;
        tx.close_with(boom::<()>("source broke").unwrap_err());
        attempt(trace, "send", || Ok(tx.send(2)?));
        attempt(trace, "iteration", || {
            for element in &rx {
                t!(trace, "element {}", element?);
            }
            Ok(())
        });
        attempt(trace, "receive", || rx.recv());
        let closed = rx.recv_catching()?;
        let (is_closed, cause) = (closed.is_err(), closed.err());
        let cause = x(cause.as_ref().and_then(|closed| closed.cause()));
        t!(trace, "receiveCatching: closed={is_closed} cause={cause}");
        Ok(())
    })
}

fn chan_06_cancel(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let (tx, rx) = channel(Capacity::buffered(5));
        tx.send(1)?;
        tx.send(2)?;
        rx.cancel_with("not needed");
        let (receive, send) = (rx.is_closed_for_receive(), tx.is_closed_for_send());
        t!(trace, "closed for receive: {receive} for send: {send}");
        attempt(trace, "receive", || rx.recv());
        attempt(trace, "send", || Ok(tx.send(3)?));
        attempt(trace, "tryReceive", || {
            let failure = rx.try_recv().unwrap_err();
            let is_closed = failure.is_closed();
            let cause = x(&Error::from(failure));
            Ok(format!("closed={is_closed} failure=true {cause}"))
        });
        Ok(())
    })
}

/// The answer of an operation that does not wait for its turn: what it gave, or whether the channel is closed.
fn show(answer: std::result::Result<String, bool>) -> String {
    let (success, closed) = (answer.is_ok(), answer == Err(true));
    let value = answer.unwrap_or_else(|_| "null".to_owned());
    format!(
        "success={success} failure={} closed={closed} value={value}",
        !success
    )
}

fn chan_07_try_results(trace: &'static Trace) -> Result<()> {
    fn sent(answer: std::result::Result<(), TrySendError<i32>>) -> String {
        show(
            answer
                .map(|()| "Unit".to_owned())
                .map_err(|e| e.is_closed()),
        )
    }
    fn received(answer: std::result::Result<i32, TryRecvError>) -> String {
        show(answer.map(|n| n.to_string()).map_err(|e| e.is_closed()))
    }
    let (tx, rx) = channel(Capacity::buffered(1));
    run_test(|s| {
        t!(trace, "tryReceive empty: {}", received(rx.try_recv()));
        t!(trace, "trySend: {}", sent(tx.try_send(1)));
        t!(trace, "trySend full: {}", sent(tx.try_send(2)));
        t!(trace, "tryReceive: {}", received(rx.try_recv()));
        let (lonely, _nobody) = channel(Capacity::rendezvous());
        let answer = sent(lonely.try_send(1));
        t!(trace, "rendezvous trySend without receiver: {answer}");
        s.launch(|_| {
            for _ in 0..2 {
                let answer = rx.recv_catching()?;
                let answer = show(answer.map(|n| n.to_string()).map_err(|_| true));
                t!(trace, "receiveCatching: {answer}");
            }
            Ok(())
        });
        delay(ms(20))?;
        t!(
            trace,
            "trySend to a waiting receiver: {}",
            sent(tx.try_send(3))
        );
        delay(ms(20))?;
        tx.close();
        t!(trace, "trySend closed: {}", sent(tx.try_send(4)));
        t!(trace, "tryReceive closed: {}", received(rx.try_recv()));
        Ok(())
    })
}

fn chan_08_iteration_ends(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(|_| {
            for n in 1..=3 {
                tx.send(n)?;
            }
            t!(trace, "closing");
            tx.close();
            t!(trace, "closed");
            Ok(())
        });
        for element in &rx {
            t!(trace, "got {}", element?);
        }
        t!(trace, "loop ended");
        Ok(())
    })
}

fn chan_09_produce_consume(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let squares = s.produce(Capacity::rendezvous(), |_, tx| {
            for n in 1..=3 {
                tx.send(n * n)?;
            }
            Ok(())
        });
        squares.consume_each(|square| t!(trace, "square {square}"))?;
        let is_closed = squares.is_closed_for_receive();
        t!(trace, "closed for receive: {is_closed}");
        let numbers = s.produce(Capacity::rendezvous(), |_, tx| -> Result<()> {
            for n in 0.. {
                if let Err(error) = tx.send(n) {
                    if error.error().is_cancelled() {
                        t!(trace, "producer cancelled");
                    }
                    return Err(error.into());
                }
            }
            Ok(())
        });
        attempt(trace, "failing consumer", || {
            numbers.consume_each(|n| {
                if n == 2 {
                    return boom(format!("cannot eat {n}"));
                }
                t!(trace, "ate {n}");
                Ok(())
            })
        });
        delay(ms(60))?;
        let completed = numbers.producer().is_some_and(Job::is_completed);
        let active = s.is_active();
        t!(
            trace,
            "producer job completed: {completed}; caller active: {active}"
        );
        Ok(())
    })
}

fn chan_10_fan_out(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        for worker in 0..3 {
            let rx = &rx;
            s.launch(move |_| {
                for element in rx {
                    t!(trace, "worker {worker} got {}", element?);
                }
                Ok(())
            });
        }
        yield_()?;
        for n in 1..=6 {
            tx.send(n)?;
            delay(ms(10))?;
        }
        tx.close();
        Ok(())
    })
}

fn chan_11_fan_in(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        let slow = s.launch(|_| {
            for n in 0..3 {
                delay(ms(150))?;
                tx.send(format!("slow {n}"))?;
            }
            Ok(())
        });
        let fast = s.launch(|_| {
            delay(ms(60))?;
            for n in 0..3 {
                tx.send(format!("fast {n}"))?;
                delay(ms(150))?;
            }
            Ok(())
        });
        let senders = [slow, fast];
        s.launch(|_| {
            join_all(senders)?;
            tx.close();
            Ok(())
        });
        for element in &rx {
            t!(trace, "{}", element?);
        }
        t!(trace, "end");
        Ok(())
    })
}

fn chan_12_cancelled_sender(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        let a = s.launch(|_| {
            let sent = tx.send("a");
            if sent.as_ref().is_err_and(|e| e.error().is_cancelled()) {
                t!(trace, "a cancelled");
            }
            Ok(sent?)
        });
        let b = s.launch(|_| {
            tx.send("b")?;
            t!(trace, "b delivered");
            Ok(())
        });
        yield_()?;
        a.cancel();
        yield_()?;
        t!(trace, "received {}", rx.recv()?);
        b.join()?;
        t!(trace, "more: {}", rx.try_recv().is_ok());
        Ok(())
    })
}

fn chan_13_cancelled_receiver(trace: &'static Trace) -> Result<()> {
    let (tx, rx) = channel(Capacity::rendezvous());
    run_test(|s| {
        let receive = |name| {
            let rx = rx.clone();
            s.launch(move |_| {
                match rx.recv() {
                    Ok(n) => t!(trace, "{name} got {n}"),
                    Err(error) => {
                        t!(trace, "{name} cancelled");
                        return Err(error);
                    }
                }
                Ok(())
            })
        };
        let [a, b] = ["a", "b"].map(receive);
        yield_()?;
        a.cancel();
        yield_()?;
        tx.send(1)?;
        join_all([a, b])
    })
}

fn chan_14_producer_ends_badly(trace: &'static Trace) -> Result<()> {
    fn failing<'s>(s: &'s Scope<'s, '_>, message: &'static str) -> Receiver<i32> {
        s.produce(Capacity::rendezvous(), move |_, tx| {
            tx.send(1)?;
            boom(message)
        })
    }
    let consume = |elements: Receiver<i32>| {
        for element in elements {
            t!(trace, "got {}", element?);
        }
        Ok(())
    };
    run_test(|s| {
        let stopped = s.produce(Capacity::rendezvous(), |_, tx| {
            tx.send(1)?;
            delay(ms(1000))
        });
        t!(trace, "got {}", stopped.recv()?);
        let producer = stopped.producer().expect("it is a producer's");
        producer.cancel_with("producer stopped");
        attempt(trace, "receive after cancel", || stopped.recv());
        attempt(trace, "scope", || {
            coroutine_scope(|s| {
                let elements = failing(s, "producer failed");
                attempt(trace, "consume", || consume(elements));
                Ok(())
            })
        });
        let handler = CoroutineExceptionHandler::new(move |_, error| {
            t!(trace, "handler must not be called {}", x(error));
        });
        with_context(handler, |_| {
            supervisor_scope(|s| {
                let elements = failing(s, "isolated producer failed");
                attempt(trace, "supervised consume", || consume(elements));
                Ok(())
            })
        })
    })
}

fn chan_15_invoke_on_close(trace: &'static Trace) -> Result<()> {
    run_test(|_| {
        let (tx, rx) = channel(Capacity::buffered(1));
        tx.invoke_on_close(move |cause| t!(trace, "a closed: {}", x(cause)));
        tx.send(1)?;
        tx.close();
        t!(trace, "a has element: {}", rx.recv()?);
        let (tx, rx) = channel::<i32>(Capacity::rendezvous());
        tx.invoke_on_close(move |cause| t!(trace, "b closed: {}", x(cause)));
        rx.cancel_with("no more");
        tx.close_with(boom::<()>("ignored").unwrap_err());
        let (tx, _rx) = channel::<i32>(Capacity::rendezvous());
        tx.close_with(boom::<()>("early").unwrap_err());
        tx.invoke_on_close(move |cause| t!(trace, "c was already closed: {}", x(cause)));
        Ok(())
    })
}
