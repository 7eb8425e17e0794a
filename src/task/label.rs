//! What a coroutine waits for, and where.

use std::fmt;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::Ordering;

use crate::task::Task;

/// The kind of a suspension: a fixed word for dumps and error messages, such as `delay` or `receive`.
///
/// One static per kind; a suspension stores one pointer to it and one to its place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Label(pub(crate) &'static str);

/// That of a wait for a lock, which is kept as the number of its holder.
pub(crate) static LOCK: Label = Label("lock");

/// A suspension point: what for, and the line of the call.
#[derive(Clone, Copy)]
pub(crate) struct Point {
    pub(crate) label: &'static Label,
    pub(crate) place: &'static Location<'static>,
    /// Who held the lock when the wait for it began.
    pub(crate) holder: Option<u64>,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.label.0, self.place)?;
        match self.holder {
            Some(holder) => write!(f, ", held by #{holder} when it came"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Task {
    #[inline(always)]
    pub(crate) fn set_point(&self, label: &'static Label, place: &'static Location<'static>) {
        self.label
            .store(ptr::from_ref(label).cast_mut(), Ordering::Relaxed);
        self.place
            .store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }

    /// The same for a lock, with the number of who holds it.
    #[inline(always)]
    pub(crate) fn set_point_behind(&self, holder: u64, place: &'static Location<'static>) {
        // An odd address is no label's.
        let tagged = usize::try_from(holder << 1).unwrap_or(0) | 1;
        self.label
            .store(ptr::without_provenance_mut(tagged), Ordering::Relaxed);
        self.place
            .store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }

    /// What the task waits for, or waited for last; for one that never waited, the place of its launch.
    pub(crate) fn point(&self) -> (Option<Point>, &'static Location<'static>) {
        let label = self.label.load(Ordering::Relaxed);
        // SAFETY: it points to a static.
        let place = unsafe { &*self.place.load(Ordering::Relaxed) };
        let (label, holder) = if label.addr() & 1 == 1 {
            (Some(&LOCK), Some((label.addr() >> 1) as u64))
        } else {
            // SAFETY: as above, or null.
            (unsafe { label.as_ref() }, None)
        };
        let point = label.map(|label| Point {
            label,
            place,
            holder,
        });
        (point, place)
    }
}
