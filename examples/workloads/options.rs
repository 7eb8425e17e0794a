//! The command line.

use std::str::FromStr;
use std::time::Duration;

use switchback::ms;

pub const USAGE: &str =
    "usage: workloads list | NAME [--n N] [--runs R] [--warm-ms MS] [--secs S] [--port P]";

/// What is asked for.
#[derive(Debug)]
pub enum Command {
    List,
    Run(String, Options),
}

/// How a workload is run.
#[derive(Debug)]
pub struct Options {
    /// In place of the workload's own count.
    pub count: Option<u64>,
    pub runs: u32,
    pub warm_up: Duration,
    /// How long a server serves at most.
    pub limit: Duration,
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            count: None,
            runs: 3,
            warm_up: ms(200),
            limit: Duration::from_secs(60),
            port: 0,
        }
    }
}

impl Command {
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let name = arguments.next().ok_or("what is to be run?")?;
        if name == "list" {
            return match arguments.next() {
                None => Ok(Self::List),
                Some(more) => Err(format!("list takes no {more}")),
            };
        }
        let mut options = Options::default();
        while let Some(option) = arguments.next() {
            let value = arguments.next().ok_or(format!("{option} what?"))?;
            match option.as_str() {
                "--n" => options.count = Some(number(&option, &value)?),
                "--runs" => options.runs = number(&option, &value)?,
                "--warm-ms" => options.warm_up = ms(number(&option, &value)?),
                "--secs" => options.limit = Duration::from_secs(number(&option, &value)?),
                "--port" => options.port = number(&option, &value)?,
                _ => return Err(format!("there is no option {option}")),
            }
        }
        Ok(Self::Run(name, options))
    }
}

fn number<N: FromStr>(option: &str, value: &str) -> Result<N, String> {
    value
        .parse()
        .map_err(|_| format!("{option} wants a number, not {value}"))
}
