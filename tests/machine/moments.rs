//! Each thing that a machine can wait for, in each place, with its end and a cancellation at every moment of it.
//!
//! The interleavings hunted: the wait ends before it has begun, while it is being published, between that and the end of
//! the turn, while the machine is parked, and the same for the cancellation, in any order of the two. What must hold: the
//! machine meets the value or the cancellation, once; it is dropped once; no value is lost; nothing hangs.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::task::{Poll, Waker};
use std::time::Instant;

use switchback::machine::{Slot, StateMachine, Step, Turn};
use switchback::prelude::*;

/// Counts those of its kind that are there.
pub struct Token(Arc<AtomicIsize>);

impl Token {
    pub fn new(live: &Arc<AtomicIsize>) -> Self {
        live.fetch_add(1, Ordering::SeqCst);
        Self(live.clone())
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Delay,
    Yield,
    Join,
    Await,
    Receive,
    Send,
    Select,
    Suspend,
    Future,
    Call,
}

const KINDS: [Kind; 10] = [
    Kind::Delay,
    Kind::Yield,
    Kind::Join,
    Kind::Await,
    Kind::Receive,
    Kind::Send,
    Kind::Select,
    Kind::Suspend,
    Kind::Future,
    Kind::Call,
];

/// Where a machine runs.
#[derive(Clone, Copy, Debug)]
enum Place {
    Loop,
    Default,
    Io,
    Unconfined,
    View,
}

impl Place {
    /// None for the loop of `run_blocking`.
    fn dispatcher(self) -> Option<Dispatcher> {
        match self {
            Self::Loop => None,
            Self::Default => Some(Dispatchers::default()),
            Self::Io => Some(Dispatchers::io()),
            Self::Unconfined => Some(Dispatchers::unconfined()),
            Self::View => Some(Dispatchers::default().limited_parallelism(1)),
        }
    }
}

/// Filled by the one who comes first, used by the other.
enum Meeting<T> {
    Nobody,
    Waits(T),
    Over,
}

/// What the machine of one round waits for, shared with whoever ends the wait.
#[derive(Clone)]
struct Things {
    live: Arc<AtomicIsize>,
    gate: CompletableDeferred<()>,
    channel: (Sender<Token>, Receiver<Token>),
    continuation: Arc<Mutex<Meeting<switchback::Continuation<Token>>>>,
    flag: Arc<(AtomicBool, Mutex<Option<Waker>>)>,
}

impl Things {
    fn new(kind: Kind, live: &Arc<AtomicIsize>) -> Self {
        let things = Self {
            live: live.clone(),
            gate: CompletableDeferred::new(),
            channel: channel(Capacity::buffered(1)),
            continuation: Arc::new(Mutex::new(Meeting::Nobody)),
            flag: Arc::default(),
        };
        if kind == Kind::Send {
            things.offer();
        }
        things
    }

    fn offer(&self) {
        let sent = self.channel.0.try_send(Token::new(&self.live));
        assert!(sent.is_ok(), "there is room for one");
    }

