//! Small applications, those of `app` that work with channels and permits.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use switchback::prelude::*;
use switchback::testing::run_test;

use crate::support::{Boom, Trace, boom, t, x};

pub fn app_07_pipeline(trace: &'static Trace) -> Result<()> {
    fn numbers<'s>(trace: &'static Trace, s: &'s Scope<'s, '_>, to: i32) -> Receiver<i32> {
        let (tx, rx) = channel(Capacity::rendezvous());
        s.launch(move |_| {
            for n in 1..=to {
                t!(trace, "make {n}");
                tx.send(n)?;
            }
            t!(trace, "source done");
            Ok(())
        });
        rx
    }
    fn squares<'s>(
        trace: &'static Trace,
        s: &'s Scope<'s, '_>,
        source: Receiver<i32>,
    ) -> Receiver<i32> {
        let (tx, rx) = channel(Capacity::rendezvous());
        s.launch(move |_| {
            for n in source {
                let n = n?;
                delay(ms(30))?;
                tx.send(n * n)?;
            }
            t!(trace, "squares done");
            Ok(())
        });
        rx
    }
    run_test(|s| {
        for square in squares(trace, s, numbers(trace, s, 3)) {
            let square = square?;
            delay(ms(60))?;
            t!(trace, "use {square}");
        }
        coroutine_scope(|s| {
            let squares = squares(trace, s, numbers(trace, s, 1000));
            t!(trace, "only {}", squares.recv()?);
            s.job().cancel_children();
            Ok(())
        })?;
        t!(trace, "end");
        Ok(())
    })
}

pub fn app_08_worker_pool(trace: &'static Trace) -> Result<()> {
    let work = |n: u64| {
        delay(ms(60 * n))?;
        if n == 3 {
            return boom(format!("job {n}"));
        }
        Ok(())
    };
    let (queue, jobs) = channel(Capacity::unlimited());
    let (done, results) = channel(Capacity::unlimited());
    run_test(|s| {
        let workers: Vec<_> = (0..3)
            .map(|w| {
                let (jobs, done) = (&jobs, &done);
                s.launch(move |_| {
                    for n in jobs {
                        let n = n?;
                        match work(n) {
                            Ok(()) => done.send(format!("job {n} by {w}"))?,
                            Err(error) if error.is::<Boom>() => {
                                done.send(format!("{} at {w}", x(&error)))?;
                            }
                            Err(error) => return Err(error),
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        for n in 1..=6 {
            queue.send(n)?;
        }
        queue.close();
        join_all(&workers)?;
        done.close();
        for result in &results {
            t!(trace, "{}", result?);
        }
        Ok(())
    })
}

struct Crawler {
    links: HashMap<&'static str, Vec<&'static str>>,
    seen: std::sync::Mutex<HashSet<&'static str>>,
    gate: Semaphore,
    now: AtomicUsize,
    most: AtomicUsize,
    trace: &'static Trace,
}

impl Crawler {
    fn visit<'s>(&'s self, scope: &'s Scope<'s, '_>, url: &'static str) -> Result<()> {
        let found = self.gate.with_permit(|| {
            let now = self.now.fetch_add(1, Relaxed) + 1;
            self.most.fetch_max(now, Relaxed);
            delay(ms(20))?;
            self.now.fetch_sub(1, Relaxed);
            t!(self.trace, "loaded {url}");
            Ok(self.links.get(url))
        })?;
        for link in found.into_iter().flatten() {
            if self.seen.lock().unwrap().insert(link) {
                scope.launch(move |_| self.visit(scope, link));
            }
        }
        Ok(())
    }
}

pub fn app_09_crawler(trace: &'static Trace) -> Result<()> {
    let crawler = Crawler {
        links: HashMap::from([
            ("/", vec!["/a", "/b", "/c"]),
            ("/a", vec!["/d"]),
            ("/c", vec!["/", "/a", "/d"]),
        ]),
        seen: std::sync::Mutex::new(HashSet::from(["/"])),
        gate: Semaphore::new(2),
        now: AtomicUsize::new(0),
        most: AtomicUsize::new(0),
        trace,
    };
    run_test(|_| {
        coroutine_scope(|s| {
            s.launch(|_| crawler.visit(s, "/"));
            Ok(())
        })?;
        let pages = crawler.seen.lock().unwrap().len();
        let most = crawler.most.load(Relaxed);
        t!(trace, "pages {pages}, most at once {most}");
        Ok(())
    })
}

enum Message {
    Increment,
    Get(CompletableDeferred<i32>),
}

pub fn app_11_actor_counter(trace: &'static Trace) -> Result<()> {
    let (mailbox, messages) = channel(Capacity::unlimited());
    run_blocking(|s| {
        let actor = s.launch(|_| {
            let mut n = 0;
            for message in messages {
                match message? {
                    Message::Increment => n += 1,
                    Message::Get(reply) => drop(reply.complete(n)),
                }
            }
            t!(trace, "actor ends with {n}");
            Ok(())
        });
        with_context(Dispatchers::default(), |s| {
            for _ in 0..100 {
                s.launch(|_| {
                    for _ in 0..10 {
                        mailbox.send(Message::Increment)?;
                    }
                    Ok(())
                });
            }
            Ok(())
        })?;
        let reply = CompletableDeferred::new();
        mailbox.send(Message::Get(reply.clone()))?;
        t!(trace, "count {}", reply.await_()?);
        mailbox.send(Message::Increment)?;
        mailbox.close();
        actor.join()
    })
}
