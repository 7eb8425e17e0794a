//! Selecting the first of several.

use std::cell::Cell;

use switchback::prelude::*;
use switchback::sync::{ClosedForReceive, ClosedForSend};
use switchback::testing::run_test;

use crate::suite::{Scenario, scenario};
use crate::support::{Trace, attempt, boom, st, t, x};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(sel_01_first_ready),
    scenario!(sel_02_biased_to_first),
    scenario!(sel_03_on_send),
    scenario!(sel_04_on_await_race),
    scenario!(sel_05_on_join_and_timeout),
    scenario!(sel_06_closed_channel),
    scenario!(sel_07_cancel_withdraws_clauses),
    scenario!(sel_08_losers_are_clean),
    scenario!(sel_09_unbiased),
];

fn sel_01_first_ready(trace: &'static Trace) -> Result<()> {
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(move |_| {
            delay(ms(180))?;
            to_a.send("a")?;
            Ok(())
        });
        s.launch(move |_| {
            delay(ms(60))?;
            to_b.send("b")?;
            delay(ms(240))?;
            to_b.send("b2")?;
            Ok(())
        });
        for round in 0..3 {
            let got = select(|s| {
                s.on_recv_catching(&a, |r| Ok(format!("from a: {}", r.unwrap_or("closed"))));
                s.on_recv_catching(&b, |r| Ok(format!("from b: {}", r.unwrap_or("closed"))));
            })?;
            t!(trace, "{got}");
            if round == 1 {
                delay(ms(180))?;
            }
        }
        s.job().cancel_children();
        Ok(())
    })
}

fn sel_02_biased_to_first(trace: &'static Trace) -> Result<()> {
    let (to_a, a) = channel(Capacity::buffered(10));
    let (to_b, b) = channel(Capacity::buffered(10));
    run_test(|_| {
        for n in 0..3 {
            to_a.send(n)?;
            to_b.send(10 + n)?;
        }
        for _ in 0..6 {
            let got = select(|s| {
                s.on_recv(&a, |v| Ok(format!("a {v}")));
                s.on_recv(&b, |v| Ok(format!("b {v}")));
            })?;
            t!(trace, "{got}");
        }
        Ok(())
    })
}

fn sel_03_on_send(trace: &'static Trace) -> Result<()> {
    let (to_slow, slow) = channel(Capacity::rendezvous());
    let (to_side, side) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(|_| {
            for _ in 0..2 {
                delay(ms(150))?;
                t!(trace, "slow got {}", slow.recv()?);
            }
            Ok(())
        });
        s.launch(|_| {
            for e in &side {
                t!(trace, "side got {}", e?);
                delay(ms(1000))?;
            }
            Ok(())
        });
        delay(ms(30))?;
        for n in 1..=3 {
            let sent = select(|s| {
                s.on_send(&to_slow, n, || Ok(format!("sent {n} to slow")));
                s.on_send(&to_side, n * 100, || {
                    Ok(format!("sent {} to side", n * 100))
                });
            })?;
            t!(trace, "{sent}");
        }
        delay(ms(60))?;
        s.job().cancel_children();
        Ok(())
    })
}

fn sel_04_on_await_race(trace: &'static Trace) -> Result<()> {
    let elsewhere = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    run_test(|s| {
        let mut slow = s.async_(|_| {
            delay(ms(240))?;
            Ok("slow")
        });
        let mut fast = s.async_(|_| {
            delay(ms(60))?;
            Ok("fast")
        });
        let winner = select(|s| {
            s.on_await(&mut slow, Ok);
            s.on_await(&mut fast, Ok);
        })?;
        t!(trace, "winner: {winner}");
        t!(trace, "loser: {}", st(&slow));
        t!(trace, "loser still gives {}", slow.await_()?);
        // A supervisor that is no ancestor is the parent of owned scopes only, so `bad` is on the clock of the system: the
        // other one must not come before it.
        let mut bad = elsewhere.async_(|_| {
            delay(ms(30))?;
            boom::<&str>("bad")
        });
        attempt(trace, "onAwait of a failing one", || {
            let late = CompletableDeferred::<&str>::new();
            select(|s| {
                s.on_await(&mut bad, |v| Ok(v.to_owned()));
                s.on_await(&late, |v| Ok(v.to_owned()));
            })
        });
        Ok(())
    })
}

