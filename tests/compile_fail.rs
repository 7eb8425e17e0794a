//! Programs that must not compile, because what they do would be unsound, or would not mean what it says.
//!
//! Each file of `compile_fail/` is such a program, and says in its head why. It is compiled twice. As it stands it must
//! fail with exactly the errors that its line `//! expect:` lists: codes, or in quotes the text of an error that has no
//! code. With `--cfg ok` it must compile; so it fails for the reason that it names and not for a slip of the pen.
//!
//! Codes are compared and not whole messages, since these differ from compiler to compiler.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Errors, each as its code or, if it has none, as its quoted text.
type Errors = BTreeSet<String>;

struct Case {
    name: String,
    path: PathBuf,
    expected: Errors,
}

#[test]
fn every_case_fails_as_it_says_and_compiles_when_repaired() {
    let cases = read_cases();
    assert!(!cases.is_empty());
    let project = Project::generate(&cases);

    let broken = project.check("broken", &cases);
    let repaired = project.check("repaired", &cases);
    let complaints: Vec<_> = cases
        .iter()
        .filter_map(|case| judge(case, &broken[&case.name], &repaired[&case.name]).err())
        .collect();
    assert!(complaints.is_empty(), "\n\n{}\n", complaints.join("\n"));
}

fn judge(case: &Case, broken: &Errors, repaired: &Errors) -> Result<(), String> {
    let name = &case.name;
    if broken.is_empty() {
        return Err(format!("{name}: compiles, and must not"));
    }
    if *broken != case.expected {
        let expected = &case.expected;
        return Err(format!(
            "{name}: fails with {broken:?} instead of {expected:?}"
        ));
    }
    if !repaired.is_empty() {
        return Err(format!("{name}: fails with {repaired:?} when repaired"));
    }
    Ok(())
}

// --- The cases -------------------------------------------------------------------------------------------------------

fn read_cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_fail");
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some(OsStr::new("rs")))
        .collect();
    paths.sort();
    paths.into_iter().map(read_case).collect()
}

fn read_case(path: PathBuf) -> Case {
    let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
    let text = fs::read_to_string(&path).unwrap();
    let reason = text.lines().next().unwrap_or_default();
    assert!(
        reason.starts_with("//! ") && !reason.contains("expect:"),
        "{name}: the first line says why the program must not compile"
    );
    assert!(
        text.contains("cfg(ok)") || text.contains("cfg(not(ok))"),
        "{name}: nothing in it depends on `ok`"
    );
    let expected = expectation(&text).unwrap_or_else(|| panic!("{name}: no line `//! expect:`"));
    Case {
        name,
        path,
        expected,
    }
}

fn expectation(text: &str) -> Option<Errors> {
    let list = text
        .lines()
        .find_map(|line| line.strip_prefix("//! expect: "))?;
    Some(
        list.split(',')
            .map(|error| error.trim().to_owned())
            .collect(),
    )
}

// --- The project they are compiled in --------------------------------------------------------------------------------

/// Two packages with the same programs. The second sets `ok`, by a build script, so that both share what they depend on.
struct Project {
    root: PathBuf,
}

impl Project {
    fn generate(cases: &[Case]) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail");
        let project = Self { root };
        project.write(
            "Cargo.toml",
            "[workspace]\nresolver = \"3\"\nmembers = [\"broken\", \"repaired\"]\n",
        );
        project.write("broken/Cargo.toml", &manifest("broken", cases));
        project.write("repaired/Cargo.toml", &manifest("repaired", cases));
        project.write(
            "repaired/build.rs",
            "fn main() {\n    println!(\"cargo::rustc-cfg=ok\");\n}\n",
        );
        // The same versions as outside: they are on this machine already.
        let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
        if let Ok(lock) = fs::read_to_string(lock) {
            project.write("Cargo.lock", &lock);
        }
        project
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Compiles the programs of a package; gives the errors of each.
    fn check(&self, package: &str, cases: &[Case]) -> BTreeMap<String, Errors> {
        let mut output = self.cargo_check(package, true);
        let mut errors = String::from_utf8_lossy(&output.stderr).into_owned();
        // No program was reached: something that they need is not here, so go and fetch it.
        if !output.status.success() && !errors.contains("error: could not compile") {
            output = self.cargo_check(package, false);
            errors = String::from_utf8_lossy(&output.stderr).into_owned();
        }
        let found = errors_by_file(&errors);
        let is_explained = output.status.success() || !found.is_empty();
        assert!(is_explained, "cargo failed:\n{errors}");
        for file in found.keys() {
            let is_case = cases.iter().any(|case| case.name == *file);
            assert!(is_case, "an error outside the cases:\n{errors}");
        }
        cases
            .iter()
            .map(|case| {
                let errors = found.get(&case.name).cloned().unwrap_or_default();
                (case.name.clone(), errors)
            })
            .collect()
    }

