//! The patterns of `KEYS` and `CONFIG GET`: `*`, `?`, `[a-z]`, `[^a-z]` and `\` before a literal byte.

/// Tells whether the whole of `text` matches `pattern`.
///
/// Only the last `*` is ever retried: whatever an earlier one could take over, the later one can take as well. So a
/// hostile pattern costs the product of the two lengths, where plain recursion would cost an exponential.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let mut in_pattern = 0;
    let mut in_text = 0;
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(in_text) {
        if pattern.get(in_pattern) == Some(&b'*') {
            in_pattern += 1;
            last_star = Some((in_pattern, in_text));
        } else if let Some(width) = match_one(&pattern[in_pattern..], byte) {
            in_pattern += width;
            in_text += 1;
        } else if let Some((after_star, taken)) = last_star {
            // The star takes one byte more, and what follows it is tried again.
            in_pattern = after_star;
            in_text = taken + 1;
            last_star = Some((after_star, in_text));
        } else {
            return false;
        }
    }
    pattern[in_pattern..].iter().all(|&rest| rest == b'*')
}

/// Matches one byte against the head of the pattern and returns how long that head is.
fn match_one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (accepted, width) = match_class(class, byte);
            accepted.then_some(1 + width)
        }
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// Matches one byte against what follows a `[`; a class that is never closed ends with the pattern.
fn match_class(class: &[u8], byte: u8) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut position = usize::from(negated);
    let mut found = false;
    loop {
        match class[position..] {
            [] => break,
            [b']', ..] => {
                position += 1;
                break;
            }
            [b'\\', literal, ..] => {
                found |= literal == byte;
                position += 2;
            }
            [from, b'-', to, ..] => {
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                position += 3;
            }
            [literal, ..] => {
                found |= literal == byte;
                position += 1;
            }
        }
    }
    (found != negated, position)
}
