//! The errors that commands reply, in the words of Redis: clients compare them.

use std::borrow::Cow;

use crate::resp::Arguments;

/// Quotations of what the client sent are cut at this length.
const QUOTED: usize = 128;

/// An error reply.
#[derive(Debug)]
pub struct Failure(Cow<'static, [u8]>);

impl Failure {
    pub const SYNTAX: Self = Self::fixed("ERR syntax error");
    pub const NOT_AN_INTEGER: Self = Self::fixed("ERR value is not an integer or out of range");
    pub const OVERFLOW: Self = Self::fixed("ERR increment or decrement would overflow");
    pub const DECREMENT_OVERFLOW: Self = Self::fixed("ERR decrement would overflow");
    pub const STRING_TOO_LONG: Self =
        Self::fixed("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
    pub const DB_OUT_OF_RANGE: Self = Self::fixed("ERR DB index is out of range");
    pub const NO_PROTOCOL: Self = Self::fixed("NOPROTO unsupported protocol version");
    pub const BAD_PROTOCOL_VERSION: Self =
        Self::fixed("ERR Protocol version is not an integer or out of range");
    pub const NX_WITH_OTHERS: Self =
        Self::fixed("ERR NX and XX, GT or LT options at the same time are not compatible");
    pub const GT_WITH_LT: Self =
        Self::fixed("ERR GT and LT options at the same time are not compatible");

    const fn fixed(text: &'static str) -> Self {
        Self(Cow::Borrowed(text.as_bytes()))
    }

    pub fn wrong_arity(command: &str) -> Self {
        format!("ERR wrong number of arguments for '{command}' command").into()
    }

    pub fn invalid_expire_time(command: &str) -> Self {
        format!("ERR invalid expire time in '{command}' command").into()
    }

    pub fn unknown_subcommand(command: &str, subcommand: &[u8]) -> Self {
        let mut text = b"ERR unknown subcommand '".to_vec();
        text.extend_from_slice(shortened(subcommand, QUOTED));
        text.extend_from_slice(b"'. Try ");
        text.extend_from_slice(command.to_ascii_uppercase().as_bytes());
        text.extend_from_slice(b" HELP.");
        text.into()
    }

    pub fn unsupported_option(option: &[u8]) -> Self {
        let mut text = b"ERR Unsupported option ".to_vec();
        text.extend_from_slice(shortened(option, QUOTED));
        text.into()
    }

    pub fn hello_option(option: &[u8]) -> Self {
        let mut text = b"ERR Syntax error in HELLO option '".to_vec();
        text.extend_from_slice(shortened(option, QUOTED));
        text.push(b'\'');
        text.into()
    }

    pub fn unknown_command(arguments: Arguments<'_>) -> Self {
        let mut text = b"ERR unknown command '".to_vec();
        text.extend_from_slice(shortened(arguments.get(0).unwrap_or_default(), QUOTED));
        text.extend_from_slice(b"', with args beginning with: ");
        let mut left = QUOTED;
        for argument in arguments.from(1) {
            let quoted = shortened(argument, left);
            text.push(b'\'');
            text.extend_from_slice(quoted);
            text.extend_from_slice(b"' ");
            // The quotes count, and the argument that crosses the limit is the last one.
            left = left.saturating_sub(quoted.len() + 3);
            if left == 0 {
                break;
            }
        }
        text.into()
    }

    pub fn text(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Failure {
    fn from(text: Vec<u8>) -> Self {
        Self(Cow::Owned(text))
    }
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        text.into_bytes().into()
    }
}

fn shortened(text: &[u8], limit: usize) -> &[u8] {
    &text[..text.len().min(limit)]
}
