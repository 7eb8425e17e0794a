//! Layer 8: sequences, whose elements are computed by a block that stands still after each.
//!
//! - [`Sequence`] is the recipe, [`SequenceIterator`] one run of its block on a stack of its own, [`SequenceScope`] what
//!   the block yields to.
//!
//! The block is no coroutine: it has no job and runs inside whatever task asks for the next element, on another stack.
//! Two rules make that sound:
//!
//! - *Nothing suspends inside the block.* A suspension would have to switch away from the task's own stack, while the
//!   thread stands on this one. So the block is a frame of the runtime (R6), counted as such while it runs: every
//!   suspending call that must wait asks for that, and refuses.
//! - *The block yields only from its own frames.* While a scope function or a handler of the runtime is between
//!   the block and `yield_`, the thread's state is theirs (the innermost job, what is installed on the thread), and whoever
//!   asks for elements might leave the frames that this state points to before the block goes on. These frames are
//!   counted too. Where a block comes back from with another count than it was resumed with, it is turned back at once, and
//!   its `yield_` returns an error. It is asked there and not in `yield_`, because the count is at hand there
//!   (`asm-notes/sequence.md`).
//!
//! R2: an iterator can be forgotten. Its closure is `'static` and its stack is leaked then, never unmapped, so nothing that
//! it refers to ends before it. It is not `Send`: the block goes on where it began.

mod block;
mod iterator;
mod scope;

use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use crate::error::Result;
use crate::stack::StackSize;

pub use iterator::{SequenceIterator, SequenceResults};
pub use scope::SequenceScope;

/// A sequence of elements that a block computes one by one: Kotlin's `sequence { yield(..) }`.
///
/// The block runs up to the next [`yield_`](SequenceScope::yield_) each time an element is asked for, and stands still in
/// between, on a stack of its own with all its locals. Each [`iter`](Sequence::iter), and each `for` loop over `&sequence`,
/// starts the block again; a clone is the same sequence.
///
/// What it costs to go to the block and back is a few nanoseconds an element, whatever the depth from which it yields. The
/// [iterator](SequenceIterator) says what a failure does, and a panic.
///
/// # Suspension
///
/// The block runs inside the coroutine, or the thread, that asks for the element. It must not wait itself: a suspending
/// call in it that must returns an `Err`, and a scope that is opened in it launches nothing. For a producer that waits
/// there is [`produce`](crate::Scope::produce).
///
/// # Examples
///
/// ```
/// use switchback::prelude::*;
///
/// let fibonacci = sequence(|y| {
///     let (mut a, mut b) = (0, 1);
///     loop {
///         y.yield_(a)?;
///         (a, b) = (b, a + b);
///     }
/// });
/// assert_eq!(fibonacci.iter().take(7).collect::<Vec<_>>(), [0, 1, 1, 2, 3, 5, 8]);
/// assert_eq!(fibonacci.iter().find(|n| *n > 50), Some(55));
/// ```
///
/// One walks a tree by recursion, which an iterator written by hand cannot:
///
/// ```
/// use std::rc::Rc;
/// use switchback::SequenceScope;
/// use switchback::prelude::*;
///
/// struct Tree(i32, Vec<Tree>);
///
/// fn walk(tree: &Tree, y: &SequenceScope<i32>) -> Result<()> {
///     y.yield_(tree.0)?;
///     tree.1.iter().try_for_each(|child| walk(child, y))
/// }
///
/// let tree = Rc::new(Tree(1, vec![Tree(2, vec![Tree(3, vec![])]), Tree(4, vec![])]));
/// let all = sequence(move |y| walk(&tree, y));
/// assert_eq!(all.iter().sum::<i32>(), 10);
/// ```
pub struct Sequence<T: 'static> {
    block: Rc<Recipe<T>>,
    place: &'static Location<'static>,
    stack: StackSize,
}

type Recipe<T> = dyn Fn(&SequenceScope<T>) -> Result<()>;

/// Makes a [`Sequence`] of what `block` yields.
///
/// Nothing of the block runs before the first element is asked for.
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
/// let letters = sequence(|y| {
///     y.yield_('a')?;
///     y.yield_all(['b', 'c'])?;
///     y.yield_all("de".chars())
/// });
/// assert_eq!(letters.iter().collect::<String>(), "abcde");
/// assert_eq!(letters.iter().collect::<String>(), "abcde");
/// ```
#[track_caller]
pub fn sequence<T, F>(block: F) -> Sequence<T>
where
    T: 'static,
    F: Fn(&SequenceScope<T>) -> Result<()> + 'static,
{
    Sequence {
        block: Rc::new(block),
        place: Location::caller(),
        stack: StackSize::DEFAULT,
    }
}

/// Makes an iterator over what `block` yields: Kotlin's `iterator { yield(..) }`. It runs once, so the block may use up
/// what it captures.
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
/// let names = vec![String::from("Ann"), String::from("Bo")];
/// let mut greetings = iterator(move |y| {
///     for name in names {
///         y.yield_(format!("Hello {name}"))?;
///     }
///     Ok(())
/// })
/// .peekable();
/// while greetings.peek().is_some() {
///     println!("{}", greetings.next().unwrap());
/// }
/// ```
#[track_caller]
pub fn iterator<T, F>(block: F) -> SequenceIterator<T>
where
    T: 'static,
    F: FnOnce(&SequenceScope<T>) -> Result<()> + 'static,
{
    SequenceIterator::new(Box::new(block), Location::caller(), StackSize::DEFAULT)
}

impl<T: 'static> Sequence<T> {
    /// Starts the block again, for an iterator of its own.
    ///
    /// # Suspension
    ///
    /// Never suspends; the block runs when the first element is asked for.
    #[must_use]
    pub fn iter(&self) -> SequenceIterator<T> {
        let block = self.block.clone();
        SequenceIterator::new(Box::new(move |scope| block(scope)), self.place, self.stack)
    }

    /// The same sequence, whose block has a stack of at least so many bytes each time. 256 KiB by default, 64 KiB the least.
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
    /// let one = sequence(|y| y.yield_(1)).stack_size(1 << 20);
    /// assert_eq!(one.iter().count(), 1);
    /// ```
    #[must_use]
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack = StackSize::new(bytes);
        self
    }
}

impl<T: 'static> Clone for Sequence<T> {
    fn clone(&self) -> Self {
        Self {
            block: self.block.clone(),
            ..*self
        }
    }
}

impl<T: 'static> IntoIterator for Sequence<T> {
    type Item = T;
    type IntoIter = SequenceIterator<T>;

    fn into_iter(self) -> SequenceIterator<T> {
        self.iter()
    }
}

impl<T: 'static> IntoIterator for &Sequence<T> {
    type Item = T;
    type IntoIter = SequenceIterator<T>;

    fn into_iter(self) -> SequenceIterator<T> {
        self.iter()
    }
}

impl<T: 'static> fmt::Debug for Sequence<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequence")
            .field("made_at", &format_args!("{}", self.place))
            .finish_non_exhaustive()
    }
}
