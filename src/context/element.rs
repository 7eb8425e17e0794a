//! The elements of a context, save the dispatcher.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::CoroutineContext;

/// Something that a coroutine and its children carry with them.
///
/// Any type of the user's can be one: it stands where a context is wanted, joins others by `+`, and
/// [`CoroutineContext::get`](crate::CoroutineContext::get) finds it by its type.
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// #[derive(Debug)]
/// struct RequestId(u64);
/// impl Element for RequestId {}
///
/// # fn main() -> Result<()> {
/// run_blocking_with(CoroutineName::new("request") + RequestId(7), |s| {
///     s.launch(|_| assert_eq!(current_context().get::<RequestId>().unwrap().0, 7)).join()
/// })
/// # }
/// ```
pub trait Element: Any + fmt::Debug + Send + Sync {
    /// What the element does to the threads on which its coroutines run, if anything.
    fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
        None
    }

    /// Tells apart elements of one type that stand side by side in a context. All the same by default, and then the right
    /// one wins.
    fn slot(&self) -> usize {
        0
    }
}

/// An element that is installed on a thread while a coroutine of its context runs there: a log context, a span, a locale.
///
/// It is installed at each resumption and restored at each suspension and at the end, on the coroutine's own thread. The
/// two functions run in a frame of the runtime: what they call must not suspend; a panic in them is reported and goes
/// no further.
///
/// # Examples
///
/// ```
/// use std::any::Any;
/// use std::cell::Cell;
/// use switchback::prelude::*;
///
/// thread_local!(static REQUEST: Cell<u64> = const { Cell::new(0) });
///
/// #[derive(Debug)]
/// struct RequestId(u64);
///
/// impl Element for RequestId {
///     fn thread_context(&self) -> Option<&dyn ThreadContextElement> {
///         Some(self)
///     }
/// }
///
/// impl ThreadContextElement for RequestId {
///     fn update_thread_context(&self, _: &CoroutineContext) -> Box<dyn Any> {
///         Box::new(REQUEST.replace(self.0))
///     }
///
///     fn restore_thread_context(&self, _: &CoroutineContext, old: Box<dyn Any>) {
///         REQUEST.set(*old.downcast().unwrap());
///     }
/// }
///
/// # fn main() -> Result<()> {
/// run_blocking(|s| {
///     let job = s.builder().context(RequestId(7)).launch(|_| {
///         assert_eq!(REQUEST.get(), 7);
///         yield_()?;
///         assert_eq!(REQUEST.get(), 7);
///         Ok(())
///     });
///     yield_()?;
///     assert_eq!(REQUEST.get(), 0);
///     job.join()
/// })
/// # }
/// ```
pub trait ThreadContextElement {
    /// Installs the element on the calling thread, and gives what was there before.
    fn update_thread_context(&self, context: &CoroutineContext) -> Box<dyn Any>;

    /// Puts back what [`update_thread_context`](ThreadContextElement::update_thread_context) has given.
    fn restore_thread_context(&self, context: &CoroutineContext, old: Box<dyn Any>);
}

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
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Arc::from(name.as_ref()))
    }

    /// The text.
    ///
    /// # Suspension
    ///
    /// Never suspends.
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