    /// Ends the wait, or has it end when it begins.
    fn end(&self, kind: Kind) {
        match kind {
            Kind::Delay | Kind::Yield => {}
            Kind::Join | Kind::Await => {
                self.gate.complete(());
            }
            Kind::Receive | Kind::Select | Kind::Call => self.offer(),
            Kind::Send => drop(self.channel.1.try_recv()),
            Kind::Suspend => {
                let met = {
                    let mut meeting = self.continuation.lock().unwrap();
                    std::mem::replace(&mut *meeting, Meeting::Over)
                };
                if let Meeting::Waits(continuation) = met {
                    continuation.resume(Token::new(&self.live));
                }
            }
            Kind::Future => {
                self.flag.0.store(true, Ordering::SeqCst);
                let waker = self.flag.1.lock().unwrap().take();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

/// What the machine has met: a value or the end of a wait, or a cancellation.
type Met = Arc<Mutex<Vec<Result<()>>>>;

struct Waits {
    kind: Kind,
    things: Things,
    met: Met,
    slot: Slot<Token>,
    _self: Token,
}

impl Waits {
    fn new(kind: Kind, things: &Things, met: &Met) -> Self {
        Self {
            kind,
            things: things.clone(),
            met: met.clone(),
            slot: Slot::new(),
            _self: Token::new(&things.live),
        }
    }

    fn begin(&mut self, turn: &mut Turn<'_, Self>) -> Result<Step<Token>> {
        let things = self.things.clone();
        match self.kind {
            Kind::Delay => turn.at(1).delay(std::time::Duration::from_micros(30)),
            Kind::Yield => turn.at(1).yield_(),
            Kind::Join => turn.at(1).join(&things.gate.job()),
            Kind::Await => {
                let value = GlobalScope.async_(move |_| {
                    things.gate.await_()?;
                    Ok(Token::new(&things.live))
                });
                turn.at(1).await_(value, |me| &mut me.slot)
            }
            Kind::Receive => turn.at(1).recv(&things.channel.1, |me| &mut me.slot),
            Kind::Send => turn.at(1).send(&things.channel.0, Token::new(&things.live)),
            Kind::Select => turn.at(1).select(
                things,
                |things, s| {
                    s.on_timeout(ms(60_000), || Err(Error::msg("too late")));
                    s.on_recv(&things.channel.1, Ok);
                },
                |me| &mut me.slot,
            ),
            Kind::Suspend => turn.at(1).suspend(
                move |continuation| {
                    let mut meeting = things.continuation.lock().unwrap();
                    match *meeting {
                        Meeting::Over => {
                            drop(meeting);
                            continuation.resume(Token::new(&things.live));
                        }
                        _ => *meeting = Meeting::Waits(continuation),
                    }
                    Ok(())
                },
                |me| &mut me.slot,
            ),
            Kind::Future => {
                let flag = things.flag;
                let live = things.live;
                let future = poll_fn(move |context| {
                    *flag.1.lock().unwrap() = Some(context.waker().clone());
                    if flag.0.load(Ordering::SeqCst) {
                        Poll::Ready(Token::new(&live))
                    } else {
                        Poll::Pending
                    }
                });
                turn.at(1).future(future, |me| &mut me.slot)
            }
            Kind::Call => {
                let inner = Self::new(Kind::Receive, &things, &Met::default());
                turn.at(1).call(inner, |me| &mut me.slot)
            }
        }
    }
}

impl StateMachine for Waits {
    type Output = Token;

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<Token>> {
        if label == 0 {
            return self.begin(turn);
        }
        let answer = match self.kind {
            Kind::Delay | Kind::Yield | Kind::Join | Kind::Send => {
                turn.woken().map(|()| Token::new(&self.things.live))
            }
            _ => self.slot.take(),
        };
        let met = answer.as_ref().map(drop).map_err(Clone::clone);
        self.met.lock().unwrap().push(met);
        answer.map(Step::Return)
    }
}

/// A thread that does what it is told, when it is told to begin.
struct Hand(mpsc::Sender<Box<dyn FnOnce() + Send>>);

impl Hand {
    fn new() -> Self {
        let (tell, told) = mpsc::channel::<Box<dyn FnOnce() + Send>>();
        std::thread::spawn(move || told.into_iter().for_each(|work| work()));
        Self(tell)
    }

    /// Works once there is a job, and a little later; gives a sign when it has.
    fn work(
        &self,
        begun: &Arc<OnceLock<Job>>,
        later: u32,
        work: impl FnOnce(&Job) + Send + 'static,
    ) -> mpsc::Receiver<()> {
        let (done, sign) = mpsc::channel();
        let begun = begun.clone();
        let work = move || {
            let mut asked = 0_u32;
            let job = loop {
                if let Some(job) = begun.get() {
                    break job;
                }
                asked += 1;
                if asked.is_multiple_of(1000) {
                    std::thread::yield_now();
                }
            };
            (0..later).for_each(|_| std::hint::spin_loop());
            work(job);
            let _ = done.send(());
        };
        self.0.send(Box::new(work)).unwrap();
        sign
    }
}

/// A hang cannot be unwound from: the scope would wait for what hangs.
fn demand(about: &str, job: &Job, mut is_over: impl FnMut() -> Result<bool>) -> Result<()> {
    let start = Instant::now();
    while !is_over()? {
        if start.elapsed() > ms(60_000) {
            eprintln!("{about} hangs:\n{}", job.dump());
            std::process::abort();
        }
    }
    Ok(())
}

/// One machine, one end of its wait, one cancellation or none.
fn round(
    hands: &[Hand; 2],
    (kind, place): (Kind, Place),
    end_after: u32,
    cancel_after: Option<u32>,
) -> Result<()> {
    let about = format!("{kind:?} {place:?} {end_after} {cancel_after:?}");
    let live = Arc::new(AtomicIsize::new(0));
    let met = Met::default();
    let things = Things::new(kind, &live);
    let begun = Arc::new(OnceLock::new());
    let ends = things.clone();
    let mut signs = vec![hands[0].work(&begun, end_after, move |_| ends.end(kind))];
    if let Some(later) = cancel_after {
        signs.push(hands[1].work(&begun, later, Job::cancel));
    }
    run_blocking(|s| {
        let machine = Waits::new(kind, &things, &met);
        let deferred = match place.dispatcher() {
            None => s.async_machine(machine),
            Some(dispatcher) => s.builder().dispatcher(dispatcher).async_machine(machine),
        };
        let job = deferred.job();
        begun.set(job.clone()).expect("set once");
        demand(&about, &job, || {
            Ok(with_timeout(ms(100), |_| job.join()).is_ok())
        })?;
        signs.iter().for_each(|sign| sign.recv().unwrap());
        match deferred.await_() {
            Ok(_) => assert_eq!(met.lock().unwrap().len(), 1, "{about}"),
            Err(error) => assert!(
                job.is_cancelled() && cancel_after.is_some(),
                "{about}: {error}"
            ),
        }
        let met = met.lock().unwrap();
        assert!(met.len() <= 1, "{about}: {met:?}");
        let is_right = |met: &Result<()>| met.as_ref().err().is_none_or(Error::is_cancelled);
        assert!(met.iter().all(is_right), "{about}: {met:?}");
        Ok(())
    })?;
    drop(things);
    let job = begun.get().expect("set before");
    demand(&about, job, || {
        std::thread::yield_now();
        Ok(live.load(Ordering::SeqCst) == 0)
    })
}

const ROUNDS: u32 = if cfg!(debug_assertions) { 30 } else { 150 };

fn all_moments(place: Place) {
    let hands = [Hand::new(), Hand::new()];
    for kind in KINDS {
        for number in 0..ROUNDS {
            // The two times run through their products at different speeds.
            let (end_after, cancel_after) = (number * 37 % 2000, number * 211 % 3000);
            let cancel_after = (number % 4 != 0).then_some(cancel_after);
            round(&hands, (kind, place), end_after, cancel_after).unwrap();
        }
    }
}

#[test]
fn each_wait_meets_its_end_and_a_cancellation_on_the_loop() {
    all_moments(Place::Loop);
}

#[test]
fn each_wait_meets_its_end_and_a_cancellation_on_default() {
    all_moments(Place::Default);
}

#[test]
fn each_wait_meets_its_end_and_a_cancellation_on_io() {
    all_moments(Place::Io);
}

#[test]
fn each_wait_meets_its_end_and_a_cancellation_unconfined() {
    all_moments(Place::Unconfined);
}

#[test]
fn each_wait_meets_its_end_and_a_cancellation_on_a_view() {
    all_moments(Place::View);
}
