//! The two programs that are compared: they lie where this one lies.

use std::env;
use std::path::PathBuf;
use std::process::{Command, Output};

use switchback::{Error, Result};

pub const OURS: &str = "workloads";
pub const THEIRS: &str = "workloads_tokio";

/// How long each is warmed up: it is started anew for each figure.
const WARM_UP_MS: &str = "100";

/// One of the programs.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
}

impl Program {
    pub fn new(name: &str) -> Result<Self> {
        let path = env::current_exe()?.with_file_name(name);
        if path.exists() {
            Ok(Self { path })
        } else {
            Err(Error::msg(format!(
                "there is no {}: `cargo build --release --examples` makes it",
                path.display()
            )))
        }
    }

    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }

    /// The names of its workloads.
    pub fn list(&self) -> Result<Vec<String>> {
        let output = self.output(&["list"])?;
        let names = String::from_utf8(output.stdout)?;
        Ok(names.lines().map(str::to_owned).collect())
    }

    /// Runs a workload once, and gives the figures that it prints, with their names.
    pub fn measure(&self, workload: &str) -> Result<Vec<(String, f64)>> {
        let output = self.output(&[workload, "--runs", "1", "--warm-ms", WARM_UP_MS])?;
        let line = String::from_utf8(output.stdout)?;
        Ok(figures(line.trim()).collect())
    }

    fn output(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.command().args(arguments).output()?;
        if output.status.success() {
            return Ok(output);
        }
        Err(Error::msg(format!(
            "{} {}: {}, {}",
            self.path.display(),
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        )))
    }
}

/// The fields of a line that are numbers: no value in it has a comma or a colon.
fn figures(line: &str) -> impl Iterator<Item = (String, f64)> {
    let inner = line.trim_start_matches('{').trim_end_matches('}');
    inner.split(',').filter_map(|field| {
        let (name, value) = field.split_once(':')?;
        Some((name.trim_matches('"').to_owned(), value.parse().ok()?))
    })
}
