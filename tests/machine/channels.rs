//! Machines at channels, and in selects.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

/// Sends the numbers below `until`.
struct Producer {
    next: u64,
    until: u64,
    to: Sender<u64>,
}

impl StateMachine for Producer {
    type Output = ();

    fn resume(&mut self, _label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        turn.woken()?;
        if self.next == self.until {
            return Ok(Step::Return(()));
        }
        self.next += 1;
        turn.at(1).send(&self.to, self.next - 1)
    }
}

/// Adds up what comes, until the channel is closed.
struct Summer {
    from: Receiver<u64>,
    item: Slot<u64>,
    sum: u64,
}

impl Summer {
    fn new(from: &Receiver<u64>) -> Self {
        Self {
            from: from.clone(),
            item: Slot::new(),
            sum: 0,
        }
    }
}

impl StateMachine for Summer {
    type Output = u64;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<u64>> {
        if label == 1 {
            match self.item.take() {
                Ok(item) => self.sum += item,
                Err(error) if error.is_cancelled() => return Err(error),
                Err(_) => return Ok(Step::Return(self.sum)),
            }
        }
        turn.at(1).recv(&self.from, |me| &mut me.item)
    }
}

const EACH: u64 = if cfg!(debug_assertions) {
    2_000
} else {
    20_000
};

#[test]
fn machines_green_threads_and_threads_share_a_channel() {
    for capacity in [
        Capacity::rendezvous(),
        Capacity::buffered(3),
        Capacity::unlimited(),
    ] {
        let (tx, rx) = channel(capacity);
        let expected = 3 * (0..EACH).sum::<u64>();
        let sum = run_blocking(|s| {
            let pool = || s.builder().dispatcher(Dispatchers::default());
            let sums: Vec<_> = (0..2)
                .map(|_| pool().async_machine(Summer::new(&rx)))
                .collect();
            let green = pool().async_(|_| {
                let mut sum = 0;
                while let Ok(item) = rx.recv() {
                    sum += item;
                }
                Ok(sum)
            });
            coroutine_scope(|producers| {
                for _ in 0..2 {
                    let (next, until, to) = (0, EACH, tx.clone());
                    producers.launch_machine(Producer { next, until, to });
                }
                let to = tx.clone();
                let thread = std::thread::spawn(move || (0..EACH).try_for_each(|n| to.send(n)));
                producers.launch(move |_| {
                    blocking(|| thread.join().unwrap())
                        .map_err(|_| Error::msg("the channel was closed too early"))
                });
                Ok(())
            })?;
            tx.close();
            let mut sum = green.await_()?;
            for part in sums {
                sum += part.await_()?;
            }
            Ok(sum)
        });
        assert_eq!(sum.unwrap(), expected);
    }
}

#[test]
fn what_a_cancelled_machine_was_handed_is_not_lost() {
    let given = AtomicU64::new(0);
    let received = Arc::new(AtomicU64::new(0));
    run_blocking(|s| {
        let (tx, rx) = channel(Capacity::rendezvous());
        let (given, rx) = (&given, &rx);
        let feeder = s
            .builder()
            .dispatcher(Dispatchers::default())
            .launch(move |_| {
                while tx.send(1).is_ok() {
                    given.fetch_add(1, Ordering::Relaxed);
                }
            });
        for round in 0..500 {
            let machine = Counter {
                from: rx.clone(),
                item: Slot::new(),
                count: received.clone(),
            };
            let pool = s.builder().dispatcher(Dispatchers::default());
            let job = pool.launch_machine(machine);
            for _ in 0..round % 7 {
                yield_()?;
            }
            job.cancel_and_join()?;
        }
        rx.cancel();
        feeder.join()
    })
    .unwrap();
    assert_eq!(
        given.load(Ordering::Relaxed),
        received.load(Ordering::Relaxed)
    );
}

/// Counts what comes.
struct Counter {
    from: Receiver<u64>,
    item: Slot<u64>,
    count: Arc<AtomicU64>,
}

impl StateMachine for Counter {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        if label == 1 {
            self.count.fetch_add(self.item.take()?, Ordering::Relaxed);
        }
        turn.at(1).recv(&self.from, |me| &mut me.item)
    }
}

/// Which of two channels, and a limit of time, comes first.
struct First {
    channels: (Receiver<u64>, Receiver<u64>),
    limit: std::time::Duration,
    winner: Slot<&'static str>,
}

impl StateMachine for First {
    type Output = &'static str;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<&'static str>> {
        if label == 1 {
            return Ok(Step::Return(self.winner.take()?));
        }
        let limit = self.limit;
        turn.at(1).select(
            self.channels.clone(),
            move |(left, right), s| {
                s.on_recv(left, |_| Ok("left"));
                s.on_recv(right, |_| Ok("right"));
                s.on_timeout(limit, || Ok("nobody"));
            },
            |me| &mut me.winner,
        )
    }
}

#[test]
fn a_machine_selects() {
    let (left, from_left) = channel(Capacity::rendezvous());
    let (right, from_right) = channel(Capacity::rendezvous());
    let first = |limit| First {
        channels: (from_left.clone(), from_right.clone()),
        limit: ms(limit),
        winner: Slot::new(),
    };
    run_blocking(|s| {
        for dispatcher in [Dispatchers::default(), Dispatchers::unconfined()] {
            let start = |limit| {
                let builder = s.builder().dispatcher(dispatcher.clone());
                builder.async_machine(first(limit))
            };
            assert_eq!(start(2).await_()?, "nobody");
            let waits = start(60_000);
            right.send(1)?;
            assert_eq!(waits.await_()?, "right");
            let waits = start(60_000);
            left.send(1)?;
            assert_eq!(waits.await_()?, "left");
            let waits = start(60_000);
            waits.job().cancel_and_join()?;
            assert!(waits.await_().is_err());
            assert!(left.try_send(1).is_err(), "nobody is left in the line");
        }
        Ok(())
    })
    .unwrap();
}
