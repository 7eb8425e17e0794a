//! Threads that somebody owns, and may close.

use std::fmt;
use std::ops::{Add, Deref};
use std::sync::Arc;

use crate::context::{CoroutineContext, Dispatch, Dispatcher, Refused, Unstarted};
use crate::dispatchers::on_loop;
use crate::error::Result;
use crate::scheduler::pool::{self, Pool};
use crate::scheduler::single;
use crate::scheduler::worker::OpenLoop;
use crate::stack::StackSize;

/// A dispatcher with threads of its own: made by [`new_single_thread_context`] and [`new_fixed_thread_pool_context`].
///
/// It derefs to its [`Dispatcher`]. Closed, by [`close`](CloseableDispatcher::close) or by being dropped, it takes no more
/// coroutines: one that is launched there fails with an error that names the dispatcher. Those that have been taken run
/// to their end, and then the threads end; nobody waits for that.
pub struct CloseableDispatcher {
    dispatcher: Dispatcher,
    threads: Threads,
}

enum Threads {
    One(OpenLoop),
    Many(&'static Pool),
}

/// Starts a thread of that name, with an event loop: coroutines run there one after another, in the order in which they
/// were sent and resumed.
///
/// # Suspension
///
/// Never suspends.
///
/// # Errors
///
/// If the system gives no thread.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
/// use switchback::new_single_thread_context;
///
/// # fn main() -> Result<()> {
/// let ui = new_single_thread_context("ui")?;
/// let thread = with_context(&ui, |_| Ok(std::thread::current().name().map(str::to_owned)))?;
/// assert_eq!(thread.as_deref(), Some("ui"));
/// ui.close();
/// let refused = with_context(&ui, |_| Ok(())).unwrap_err();
/// assert_eq!(refused.to_string(), "ui takes no more coroutines");
/// # Ok(())
/// # }
/// ```
pub fn new_single_thread_context(name: impl Into<String>) -> Result<CloseableDispatcher> {
    let name = name.into();
    let shown = name.clone();
    let open = single::start(&name, move |gate| on_loop(gate, shown))?;
    Ok(CloseableDispatcher {
        dispatcher: open.dispatcher.clone(),
        threads: Threads::One(open),
    })
}

/// Starts so many threads, of that name with a number behind it, which share their work as those of
/// [`Dispatchers::default`](crate::Dispatchers::default) do.
///
/// # Suspension
///
/// Never suspends.
///
/// # Errors
///
/// If the system does not give that many threads.
///
/// # Panics
///
/// If `threads` is 0.
pub fn new_fixed_thread_pool_context(
    threads: usize,
    name: impl Into<String>,
) -> Result<CloseableDispatcher> {
    assert!(threads > 0, "a pool without threads");
    let name = name.into();
    if threads == 1 {
        return new_single_thread_context(name);
    }
    let pool = pool::own_pool(&name, threads)?;
    Ok(CloseableDispatcher {
        dispatcher: Dispatcher::new(Arc::new(FixedPool { pool, name })),
        threads: Threads::Many(pool),
    })
}

impl CloseableDispatcher {
    /// The dispatcher, for contexts; it does not keep the threads open.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn dispatcher(&self) -> Dispatcher {
        self.dispatcher.clone()
    }

    /// Takes no more coroutines. Those that have been taken run to their end.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    pub fn close(&self) {
        match &self.threads {
            Threads::One(open) => open.gate.shut(),
            Threads::Many(pool) => pool.shut(),
        }
    }
}

impl Drop for CloseableDispatcher {
    fn drop(&mut self) {
        self.close();
    }
}

impl Deref for CloseableDispatcher {
    type Target = Dispatcher;

    fn deref(&self) -> &Dispatcher {
        &self.dispatcher
    }
}

impl From<&CloseableDispatcher> for CoroutineContext {
    fn from(closeable: &CloseableDispatcher) -> Self {
        closeable.dispatcher().into()
    }
}

impl<C> Add<C> for &CloseableDispatcher
where
    Dispatcher: Add<C>,
{
    type Output = <Dispatcher as Add<C>>::Output;

    fn add(self, right: C) -> Self::Output {
        self.dispatcher() + right
    }
}

impl fmt::Debug for CloseableDispatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dispatcher.fmt(f)
    }
}

struct FixedPool {
    pool: &'static Pool,
    name: String,
}

impl Dispatch for FixedPool {
    fn dispatch(&self, task: Unstarted) -> std::result::Result<(), Refused> {
        self.pool.dispatch(task)
    }

    fn choose_lane(&self) -> usize {
        self.pool.choose_lane()
    }

    fn dispatch_to(&self, lane: usize, task: Unstarted) -> std::result::Result<(), Refused> {
        self.pool.dispatch_to(lane, task)
    }

    fn stack_size(&self) -> StackSize {
        StackSize::DEFAULT
    }

    fn is_here(&self) -> bool {
        self.pool.is_here()
    }
}

impl fmt::Debug for FixedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
