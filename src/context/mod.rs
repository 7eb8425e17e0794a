//! Layer 1: what a coroutine carries: its dispatcher, its name, the size of its stack, what the user puts in.
//!
//! A [`CoroutineContext`] is an immutable set of elements, shared by all coroutines that inherit it unchanged. Elements
//! are joined with `+`, as in Kotlin; of two elements of one kind the right one wins.
//!
//! A Job is not an element of this type. A borrowing scope could be left by its children through a foreign parent, so a
//! context with a Job in it is a type of its own that only owned scopes take.

#![forbid(unsafe_code)]

mod dispatch;
mod element;
mod handler;
mod variable;

use std::any::TypeId;
use std::fmt;
use std::ops::Add;
use std::sync::Arc;

pub use dispatch::Dispatcher;
pub(crate) use dispatch::{Admission, Dispatch, Refused, Unstarted};
pub use element::{CoroutineName, Element, StackBytes, ThreadContextElement};
pub use handler::CoroutineExceptionHandler;
pub use variable::ThreadLocalElement;

/// An immutable set of elements that a coroutine and its children carry.
///
/// Made by joining elements with `+`; the empty one is `CoroutineContext::empty()`.
///
/// # Examples
///
/// ```
/// use switchback::{CoroutineContext, CoroutineName, Dispatchers};
///
/// let context = Dispatchers::io() + CoroutineName::new("loader");
/// assert_eq!(context.get::<CoroutineName>().unwrap().as_str(), "loader");
/// let renamed = context + CoroutineName::new("saver");
/// assert_eq!(renamed.get::<CoroutineName>().unwrap().as_str(), "saver");
/// ```
#[derive(Clone, Default)]
pub struct CoroutineContext {
    inner: Option<Arc<Elements>>,
}

/// The elements themselves. Those that the runtime asks for on its hot paths have fields of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Elements {
    dispatcher: Option<Dispatcher>,
    name: Option<CoroutineName>,
    stack: Option<StackBytes>,
    others: Vec<(Key, Arc<dyn Element>)>,
}

/// What makes an element the same as another: its type, and what it says itself.
type Key = (TypeId, usize);

impl Elements {
    pub(crate) fn dispatcher(&self) -> Option<&Dispatcher> {
        self.dispatcher.as_ref()
    }

    pub(crate) fn name(&self) -> Option<&CoroutineName> {
        self.name.as_ref()
    }

    pub(crate) fn stack(&self) -> Option<StackBytes> {
        self.stack
    }

    /// The elements that are installed on a thread, in the order in which they are.
    pub(crate) fn thread_contexts(
        &self,
    ) -> impl DoubleEndedIterator<Item = &dyn ThreadContextElement> {
        self.others
            .iter()
            .filter_map(|(_, element)| element.thread_context())
    }

    #[inline]
    pub(crate) fn has_thread_context(&self) -> bool {
        !self.others.is_empty() && self.thread_contexts().next().is_some()
    }
}

