use super::*;
use std::sync::Mutex;
use std::sync::mpsc;
use std::thread;

#[test]
fn the_last_clone_drops_the_error_whatever_thread_it_is_on() {
    let (error, drops) = counted();
    let (sender, receiver) = mpsc::channel::<Error>();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (mine, sender) = (error.clone(), sender.clone());
            scope.spawn(move || {
                for _ in 0..1000 {
                    assert!(mine.clone().ptr_eq(&mine));
                }
                sender.send(mine).unwrap();
            });
        }
    });
    drop(error);
    drop(sender);
    let all: Vec<Error> = receiver.iter().collect();
    assert_eq!(all.len(), 4);
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(all);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn only_the_sole_owner_takes_the_error_out() {
    let (error, drops) = counted();
    let error = error.downcast::<LibraryError>().unwrap_err();
    let other = error.clone();
    let error = error.downcast::<Counted>().unwrap_err();
    assert!(error.ptr_eq(&other));
    drop(other);
    let inner = error.downcast::<Counted>().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(inner);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

const DEEP: usize = 100_000;

#[test]
fn a_deep_chain_of_causes_is_dropped_without_recursion() {
    let (error, drops) = counted();
    let mut chain = error;
    for owner in 0..DEEP {
        chain = Error::cancelled_because(owner as u64, None, Some(chain));
    }
    on_a_small_stack(move || {
        assert!(chain.is_cancelled());
        assert!(!format!("{chain:?} {chain:#}").is_empty());
        drop(chain);
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_deep_chain_through_library_errors_is_dropped_without_recursion() {
    let (error, drops) = counted();
    let mut chain = error;
    for level in 0..DEEP {
        chain = match level % 4 {
            0 => Error::new(Wrapped("layer", chain.into_std())),
            1 => Error::new(Wrapped("layer", LibraryError::Io(io::Error::from(chain)))),
            2 => Error::foreign_cancellation(String::new(), chain),
            _ => Error::boxed(Box::new(Wrapped("layer", Arc::new(io::Error::from(chain))))),
        };
    }
    on_a_small_stack(move || {
        assert!(!chain.is_cancelled());
        drop(chain);
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn a_deep_nest_of_attachments_is_printed_and_dropped_without_recursion() {
    let (error, drops) = counted();
    let mut nest = error;
    // Fewer than elsewhere: each attachment looks for a circle through all below it.
    for _ in 0..1000 {
        let next = Error::msg("next");
        next.suppress(nest);
        nest = next;
    }
    on_a_small_stack(move || {
        assert!(format!("{nest:?}").contains("Suppressed:"));
        drop(nest);
    });
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new()
        .stack_size(64 * 1024)
        .spawn(work)
        .unwrap();
    thread.join().unwrap();
}

#[derive(Debug)]
struct SourcePanics(AsStdError);

impl Display for SourcePanics {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("hostile")
    }
}

impl StdError for SourcePanics {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        panic!("asked for the source of {}", self.0)
    }
}

#[test]
fn a_source_that_panics_does_not_panic_in_the_drop() {
    let (error, drops) = counted();
    let hostile = Error::new(SourcePanics(error.into_std()));
    drop(hostile);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn the_first_owner_rethrows_the_payload_and_later_ones_the_text() {
    struct Payload(u32);
    let error = Error::panicked(Box::new(Payload(42)));
    let second = error.clone();
    // Recognised inside a library's error too.
    let first = Error::new(Wrapped("library", error.into_std()));
    let thrown = catch_unwind(AssertUnwindSafe(|| first.resume_unwind())).unwrap_err();
    assert_eq!(thrown.downcast::<Payload>().unwrap().0, 42);
    let thrown = catch_unwind(AssertUnwindSafe(|| second.resume_unwind())).unwrap_err();
    assert_eq!(*thrown.downcast::<String>().unwrap(), "panicked");

    let error = panicked();
    let second = error.clone();
    let thrown = catch_unwind(AssertUnwindSafe(|| error.resume_unwind())).unwrap_err();
    assert_eq!(
        *thrown.downcast::<&'static str>().unwrap(),
        "the pot boiled over"
    );
    let thrown = catch_unwind(AssertUnwindSafe(|| second.resume_unwind())).unwrap_err();
    assert_eq!(*thrown.downcast::<String>().unwrap(), "the pot boiled over");
}

#[test]
fn a_payload_that_nobody_rethrows_is_dropped_with_the_error() {
    let drops = Arc::new(AtomicUsize::new(0));
    let error = Error::panicked(Box::new(Mutex::new(Counted(drops.clone()))));
    drop(error.clone());
    assert_eq!(drops.load(Ordering::Relaxed), 0);
    drop(error);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
}

#[test]
fn sizes_and_auto_traits_are_as_promised() {
    fn promised<T: Clone + Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {
        assert_eq!(size_of::<T>(), 8);
        assert_eq!(size_of::<Option<T>>(), 8);
    }
    promised::<Error>();
    promised::<AsStdError>();
    promised::<crate::error::Cancelled>();
    promised::<crate::error::TimedOut>();
    promised::<crate::error::Panicked>();
    assert_eq!(size_of::<crate::error::Result<()>>(), 8);
}
