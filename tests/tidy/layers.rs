//! The layer table: a module imports from its own layer and those under it, and there are no circles.

use std::collections::{BTreeMap, BTreeSet};

use crate::lexer::{Token, tokens};
use crate::source::{Source, Violation};

/// Layer by layer, from the bottom.
const LAYERS: &[&[&str]] = &[
    &["util"],
    &["stack", "context", "error"],
    &["coroutine", "job"],
    &["task", "continuation"],
    &["driver"],
    &["scheduler"],
    &["dispatchers"],
    &["scope"],
    &[
        "sync", "net", "io", "signal", "process", "time", "machine", "future", "sequence",
    ],
    &["flow", "testing", "debug"],
];

/// Files of the face: they name everything, and no module may name them.
const FACE: &[&str] = &["src/lib.rs", "src/prelude.rs"];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// An import: at this line, of this name at the crate's root.
#[derive(Debug)]
struct Import<'a> {
    line: usize,
    name: &'a str,
}

/// The names at the crate's root that a module's file uses.
fn imports(source: &Source) -> Vec<Import<'_>> {
    let tokens = tokens(&source.code);
    let mut found = Vec::new();
    let mut inline = InlineModules::default();
    for (at, token) in tokens.iter().enumerate() {
        inline.see(&tokens, at);
        let root_ends = match token.text {
            "crate" if follows_path_sign(&tokens, at) => continue,
            "crate" => at,
            "super" if follows_path_sign(&tokens, at) => continue,
            "super" => match super_chain(&tokens, at) {
                (length, last) if length >= depth(source) + inline.open.len() => last,
                _ => continue,
            },
            _ => continue,
        };
        if tokens.get(root_ends + 1).is_some_and(|t| t.text == "::") {
            for name in first_segments(&tokens, root_ends + 2) {
                found.push(Import {
                    line: name.line,
                    name: name.text,
                });
            }
        }
    }
    found
}

/// Whether a path leads to this word, as in `self::super`.
fn follows_path_sign(tokens: &[Token<'_>], at: usize) -> bool {
    at > 0 && tokens[at - 1].text == "::"
}

/// How many modules lie between the file's items and the crate's root, itself included.
fn depth(source: &Source) -> usize {
    let inner = source.path.trim_start_matches("src/");
    let folders = inner.matches('/').count();
    if inner.ends_with("/mod.rs") {
        folders
    } else {
        folders + 1
    }
}

/// The length of `super::super::..`, and the place of its last word.
fn super_chain(tokens: &[Token<'_>], at: usize) -> (usize, usize) {
    let (mut length, mut last) = (1, at);
    while tokens.get(last + 1).is_some_and(|t| t.text == "::")
        && tokens.get(last + 2).is_some_and(|t| t.text == "super")
    {
        length += 1;
        last += 2;
    }
    (length, last)
}

/// The first names behind `crate::`: one, or those of a tree in braces.
fn first_segments<'a>(tokens: &[Token<'a>], at: usize) -> Vec<Token<'a>> {
    match tokens.get(at) {
        Some(token) if token.text == "{" => {}
        Some(&token) => return vec![token],
        None => return Vec::new(),
    }
    let mut names = Vec::new();
    let mut braces = 0;
    let mut begins = true;
    for &token in &tokens[at..] {
        match token.text {
            "{" => braces += 1,
            "}" => braces -= 1,
            "," if braces == 1 => begins = true,
            _ if braces == 1 && begins => {
                names.push(token);
                begins = false;
            }
            _ => {}
        }
        if braces == 0 {
            break;
        }
    }
    names
}

/// The modules written out in braces that are open: `super` inside them leads less far.
#[derive(Default)]
struct InlineModules {
    braces: usize,
    open: Vec<usize>,
}

impl InlineModules {
    fn see(&mut self, tokens: &[Token<'_>], at: usize) {
        match tokens[at].text {
            "{" => {
                self.braces += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    self.open.push(self.braces);
                }
            }
            "}" => {
                if self.open.last() == Some(&self.braces) {
                    self.open.pop();
                }
                self.braces = self.braces.saturating_sub(1);
            }
            _ => {}
        }
    }
}

fn bound_by_the_table(sources: &[Source]) -> impl Iterator<Item = (&Source, &str)> {
    sources
        .iter()
        .filter(|source| !source.is_tests() && !FACE.contains(&source.path.as_str()))
        .filter_map(|source| source.module().map(|module| (source, module)))
}

/// Modules that the table does not know.
pub fn unknown_modules(sources: &[Source]) -> Vec<Violation> {
    bound_by_the_table(sources)
        .filter(|(_, module)| layer(module).is_none())
        .map(|(source, module)| source.violation(1, format!("`{module}` has no layer")))
        .collect()
}

