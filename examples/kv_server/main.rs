//! A key-value server that speaks the protocol of Redis, written as if every call blocked.
//!
//! ```text
//! cargo run --release --example kv_server -- [--port N] [--bind ADDR]
//! redis-cli ping
//! redis-benchmark -t ping,set,get,incr -P 16 -q
//! ```
//!
//! Each connection is one coroutine that reads, answers and writes in a plain loop, and a thousand of them share as
//! many threads as the machine has cores. Who waits for whom can be read from the scopes:
//!
//! ```text
//! server                  a scope: it is over when the server is
//! ├── sweeper             removes expired keys every now and then
//! ├── patience            the time limit of a shutdown, there only during one
//! └── clients             a supervisor scope: what befalls one client is nobody else's business
//!     ├── acceptor        the one that a termination signal cancels
//!     ├── connection 1
//!     └── connection 2 ...
//! ```
//!
//! The first line on standard output is `LISTENING <port>`. SIGTERM and SIGINT stop the server in good order: whatever
//! it had received by then is answered.

mod buffer;
mod command;
mod connection;
mod connections;
mod glob;
mod inline;
mod number;
mod options;
mod reply;
mod resp;
mod shard;
mod signals;
mod store;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use switchback::net::TcpListener;
use switchback::prelude::*;

use command::Keyspace;
use connections::Connections;
use options::Options;
use signals::TerminationSignals;

/// How long clients get to take their replies once the server is to end.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How long to wait with the next client after one could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How often expired keys are removed, and how many at once.
const SWEEP_PAUSE: Duration = Duration::from_millis(100);
const SWEEP_LIMIT: usize = 128;

fn main() -> ExitCode {
    let options = match Options::from_arguments(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("kv_server: {problem}\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    // First of all, because a thread inherits the signals that its maker has blocked.
    let outcome = signals::block_termination()
        .map_err(Error::from)
        .and_then(|termination| run(&options, termination));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv_server: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options, termination: TerminationSignals) -> Result<()> {
    run_blocking(|_| {
        let listener = TcpListener::bind((options.bind.as_str(), options.port))?;
        writeln!(io::stdout(), "LISTENING {}", listener.local_addr()?.port())?;
        with_context(Dispatchers::default(), |_| serve(&listener, termination))
    })
}

/// Serves until a termination signal comes and the last client has its replies.
fn serve(listener: &TcpListener, termination: TerminationSignals) -> Result<()> {
    let keyspace = Keyspace::new();
    let connections = Connections::default();
    coroutine_scope(|server| {
        let sweeper = server.launch(|_| sweep_for_ever(&keyspace));

        let patience = supervisor_scope(|clients| {
            let acceptor =
                clients.launch(|_| accept_for_ever(listener, clients, &connections, &keyspace));
            let accepting = acceptor.clone();
            termination.on_arrival(move || accepting.cancel())?;
            acceptor.join()?;

            // Each connection now reads to the end of what was received, answers it and ends.
            connections.stop_receiving();
            Ok(server.launch(|_| {
                delay(PATIENCE)?;
                connections.abandon();
                Ok(())
            }))
        })?;

        // The scope of the clients has closed, so the last of them has gone.
        patience.cancel();
        sweeper.cancel();
        Ok(())
    })
}

/// Gives each client a coroutine of its own, until cancelled.
fn accept_for_ever<'scope>(
    listener: &TcpListener,
    clients: &'scope Scope<'scope, '_>,
    connections: &'scope Connections,
    keyspace: &'scope Keyspace,
) -> Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                let guest = connections.admit(stream);
                clients.launch(move |_| connection::serve(&guest, keyspace));
            }
            // Most likely the process has no descriptor left. The client stays in the kernel's queue, so to ask again
            // at once would be to ask for ever; some connection has to end first. If it was the cancellation that
            // spoiled the accept, the pause does not begin either and its `?` ends the loop.
            Err(_) => delay(ACCEPT_PAUSE)?,
        }
    }
}

/// Removes the keys that have expired, in small portions between which others get their turn.
fn sweep_for_ever(keyspace: &Keyspace) -> Result<()> {
    loop {
        if keyspace.store.sweep(SWEEP_LIMIT) {
            yield_()?;
        } else {
            delay(SWEEP_PAUSE)?;
        }
    }
}
