//! A thread-local variable with a value of the coroutine's own.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::thread::LocalKey;

use super::{CoroutineContext, Element, ThreadContextElement};

/// Gives a thread-local variable a value while a coroutine of the context runs: Kotlin's `ThreadLocal.asContextElement`.
///
/// What the coroutine writes into the variable is gone after its next suspension, when the value is installed anew. Elements
/// for different variables stand side by side.
///
/// # Examples
///
/// ```
/// use std::cell::RefCell;
/// use switchback::prelude::*;
///
/// thread_local!(static USER: RefCell<String> = RefCell::new(String::from("nobody")));
///
/// # fn main() -> Result<()> {
/// let user = ThreadLocalElement::new(&USER, String::from("ada"));
/// let seen = with_context(Dispatchers::default() + user, |_| Ok(USER.with_borrow(String::clone)))?;
/// assert_eq!(seen, "ada");
/// assert_eq!(USER.with_borrow(String::clone), "nobody");
/// # Ok(())
/// # }
/// ```
pub struct ThreadLocalElement<T: 'static> {
    key: &'static LocalKey<RefCell<T>>,
    value: T,
}

impl<T: Clone + Send + Sync + 'static> ThreadLocalElement<T> {
    /// The variable `key` is `value` while a coroutine of the context runs.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn new(key: &'static LocalKey<RefCell<T>>, value: T) -> Self {
        Self { key, value }
    }
}

impl<T: Clone + Send + Sync + 'static> Element for ThreadLocalElement<T> {
    fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
        Some(self)
    }

    fn slot(&self) -> usize {
        std::ptr::from_ref(self.key).addr()
    }
}

impl<T: Clone + Send + Sync + 'static> ThreadContextElement for ThreadLocalElement<T> {
    fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
        Box::new(self.key.replace(self.value.clone()))
    }

    fn restore_thread_context(&self, _: &CoroutineContext, old: Box<dyn Any>) {
        if let Ok(old) = old.downcast() {
            self.key.set(*old);
        }
    }
}

impl<T> fmt::Debug for ThreadLocalElement<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadLocalElement").finish_non_exhaustive()
    }
}
