//! Inline commands: a request typed as a line of words, for people with `telnet`.

use std::ops::Range;

/// The line ends inside a quotation, or a closing quote is followed by something other than a space.
#[derive(Debug, PartialEq, Eq)]
pub struct UnbalancedQuotes;

/// Splits a line into words, which it appends to `text`, and their places to `words`.
///
/// The words are copied because an escape such as `"\x41"` makes them differ from what stands in the line.
pub fn split_words(
    line: &[u8],
    text: &mut Vec<u8>,
    words: &mut Vec<Range<usize>>,
) -> Result<(), UnbalancedQuotes> {
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let start = text.len();
        rest = take_word(rest, text)?.trim_ascii_start();
        words.push(start..text.len());
    }
    Ok(())
}

/// Copies the word at the head of `rest` and returns what follows it.
fn take_word<'a>(mut rest: &'a [u8], text: &mut Vec<u8>) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        match rest {
            [] => return Ok(rest),
            [space, ..] if space.is_ascii_whitespace() => return Ok(rest),
            [quote @ (b'"' | b'\''), quoted @ ..] => {
                rest = take_quoted(quoted, *quote, text)?;
                return match rest.first() {
                    Some(next) if !next.is_ascii_whitespace() => Err(UnbalancedQuotes),
                    _ => Ok(rest),
                };
            }
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
        }
    }
}

/// Copies a quotation without its quotes. Between double quotes all escapes count, between single ones only `\'`.
fn take_quoted<'a>(
    mut rest: &'a [u8],
    quote: u8,
    text: &mut Vec<u8>,
) -> Result<&'a [u8], UnbalancedQuotes> {
    loop {
        let (byte, after) = match rest {
            [] => return Err(UnbalancedQuotes),
            [byte, after @ ..] if *byte == quote => return Ok(after),
            [b'\\', b'\'', after @ ..] if quote == b'\'' => (b'\'', after),
            [b'\\', b'x', high, low, after @ ..] if quote == b'"' && is_hex(*high, *low) => {
                (hex_digit(*high) << 4 | hex_digit(*low), after)
            }
            [b'\\', escaped, after @ ..] if quote == b'"' => (unescape(*escaped), after),
            [byte, after @ ..] => (*byte, after),
        };
        text.push(byte);
        rest = after;
    }
}

fn unescape(escaped: u8) -> u8 {
    match escaped {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        literal => literal,
    }
}

fn is_hex(high: u8, low: u8) -> bool {
    high.is_ascii_hexdigit() && low.is_ascii_hexdigit()
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}
