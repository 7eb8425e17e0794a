//! Many machines that do whatever comes by chance, together with green threads and cancellers.
//!
//! Hunted: a wake-up that is lost when a machine is parked on one thread and woken on another, a wait that is left linked,
//! a machine given two turns at once, a value dropped twice or never.

use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use switchback::Continuation;
use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

use crate::moments::Token;

/// Numbers by chance, from a seed.
#[derive(Clone)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % end
    }
}

/// What they share.
#[derive(Clone)]
struct World {
    live: Arc<AtomicIsize>,
    pipe: (Sender<Token>, Receiver<Token>),
    resumer: mpsc::Sender<Continuation<Token>>,
    turns: Arc<AtomicUsize>,
}

struct Roamer {
    world: World,
    chance: Chance,
    depth: u32,
    inside: AtomicBool,
    token: Slot<Token>,
    below: Slot<()>,
    _self: Token,
}

impl Roamer {
    fn new(world: &World, seed: u64, depth: u32) -> Self {
        Self {
            world: world.clone(),
            chance: Chance(seed | 1),
            depth,
            inside: AtomicBool::new(false),
            token: Slot::new(),
            below: Slot::new(),
            _self: Token::new(&world.live),
        }
    }

    fn step(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        self.world.turns.fetch_add(1, Ordering::Relaxed);
        turn.woken()?;
        drop(self.token.take());
        let world = self.world.clone();
        let limit = Duration::from_micros(self.chance.below(300));
        if label == 12 {
            return Ok(Step::Return(()));
        }
        let at = turn.at(label + 1);
        match self.chance.below(8) {
            0 => at.delay(limit),
            1 => at.yield_(),
            2 => at.select(
                world,
                move |world, s| {
                    let token = Token::new(&world.live);
                    let again = Token::new(&world.live);
                    s.on_send(&world.pipe.0, token, move || Ok(again));
                    s.on_timeout(limit, || Err(Error::msg("full")));
                },
                |me| &mut me.token,
            ),
            3 => at.select(
                world,
                move |world, s| {
                    s.on_recv(&world.pipe.1, Ok);
                    s.on_timeout(limit, || Err(Error::msg("empty")));
                },
                |me| &mut me.token,
            ),
            4 => at.suspend(
                move |continuation| {
                    let _ = world.resumer.send(continuation);
                    Ok(())
                },
                |me| &mut me.token,
            ),
            5 if self.depth > 0 => {
                let inner = Self::new(&world, self.chance.below(u64::MAX), self.depth - 1);
                at.call(inner, |me| &mut me.below)
            }
            6 => {
                let live = world.live.clone();
                let child = turn.async_(move |_| {
                    delay(limit)?;
                    Ok(Token::new(&live))
                });
                turn.at(label + 1).await_(child, |me| &mut me.token)
            }
            _ => {
                let mut woken = false;
                let future = std::future::poll_fn(move |context| {
                    if std::mem::replace(&mut woken, true) {
                        return std::task::Poll::Ready(Token::new(&world.live));
                    }
                    let waker = context.waker().clone();
                    if limit.as_nanos().is_multiple_of(2) {
                        waker.wake();
                    } else {
                        GlobalScope.launch(move |_| waker.wake());
                    }
                    std::task::Poll::Pending
                });
                at.future(future, |me| &mut me.token)
            }
        }
    }
}

impl StateMachine for Roamer {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        assert!(!self.inside.swap(true, Ordering::SeqCst), "two turns");
        let step = self.step(label, turn);
        self.inside.store(false, Ordering::SeqCst);
        step
    }
}

#[test]
fn machines_that_do_whatever_comes_by_chance_all_end_and_lose_nothing() {
    let seed = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .map_or(1, |since| since.as_nanos() as u64);
    println!("seed {seed}");
    let mut chance = Chance(seed | 1);
    let (resumer, to_resume) = mpsc::channel::<Continuation<Token>>();
    let world = World {
        live: Arc::default(),
        pipe: channel(Capacity::buffered(4)),
        resumer,
        turns: Arc::default(),
    };
    let live = world.live.clone();
    let thread = std::thread::spawn(move || {
        for continuation in to_resume {
            continuation.resume(Token::new(&live));
        }
    });
    let places = [
        Dispatchers::default(),
        Dispatchers::io(),
        Dispatchers::unconfined(),
        Dispatchers::default().limited_parallelism(1),
    ];
    let start = Instant::now();
    while start.elapsed() < ms(3000) {
        run_blocking(|s| {
            let jobs: Vec<_> = (0..100)
                .map(|number| {
                    let machine = Roamer::new(&world, chance.below(u64::MAX), 2);
                    match places.get(number % 5) {
                        None => s.launch_machine(machine),
                        Some(place) => {
                            let place = place.clone();
                            s.builder().dispatcher(place).launch_machine(machine)
                        }
                    }
                })
                .collect();
            for job in &jobs {
                if chance.below(3) == 0 {
                    job.cancel();
                }
                if chance.below(4) == 0 {
                    yield_()?;
                }
            }
            for job in &jobs {
                if let Err(error) = with_timeout(ms(60_000), |_| job.join()) {
                    eprintln!("seed {seed} hangs ({error}):\n{}", s.job().dump());
                    std::process::abort();
                }
            }
            Ok(())
        })
        .unwrap();
    }
    assert!(world.turns.load(Ordering::Relaxed) > 1000);
    let live = world.live.clone();
    drop(world);
    thread.join().unwrap();
    // Wakers that came late may be on their way still.
    while live.load(Ordering::SeqCst) != 0 {
        assert!(start.elapsed() < ms(60_000), "tokens are lost");
        std::thread::yield_now();
    }
}
