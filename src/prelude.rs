//! What most programs use: `use switchback::prelude::*;`

pub use crate::sync::{
    Capacity, Mutex, Notify, Receiver, RwLock, Semaphore, Sender, channel, select, select_unbiased,
};
pub use crate::{
    Cancelled, CompletableDeferred, Continuation, CoroutineContext, CoroutineExceptionHandler,
    CoroutineName, CoroutineScope, CoroutineStart, Deferred, Dispatcher, Dispatchers, Element,
    Error, GlobalScope, Job, Result, Scope, SupervisorJob, ThreadContextElement,
    ThreadLocalElement, await_all, await_cancellation, blocking, coroutine_scope, current_context,
    current_coroutine, current_job, delay, ensure_active, is_active, iterator, join_all, ms,
    non_cancellable, run_blocking, run_blocking_with, sequence, supervisor_scope,
    suspend_cancellable_coroutine, suspend_coroutine, with_context, with_timeout,
    with_timeout_or_none, yield_,
};
