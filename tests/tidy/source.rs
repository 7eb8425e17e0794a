//! The files that the checks read, and what the checks find.

use std::fmt;
use std::fs;
use std::path::Path;

use crate::lexer;

/// A file of the repository.
#[derive(Debug)]
pub struct Source {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
    /// The text without comments and literals; see [`lexer::split`].
    pub code: String,
    pub comments: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let (code, comments) = if path.ends_with(".rs") {
            let split = lexer::split(text);
            (split.code, split.comments)
        } else {
            (String::new(), String::new())
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            comments,
        }
    }

    pub fn is_in(&self, folder: &str) -> bool {
        self.path
            .strip_prefix(folder)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// The top-level module of the crate that the file belongs to, if it is one of the crate's and not its root.
    pub fn module(&self) -> Option<&str> {
        let inner = self.path.strip_prefix("src/")?;
        let first = inner.split('/').next()?;
        let name = first.strip_suffix(".rs").unwrap_or(first);
        (name != "lib").then_some(name)
    }

    /// Whether the file holds nothing but unit tests.
    pub fn is_tests(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name == "tests.rs" || name.ends_with("_tests.rs") || self.path.contains("/tests/")
    }

    pub fn violation(&self, line: usize, rule: impl Into<String>) -> Violation {
        Violation {
            path: self.path.clone(),
            line,
            rule: rule.into(),
        }
    }
}

/// A rule that is broken, and where.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub path: String,
    pub line: usize,
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.rule)
    }
}

/// The Rust files of the repository.
pub fn rust() -> Vec<Source> {
    with_extensions(&["rs"])
}

/// The files of the repository with these extensions.
pub fn with_extensions(extensions: &[&str]) -> Vec<Source> {
    let mut sources = Vec::new();
    walk(
        Path::new(env!("CARGO_MANIFEST_DIR")),
        "",
        extensions,
        &mut sources,
    );
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

fn walk(folder: &Path, prefix: &str, extensions: &[&str], sources: &mut Vec<Source>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{prefix}: {error}"));
    for entry in entries {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = format!("{prefix}{name}");
        if entry.file_type().unwrap().is_dir() {
            // A folder that begins with a dot, or that cargo has tagged as its own, holds nothing written by hand.
            let generated = entry.path().join("CACHEDIR.TAG").exists() || path == "target";
            if !name.starts_with('.') && !generated {
                walk(&entry.path(), &format!("{path}/"), extensions, sources);
            }
        } else if extensions
            .iter()
            .any(|extension| name.ends_with(&format!(".{extension}")))
        {
            let text =
                fs::read_to_string(entry.path()).unwrap_or_else(|error| panic!("{path}: {error}"));
            sources.push(Source::new(&path, &text));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_belongs_to_its_top_level_module() {
        let module = |path| Source::new(path, "").module().map(str::to_owned);
        assert_eq!(module("src/task/word.rs").as_deref(), Some("task"));
        assert_eq!(module("src/prelude.rs").as_deref(), Some("prelude"));
        assert_eq!(module("src/lib.rs"), None);
        assert_eq!(module("tests/scopes.rs"), None);
    }

    #[test]
    fn unit_tests_are_told_by_their_names() {
        let is_tests = |path| Source::new(path, "").is_tests();
        assert!(is_tests("src/stack/tests.rs"));
        assert!(is_tests("src/driver/wheel_tests.rs"));
        assert!(is_tests("src/error/tests/convert.rs"));
        assert!(!is_tests("src/testing/mod.rs"));
    }
}