    fn cargo_check(&self, package: &str, offline: bool) -> Output {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .args(["check", "--quiet", "--keep-going", "--bins"])
            .args(["--message-format=short", "--color=never"])
            .args(["--package", package, "--target-dir"])
            .arg(self.root.join("target"))
            .current_dir(&self.root)
            // Flags of the run around this one would turn warnings into errors, or compile everything anew.
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS")
            .env_remove("CARGO_BUILD_RUSTFLAGS");
        if offline {
            command.arg("--offline");
        }
        command.output().unwrap()
    }
}

fn manifest(package: &str, cases: &[Case]) -> String {
    let mut text = format!(
        "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\nautobins = false\n\n\
         [dependencies]\nswitchback = {{ path = {:?} }}\n\n\
         [lints.rust]\nunexpected_cfgs = \"allow\"\n",
        env!("CARGO_MANIFEST_DIR"),
    );
    for Case { name, path, .. } in cases {
        // The packages share a target directory, and two programs of one name would share a file.
        write!(
            text,
            "\n[[bin]]\nname = \"{package}_{name}\"\npath = {path:?}\n"
        )
        .unwrap();
    }
    text
}

// --- What the compiler says ------------------------------------------------------------------------------------------

/// The errors in cargo's short messages (`path:line:column: error[CODE]: text`), by the names of the files.
fn errors_by_file(messages: &str) -> BTreeMap<String, Errors> {
    let mut found: BTreeMap<String, Errors> = BTreeMap::new();
    for line in messages.lines() {
        if let Some((file, error)) = parse(line) {
            found.entry(file).or_default().insert(error);
        }
    }
    found
}

fn parse(line: &str) -> Option<(String, String)> {
    let (place, message) = line.split_once(": error")?;
    let path = place.split(':').next()?;
    let file = Path::new(path).file_stem()?.to_str()?.to_owned();
    let error = match message.strip_prefix('[') {
        Some(coded) => coded.split(']').next()?.to_owned(),
        // Behind a further colon stands what the compiler says of this place.
        None => format!("{:?}", message.strip_prefix(": ")?.split(':').next()?),
    };
    Some((file, error))
}

mod harness {
    use super::*;

    fn errors(list: &[&str]) -> Errors {
        list.iter().map(|error| (*error).to_owned()).collect()
    }

    fn case(expected: &[&str]) -> Case {
        Case {
            name: String::from("case"),
            path: PathBuf::new(),
            expected: errors(expected),
        }
    }

    #[test]
    fn short_messages_are_told_apart() {
        let messages = "/a/b/one.rs:3:4: error[E0597]: `x` does not live long enough\n\
                        two.rs:1:1: error: lifetime may not live long enough: returning this\n\
                        two.rs:1:1: warning: unused variable\n\
                        error: could not compile `p` (bin \"one\") due to 1 previous error\n";
        let found = errors_by_file(messages);
        assert_eq!(found.len(), 2);
        assert_eq!(found["one"], errors(&["E0597"]));
        assert_eq!(
            found["two"],
            errors(&["\"lifetime may not live long enough\""])
        );
    }

    #[test]
    fn an_expectation_lists_codes() {
        let text = "//! Why.\n//! expect: E0499, E0502\n";
        assert_eq!(expectation(text), Some(errors(&["E0499", "E0502"])));
        assert_eq!(expectation("//! Why.\n"), None);
    }

    #[test]
    fn a_case_must_fail_with_what_it_lists_and_compile_when_repaired() {
        let (none, e1, e2) = (errors(&[]), errors(&["E1"]), errors(&["E1", "E2"]));
        assert!(judge(&case(&["E1"]), &e1, &none).is_ok());
        assert!(judge(&case(&["E1"]), &none, &none).is_err());
        assert!(judge(&case(&["E1"]), &e2, &none).is_err());
        assert!(judge(&case(&["E1", "E2"]), &e1, &none).is_err());
        assert!(judge(&case(&["E1"]), &e1, &e1).is_err());
    }
}
