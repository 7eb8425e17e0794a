//! Where `unsafe` may stand, and what must be said beside it.

use crate::lexer::{Token, tokens};
use crate::source::{Source, Violation};

/// The modules with unsafe code. A change of this list is a decision, not an accident.
const UNSAFE_MODULES: &[&str] = &[
    "util",
    "stack",
    "error",
    "coroutine",
    "job",
    "machine",
    "task",
    "continuation",
    "driver",
    "scheduler",
    "scope",
    "sequence",
    "sync",
];

/// How far above its `unsafe` a SAFETY comment may begin.
const REACH: usize = 6;

/// What a word `unsafe` introduces.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    /// A block, an implementation, a block of foreign items, an attribute: its author promises something.
    Promise,
    /// A function or a trait: its user promises something.
    Demand,
    /// The type of a function pointer, or a bound.
    Mention,
}

fn kind(tokens: &[Token<'_>], at: usize) -> Kind {
    let mut next = tokens[at + 1..].iter().map(|token| token.text).peekable();
    match next.next() {
        Some("{" | "impl" | "(") => Kind::Promise,
        Some("trait") => Kind::Demand,
        Some("fn") if next.peek() == Some(&"(") => Kind::Mention,
        Some("fn") => Kind::Demand,
        Some("extern") => match (next.next(), next.next()) {
            // The name of the convention is a literal, so it is not among the tokens.
            (Some("{"), _) => Kind::Promise,
            (Some("fn"), Some("(")) => Kind::Mention,
            _ => Kind::Demand,
        },
        _ => Kind::Demand,
    }
}

/// Every `unsafe` without its reason.
pub fn unexplained(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for source in sources {
        let comments: Vec<&str> = source.comments.lines().collect();
        let code: Vec<&str> = source.code.lines().collect();
        let tokens = tokens(&source.code);
        for (at, token) in tokens.iter().enumerate() {
            if token.text != "unsafe" {
                continue;
            }
            let index = token.line - 1;
            match kind(&tokens, at) {
                Kind::Promise => {
                    let near = &comments[index.saturating_sub(REACH)..=index];
                    if !near.iter().any(|line| line.contains("// SAFETY")) {
                        violations.push(source.violation(
                            token.line,
                            format!("no `// SAFETY` in the {REACH} lines above this `unsafe`"),
                        ));
                    }
                }
                Kind::Demand => {
                    let docs = docs_above(&code, &comments, index);
                    let said = docs
                        .iter()
                        .any(|line| line.contains("# Safety") || line.contains("SAFETY"));
                    if !said {
                        violations.push(source.violation(
                            token.line,
                            "no `# Safety` in the docs of this unsafe item",
                        ));
                    }
                }
                Kind::Mention => {}
            }
        }
    }
    violations
}

/// The comments directly above an item, with attributes between them or not.
fn docs_above<'a>(code: &[&str], comments: &[&'a str], item: usize) -> Vec<&'a str> {
    let mut docs = Vec::new();
    for above in (0..item).rev() {
        let (code, comment) = (code[above].trim(), comments[above].trim());
        let is_attribute = code.starts_with("#[") || code.ends_with(")]");
        if !is_attribute && (!code.is_empty() || comment.is_empty()) {
            break;
        }
        docs.push(comment);
    }
    docs
}