fn sel_05_on_join_and_timeout(trace: &'static Trace) -> Result<()> {
    run_test(|s| {
        let j = s.launch(|_| delay(ms(30)));
        let first = select(|s| {
            s.on_join(&j, || Ok("joined"));
            s.on_timeout(ms(500), || Ok("timeout"));
        })?;
        t!(trace, "{first}");
        let k = s.launch(|_| delay(ms(500)));
        let first = select(|s| {
            s.on_join(&k, || Ok("joined"));
            s.on_timeout(ms(30), || Ok("timeout"));
        })?;
        t!(trace, "{first}");
        t!(trace, "k unharmed: {}", st(&k));
        k.cancel();
        let first = select(|s| s.on_join(&k, || Ok("joined a cancelled job")))?;
        t!(trace, "{first}");
        Ok(())
    })
}

fn sel_06_closed_channel(trace: &'static Trace) -> Result<()> {
    let (to_closed, closed) = channel::<i32>(Capacity::rendezvous());
    to_closed.close();
    let (to_other, other) = channel(Capacity::buffered(1));
    to_other.try_send(5)?;
    run_test(|_| {
        let got = select(|s| {
            s.on_recv(&closed, Ok);
            s.on_recv(&other, Ok);
        });
        if got.is_err_and(|error| error.is::<ClosedForReceive>()) {
            t!(trace, "onReceive: ClosedReceiveChannelException");
        }
        let got = select(|s| {
            s.on_recv_catching(&closed, |r| Ok(format!("closed={}", r.is_err())));
            s.on_recv(&other, |n| Ok(format!("other {n}")));
        })?;
        t!(trace, "{got}");
        t!(trace, "other kept its element: {}", other.recv()?);
        let sent = select(|s| s.on_send(&to_closed, 1, || Ok(())));
        if sent.is_err_and(|error| error.is::<ClosedForSend>()) {
            t!(trace, "onSend: ClosedSendChannelException");
        }
        Ok(())
    })
}

fn sel_07_cancel_withdraws_clauses(trace: &'static Trace) -> Result<()> {
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    run_test(|s| {
        let j = s.launch(|_| {
            let got = select(|s| {
                for receiver in [&a, &b] {
                    s.on_recv(receiver, |n: i32| {
                        t!(trace, "must not get {n}");
                        Ok(())
                    });
                }
            });
            if let Err(error) = &got {
                t!(trace, "select: {}", x(error));
            }
            got
        });
        yield_()?;
        j.cancel_with("stop");
        j.join()?;
        s.launch(|_| {
            t!(trace, "a went to the other receiver: {}", a.recv()?);
            Ok(())
        });
        s.launch(|_| {
            t!(trace, "b went to the other receiver: {}", b.recv()?);
            Ok(())
        });
        yield_()?;
        to_a.send(1)?;
        to_b.send(2)?;
        Ok(())
    })
}

fn sel_08_losers_are_clean(trace: &'static Trace) -> Result<()> {
    let (to_a, a) = channel(Capacity::rendezvous());
    let (to_b, b) = channel(Capacity::rendezvous());
    run_test(|s| {
        s.launch(|_| {
            delay(ms(60))?;
            to_a.send(1)?;
            Ok(())
        });
        let sb = s.launch(|_| {
            delay(ms(120))?;
            to_b.send(2)?;
            t!(trace, "b delivered");
            Ok(())
        });
        let got = select(|s| {
            s.on_recv(&a, Ok);
            s.on_recv(&b, Ok);
        })?;
        t!(trace, "got {got}");
        delay(ms(120))?;
        t!(
            trace,
            "b not taken by the finished select: {}",
            sb.is_active()
        );
        t!(trace, "now {}", b.recv()?);
        Ok(())
    })
}

fn sel_09_unbiased(trace: &'static Trace) -> Result<()> {
    let (to_a, a) = channel(Capacity::unlimited());
    let (to_b, b) = channel(Capacity::unlimited());
    let (na, nb) = (Cell::new(0), Cell::new(0));
    run_test(|_| {
        for _ in 0..1000 {
            to_a.try_send(1)?;
            to_b.try_send(1)?;
            select_unbiased(|s| {
                s.on_recv(&a, |n| {
                    na.set(na.get() + n);
                    Ok(())
                });
                s.on_recv(&b, |n| {
                    nb.set(nb.get() + n);
                    Ok(())
                });
            })?;
        }
        let (na, nb) = (na.get(), nb.get());
        t!(
            trace,
            "both chosen: {} total {}",
            na > 100 && nb > 100,
            na + nb
        );
        Ok(())
    })
}
