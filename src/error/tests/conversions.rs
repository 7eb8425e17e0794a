use super::*;
use crate::error::{Cancelled, Panicked, TimedOut};
use std::io::ErrorKind;

type Round = fn(Error) -> Error;

/// Every way out of an `Error` and back.
const ROUNDS: [(&str, Round); 6] = [
    ("std", |error| Error::new(error.into_std())),
    ("box of std", |error| {
        let boxed: Box<dyn StdError + Send + Sync> = Box::new(error.into_std());
        Error::boxed(boxed)
    }),
    ("box", |error| {
        Error::boxed(Box::<dyn StdError + Send + Sync>::from(error))
    }),
    ("itself as a box", |error| Error::boxed(error)),
    ("io", |error| Error::from(io::Error::from(error))),
    ("io in a box", |error| Error::boxed(io::Error::from(error))),
];

#[test]
fn every_round_trip_gives_the_very_same_error() {
    for error in all_kinds() {
        for (name, round) in ROUNDS {
            let back = round(error.clone());
            assert!(back.ptr_eq(&error), "{name} of {error}");
        }
    }
}

#[test]
fn a_view_turns_back_into_the_very_same_error() {
    for error in [Error::cancelled_by(5), with_cause()] {
        assert!(Error::new(error.downcast_ref::<Cancelled>().unwrap().clone()).ptr_eq(&error));
        assert!(Error::new(error.clone().downcast::<Cancelled>().unwrap()).ptr_eq(&error));
        assert!(Error::boxed(error.clone().downcast::<Cancelled>().unwrap()).ptr_eq(&error));
    }
    let error = timed_out();
    assert!(Error::new(error.downcast_ref::<TimedOut>().unwrap().clone()).ptr_eq(&error));
    assert!(Error::new(error.clone().downcast::<TimedOut>().unwrap()).ptr_eq(&error));
    let error = panicked();
    assert!(Error::new(error.downcast_ref::<Panicked>().unwrap().clone()).ptr_eq(&error));
    assert!(Error::new(error.clone().downcast::<Panicked>().unwrap()).ptr_eq(&error));
}

#[test]
fn each_kind_answers_to_its_own_name_only() {
    let answers = |error: &Error| {
        assert_eq!(error.is::<Cancelled>(), error.is_cancelled(), "{error}");
        assert_eq!(error.is::<TimedOut>(), error.is_timeout(), "{error}");
        assert_eq!(error.is::<Panicked>(), error.is_panic(), "{error}");
        (error.is_cancelled(), error.is_timeout(), error.is_panic())
    };
    assert_eq!(answers(&Error::cancelled()), (true, false, false));
    assert_eq!(answers(&Error::cancelled_by(1)), (true, false, false));
    assert_eq!(answers(&with_cause()), (true, false, false));
    assert_eq!(answers(&timed_out()), (false, true, false));
    assert_eq!(answers(&panicked()), (false, false, true));
    assert_eq!(answers(&foreign()), (false, false, false));
    assert_eq!(answers(&Error::msg("x")), (false, false, false));
}

#[test]
fn a_view_tells_what_the_runtime_put_in() {
    assert_eq!(Error::cancelled().cancellation().unwrap().owner(), None);
    assert_eq!(
        Error::cancelled_by(9).cancellation().unwrap().owner(),
        Some(9)
    );
    let last = u64::MAX >> 1;
    assert_eq!(
        Error::cancelled_by(last).cancellation().unwrap().owner(),
        Some(last)
    );

    let cancelled = with_cause().cancellation().unwrap();
    assert_eq!(cancelled.owner(), Some(4));
    assert_eq!(cancelled.message(), Some("dinner is off"));
    assert!(cancelled.cause().unwrap().is_panic());
    assert!(cancelled.source().unwrap().is::<Panicked>());

    let bare = Error::cancelled_because(6, None, None);
    assert!(
        bare.ptr_eq(&Error::cancelled_by(6)),
        "nothing to keep, so nothing is allocated"
    );

    assert_eq!(timed_out().timeout_id(), Some(7));
    assert_eq!(
        timed_out().downcast::<TimedOut>().unwrap().limit(),
        Duration::from_millis(1300)
    );
    assert_eq!(panicked().panic_message(), Some("the pot boiled over"));
    assert_eq!(
        Error::panicked(Box::new("a".to_owned() + "b")).panic_message(),
        Some("ab")
    );
    assert_eq!(Error::panicked(Box::new(5)).panic_message(), None);
}