/// Modules with unsafe code that are not on the list, modules on the list without any, and modules that do not forbid
/// what they do not need.
pub fn misplaced(sources: &[Source]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut found = Vec::new();
    for source in sources.iter().filter(|source| source.is_in("src")) {
        let tokens = tokens(&source.code);
        let first = tokens.iter().find(|token| token.text == "unsafe");
        match (source.module(), first) {
            (Some(module), Some(_)) if UNSAFE_MODULES.contains(&module) => found.push(module),
            (_, Some(token)) => violations
                .push(source.violation(token.line, "`unsafe` outside the modules that need it")),
            (_, None) => {}
        }
        let stands_for_module =
            source.path.matches('/').count() == 2 && source.path.ends_with("/mod.rs");
        if let (true, Some(module)) = (stands_for_module, source.module())
            && !UNSAFE_MODULES.contains(&module)
            && !source.code.contains("#![forbid(unsafe_code)]")
        {
            violations.push(source.violation(1, "no `#![forbid(unsafe_code)]`"));
        }
    }
    for module in UNSAFE_MODULES {
        let present = sources
            .iter()
            .find(|source| source.module() == Some(module));
        if let (Some(source), false) = (present, found.contains(module)) {
            let rule = format!("`{module}` has no unsafe code any more: take it off the list");
            violations.push(source.violation(1, rule));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unexplained_in(text: &str) -> usize {
        unexplained(&[Source::new("src/task/a.rs", text)]).len()
    }

    #[test]
    fn a_block_or_impl_needs_a_comment_that_is_near() {
        assert_eq!(unexplained_in("fn f() { unsafe { g() } }"), 1);
        assert_eq!(unexplained_in("unsafe impl Send for T {}"), 1);
        assert_eq!(unexplained_in("unsafe extern \"C\" { fn f(); }"), 1);
        assert_eq!(unexplained_in("#[unsafe(naked)]\nfn f() {}"), 1);
        assert_eq!(
            unexplained_in("// SAFETY: R3.\nunsafe impl Send for T {}"),
            0
        );
        assert_eq!(unexplained_in("let x = unsafe { g() }; // SAFETY: R3."), 0);
        let far = format!("// SAFETY: R3.\n{}unsafe {{ g() }}", "\n".repeat(REACH));
        assert_eq!(unexplained_in(&far), 1);
    }

    #[test]
    fn a_string_is_no_safety_comment() {
        assert_eq!(unexplained_in("let s = \"// SAFETY\"; unsafe { g() }"), 1);
    }

    #[test]
    fn an_unsafe_fn_or_trait_needs_a_safety_section() {
        assert_eq!(unexplained_in("unsafe fn f() {}"), 1);
        assert_eq!(unexplained_in("/// Does.\npub(crate) unsafe fn f() {}"), 1);
        assert_eq!(unexplained_in("/// Does.\nunsafe trait T {}"), 1);
        let other = "/// # Safety\n///\n/// Live.\nunsafe fn f() {}\nunsafe fn g() {}";
        assert_eq!(unexplained_in(other), 1);
        let documented = "/// # Safety\n///\n/// Live.\n#[inline]\nunsafe extern \"C\" fn f() {}";
        assert_eq!(unexplained_in(documented), 0);
        assert_eq!(unexplained_in("// SAFETY: as `run`.\nunsafe fn f() {}"), 0);
    }

    #[test]
    fn the_type_of_a_function_pointer_needs_nothing() {
        assert_eq!(unexplained_in("struct V { run: unsafe fn(*const ()) }"), 0);
        assert_eq!(unexplained_in("type F = unsafe extern \"C\" fn(u8);"), 0);
    }

    #[test]
    fn unsafe_outside_the_list_is_refused() {
        let bad = |path, text| misplaced(&[Source::new(path, text)]).len();
        assert_eq!(bad("src/flow/a.rs", "unsafe {}"), 1);
        assert_eq!(bad("src/prelude.rs", "unsafe {}"), 1);
        assert_eq!(bad("src/lib.rs", "unsafe {}"), 1);
        assert_eq!(bad("src/flow/mod.rs", "//! #![forbid(unsafe_code)]"), 1);
        assert_eq!(bad("src/flow/mod.rs", "#![forbid(unsafe_code)]"), 0);
        assert_eq!(bad("src/task/mod.rs", "unsafe {}"), 0);
        assert_eq!(bad("src/task/mod.rs", "// unsafe"), 1);
    }
}
