//! The command line.

/// What the command line may hold.
pub const USAGE: &str = "usage: kv_server [--port N] [--bind ADDR]";

/// Where to listen.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    pub bind: String,
    /// 0 lets the system choose.
    pub port: u16,
}

impl Options {
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            bind: "127.0.0.1".to_owned(),
            port: 6379,
        };
        while let Some(name) = arguments.next() {
            let mut value = || {
                arguments
                    .next()
                    .ok_or_else(|| format!("{name} needs a value"))
            };
            match name.as_str() {
                "--bind" => options.bind = value()?,
                "--port" => {
                    let port = value()?;
                    options.port = port.parse().map_err(|_| format!("{port} is not a port"))?;
                }
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(options)
    }
}