#[test]
fn an_io_error_never_says_interrupted_and_shows_the_error_as_its_source() {
    for error in all_kinds() {
        let io = io::Error::from(error.clone());
        let expected = if error.is_timeout() {
            ErrorKind::TimedOut
        } else {
            ErrorKind::Other
        };
        assert_eq!(io.kind(), expected, "{error}");
        assert_eq!(io.to_string(), error.to_string());
    }
    let io = io::Error::from(Error::cancelled_by(8));
    assert_eq!(
        io.source()
            .unwrap()
            .downcast_ref::<Cancelled>()
            .unwrap()
            .owner(),
        Some(8)
    );

    let interrupted = Error::new(io::Error::from(ErrorKind::Interrupted));
    assert_eq!(io::Error::from(interrupted).kind(), ErrorKind::Other);
    let cancelled_in_disguise = Error::new(io::Error::new(
        ErrorKind::NotFound,
        Error::cancelled().into_std(),
    ));
    assert!(cancelled_in_disguise.is_cancelled());
    assert_eq!(
        io::Error::from(cancelled_in_disguise).kind(),
        ErrorKind::Other
    );
}

#[test]
fn an_io_error_comes_back_as_it_was() {
    let error = Error::new(io::Error::from_raw_os_error(2));
    let shared = error.clone();
    let io = io::Error::from(error);
    assert_eq!(
        io.kind(),
        ErrorKind::NotFound,
        "the kind is kept even where the error is shared"
    );
    assert!(Error::from(io).ptr_eq(&shared));
    assert_eq!(io::Error::from(shared).raw_os_error(), Some(2));
}

#[test]
fn an_io_error_that_says_more_than_what_it_carries_is_kept() {
    let io = io::Error::new(
        ErrorKind::ConnectionReset,
        Error::cancelled_by(2).into_std(),
    );
    let error = Error::new(io);
    assert_eq!(
        error.downcast_ref::<io::Error>().unwrap().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(error.cancellation().unwrap().owner(), Some(2));
}

#[test]
fn question_marks_convert_in_all_directions() {
    fn ours(fail: bool) -> crate::error::Result<()> {
        if fail {
            Err(LibraryError::Refused(403))?;
        }
        "1".parse::<i32>()?;
        Ok(())
    }
    fn boxed() -> Result<(), Box<dyn StdError>> {
        Ok(ours(true)?)
    }
    fn boxed_send() -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(ours(true)?)
    }
    fn io() -> io::Result<()> {
        Ok(ours(true)?)
    }
    ours(false).unwrap();
    assert_eq!(boxed().unwrap_err().to_string(), "refused with 403");
    assert_eq!(io().unwrap_err().to_string(), "refused with 403");
    let back = boxed_send().map_err(Error::boxed).unwrap_err();
    assert!(matches!(
        back.downcast_ref(),
        Some(LibraryError::Refused(403))
    ));
}

#[test]
fn texts_and_boxes_become_errors() {
    assert_eq!(Error::boxed("a text").to_string(), "a text");
    assert_eq!(
        Error::boxed(String::from("a string")).to_string(),
        "a string"
    );
    let error = Error::boxed(Box::new(LibraryError::Refused(1)));
    assert!(
        error.downcast::<Box<LibraryError>>().is_ok(),
        "what is given is kept as it is"
    );
}
