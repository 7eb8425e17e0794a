//! Layer 6: where coroutines run.

#![forbid(unsafe_code)]

mod event_loop;
mod pools;

use std::sync::{Arc, LazyLock};

use crate::context::{CoroutineContext, Dispatcher, Elements};

pub(crate) use event_loop::on_loop;

/// The dispatchers that every program has.
///
/// A dispatcher decides which thread a coroutine starts on; from then on it stays there. The threads start when the
/// first coroutine is sent to them.
#[derive(Debug)]
pub struct Dispatchers(());

static DEFAULT: LazyLock<Dispatcher> = LazyLock::new(|| Dispatcher::new(Arc::new(pools::Default)));
static IO: LazyLock<Dispatcher> = LazyLock::new(|| Dispatcher::new(Arc::new(pools::Io)));
static DEFAULT_ELEMENTS: LazyLock<Arc<Elements>> = LazyLock::new(|| {
    let context = CoroutineContext::from(Dispatchers::default());
    context
        .elements()
        .expect("a dispatcher is an element")
        .clone()
});

impl Dispatchers {
    /// For work that computes: as many threads as the machine has cores, at least two. Coroutines that have not started
    /// may be taken over by an idle worker.
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
}

/// The context of what is started where nothing else is known: on the default dispatcher.
pub(crate) fn default_elements() -> Arc<Elements> {
    DEFAULT_ELEMENTS.clone()
}
