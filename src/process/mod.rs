//! Child processes in blocking style: shaped like those of `std::process`, suspended instead of blocked.
//!
//! # Cancellation
//!
//! A cancelled wait leaves the child running, unless [`Command::kill_on_drop`] was asked for and the [`Child`] is dropped. As
//! told in the [documentation of `net`](crate::net#cancellation).
//!
//! # Zombies
//!
//! A child that has ended stays in the system's table until somebody asks how it ended. One whose [`Child`] was dropped is
//! asked by a coroutine on the default dispatcher.
//!
//! [`Select::on_exit`](crate::sync::Select::on_exit) waits for the end of a child or for something else.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read, Write};
//! use switchback::prelude::*;
//! use switchback::process::{Command, Stdio};
//!
//! # fn main() -> Result<()> {
//! run_blocking(|s| {
//!     let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
//!     let mut to_child = child.stdin.take().unwrap();
//!     s.launch(move |_| Ok(to_child.write_all(b"meow")?));
//!     let mut text = String::new();
//!     child.stdout.take().unwrap().read_to_string(&mut text)?;
//!     assert_eq!(text, "meow");
//!     assert!(child.wait()?.success());
//!     Ok(())
//! })
//! # }
//! ```

#![forbid(unsafe_code)]

mod child;
mod command;
mod reaper;

pub use child::Child;
pub use command::Command;
pub use std::process::{ExitStatus, Output, Stdio};
