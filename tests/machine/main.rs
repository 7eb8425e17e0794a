//! Labelled state machines and futures as coroutines: what they do, and what they share with green threads.

#![forbid(unsafe_code)]

mod beside_tokio;
mod calls;
mod channels;
mod example;
mod futures;
mod hostile;
mod jobs;
mod moments;
mod places;
mod stress;
mod waits;