impl CoroutineContext {
    /// The context without any element.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub const fn empty() -> Self {
        Self { inner: None }
    }

    /// The element of type `E`, if there is one.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn get<E: Element>(&self) -> Option<&E> {
        let elements = self.inner.as_deref()?;
        let wanted = TypeId::of::<E>();
        let found: Option<&dyn Element> = if wanted == TypeId::of::<Dispatcher>() {
            elements.dispatcher.as_ref().map(|e| e as &dyn Element)
        } else if wanted == TypeId::of::<CoroutineName>() {
            elements.name.as_ref().map(|e| e as &dyn Element)
        } else if wanted == TypeId::of::<StackBytes>() {
            elements.stack.as_ref().map(|e| e as &dyn Element)
        } else {
            elements
                .others
                .iter()
                .find(|((id, _), _)| *id == wanted)
                .map(|(_, e)| &**e)
        };
        found.and_then(|element| (element as &dyn std::any::Any).downcast_ref())
    }

    /// The context without the element of type `E`.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn minus<E: Element>(mut self) -> Self {
        if let Some(inner) = &mut self.inner {
            let elements = Arc::make_mut(inner);
            let unwanted = TypeId::of::<E>();
            if unwanted == TypeId::of::<Dispatcher>() {
                elements.dispatcher = None;
            } else if unwanted == TypeId::of::<CoroutineName>() {
                elements.name = None;
            } else if unwanted == TypeId::of::<StackBytes>() {
                elements.stack = None;
            } else {
                elements.others.retain(|((id, _), _)| *id != unwanted);
            }
        }
        self
    }

    /// How many elements there are.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.as_deref().map_or(0, |e| {
            usize::from(e.dispatcher.is_some())
                + usize::from(e.name.is_some())
                + usize::from(e.stack.is_some())
                + e.others.len()
        })
    }

    /// Whether there is no element at all.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// This context with the elements of `right`, which win.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    #[must_use]
    pub fn merged(mut self, right: &CoroutineContext) -> Self {
        let Some(from) = right.inner.as_ref() else {
            return self;
        };
        let Some(inner) = &mut self.inner else {
            return right.clone();
        };
        let into = Arc::make_mut(inner);
        if from.dispatcher.is_some() {
            into.dispatcher.clone_from(&from.dispatcher);
        }
        if from.name.is_some() {
            into.name.clone_from(&from.name);
        }
        if from.stack.is_some() {
            into.stack = from.stack;
        }
        for (key, element) in &from.others {
            into.others.retain(|(other, _)| other != key);
            into.others.push((*key, element.clone()));
        }
        self
    }

    pub(crate) fn elements(&self) -> Option<&Arc<Elements>> {
        self.inner.as_ref()
    }

    pub(crate) fn from_elements(elements: Arc<Elements>) -> Self {
        Self {
            inner: Some(elements),
        }
    }

    fn edit(&mut self) -> &mut Elements {
        Arc::make_mut(self.inner.get_or_insert_default())
    }
}

impl fmt::Debug for CoroutineContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        if let Some(elements) = &self.inner {
            list.entries(elements.name.iter());
            list.entries(elements.dispatcher.iter());
            list.entries(elements.stack.iter());
            list.entries(elements.others.iter().map(|(_, element)| element));
        }
        list.finish()
    }
}

impl<E: Element> From<E> for CoroutineContext {
    fn from(element: E) -> Self {
        Self::of(element)
    }
}

impl CoroutineContext {
    /// The context with one element of the user's own.
    ///
    /// # Suspension
    ///
    /// Never suspends.
    ///
    /// # Examples
    ///
    /// ```
    /// use switchback::{CoroutineContext, CoroutineName, Element};
    ///
    /// #[derive(Debug)]
    /// struct RequestId(u64);
    /// impl Element for RequestId {}
    ///
    /// let context = CoroutineContext::of(RequestId(7)) + CoroutineName::new("request");
    /// assert_eq!(context.get::<RequestId>().unwrap().0, 7);
    /// ```
    #[must_use]
    pub fn of<E: Element>(element: E) -> Self {
        let mut context = Self::empty();
        let elements = context.edit();
        let any: &dyn std::any::Any = &element;
        if let Some(dispatcher) = any.downcast_ref::<Dispatcher>() {
            elements.dispatcher = Some(dispatcher.clone());
        } else if let Some(name) = any.downcast_ref::<CoroutineName>() {
            elements.name = Some(name.clone());
        } else if let Some(size) = any.downcast_ref::<StackBytes>() {
            elements.stack = Some(*size);
        } else {
            let key = (TypeId::of::<E>(), element.slot());
            elements.others.push((key, Arc::new(element)));
        }
        context
    }
}

impl<C: Into<CoroutineContext>> Add<C> for CoroutineContext {
    type Output = CoroutineContext;

    fn add(self, right: C) -> CoroutineContext {
        self.merged(&right.into())
    }
}

macro_rules! elements_add {
    ($($element:ty),*) => {$(
        impl<C: Into<CoroutineContext>> Add<C> for $element {
            type Output = CoroutineContext;

            fn add(self, right: C) -> CoroutineContext {
                CoroutineContext::from(self).merged(&right.into())
            }
        }
    )*};
}

elements_add!(
    Dispatcher,
    CoroutineName,
    StackBytes,
    CoroutineExceptionHandler
);

impl<C: Into<CoroutineContext>, T: Clone + Send + Sync> Add<C> for ThreadLocalElement<T> {
    type Output = CoroutineContext;

    fn add(self, right: C) -> CoroutineContext {
        CoroutineContext::from(self).merged(&right.into())
    }
}
