//! Program 9. Application, service and request scopes in a hierarchy, with an ordered shutdown: a server with two
//! routes, `GET /users/{id}` and `POST /users`.
//!
//! In Kotlin: `get("/users/{id}") { coroutineScope { val name = async { .. }; val orders = async { .. };
//! call.respond(..) } }` in Ktor, services with `CoroutineScope(app.coroutineContext +
//! SupervisorJob(app.coroutineContext.job))`.

mod application;
mod client;
mod http;
mod users;

use std::net::TcpStream;
use std::thread;

use switchback::prelude::*;

use super::log::{Log, say};
use application::Application;
use client::Client;

pub fn run() -> Result<Log> {
    let log = Log::new();
    let application = Application::start(&log)?;
    let address = application.address;
    let mut client = Client::connect(address)?;
    let mut ask = |method, path, body| -> Result<()> {
        let (status, text) = client.ask(method, path, body)?;
        say!(log, "{method} {path} {body}: {status}, {text}");
        Ok(())
    };
    for name in ["Ada", "Grace", "Kurt"] {
        ask("POST", "/users", name)?;
    }
    ask("GET", "/users/1", "")?;
    // The failure of a part is the answer to this request; the connection and the server go on.
    ask("GET", "/users/2", "")?;
    ask("GET", "/users/99", "")?;
    ask("GET", "/users/all", "")?;
    ask("POST", "/users", "")?;
    ask("DELETE", "/users/1", "")?;
    ask("GET", "/favicon.ico", "")?;

    // A request that is on its way until the shutdown has come to the connections.
    let gate = application.users.gate.clone();
    let open = gate.open.clone();
    let connections = application.connections.job();
    connections.invoke_on_cancelling(move |_| {
        open.complete(());
    });
    let slow = thread::spawn(move || Client::connect(address)?.ask("GET", "/users/3", ""));
    gate.reached.await_()?;
    say!(log, "a slow request is on its way");
    application.shut_down()?;
    let (status, text) = slow.join().expect("a client does not panic")?;
    say!(log, "the slow request: {status}, {text}");
    say!(
        log,
        "the idle client was sent away: {}",
        client.is_closed()?
    );
    let refused = TcpStream::connect(address).is_err();
    say!(log, "a new client is refused: {refused}");

    log.assert(&[
        "POST /users Ada: 201, 1",
        "POST /users Grace: 201, 2",
        "POST /users Kurt: 201, 3",
        "GET /users/1 : 200, Ada: 10 orders, likes nothing",
        "GET /users/2 : 502, the orders are not available",
        "GET /users/99 : 404, no such user",
        "GET /users/all : 400, not a number",
        "POST /users : 400, no name",
        "DELETE /users/1 : 405, GET or POST",
        "GET /favicon.ico : 404, no such page",
        "a slow request is on its way",
        "shutdown: accepts no more",
        "shutdown: the requests are answered",
        r#"shutdown: the audit is written, ["added Ada", "added Grace", "added Kurt"]"#,
        "shutdown: the application is over, 0 were left",
        "the slow request: 200, Kurt: 30 orders, likes books",
        "the idle client was sent away: true",
        "a new client is refused: true",
    ]);
    Ok(log)
}
