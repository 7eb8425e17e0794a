//! Its turn again, behind the others.

use std::cell::Cell;
use std::pin::Pin;

use crate::machine::wait::{Begun, Caller, Delivered, Wait};
use crate::task::wait::Here;
use crate::task::word::Woken;

/// Gone behind the others once.
#[derive(Debug, Default)]
pub(in crate::machine) struct Yield {
    has_yielded: Cell<bool>,
}

impl Wait for Yield {
    fn begin(self: Pin<&Self>, here: &Here, _caller: Caller) -> Begun {
        if self.has_yielded.replace(true) {
            Begun::Done(Ok(here.check()))
        } else {
            Begun::Yields
        }
    }

    fn end(self: Pin<&Self>, _here: &Here, _woken: Woken, _caller: Caller) -> Option<Delivered> {
        unreachable!("whoever yields is not resumed")
    }
}
