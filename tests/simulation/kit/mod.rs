//! A pool of any number of workers in virtual time, without threads: the pool's own policy, and what two others would do.
//!
//! - [`policy`], [`rounds`] and [`own`] are the library's files, compiled here a second time.
//! - [`world`] is virtual time and what the workers share; [`worker`] is one of them; [`rivals`] are the other policies.
//! - [`costs`] says what each act takes; [`plan`] says what is launched, when and where; [`tally`] counts.
//! - [`scenarios`] are those that the claims and the table are about.
//!
//! Each worker is a block of a [`sequence`](switchback::sequence()) that yields whenever its time passes, so the policy runs here as
//! it is written, in the middle of its loops. The world resumes the one whose time comes first. Everything that is random
//! comes from one generator, so a run is repeated by its seed.

pub mod costs;
#[path = "../../../src/scheduler/own.rs"]
#[allow(dead_code, unused_imports, reason = "a bench does not run its tests")]
mod own;
pub mod plan;
#[path = "../../../src/scheduler/policy.rs"]
#[allow(dead_code, reason = "the library uses all of it")]
pub mod policy;
pub mod random;
pub mod rivals;
#[path = "../../../src/scheduler/rounds.rs"]
#[allow(dead_code, reason = "the library uses all of it")]
pub mod rounds;
pub mod scenarios;
pub mod tally;
pub mod worker;
pub mod world;
