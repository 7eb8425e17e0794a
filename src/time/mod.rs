//! What comes again and again: ticks in even distances.
//!
//! To wait once is [`delay`](crate::delay); to wait for something no longer than a time,
//! [`with_timeout`](crate::with_timeout). Kotlin's `ticker`, a channel with a coroutine behind it, is
//! [`sync::ticker`](crate::sync::ticker): it can be received from several places, ticks while nobody looks, and ends when it
//! is dropped. An [`Interval`] is owned by who waits for it, and costs nothing in between.
//! [`Select::on_tick`](crate::sync::Select::on_tick) waits for a tick or for something else.

#![forbid(unsafe_code)]

mod interval;

pub use interval::{Interval, MissedTicks, interval};
