//! Notices: what a condition variable and a [`Notify`](crate::sync::Notify) have in common.
//!
//! A notice goes to the first who waits, or to all who do. One that finds nobody is lost, or kept as the one permit, as
//! the caller says.
//!
//! O waits, N notifies, X cancels:
//!
//! ```text
//! nobody waits, no permit -N> permit           kept: the next O takes it
//! permit                  -O> no permit        taken at once
//! O waits                 -N> O has a notice   O's word was claimed
//! ```
//!
//! O that was given the notice of one and is cancelled before it runs owes it to the next: cancellation wins until the
//! moment of resumption, and no notice is lost by it.

use crate::sync::line::{Held, Line};
use crate::sync::wait_list::Waits;

/// What a waiter was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing yet.
    #[default]
    None,
    /// The notice for one: nobody else has it.
    One,
    /// That for all.
    All,
}

/// Those who wait, and whether a notice is kept for who comes next.
pub(crate) type Notices<K> = Line<K, bool, Notice>;

impl<K: Waits> Held<'_, K, bool, Notice> {
    /// O: takes the notice that was kept.
    #[must_use]
    pub(crate) fn take(&self) -> bool {
        self.state(|has_permit| {
            let had_one = *has_permit;
            if !cfg!(mutation = "notices_permit_stays") {
                *has_permit = false;
            }
            had_one
        })
    }

    /// N: gives a notice to the first who waits. Whoever is returned must be handed back after the lock was released.
    #[must_use]
    pub(crate) fn notify_one(&self, keep: bool) -> Option<*const K> {
        let claimed = self.claim_first(|_, notice| *notice = Notice::One);
        if claimed.is_none() && keep && !cfg!(mutation = "notices_keep_nothing") {
            self.state(|has_permit| *has_permit = true);
        }
        claimed.map(|((), task)| task)
    }

    /// N: gives a notice to all who wait now.
    pub(crate) fn notify_all(&self, claimed: impl FnMut(*const K)) {
        self.claim_all(|notice| *notice = Notice::All, claimed);
    }
}
