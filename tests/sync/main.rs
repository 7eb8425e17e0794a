//! The tools of coordination, through the public API.
//!
//! - [`channel`]: order, capacities, errors; [`ending`]: closing; [`cancelling`]: those who wait at one.
//! - [`threads`]: between threads and coroutines; [`conservation`]: everything at once, by seeds.
//! - [`produce`]: coroutines with a channel, tickers.
//! - [`product`]: every operation, cancelled at every moment.
//! - [`moments`]: the same for the tools beside channel, mutex and semaphore.
//! - [`select`] and [`select_events`]: which clause wins; [`select_misuse`]: panics and other bad manners;
//!   [`select_cancelling`]: cancelled at every moment; [`select_meeting`]: selects that meet, on many threads;
//!   [`select_open`]: clauses that others write.
//! - [`bounds`]: what may be sent and shared.
//! - [`mutex`], [`semaphore`] and [`rwlock`]: turns, hand-over, cancellation in every state, threads.
//! - [`overtaking`]: who may go ahead of whom at a lock, between threads.
//! - [`notices`]: condition variables and notices; [`meeting`]: barriers, and values that are made once.
//! - [`special`]: the channels for one value, for everybody, for the latest; owned guards and permits.

mod bounds;
mod cancelling;
mod channel;
mod conservation;
mod dump;
mod ending;
mod meeting;
mod moments;
mod mutex;
mod notices;
mod overtaking;
mod produce;
mod product;
mod rwlock;
mod select;
mod select_cancelling;
mod select_events;
mod select_meeting;
mod select_misuse;
mod select_open;
mod semaphore;
mod special;
mod support;
mod threads;
