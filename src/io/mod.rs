//! Pipes, standard input, and any other descriptor, in blocking style: suspended instead of blocked.
//!
//! A call that must wait suspends its coroutine; on a plain thread it parks the thread. As sockets, these belong to no
//! thread, and a cancellation is told as [`net`](crate::net#cancellation) tells it.
//! [`Select::on_readable`](crate::sync::Select::on_readable) and [`on_writable`](crate::sync::Select::on_writable) wait for one
//! of them or for something else.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//! use switchback::io::pipe;
//! use switchback::prelude::*;
//!
//! # fn main() -> Result<()> {
//! run_blocking(|s| {
//!     let (mut reader, mut writer) = pipe()?;
//!     s.launch(move |_| {
//!         for part in ["one ", "two ", "three"] {
//!             writer.write_all(part.as_bytes())?;
//!             yield_()?;
//!         }
//!         Ok(())
//!     });
//!     let mut text = String::new();
//!     reader.read_to_string(&mut text)?;
//!     assert_eq!(text, "one two three");
//!     Ok(())
//! })
//! # }
//! ```

#![forbid(unsafe_code)]

mod pipe;
mod stdin;
mod watched;

pub use pipe::{PipeReader, PipeWriter, pipe};
pub use stdin::{Stdin, stdin};
pub use watched::Watched;
