//! Layer 6: where coroutines run.

#![forbid(unsafe_code)]

mod closeable;
mod event_loop;
mod limited;
pub(crate) mod main_loop;
mod pools;
mod unconfined;

use std::sync::{Arc, LazyLock};

use crate::context::{CoroutineContext, Dispatcher, Elements};

pub use closeable::{
    CloseableDispatcher, new_fixed_thread_pool_context, new_single_thread_context,
};
pub(crate) use event_loop::{on_loop, open_loop};

/// The dispatchers that every program has.
///
/// A dispatcher decides which thread a coroutine starts on; from then on it stays there. The threads start when the
/// first coroutine is sent to them.
#[derive(Debug)]
pub struct Dispatchers(());

static DEFAULT: LazyLock<Dispatcher> = LazyLock::new(|| Dispatcher::new(Arc::new(pools::Default)));
static IO: LazyLock<Dispatcher> = LazyLock::new(|| Dispatcher::new(Arc::new(pools::Io::Itself)));
static IO_FOR_VIEWS: LazyLock<Dispatcher> =
    LazyLock::new(|| Dispatcher::new(Arc::new(pools::Io::ForViews)));
static UNCONFINED: LazyLock<Dispatcher> =
    LazyLock::new(|| Dispatcher::new(Arc::new(unconfined::Unconfined)));
static MAIN: LazyLock<Dispatcher> = LazyLock::new(|| Dispatcher::new(Arc::new(main_loop::Main)));
static DEFAULT_ELEMENTS: LazyLock<Arc<Elements>> = LazyLock::new(|| {
    let context = CoroutineContext::from(Dispatchers::default());
    context
        .elements()
        .expect("a dispatcher is an element")
        .clone()
});

impl Dispatchers {
    /// For work that computes: as many threads as the machine has cores, at least two. Coroutines that have not started
    /// may be taken over by an idle worker; and after some milliseconds by a busy one, if theirs does not get round to them. Those
    /// that other threads have launched start as well where the workers always have some of their own.
    ///
    /// No thread is pinned. But one that was woken, and that the system keeps waiting for long although others could run it, is moved
    /// to another processor (`sched_setaffinity`); before it goes on its set is what it was. Where system calls are filtered, that is
    /// not done.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let sum = with_context(Dispatchers::default(), |_| Ok((1..=10).sum::<i32>()))?;
    /// assert_eq!(sum, 55);
    /// # Ok(())
    /// # }
    /// ```
    #[allow(clippy::should_implement_trait)]
    #[must_use]
    pub fn default() -> Dispatcher {
        DEFAULT.clone()
    }

    /// For calls that block their thread: up to 64 threads that run, more that only host suspended coroutines. Each
    /// coroutine has a thread to itself, until there are 512.
    #[must_use]
    pub fn io() -> Dispatcher {
        IO.clone()
    }

    /// For coroutines that need no particular thread: they run in the call that launches them up to their first
    /// suspension, and go on inside the call that resumes them if that comes from the same thread. From another thread they
    /// go on when their own gets to it, since a started coroutine never changes its thread.
    ///
    /// In place means on a thread that hosts coroutines: a worker or a loop. Launched from any other thread they start on
    /// the default dispatcher. One that is launched or resumed while another runs in place runs after that has suspended.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::cell::Cell;
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// run_blocking(|s| {
    ///     let mut ran = false;
    ///     coroutine_scope(|s| {
    ///         let ran = &mut ran;
    ///         let job = s.builder().dispatcher(Dispatchers::unconfined()).launch(|_| *ran = true);
    ///         assert!(job.is_completed());
    ///         Ok(())
    ///     })?;
    ///     assert!(ran);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    #[must_use]
    pub fn unconfined() -> Dispatcher {
        UNCONFINED.clone()
    }

    /// The loop of a user interface, or a game: the [`EventLoop`](crate::EventLoop) that was installed as the main one.
    ///
    /// While there is none, what is launched there fails with an error that says so.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn main() -> Dispatcher {
        main_loop::installed().unwrap_or_else(|| MAIN.clone())
    }
}

/// The context of what is started where nothing else is known: on the default dispatcher.
pub(crate) fn default_elements() -> Arc<Elements> {
    DEFAULT_ELEMENTS.clone()
}
