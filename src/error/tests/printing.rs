use super::*;

#[test]
fn one_line_says_what_happened() {
    let lines: Vec<String> = all_kinds().iter().map(Error::to_string).collect();
    assert_eq!(
        lines,
        [
            "cancelled",
            "cancelled",
            "cancelled: dinner is off",
            "timed out after 1.3s",
            "panicked: the pot boiled over",
            "job `cook`, which was awaited, was cancelled",
            "ordinary",
            "ordinary too",
        ]
    );
    assert_eq!(Error::panicked(Box::new(1)).to_string(), "panicked");
}

#[test]
fn the_alternate_form_has_the_causes_on_the_same_line() {
    assert_eq!(
        format!("{:#}", with_cause()),
        "cancelled: dinner is off: panicked: the pot boiled over"
    );
    let deep = Error::new(LibraryError::Io(io::Error::from(Error::cancelled())));
    assert_eq!(
        format!("{deep:#}"),
        "transport failed: cancelled",
        "wrappers say it once"
    );
}

#[test]
fn the_debug_form_tells_everything_to_a_reader() {
    let first = Error::new(Wrapped(
        "supper failed",
        Wrapped("no soup", with_cause().into_std()),
    ));
    let second = Error::new(LibraryError::Refused(403));
    second.suppress(Error::msg("while closing\nthe door"));
    first.suppress(second);
    first.suppress(timed_out());
    assert_eq!(
        format!("{first:?}"),
        "supper failed

Caused by:
    no soup
    cancelled: dinner is off
    panicked: the pot boiled over

Suppressed:
    refused with 403
        while closing
        the door
    timed out after 1.3s"
    );
    assert_eq!(format!("{:?}", Error::msg("alone")), "alone");
    assert_eq!(format!("{:?}", Error::msg("alone").into_std()), "alone");
}

#[test]
fn views_print_their_parts() {
    let cancelled = with_cause().cancellation().unwrap();
    assert_eq!(
        format!("{cancelled:?}"),
        "Cancelled { owner: 4, message: \"dinner is off\", cause: panicked: the pot boiled over }"
    );
    let cancelled = Error::cancelled().cancellation().unwrap();
    assert_eq!(format!("{cancelled:?}"), "Cancelled");
    let timed_out: crate::error::TimedOut = timed_out().downcast().unwrap();
    assert_eq!(format!("{timed_out:?}"), "TimedOut { limit: 1.3s }");
    let panicked: crate::error::Panicked = panicked().downcast().unwrap();
    assert_eq!(
        format!("{panicked:?}"),
        "Panicked { message: Some(\"the pot boiled over\") }"
    );
}

#[derive(Debug)]
struct Endless;

impl Display for Endless {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("endless")
    }
}

impl StdError for Endless {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&Endless)
    }
}

#[test]
fn an_endless_chain_is_cut_off() {
    assert_eq!(format!("{:#}", Error::new(Endless)), "endless: ...");
}
