//! What most programs use: `use switchback::prelude::*;`

pub use crate::{
    Cancelled, Continuation, CoroutineContext, CoroutineName, CoroutineScope, Deferred, Dispatcher,
    Dispatchers, Element, Error, GlobalScope, Job, Result, Scope, SupervisorJob,
    await_cancellation, coroutine_scope, delay, ensure_active, is_active, ms, non_cancellable,
    run_blocking, run_blocking_with, supervisor_scope, suspend_cancellable_coroutine,
    suspend_coroutine, with_context, with_timeout, with_timeout_or_none, yield_,
};
