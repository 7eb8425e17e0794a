//! Later failures, attached to the first.
//!
//! The lists must stay free of circles: a circle of counted owners is never freed, and printing it would not end.
//! Whether an attachment closes one can only be found by a walk that asks users' errors for their sources, and no
//! user code may run under a lock. So it is done as a transaction: note how many attachments there have been in the
//! whole program, walk without a lock, take the lock, and begin again if the number has moved on. Someone else has
//! succeeded then, so this ends. One lock for all, since a circle can be closed by two who attach to different
//! errors; it is taken only where at least two failures meet.

#![forbid(unsafe_code)]

use super::node::{Kind, Node};
use super::repr::Content;
use super::{Error, chain};
use std::collections::HashSet;
use std::error::Error as StdError;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many attachments there have been.
static ATTACHMENTS: Mutex<u64> = Mutex::new(0);

#[derive(Default)]
pub(super) struct Suppressed(Mutex<Option<Box<Attached>>>);

#[derive(Default)]
struct Attached {
    list: Vec<Error>,
    /// The same again for looking up: where a hundred thousand children fail, a search per child would not end.
    words: HashSet<usize>,
}

impl Suppressed {
    pub(super) fn into_list(self) -> Vec<Error> {
        let attached = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        attached.map(|attached| attached.list).unwrap_or_default()
    }

    fn list(&self) -> Vec<Error> {
        let attached = lock(&self.0);
        attached
            .as_ref()
            .map(|attached| attached.list.clone())
            .unwrap_or_default()
    }

    /// Gives `later` back if it is in the list already, since its drop may run user code and the caller holds a lock.
    fn push(&self, later: Error) -> Option<Error> {
        let mut attached = lock(&self.0);
        let attached = attached.get_or_insert_default();
        if !attached.words.insert(later.0.word()) {
            return Some(later);
        }
        attached.list.push(later);
        None
    }
}

impl Error {
    /// The failures that came after this one and were attached to it, oldest first.
    ///
    /// The first failure of a scope is its cause; what its siblings, or the destructors on the way out, failed with
    /// afterwards is kept here.
    ///
    /// # Examples
    ///
    /// ```
    /// assert!(switchback::Error::msg("the first and only").suppressed().is_empty());
    /// ```
    pub fn suppressed(&self) -> Vec<Error> {
        match self.content() {
            Content::Inline { .. } => Vec::new(),
            Content::Boxed(node) => node.suppressed.list(),
        }
    }

    /// Attaches a later failure.
    ///
    /// Does nothing if it is the same failure, is attached already, or has this one among its own causes or
    /// attachments, and on a plain cancellation, which has no room: one that is to carry more is made by
    /// [`cancelled_because`](Error::cancelled_because).
    pub(crate) fn suppress(&self, later: Error) {
        let Content::Boxed(node) = self.content() else {
            return;
        };
        loop {
            let before = *lock(&ATTACHMENTS);
            if reaches(&later, self) {
                return;
            }
            let mut attachments = lock(&ATTACHMENTS);
            if *attachments != before {
                continue;
            }
            *attachments += 1;
            let refused = node.suppressed.push(later);
            drop(attachments);
            drop(refused);
            return;
        }
    }
}

/// Whether `target` is `start`, or among its causes and attachments, however deep.
fn reaches(start: &Error, target: &Error) -> bool {
    let mut seen = HashSet::new();
    let mut pending = vec![start.clone()];
    while let Some(error) = pending.pop() {
        if error.ptr_eq(target) {
            return true;
        }
        let Content::Boxed(node) = error.content() else {
            continue;
        };
        if !seen.insert(error.0.word()) {
            continue;
        }
        match &node.kind {
            Kind::Cancelled { cause, .. } => pending.extend(cause.clone()),
            Kind::Foreign { cause, .. } => pending.push(cause.clone()),
            Kind::Other(user) => {
                for link in chain::links(&**user) {
                    if is_user_error_of(link, target) {
                        return true;
                    }
                    if let Some(carried) = chain::ours(link) {
                        pending.push(carried.clone());
                        break;
                    }
                }
            }
            Kind::TimedOut { .. } | Kind::Panicked { .. } => {}
        }
        pending.extend(node.suppressed.list());
    }
    false
}

/// Whether `link` is the very object in `target`: one that skipped our wrapper on its way still shows what is inside.
fn is_user_error_of(link: &(dyn StdError + 'static), target: &Error) -> bool {
    match target.content() {
        Content::Boxed(Node {
            kind: Kind::Other(user),
            ..
        }) => {
            // Objects without a size share their address with others.
            size_of_val(link) != 0 && ptr::addr_eq(link, &raw const **user)
        }
        _ => false,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
