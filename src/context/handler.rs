//! Where the failures of roots go.

use std::fmt;
use std::sync::Arc;

use super::{CoroutineContext, Element};
use crate::error::Error;

type Handle = dyn Fn(&CoroutineContext, &Error) + Send + Sync;

/// Is told of the failures that nobody gets as an `Err`: those of roots launched in an owned scope, and of the children of
/// supervisors.
///
/// The handler counts in the context of the root itself; given to a child it is ignored, since the child's failure goes to
/// its parent. It is called once for each failed root, when the root and all below it have ended, before its joiners
/// wake; never for a cancellation, and never for an `async_`, whose failure belongs to whoever awaits it. Without a
/// handler a failure goes to [`set_message_hook`](crate::set_message_hook).
///
/// It runs on the thread that completes the root, must not suspend, and should be quick. A panic in it is reported.
///
/// # Examples
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use switchback::prelude::*;
///
/// # fn main() -> Result<()> {
/// let told = Arc::new(Mutex::new(Vec::new()));
/// let list = told.clone();
/// let handler = CoroutineExceptionHandler::new(move |_, error| {
///     list.lock().unwrap().push(error.to_string());
/// });
/// let scope = CoroutineScope::new(SupervisorJob::new() + handler);
/// scope.launch(|_| -> Result<()> { Err(Error::msg("no such user")) }).join()?;
/// assert_eq!(*told.lock().unwrap(), ["no such user"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct CoroutineExceptionHandler(Arc<Handle>);

impl CoroutineExceptionHandler {
    /// A handler that calls `handle` with the context of the failed root, and its failure.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn new(handle: impl Fn(&CoroutineContext, &Error) + Send + Sync + 'static) -> Self {
        Self(Arc::new(handle))
    }

    pub(crate) fn handle(&self, context: &CoroutineContext, error: &Error) {
        (self.0)(context, error);
    }
}

impl Element for CoroutineExceptionHandler {}

impl fmt::Debug for CoroutineExceptionHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CoroutineExceptionHandler")
    }
}
