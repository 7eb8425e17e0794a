use super::*;
use std::sync::{Barrier, OnceLock, Weak};
use std::thread;

fn texts(error: &Error) -> Vec<String> {
    error.suppressed().iter().map(Error::to_string).collect()
}

#[test]
fn later_failures_are_kept_in_order_and_once() {
    let first = Error::msg("first");
    let second = Error::msg("second");
    first.suppress(second.clone());
    first.suppress(timed_out());
    first.suppress(second.clone());
    first.suppress(first.clone());
    first.suppress(Error::cancelled_by(4));
    first.suppress(Error::cancelled_by(4));
    assert_eq!(
        texts(&first),
        ["second", "timed out after 1.3s", "cancelled"]
    );
    assert!(first.suppressed()[0].ptr_eq(&second));
    assert!(
        first.clone().suppressed().len() == 3,
        "a clone is the same failure"
    );
}

#[test]
fn every_kind_but_a_plain_cancellation_takes_attachments() {
    for error in all_kinds() {
        error.suppress(Error::msg("later"));
        let plain = error.to_string() == "cancelled";
        assert_eq!(error.suppressed().len(), usize::from(!plain), "{error}");
    }
}

#[test]
fn what_has_the_error_in_it_already_is_not_attached() {
    let error = || Error::new(Wrapped("e", io::Error::other("x")));
    type Around = fn(Error) -> Error;
    let cases: [(&str, Around); 9] = [
        ("cause", |e| Error::cancelled_because(1, None, Some(e))),
        ("foreign cause", |e| {
            Error::foreign_cancellation("j".into(), e)
        }),
        ("source", |e| Error::new(Wrapped("outer", e.into_std()))),
        ("io source", |e| {
            Error::new(Wrapped("outer", io::Error::from(e)))
        }),
        ("hidden source", |e| {
            Error::boxed(Box::new(Transparent(e.into_std())))
        }),
        ("attachment", |e| {
            let other = Error::msg("other");
            other.suppress(e);
            other
        }),
        ("attachment of a source", |e| {
            let other = Error::msg("other");
            other.suppress(e);
            Error::new(Wrapped("outer", other.into_std()))
        }),
        ("cause of an attachment", |e| {
            let other = Error::msg("other");
            other.suppress(Error::cancelled_because(1, None, Some(e)));
            other
        }),
        ("cause of a source of a cause", |e| {
            let cancelled = Error::cancelled_because(1, None, Some(e));
            let library = Error::new(Wrapped("outer", cancelled.into_std()));
            Error::cancelled_because(2, None, Some(library))
        }),
    ];
    for (name, make) in cases {
        let first = error();
        first.suppress(make(first.clone()));
        assert!(texts(&first).is_empty(), "{name}");
        // With nothing attached nobody else holds it, so nothing leaks.
        assert!(first.downcast::<Wrapped<io::Error>>().is_ok(), "{name}");
    }
}

#[test]
fn two_threads_that_attach_to_each_other_close_no_circle() {
    for _ in 0..500 {
        let (a, b) = (counted(), counted());
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                a.0.suppress(b.0.clone());
            });
            barrier.wait();
            b.0.suppress(a.0.clone());
        });
        assert_eq!(a.0.suppressed().len() + b.0.suppressed().len(), 1);
        drop((a.0, b.0));
        assert_eq!(
            (a.1.load(Ordering::Relaxed), b.1.load(Ordering::Relaxed)),
            (1, 1)
        );
    }
}

#[test]
fn a_hundred_thousand_failures_are_attached_in_reasonable_time() {
    let first = Error::msg("first");
    for _ in 0..100_000 {
        first.suppress(Error::msg("later"));
    }
    assert_eq!(first.suppressed().len(), 100_000);
    assert!(format!("{first:?}").ends_with("... and 99936 more"));
}

/// Uses the error that it is attached to in everything that it does.
#[derive(Debug)]
struct Meddler(Arc<OnceLock<Error>>, Weak<AtomicUsize>);

impl Meddler {
    fn meddle(&self) {
        if let (Some(error), Some(calls)) = (self.0.get(), self.1.upgrade()) {
            calls.fetch_add(1, Ordering::Relaxed);
            error.suppress(Error::msg("meddled"));
            let _ = error.suppressed();
        }
    }
}

impl Display for Meddler {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.meddle();
        f.write_str("meddler")
    }
}

impl StdError for Meddler {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        // Once, or else each attachment would make the walk begin again for ever.
        if self
            .1
            .upgrade()
            .is_some_and(|calls| calls.load(Ordering::Relaxed) == 0)
        {
            self.meddle();
        }
        None
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.meddle();
    }
}

#[test]
fn user_code_that_comes_back_to_the_same_error_does_not_deadlock() {
    let calls = Arc::new(AtomicUsize::new(0));
    let target = Arc::new(OnceLock::new());
    let first = Error::msg("first");
    target.set(first.clone()).unwrap();
    let meddler = Error::new(Meddler(target.clone(), Arc::downgrade(&calls)));
    first.suppress(meddler.clone());
    assert_eq!(texts(&first), ["meddled", "meddler"]);
    first.suppress(meddler);
    assert!(format!("{first:?}").contains("meddler"));
    let unattached = Error::new(Meddler(target, Arc::downgrade(&calls)));
    first.suppress(Error::new(Wrapped("holder", first.clone().into_std())));
    drop(unattached);
    assert!(calls.load(Ordering::Relaxed) >= 4);
}
