//! Channels between threads, between coroutines of different threads, and between the two.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use switchback::prelude::*;
use switchback::sync::TrySendError;

use crate::support::until;

/// Where an end of the channel is used.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Thread,
    Loop,
    Worker,
}

const PLACES: [Place; 3] = [Place::Thread, Place::Loop, Place::Worker];

const CAPACITIES: [Capacity; 4] = [
    Capacity::rendezvous(),
    Capacity::buffered(1),
    Capacity::buffered(16),
    Capacity::unlimited(),
];

fn at(place: Place, body: impl FnOnce() -> Result<()> + Send) -> Result<()> {
    match place {
        Place::Thread => body(),
        Place::Loop => run_blocking(|s| s.async_(|_| body()).await_()),
        Place::Worker => with_context(Dispatchers::default(), |_| body()),
    }
}

#[test]
fn elements_pass_in_order_between_all_places_and_through_all_capacities() {
    const COUNT: u32 = 300;
    for capacity in CAPACITIES {
        for from in PLACES {
            for to in PLACES {
                let (tx, rx) = channel(capacity);
                std::thread::scope(|threads| {
                    threads.spawn(move || {
                        at(from, || {
                            for n in 0..COUNT {
                                tx.send(n)?;
                            }
                            Ok(())
                        })
                        .unwrap();
                    });
                    threads.spawn(move || {
                        at(to, || {
                            let got = rx.iter().collect::<Result<Vec<_>>>()?;
                            assert!(got.into_iter().eq(0..COUNT), "{capacity:?} {from:?} {to:?}");
                            Ok(())
                        })
                        .unwrap();
                    });
                });
            }
        }
    }
}

#[test]
fn a_plain_thread_talks_to_a_coroutine_and_back() {
    let (question_tx, questions) = channel(Capacity::rendezvous());
    let (answer_tx, answers) = channel(Capacity::rendezvous());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            run_blocking(|s| {
                s.launch(move |_| {
                    for question in questions {
                        answer_tx.send(question? * 2)?;
                    }
                    Ok(())
                });
                Ok(())
            })
            .unwrap();
        });
        for n in 0..1000 {
            question_tx.send(n).unwrap();
            assert_eq!(answers.recv().unwrap(), n * 2);
        }
        drop(question_tx);
        assert!(answers.recv().is_err());
    });
}

#[test]
fn of_many_senders_each_keeps_its_order_and_nothing_is_lost() {
    const SENDERS: usize = 6;
    const EACH: usize = 400;
    for capacity in CAPACITIES {
        let (tx, rx) = channel(capacity);
        let mut got: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        std::thread::scope(|threads| {
            for sender in 0..SENDERS {
                let tx = tx.clone();
                threads.spawn(move || {
                    at(PLACES[sender % 3], || {
                        for n in 0..EACH {
                            tx.send((sender, n))?;
                        }
                        Ok(())
                    })
                    .unwrap();
                });
            }
            drop(tx);
            for element in rx {
                let (sender, n) = element.unwrap();
                got.entry(sender).or_default().push(n);
            }
        });
        assert_eq!(got.len(), SENDERS);
        for list in got.values() {
            assert!(list.iter().copied().eq(0..EACH));
        }
    }
}

#[test]
fn a_close_meets_every_receiver_wherever_it_waits() {
    for _ in 0..50 {
        let (tx, rx) = channel::<u8>(Capacity::rendezvous());
        let ended = AtomicUsize::new(0);
        std::thread::scope(|threads| {
            for place in PLACES {
                let (rx, ended) = (rx.clone(), &ended);
                threads.spawn(move || {
                    at(place, || {
                        assert!(rx.recv_catching()?.is_err());
                        ended.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    })
                    .unwrap();
                });
            }
            tx.close();
        });
        assert_eq!(ended.into_inner(), 3);
    }
}

/// Of every element exactly one end has a copy when a send and the channel's end meet.
#[test]
fn a_send_that_meets_a_cancel_is_delivered_dropped_or_given_back_once() {
    static ALIVE: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Counted {
        fn new() -> Self {
            ALIVE.fetch_add(1, Ordering::Relaxed);
            Self
        }
    }
    impl Drop for Counted {
        fn drop(&mut self) {
            ALIVE.fetch_sub(1, Ordering::Relaxed);
        }
    }
    for round in 0..200 {
        let (tx, rx) = channel(Capacity::buffered(round % 3));
        std::thread::scope(|threads| {
            threads.spawn(move || {
                let mut sent = 0;
                loop {
                    match tx.send(Counted::new()) {
                        Ok(()) => sent += 1,
                        Err(back) => {
                            assert!(back.is_closed());
                            drop(back.into_value());
                            return sent;
                        }
                    }
                }
            });
            threads.spawn(move || {
                for _ in 0..round % 7 {
                    drop(rx.recv().unwrap());
                }
                if round % 2 == 0 {
                    rx.cancel();
                }
            });
        });
        assert_eq!(ALIVE.load(Ordering::Relaxed), 0, "round {round}");
    }
}

#[test]
fn try_forms_meet_waiting_ends_of_other_threads() {
    let (tx, rx) = channel(Capacity::rendezvous());
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for n in 0..100 {
                until(|| match tx.try_send(n) {
                    Ok(()) => true,
                    Err(TrySendError::Full(_)) => false,
                    Err(error) => panic!("{error:?}"),
                });
            }
            tx.close();
        });
        let got: Result<Vec<_>> = rx.iter().collect();
        assert!(got.unwrap().into_iter().eq(0..100));
    });
}
