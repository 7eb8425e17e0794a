use super::*;

fn io(error: Error) -> io::Error {
    io::Error::from(error)
}

/// The same error, three libraries deep, in every way that libraries do it.
fn buried(error: &Error) -> Vec<(&'static str, Error)> {
    let e = || error.clone();
    let std = || error.clone().into_std();
    let dynamic = || Box::<dyn StdError + Send + Sync>::from(error.clone());
    vec![
        (
            "source",
            Error::new(Wrapped("c", Wrapped("b", Wrapped("a", std())))),
        ),
        (
            "library over io",
            Error::new(Wrapped("c", Wrapped("b", LibraryError::Io(io(e()))))),
        ),
        (
            "io in io",
            Error::new(io::Error::other(io::Error::other(io(e())))),
        ),
        (
            "io payload in a library in io",
            Error::new(io::Error::other(Wrapped(
                "b",
                io::Error::other(Wrapped("a", std())),
            ))),
        ),
        (
            "transparent io",
            Error::new(Wrapped("c", Wrapped("b", Transparent(io(e()))))),
        ),
        (
            "transparent wrapper",
            Error::new(Transparent(Transparent(std()))),
        ),
        (
            "transparent library",
            Error::new(Transparent(LibraryError::Io(io(e())))),
        ),
        ("shared io", Error::new(Wrapped("b", Arc::new(io(e()))))),
        ("boxed io", Error::new(Wrapped("b", Box::new(io(e()))))),
        (
            "transparent shared io",
            Error::new(Transparent(Arc::new(io(e())))),
        ),
        (
            "shared dynamic",
            Error::new(Wrapped(
                "b",
                Arc::<dyn StdError + Send + Sync>::from(dynamic()),
            )),
        ),
        (
            "anyhow-like in a box",
            Error::boxed(Box::new(Transparent(std()))),
        ),
        ("ours in theirs in ours", {
            let inner = Error::new(Wrapped("a", io(e())));
            Error::new(Wrapped("b", inner.into_std()))
        }),
    ]
}

#[test]
fn a_cancellation_is_recognised_in_every_library_error() {
    for error in [Error::cancelled(), Error::cancelled_by(5), with_cause()] {
        for (name, buried) in buried(&error) {
            assert!(buried.is_cancelled(), "{name}");
            let found = buried.cancellation().unwrap();
            assert!(Error::new(found).ptr_eq(&error), "{name}");
            assert!(!buried.is_timeout() && !buried.is_panic(), "{name}");
        }
    }
}

#[test]
fn a_timeout_and_a_panic_are_recognised_in_every_library_error() {
    for (name, buried) in buried(&timed_out()) {
        assert_eq!(buried.timeout_id(), Some(7), "{name}");
        assert!(buried.is_timeout() && !buried.is_cancelled(), "{name}");
    }
    for (name, buried) in buried(&panicked()) {
        assert_eq!(
            buried.panic_message(),
            Some("the pot boiled over"),
            "{name}"
        );
        assert!(buried.is_panic() && !buried.is_cancelled(), "{name}");
    }
}

#[test]
fn a_foreign_cancellation_is_hidden_in_every_library_error_but_still_shown() {
    let mut cases = buried(&foreign());
    cases.push(("itself", foreign()));
    // The cause of a foreign cancellation may be foreign to its job too, or a library's error.
    let twice = Error::foreign_cancellation("`serve`".to_owned(), foreign());
    cases.extend(buried(&twice));
    for (name, error) in cases {
        assert!(!error.is_cancelled(), "{name}");
        assert!(error.cancellation().is_none(), "{name}");
        let shown = format!("{error:#}");
        assert!(
            shown.contains("job `cook`, which was awaited, was cancelled: cancelled"),
            "{shown}"
        );
    }
}

#[test]
fn what_made_a_cancellation_is_its_cause_and_not_its_kind() {
    let cancelled = Error::cancelled_because(1, None, Some(timed_out()));
    assert!(cancelled.is_cancelled() && !cancelled.is_timeout());
    assert_eq!(cancelled.timeout_id(), None);
    assert!(format!("{cancelled:#}").ends_with("timed out after 1.3s"));
}

#[test]
fn an_ordinary_error_can_be_found_from_outside_by_its_sources() {
    let boxed = Box::<dyn StdError>::from(Error::new(LibraryError::Refused(5)));
    assert!(boxed.source().unwrap().is::<LibraryError>());
    let io = io::Error::from(Error::new(LibraryError::Refused(5)));
    assert!(io.source().unwrap().is::<LibraryError>());
}
