//! Labelled state machines and futures as coroutines: what they do, and what they share with green threads.

#![forbid(unsafe_code)]

mod calls;
mod channels;
mod example;
mod futures;
mod places;
mod waits;