/// Imports from a layer above, or of something that is no module.
pub fn upward_imports(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (source, module) in bound_by_the_table(sources) {
        let Some(own) = layer(module) else { continue };
        for Import { line, name } in imports(source) {
            let rule = match layer(name) {
                Some(other) if other <= own => continue,
                Some(other) => {
                    format!("`{module}` (layer {own}) must not import `{name}` (layer {other})")
                }
                None => format!("`crate::{name}` is no module of the table; name it by its module"),
            };
            violations.push(source.violation(line, rule));
        }
    }
    violations
}

/// Circles of imports inside a layer. (Between layers `upward_imports` leaves none.)
pub fn circles(sources: &[Source]) -> Vec<Violation> {
    let mut edges: BTreeMap<(&str, &str), (&Source, usize)> = BTreeMap::new();
    for (source, module) in bound_by_the_table(sources) {
        for Import { line, name } in imports(source) {
            if name != module && layer(name).is_some() && layer(name) == layer(module) {
                edges.entry((module, name)).or_insert((source, line));
            }
        }
    }
    let mut violations = Vec::new();
    for (&(from, to), (source, line)) in &edges {
        if reaches(&edges, to, from) {
            let rule = format!("`{from}` imports `{to}`, which imports `{from}`: a circle");
            violations.push(source.violation(*line, rule));
        }
    }
    violations
}

fn reaches<V>(edges: &BTreeMap<(&str, &str), V>, from: &str, to: &str) -> bool {
    let mut seen = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        if module == to {
            return true;
        }
        if seen.insert(module) {
            let next = edges.keys().filter(|edge| edge.0 == module);
            open.extend(next.map(|edge| edge.1));
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(path, text);
        imports(&source)
            .iter()
            .map(|import| import.name.to_owned())
            .collect()
    }

    fn refused(path: &str, text: &str) -> bool {
        !upward_imports(&[Source::new(path, text)]).is_empty()
    }

    #[test]
    fn imports_are_found_in_uses_trees_and_paths() {
        let text = "use crate::error::{Error, Result};\n\
                    pub(crate) use crate::{job::{node, state}, util, task::word as w};\n\
                    fn f() { crate::stack::give(); $crate::scope::x!() }\n\
                    // use crate::net;\n\
                    const S: &str = \"crate::flow\";\n";
        assert_eq!(
            names("src/task/mod.rs", text),
            ["error", "job", "util", "task", "stack", "scope"]
        );
    }

    #[test]
    fn super_counts_where_it_leads_to_the_root() {
        let in_mod = |text| names("src/job/mod.rs", text);
        assert_eq!(in_mod("use super::task::Task;"), ["task"]);
        assert_eq!(in_mod("use self::state;"), [""; 0]);
        assert_eq!(in_mod("mod inner { use super::x; }"), [""; 0]);
        assert_eq!(in_mod("mod inner { use super::super::task; }"), ["task"]);
        let in_file = |text| names("src/job/node.rs", text);
        assert_eq!(in_file("use super::state;"), [""; 0]);
        assert_eq!(in_file("use super::super::task;"), ["task"]);
    }

    #[test]
    fn an_import_from_above_is_refused() {
        assert!(refused("src/job/node.rs", "use crate::task::Task;"));
        assert!(refused("src/util/list.rs", "fn f() { crate::error::g() }"));
        assert!(refused("src/net/mod.rs", "use crate::{error, flow::Flow};"));
        assert!(refused("src/error/mod.rs", "use super::coroutine::Stack;"));
    }

    #[test]
    fn an_import_from_the_same_layer_or_below_is_not() {
        assert!(!refused(
            "src/job/node.rs",
            "use crate::{error, coroutine};"
        ));
        assert!(!refused("src/job/tests.rs", "use crate::task::Task;"));
        assert!(!refused("src/prelude.rs", "pub use crate::Scope;"));
        assert!(!refused("src/task/mod.rs", "pub(crate) fn f() {}"));
    }

    #[test]
    fn a_name_at_the_root_that_is_no_module_is_refused() {
        assert!(refused("src/scope/job.rs", "use crate::Error;"));
        assert!(refused("src/scope/job.rs", "use crate::*;"));
        assert!(refused("src/scope/job.rs", "use crate::prelude::Job;"));
    }

    #[test]
    fn a_module_without_a_layer_is_refused() {
        assert_eq!(
            unknown_modules(&[Source::new("src/misc/mod.rs", "")]).len(),
            1
        );
        assert!(unknown_modules(&[Source::new("src/sync/mod.rs", "")]).is_empty());
    }

    #[test]
    fn circles_of_two_and_three_are_found() {
        let two = [
            Source::new("src/task/a.rs", "use crate::continuation::C;"),
            Source::new("src/continuation/mod.rs", "use crate::task::T;"),
        ];
        assert_eq!(circles(&two).len(), 2);
        assert!(circles(&two[..1]).is_empty());
        let three = [
            Source::new("src/stack/a.rs", "use crate::context::C;"),
            Source::new("src/context/b.rs", "use crate::error::E;"),
            Source::new("src/error/c.rs", "use crate::stack::S;"),
        ];
        assert_eq!(circles(&three).len(), 3);
    }
}
