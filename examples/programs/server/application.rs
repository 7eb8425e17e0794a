//! The application: its scope, the scopes below it, the routes, and the order in which it ends.

use std::net::SocketAddr;
use std::sync::Arc;

use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

use super::super::log::{Log, say};
use super::http::{Connection, Request, Response};
use super::users::UserService;

/// No request may take longer, the shutdown included.
const LIMIT: std::time::Duration = ms(20_000);

/// `application` is the parent of the service's scope and of that of all connections; a request has a scope inside its
/// connection.
#[derive(Debug)]
pub struct Application {
    scope: CoroutineScope,
    pub users: Arc<UserService>,
    pub connections: CoroutineScope,
    accepting: Job,
    pub address: SocketAddr,
    log: Log,
}

impl Application {
    pub fn start(log: &Log) -> Result<Self> {
        let name = CoroutineName::new("application");
        let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new() + name);
        let users = Arc::new(UserService::new(&scope));
        let context = scope.context() + CoroutineName::new("connections");
        let connections = CoroutineScope::new(context + SupervisorJob::under(&scope.job()));

        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (own_users, own_connections) = (Arc::clone(&users), connections.clone());
        let accepting = scope
            .builder()
            .name("accept")
            .launch(move |_| -> Result<()> {
                loop {
                    let (stream, _) = listener.accept()?;
                    let users = Arc::clone(&own_users);
                    own_connections.launch(move |_| serve(stream, &users));
                }
            });
        Ok(Self {
            scope,
            users,
            connections,
            accepting,
            address,
            log: log.clone(),
        })
    }

    /// Ends from the outside in: no new connections, the requests on their way, the service, the application.
    pub fn shut_down(&self) -> Result<()> {
        let log = &self.log;
        self.accepting.cancel_and_join()?;
        say!(log, "shutdown: accepts no more");
        self.connections.job().cancel_and_join()?;
        say!(log, "shutdown: the requests are answered");
        let audit = self.users.close()?;
        say!(log, "shutdown: the audit is written, {audit:?}");
        let left = self.scope.job().children().len();
        self.scope.job().cancel_and_join()?;
        say!(log, "shutdown: the application is over, {left} were left");
        Ok(())
    }
}

/// One connection: requests until the client leaves, or the server ends.
fn serve(stream: TcpStream, users: &UserService) -> Result<()> {
    let mut connection = Connection::new(stream);
    // Between two requests it can be cancelled; a request that is there is answered.
    while let Some(request) = connection.receive()? {
        non_cancellable(|_| {
            let response = with_timeout(LIMIT, |_| route(&request, users));
            let response = response.unwrap_or_else(|error| match error.is_timeout() {
                true => Response::new(503, error.to_string()),
                false => Response::new(502, error.to_string()),
            });
            connection.send(&response)
        })?;
    }
    Ok(())
}

/// The routes. What fails in here is the answer to this request, and nothing else.
fn route(request: &Request, users: &UserService) -> Result<Response> {
    let path: Vec<_> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["users", id]) => match id.parse() {
            Ok(id) => get_user(id, users),
            Err(_) => Ok(Response::new(400, "not a number")),
        },
        ("POST", ["users"]) if request.body.is_empty() => Ok(Response::new(400, "no name")),
        ("POST", ["users"]) => Ok(Response::new(201, users.add(&request.body)?.to_string())),
        (_, ["users"] | ["users", _]) => Ok(Response::new(405, "GET or POST")),
        _ => Ok(Response::new(404, "no such page")),
    }
}

/// `GET /users/{id}`: a scope for the request, in which everything is fetched at once.
fn get_user(id: u32, users: &UserService) -> Result<Response> {
    coroutine_scope(|request| {
        let name = request.async_(move |_| users.name(id));
        let orders = request.async_(move |_| users.orders(id));
        // What is merely nice to have catches its own failure.
        let hints = request.async_(move |_| match users.hints(id) {
            Err(error) if !error.is_cancelled() => Ok("nothing"),
            hints => hints,
        });
        let Some(name) = name.await_()? else {
            request.job().cancel_children();
            return Ok(Response::new(404, "no such user"));
        };
        let (orders, hints) = (orders.await_()?, hints.await_()?);
        Ok(Response::new(
            200,
            format!("{name}: {orders} orders, likes {hints}"),
        ))
    })
}
