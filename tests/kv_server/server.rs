//! The example as a child process.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::example;

/// How long anything may take that should happen soon: a failure shows as one, but a busy machine does not fail.
pub const SOON: Duration = Duration::from_secs(20);

/// A running server, killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    port: u16,
}

impl Server {
    pub fn start() -> Self {
        Self::run(&mut Self::command())
    }

    /// Starts a server that may have no more than `limit` descriptors.
    pub fn start_with_descriptors(limit: libc::rlim_t) -> Self {
        let mut command = Self::command();
        let lower_limit = move || {
            let limits = libc::rlimit {
                rlim_cur: limit,
                rlim_max: limit,
            };
            // SAFETY: `limits` is initialised and valid for the call.
            match unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limits) } {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        };
        // SAFETY: between fork and exec the closure makes one system call and does not allocate.
        unsafe { command.pre_exec(lower_limit) };
        Self::run(&mut command)
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: a plain system call; the child has not been waited for, so the id is still its own.
        let result = unsafe { libc::kill(self.child.id() as libc::pid_t, signal) };
        assert_eq!(result, 0, "{}", io::Error::last_os_error());
    }

    /// Waits for the server to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        until("the server ends", || self.child.try_wait().unwrap())
    }

    /// Returns how many sockets the server has open. Its threads make their own descriptors when they first need them,
    /// which says nothing of its connections.
    pub fn sockets(&self) -> usize {
        fs::read_dir(self.proc("fd"))
            .unwrap()
            .filter_map(|entry| fs::read_link(entry.unwrap().path()).ok())
            .filter(|link| link.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// Returns how many of the lowest descriptors the server has open. Its parent may have left it some high ones, to
    /// which a limit does not apply.
    pub fn descriptors_below(&self, limit: usize) -> usize {
        let numbers = fs::read_dir(self.proc("fd"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        numbers
            .filter(|name| name.to_str().unwrap().parse::<usize>().unwrap() < limit)
            .count()
    }

    /// Returns the processor time that the server has used.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(self.proc("stat")).unwrap();
        // The name in parentheses may hold anything; after it `utime` and `stime` are the 12th and 13th field.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: u64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap())
            .sum();
        // SAFETY: a plain query.
        let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
        Duration::from_millis(ticks * 1000 / per_second as u64)
    }

    /// Returns the server's memory that is really there, in bytes.
    pub fn resident_memory(&self) -> usize {
        let status = fs::read_to_string(self.proc("status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let kibibytes = line.unwrap().split_whitespace().nth(1).unwrap();
        kibibytes.parse::<usize>().unwrap() * 1024
    }

    /// Asserts that a new client is served.
    pub fn assert_alive(&self) {
        let mut client = self.connect();
        client.assert_alive();
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    fn command() -> Command {
        let mut command = Command::new(binary());
        command
            .args(["--port", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command
    }

    fn run(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let (first_line, received) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            let read = BufReader::new(output).read_line(&mut line);
            first_line.send(read.map(|_| line))
        });
        // From here on a failing assertion kills the child.
        let mut server = Self { child, port: 0 };
        let line = received.recv_timeout(SOON).expect("a first line").unwrap();
        let port = line.trim_end().strip_prefix("LISTENING ");
        server.port = port.unwrap_or_else(|| panic!("{line:?}")).parse().unwrap();
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer.
pub fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// Builds the example and returns where it lies.
fn binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| example::build("kv_server"));
    &BINARY
}
