//! What the documentation of the public interface must tell.

use crate::source::{Source, Violation};

/// The modules whose functions a user calls while coroutines run.
const TELLING: &[&str] = &[
    "context",
    "continuation",
    "dispatchers",
    "scope",
    "sequence",
    "sync",
    "net",
    "io",
    "signal",
    "process",
    "time",
    "machine",
    "testing",
];

/// Public functions that do not say whether they suspend.
pub fn silent_about_suspension(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        if !source.module().is_some_and(|name| TELLING.contains(&name)) || source.is_tests() {
            continue;
        }
        let mut told = false;
        for (number, line) in source.text.lines().enumerate() {
            let line = line.trim_start();
            if line.starts_with("///") {
                told |= line.contains("uspen");
            } else if line.starts_with("pub fn ") || line.starts_with("pub const fn ") {
                if !told {
                    let rule = "a public function does not say whether it suspends";
                    violations.push(source.violation(number + 1, rule));
                }
                told = false;
            } else if !line.starts_with("#[") {
                told = false;
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        silent_about_suspension(&[Source::new("src/scope/sample.rs", text)]).len()
    }

    #[test]
    fn a_function_that_tells_is_fine_and_a_silent_one_is_not() {
        assert_eq!(
            found("/// Waits.\n///\n/// # Suspension\n///\n/// Until then.\npub fn a() {}"),
            0
        );
        assert_eq!(found("/// Never suspends.\n#[must_use]\npub fn a() {}"), 0);
        assert_eq!(found("/// Waits.\npub fn a() {}"), 1);
        assert_eq!(
            found("/// Never suspends.\nstruct S;\n/// Silent.\npub fn a() {}"),
            1
        );
        assert_eq!(found("/// Not public.\npub(crate) fn a() {}"), 0);
    }
}
