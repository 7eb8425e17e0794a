//! Tells code from comments and literals: as much of Rust's lexical grammar as the checks need.
//!
//! [`split`] gives two texts with the lines and columns of the source. In one only code is left, in the other only
//! comments; all else is blank. [`tokens`] cuts the first into words and signs.

/// A source text, taken apart.
#[derive(Debug)]
pub struct Split {
    pub code: String,
    pub comments: String,
}

/// What the scanner stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Code,
    LineComment,
    /// Block comments nest.
    BlockComment(u32),
    /// A string, C string or byte string with escapes.
    Text,
    /// A raw string that ends with a quote and so many hashes.
    RawText(usize),
}

/// Takes a source text apart.
pub fn split(text: &str) -> Split {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut comments = String::with_capacity(text.len());
    let mut within = Within::Code;
    let mut at = 0;
    while at < chars.len() {
        let rest = &chars[at..];
        // How many characters to take, to whom they belong, and what follows.
        let (taken, next) = step(within, rest, at.checked_sub(1).map(|i| chars[i]));
        let is_comment = is_comment(within) || is_comment(next);
        let is_code = within == Within::Code && next == Within::Code && !is_char(rest, taken);
        for &c in &rest[..taken] {
            let blank = if c == '\n' { '\n' } else { ' ' };
            code.push(if is_code { c } else { blank });
            comments.push(if is_comment { c } else { blank });
        }
        within = next;
        at += taken;
    }
    Split { code, comments }
}

fn is_comment(within: Within) -> bool {
    matches!(within, Within::LineComment | Within::BlockComment(_))
}

/// Whether the characters just taken as one are a character literal: the only thing that code gives in one piece.
fn is_char(rest: &[char], taken: usize) -> bool {
    taken > 2 && rest[0] == '\''
}

fn step(within: Within, rest: &[char], before: Option<char>) -> (usize, Within) {
    let second = rest.get(1).copied();
    match (within, rest[0]) {
        (Within::Code, '/') if second == Some('/') => (2, Within::LineComment),
        (Within::Code, '/') if second == Some('*') => (2, Within::BlockComment(1)),
        (Within::Code, '"') => (1, Within::Text),
        (Within::Code, 'r') if !before.is_some_and(|c| is_word(c) && c != 'b' && c != 'c') => {
            match raw_opening(&rest[1..]) {
                Some(hashes) => (hashes + 2, Within::RawText(hashes)),
                None => (1, Within::Code),
            }
        }
        (Within::Code, '\'') => (char_literal(rest).unwrap_or(1), Within::Code),
        (Within::Code, _) => (1, Within::Code),
        // The line's end is code again, so that both texts keep it.
        (Within::LineComment, '\n') => (1, Within::Code),
        (Within::LineComment, _) => (1, Within::LineComment),
        (Within::BlockComment(depth), '/') if second == Some('*') => {
            (2, Within::BlockComment(depth + 1))
        }
        (Within::BlockComment(1), '*') if second == Some('/') => (2, Within::Code),
        (Within::BlockComment(depth), '*') if second == Some('/') => {
            (2, Within::BlockComment(depth - 1))
        }
        (Within::BlockComment(depth), _) => (1, Within::BlockComment(depth)),
        (Within::Text, '\\') => (rest.len().min(2), Within::Text),
        (Within::Text, '"') => (1, Within::Code),
        (Within::Text, _) => (1, Within::Text),
        (Within::RawText(hashes), '"') if closes(&rest[1..], hashes) => (hashes + 1, Within::Code),
        (Within::RawText(hashes), _) => (1, Within::RawText(hashes)),
    }
}

/// The number of hashes, if a raw string opens here, behind its `r`.
fn raw_opening(rest: &[char]) -> Option<usize> {
    let hashes = rest.iter().take_while(|&&c| c == '#').count();
    (rest.get(hashes) == Some(&'"')).then_some(hashes)
}

fn closes(rest: &[char], hashes: usize) -> bool {
    rest.len() >= hashes && rest[..hashes].iter().all(|&c| c == '#')
}

/// The length of the character literal that begins here; `None` for the quote of a lifetime.
fn char_literal(rest: &[char]) -> Option<usize> {
    match rest.get(1)? {
        '\\' => {
            // The escaped character may itself be a quote.
            let end = rest.iter().skip(3).position(|&c| c == '\'')?;
            Some(end + 4)
        }
        _ => (rest.get(2) == Some(&'\'')).then_some(3),
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// A word, or a single sign, with its line (from 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    pub text: &'a str,
    pub line: usize,
}

/// Cuts code into words and signs. `::` is one sign.
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_word(first) {
                rest.find(|c| !is_word(c)).unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (text, after) = rest.split_at(length);
            tokens.push(Token {
                text,
                line: index + 1,
            });
            rest = after.trim_start();
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let code = split(text).code;
        tokens(&code)
            .iter()
            .map(|token| token.text.to_owned())
            .collect()
    }

    #[test]
    fn line_comments_go_from_the_code_and_stay_among_the_comments() {
        let split = split("a // b\nc /// d");
        assert_eq!(split.code, "a     \nc      ");
        assert_eq!(split.comments, "  // b\n  /// d");
    }

    #[test]
    fn block_comments_nest() {
        let split = split("a /* b /* c */ d\n */ e");
        assert_eq!(
            split.code.split_whitespace().collect::<Vec<_>>(),
            ["a", "e"]
        );
        assert!(split.comments.contains("/* b /* c */ d\n */"));
    }

    #[test]
    fn strings_are_blank_and_may_hold_comment_signs_and_escaped_quotes() {
        assert_eq!(words(r#"f("// a \" b \\", c)"#), ["f", "(", ",", "c", ")"]);
        assert_eq!(words("b\"x\" c\"y\" z"), ["b", "c", "z"]);
    }

    #[test]
    fn raw_strings_end_with_as_many_hashes_as_they_began_with() {
        assert_eq!(words("r\"a\\\" b"), ["b"]);
        assert_eq!(words("r##\"a \"# unsafe \"## b"), ["b"]);
        assert_eq!(words("br#\"x\"# y"), ["b", "y"]);
        // A word that ends with `r` opens nothing, and `r#loop` is a word.
        assert_eq!(words("for\"x\" r#loop"), ["for", "r", "#", "loop"]);
    }

    #[test]
    fn character_literals_are_blank_and_lifetimes_are_not() {
        assert_eq!(words("'\"' a"), ["a"]);
        assert_eq!(words(r"'\'' a '\\' b '\u{41}' c"), ["a", "b", "c"]);
        assert_eq!(words("&'a str"), ["&", "'", "a", "str"]);
        assert_eq!(words("<'a, 'b>"), ["<", "'", "a", ",", "'", "b", ">"]);
        assert_eq!(words("'{' x"), ["x"]);
    }

    #[test]
    fn tokens_know_their_lines() {
        let code = split("use a::b;\n\nunsafe {}").code;
        let tokens = tokens(&code);
        assert_eq!(tokens[2].text, "::");
        assert_eq!((tokens[5].text, tokens[5].line), ("unsafe", 3));
    }

    #[test]
    fn both_texts_keep_every_line() {
        let text = "a\n/* b\n c */ \"d\n e\"\n// f\n";
        let split = split(text);
        assert_eq!(split.code.lines().count(), text.lines().count());
        assert_eq!(split.comments.lines().count(), text.lines().count());
    }
}
