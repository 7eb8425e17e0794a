//! Views that let at most so many coroutines run at a time.

use std::fmt;
use std::sync::Arc;

use crate::context::{Admission, Dispatch, Dispatcher, Refused, Unstarted};
use crate::dispatchers::{IO, IO_FOR_VIEWS};
use crate::scheduler::limit::Limit;
use crate::stack::StackSize;

struct View {
    of: Dispatcher,
    limit: Limit,
}

impl Dispatcher {
    /// A view of this dispatcher on which at most `parallelism` coroutines run at a time, first come, first served.
    ///
    /// A coroutine gives its place away while it is suspended. So with a parallelism of 1 no two coroutines of the view run at
    /// the same time, and what they share needs no lock between suspensions; at a suspension others come in between.
    ///
    /// Each view counts for itself: two views of one dispatcher do not limit each other. Views of
    /// [`Dispatchers::io`](crate::Dispatchers::io) are not bound by its limit of 64, nor do they take from it. A view of a
    /// view is bound by both; one that asks for no less than its base has is the base.
    ///
    /// # Panics
    ///
    /// If `parallelism` is 0.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use switchback::prelude::*;
    ///
    /// # fn main() -> Result<()> {
    /// let database = Dispatchers::io().limited_parallelism(2);
    /// let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    /// with_context(database, |s| {
    ///     for _ in 0..10 {
    ///         s.launch(|_| {
    ///             most.fetch_max(running.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
    ///             std::thread::sleep(ms(1));
    ///             running.fetch_sub(1, Ordering::AcqRel);
    ///         });
    ///     }
    ///     Ok(())
    /// })?;
    /// assert!(most.into_inner() <= 2);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    #[track_caller]
    pub fn limited_parallelism(&self, parallelism: usize) -> Dispatcher {
        assert!(parallelism > 0, "a view on which nothing may run");
        if self.parallelism().is_some_and(|own| parallelism >= own) {
            return self.clone();
        }
        let threads = if self.is_same(&IO) {
            IO_FOR_VIEWS.clone()
        } else {
            self.clone()
        };
        Dispatcher::new(Arc::new(View {
            of: self.clone(),
            limit: Limit::new(threads, parallelism),
        }))
    }

    /// How many coroutines run at a time, if this is a view.
    fn parallelism(&self) -> Option<usize> {
        self.admission().map(Admission::parallelism)
    }
}

impl Dispatch for View {
    fn dispatch(&self, task: Unstarted) -> Result<(), Refused> {
        self.limit.dispatch(task)
    }

    fn stack_size(&self) -> StackSize {
        self.limit.threads().stack_size()
    }

    fn is_here(&self) -> bool {
        self.limit.threads().is_here()
    }

    fn admission(&self) -> Option<&dyn Admission> {
        Some(&self.limit)
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limit = self.limit.parallelism();
        write!(f, "{:?}.limited_parallelism({limit})", self.of)
    }
}
