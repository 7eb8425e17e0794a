//! loom runs the protocols through every interleaving that a few threads can have.
//!
//! What is compiled here are the protocol files of the crate themselves: they take their atomics and shared cells from
//! `util::sync`, and here that is [`util::sync`] made of loom's types. The layers above, which act on what a protocol
//! returns, stand on real stacks and real descriptors; [`block`], [`waits`] and [`chooser`]
//! do the same acts without them.
//!
//! - [`locks`]: the locks by themselves; the other models have loom's in their place.
//! - [`words`]: the continuation word against resumers and cancellers.
//! - [`inboxes`]: the inbox and the sleep word, no lost wake-up; [`launches`]: the pool's policy over such words.
//! - [`trees`]: the child list against cancellation; [`endings`]: against completion.
//! - [`joins`]: those who wait for a job; [`gathers`]: for many.
//! - [`turns`]: those who wait for a permit; [`overtaking`]: for a lock, between threads; [`pipes`]: at a channel;
//!   [`selects`]: at several; [`orders`]: permits and channels, against a specification.
//! - [`departures`]: state machines, parked and woken; [`wakers`]: futures.
//! - [`tools`]: locks with readers, notices, channels for one value.
//!
//! The interleavings are bounded by two preemptions each; `LOOM_MAX_PREEMPTIONS=3` looks deeper. `mutations.txt` lists
//! ways to break the sources (`--cfg 'mutation="NAME"'`), each with the models that must notice.

#![allow(dead_code)]

#[path = "../../src/util"]
mod util {
    pub(crate) mod list;
    #[path = "../../tests/models/lock.rs"]
    pub(crate) mod lock;
    pub(crate) mod biased {
        pub(crate) use super::lock::{BiasedGuard, BiasedLock};

        pub(crate) const STRANGER: u64 = 1;
    }
    #[path = "../../tests/models/fence.rs"]
    pub(crate) mod fence;
    pub(crate) mod prefetch;
    #[path = "../../tests/models/seam.rs"]
    pub(crate) mod sync;
}

#[path = "../../src/util"]
mod spin {
    pub(crate) mod biased;
    pub(crate) mod lock;
}

#[path = "../../src/job"]
mod job {
    pub(crate) mod children;
    pub(crate) mod joiner;
    pub(crate) mod node;
    #[path = "../../tests/models/slice.rs"]
    pub(crate) mod slice;
    pub(crate) mod state;
}

#[path = "../../src/task"]
mod task {
    pub(crate) mod departure;
    pub(crate) mod inbox;
    pub(crate) mod signal;
    pub(crate) mod sleep;
    pub(crate) mod word;
}

#[path = "../../src/scheduler"]
mod scheduler {
    pub(crate) mod policy;
}

#[path = "../../src/sync"]
mod sync {
    pub(crate) mod line;
    pub(crate) mod notices;
    pub(crate) mod permits;
    pub(crate) mod rw_turns;
    pub(crate) mod turn;
    pub(crate) mod wait_list;
    pub(crate) mod oneshot {
        pub(crate) mod core;
    }
    pub(crate) mod channel {
        mod batch;
        pub(crate) mod core;
        mod state;
    }
    pub(crate) mod select {
        pub(crate) mod ends;
        pub(crate) mod exchange;
    }
}

#[path = "../linearizability/checker.rs"]
mod checker;

#[path = "../linearizability"]
mod specs {
    pub mod pipe;
    pub mod turns;
}

mod block;
mod chooser;
mod joiners;
mod lines;
mod waits;
mod yard;

mod departures;
mod endings;
mod gathers;
mod inboxes;
mod joins;
mod launches;
mod locks;
mod orders;
mod overtaking;
mod pipes;
mod selects;
mod tools;
mod trees;
mod turns;
mod wakers;
mod words;

/// Runs a model through its interleavings. At its end all that it has put into the yard must be freed.
fn check(model: impl Fn() + Send + Sync + 'static) {
    // Reads `LOOM_MAX_PREEMPTIONS`.
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(2);
    builder.check(move || {
        yard::open();
        model();
        yard::demand_empty();
    });
}
