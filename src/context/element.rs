//! The elements of a context, save the dispatcher.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// Something that a coroutine and its children carry with them.
///
/// Any type of the user's can be one; [`CoroutineContext::of`](crate::CoroutineContext::of) puts it into a context and
/// [`CoroutineContext::get`](crate::CoroutineContext::get) finds it by its type.
pub trait Element: Any + fmt::Debug + Send + Sync {}

/// The name of a coroutine, for logs, failure reports and dumps.
///
/// # Examples
///
/// ```
/// use switchback::CoroutineName;
///
/// assert_eq!(CoroutineName::new("accept loop").as_str(), "accept loop");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CoroutineName(Arc<str>);

impl CoroutineName {
    /// A name.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for CoroutineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CoroutineName({})", self.0)
    }
}

impl fmt::Display for CoroutineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Element for CoroutineName {}

/// How many bytes of stack the coroutines of a context get: rounded up to a power of two, at least 64 KiB.
///
/// The default is 256 KiB, on IO 1 MiB. It is address space: memory is used as far as the stack is really touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackBytes(pub usize);

impl Element for StackBytes {}
