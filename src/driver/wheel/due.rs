//! The timers whose tick has come, in the exact order of expiry: a pairing heap.
//!
//! Slots are not sorted, and a tick is much longer than the precision that is promised, so the
//! nodes of the present tick need an order. A sorted list would do while they are few, but an
//! insertion walks it, and ten thousand coroutines that each sleep for 100 us are all in here. The
//! pairing heap inserts in constant time, removes in logarithmic time (amortised), allocates
//! nothing and needs one link more than a list.
//!
//! A node's children are a list from `child` through `next`; `prev` leads back, and from the first
//! child to the parent. Links of the root itself are never read.
//!
//! Fredman, Sedgewick, Sleator, Tarjan, "The pairing heap", 1986:
//! <https://doi.org/10.1007/BF01840439>

use super::node::{Link, Linked, Place};

/// The heap, by its root: the node that expires first.
pub(super) struct Due {
    root: Link,
}

impl Due {
    pub(super) const fn new() -> Self {
        Self { root: None }
    }

    /// Returns the node that expires first.
    #[inline]
    pub(super) fn first(&self) -> Link {
        self.root
    }

    /// Adds a node that is in no other place.
    ///
    /// Nodes that come in falling order make a chain, from which each later removal of the first is
    /// one step.
    #[inline]
    pub(super) fn push(&mut self, node: Linked) {
        node.place.set(Place::Due);
        node.child.set(None);
        self.root = Some(match self.root {
            Some(root) => meld(root, node),
            None => node,
        });
    }

    /// Takes a node of this heap out of it.
    pub(super) fn remove(&mut self, node: Linked) {
        debug_assert_eq!(node.place.get(), Place::Due);
        let orphans = combine(node.child.get());
        if self.root == Some(node) {
            self.root = orphans;
        } else {
            cut(node);
            if let (Some(root), Some(orphans)) = (self.root, orphans) {
                self.root = Some(meld(root, orphans));
            }
        }
        node.place.set(Place::Unlinked);
    }
}

/// Makes the later one of two roots the first child of the other, which is returned.
#[inline]
fn meld(one: Linked, other: Linked) -> Linked {
    let (parent, child) = if other.is_before(one) {
        (other, one)
    } else {
        (one, other)
    };
    let sibling = parent.child.replace(Some(child));
    child.next.set(sibling);
    child.prev.set(Some(parent));
    if let Some(sibling) = sibling {
        sibling.prev.set(Some(child));
    }
    parent
}

/// Takes a node that is not the root, with all below it, off the list of its siblings.
fn cut(node: Linked) {
    let next = node.next.get();
    let Some(prev) = node.prev.get() else {
        unreachable!("only the root of the heap has nothing before it");
    };
    // A sibling cannot have this node as its child, so this tells the parent from a sibling.
    if prev.child.get() == Some(node) {
        prev.child.set(next);
    } else {
        prev.next.set(next);
    }
    if let Some(next) = next {
        next.prev.set(Some(prev));
    }
}

/// Makes one tree of a list of siblings: melds them in pairs from the first to the last, then the
/// pairs from the last to the first. The two passes are what the amortised bound rests on.
fn combine(first: Link) -> Link {
    let mut pairs: Link = None;
    let mut rest = first;
    while let Some(one) = rest {
        let pair = match one.next.get() {
            Some(other) => {
                rest = other.next.get();
                meld(one, other)
            }
            None => {
                rest = None;
                one
            }
        };
        pair.next.set(pairs);
        pairs = Some(pair);
    }

    let mut root = pairs?;
    let mut rest = root.next.get();
    while let Some(pair) = rest {
        rest = pair.next.get();
        root = meld(root, pair);
    }
    Some(root)
}
