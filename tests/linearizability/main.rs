//! Channels, locks and semaphores do what they would do if everything happened one at a time, whatever happens at once.
//!
//! Short random programs are [`play`]ed on three coroutines or threads with the [`tools`] of the library, while a fourth
//! cancels, closes and meddles. The [`checker`] then looks for an order of all events that the specifications of a channel
//! ([`pipe`]) and of turns ([`turns`]) allow and that contradicts no clock. First come, first served is part of what they
//! specify, and so is each rule of cancellation.
//!
//! [`random`] plays against the right specifications; [`caught`] shows that wrong ones, and wrong histories, are refused.
//!
//! `SWITCHBACK_HISTORIES` and `SWITCHBACK_STRESS_SEED` make it longer, or repeat it.

mod caught;
mod checker;
mod pipe;
mod plans;
mod play;
mod random;
mod tools;
mod turns;
