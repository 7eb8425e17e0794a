//! Sizes of files, single homes of things, no leftovers.

use crate::lexer::tokens;
use crate::source::{Source, Violation};

/// A file of so many lines holds two ideas.
const TOO_LONG: usize = 500;

/// Files that are too long.
pub fn long_files(sources: &[Source]) -> Vec<Violation> {
    sources
        .iter()
        .filter(|source| source.text.lines().count() >= TOO_LONG)
        .map(|source| source.violation(TOO_LONG, format!("{TOO_LONG} lines or more")))
        .collect()
}

/// The stack-switching library outside the one module that knows it.
pub fn stack_switching(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        if source.module() == Some("coroutine") {
            continue;
        }
        for token in tokens(&source.code) {
            if token.text == "corosensei" {
                let rule = "`corosensei` outside `coroutine`";
                violations.push(source.violation(token.line, rule));
            }
        }
    }
    violations
}

/// Thread-locals in more than one file of the crate: whoever reads one after a suspension may be on another thread.
pub fn thread_locals(sources: &[Source]) -> Vec<Violation> {
    let mut homes = Vec::new();
    for source in sources.iter().filter(|source| source.is_in("src")) {
        let tokens = tokens(&source.code);
        if let Some(token) = tokens.iter().find(|token| token.text == "thread_local") {
            homes.push(source.violation(token.line, "thread-locals live in exactly one file"));
        }
    }
    match homes.len() {
        1 => Vec::new(),
        0 => vec![Source::new("src", "").violation(1, "no file has the thread-locals")],
        _ => homes,
    }
}

/// What is written while working, and must not stay.
pub fn leftovers(sources: &[Source]) -> Vec<Violation> {
    const MACROS: &[&str] = &["dbg", "todo", "unimplemented"];
    // In pieces, so that this file does not accuse itself.
    let notes = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut violations = Vec::new();
    for source in sources {
        let tokens = tokens(&source.code);
        for (at, token) in tokens.iter().enumerate() {
            let next = tokens.get(at + 1).map(|token| token.text);
            let last = at.checked_sub(1).map(|at| tokens[at].text);
            if MACROS.contains(&token.text) && next == Some("!") {
                violations.push(source.violation(token.line, format!("`{}!`", token.text)));
            }
            // `#[ignore]`, `#[ignore = ".."]`, and inside `cfg_attr`.
            let is_attribute =
                matches!(last, Some("[" | ",")) && matches!(next, Some("]" | "=" | ")"));
            if token.text == "ignore" && is_attribute {
                violations.push(source.violation(token.line, "an ignored test"));
            }
        }
        for (index, line) in source.comments.lines().enumerate() {
            for note in notes {
                let mut words = line.split(|c: char| !c.is_alphanumeric());
                if words.any(|word| word == note) {
                    violations.push(source.violation(index + 1, format!("a {note}")));
                }
            }
            if line.contains(concat!("```", "ignore")) {
                violations.push(source.violation(index + 1, "an ignored example"));
            }
        }
    }
    violations
}

/// Absolute paths that exist on one machine only.
pub fn machine_paths(sources: &[Source]) -> Vec<Violation> {
    // In pieces, so that this file does not accuse itself.
    let places = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut violations = Vec::new();
    for source in sources {
        for (index, line) in source.text.lines().enumerate() {
            for place in places {
                if line.contains(place) {
                    violations.push(source.violation(index + 1, format!("the path {place}")));
                }
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(text: &str) -> [Source; 1] {
        [Source::new("src/task/a.rs", text)]
    }

    #[test]
    fn a_file_of_500_lines_is_too_long() {
        assert_eq!(long_files(&sample(&"\n".repeat(500))).len(), 1);
        assert!(long_files(&sample(&"\n".repeat(499))).is_empty());
    }

    #[test]
    fn corosensei_outside_its_module_is_refused() {
        assert_eq!(
            stack_switching(&sample("use corosensei::Yielder;")).len(),
            1
        );
        assert!(stack_switching(&sample("// as corosensei does\n")).is_empty());
        let home = Source::new("src/coroutine/mod.rs", "use corosensei::Yielder;");
        assert!(stack_switching(&[home]).is_empty());
    }

    #[test]
    fn thread_locals_in_two_files_or_none_are_refused() {
        let home = || Source::new("src/task/a.rs", "thread_local! {}");
        let other = Source::new("src/task/b.rs", "std::thread_local! {}");
        let test = Source::new("tests/b.rs", "thread_local! {}");
        assert_eq!(thread_locals(&[home(), other]).len(), 2);
        assert_eq!(thread_locals(&sample("// thread_local!")).len(), 1);
        assert!(thread_locals(&[home(), test]).is_empty());
    }

    #[test]
    fn leftovers_are_refused() {
        for bad in [
            "dbg!(x)",
            "todo!()",
            "std::unimplemented!()",
            "#[ignore]",
            "#[ignore = \"slow\"]",
            "#[cfg_attr(miri, ignore)]",
            concat!("// TO", "DO: later"),
            concat!("/* FIX", "ME */"),
            concat!("/// ```", "ignore"),
        ] {
            assert_eq!(leftovers(&sample(bad)).len(), 1, "{bad}");
        }
        for good in [
            "let todo = 1;",
            "\"todo!()\"",
            "f(ignore)",
            "// todos",
            "let [ignore, b] = c;",
        ] {
            assert!(leftovers(&sample(good)).is_empty(), "{good}");
        }
    }

    #[test]
    fn a_path_of_one_machine_is_refused_in_any_file() {
        for place in ["wo-rk", "ro-ot", "ho-me"] {
            let text = format!("see /{}/notes", place.replace('-', ""));
            assert_eq!(machine_paths(&sample(&text)).len(), 1);
            assert_eq!(machine_paths(&[Source::new("a.md", &text)]).len(), 1);
        }
        assert!(machine_paths(&sample("/proc/self/status, target/work")).is_empty());
    }
}
