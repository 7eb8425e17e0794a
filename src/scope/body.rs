//! What the body of a `launch` may return.

use crate::error::Result;

mod sealed {
    pub trait Sealed {}
    impl Sealed for () {}
    impl Sealed for crate::error::Result<()> {}
}

/// What the body of a coroutine that gives no value may end with: nothing, or `Result<()>`.
///
/// Exactly these two: with a further implementation for another `Result` the compiler could no longer infer the type of
/// `Ok(())` at the end of a closure.
#[diagnostic::on_unimplemented(
    message = "the body of a launched coroutine ends with `()` or `switchback::Result<()>`, not with `{Self}`",
    label = "this body ends with `{Self}`",
    note = "a body that never ends normally: write `|_| -> Result<()> {{ loop {{ .. }} }}`",
    note = "a body whose last call gives another `Result`: write `Ok(call()?)`, or `{{ call()?; Ok(()) }}`"
)]
pub trait Outcome: sealed::Sealed {
    /// The outcome as a result.
    ///
    /// # Errors
    ///
    /// The body's own.
    fn into_result(self) -> Result<()>;
}

impl Outcome for () {
    #[inline]
    fn into_result(self) -> Result<()> {
        Ok(())
    }
}

impl Outcome for Result<()> {
    #[inline]
    fn into_result(self) -> Result<()> {
        self
    }
}
