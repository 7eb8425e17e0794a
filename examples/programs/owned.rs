//! Program 7. Scopes with an owner: a component that starts and stops, a service that is a scope, a factory of named
//! scopes, a repository whose cache writes outlive the request.
//!
//! In Kotlin: `private val scope = CoroutineScope(Dispatchers.Default + SupervisorJob())` with `scope.cancel()` in
//! `stop`; `class Service : CoroutineScope by CoroutineScope(..)`; `fun ioScope(name) = CoroutineScope(Dispatchers.IO +
//! ..)`.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// Has work to do now and then while it is started.
struct Component {
    context: CoroutineContext,
    scope: Option<CoroutineScope>,
    log: Log,
}

impl Component {
    fn start(&mut self) {
        let scope = CoroutineScope::new(self.context.clone() + SupervisorJob::new());
        let log = self.log.clone();
        // The annotation is for a body that never ends of itself: its `Ok` has no type.
        scope.launch(move |_| -> Result<()> {
            loop {
                say!(log, "component: tick");
                delay(ms(1000))?;
            }
        });
        self.scope = Some(scope);
    }

    fn once(&self, what: &'static str) {
        let Some(scope) = &self.scope else {
            say!(self.log, "component: {what} refused, not started");
            return;
        };
        let log = self.log.clone();
        scope.launch(move |_| {
            delay(ms(500))?;
            say!(log, "component: {what} done");
            Ok(())
        });
    }

    fn stop(&mut self) -> Result<()> {
        if let Some(scope) = self.scope.take() {
            scope.job().cancel_and_join()?;
        }
        say!(self.log, "component: stopped");
        Ok(())
    }
}

/// Is a scope: `class Service : CoroutineScope by ..` is a `Deref` here.
struct Service(CoroutineScope);

impl Deref for Service {
    type Target = CoroutineScope;

    fn deref(&self) -> &CoroutineScope {
        &self.0
    }
}

/// Scopes for work that blocks, each with a name for the logs.
fn io_scope(name: &str) -> CoroutineScope {
    CoroutineScope::new(Dispatchers::io() + SupervisorJob::new() + CoroutineName::new(name))
}

/// Answers at once, and writes to its cache behind the caller's back.
struct Repository {
    scope: CoroutineScope,
    cache: Arc<Mutex<BTreeMap<u32, String>>>,
}

impl Repository {
    fn user(&self, id: u32) -> Result<String> {
        delay(ms(100))?;
        let user = format!("user {id}");
        let (cache, cached) = (Arc::clone(&self.cache), user.clone());
        self.scope.launch(move |_| {
            delay(ms(1000))?;
            cache.lock().unwrap().insert(id, cached);
            Ok(())
        });
        Ok(user)
    }

    fn cached(&self) -> Vec<u32> {
        self.cache.lock().unwrap().keys().copied().collect()
    }

    fn clear(&self) -> Result<()> {
        self.scope.job().cancel_and_join()
    }
}

fn component(log: &Log) -> Result<()> {
    run_test(|s| {
        let mut component = Component {
            context: s.context(),
            scope: None,
            log: log.clone(),
        };
        component.once("the import");
        component.start();
        component.once("the import");
        delay(ms(2500))?;
        component.once("the export");
        component.stop()?;
        component.start();
        yield_()?;
        component.stop()
    })
}

fn service(log: &Log) -> Result<()> {
    run_test(|s| {
        let service = Service(CoroutineScope::new(s.context() + SupervisorJob::new()));
        let answer = service.async_(|_| {
            delay(ms(200))?;
            Ok(42)
        });
        say!(log, "service: the answer is {}", answer.await_()?);
        service.cancel();
        say!(log, "service: active {}", service.is_active());
        Ok(())
    })
}

fn factory(log: &Log) -> Result<()> {
    let scopes = [io_scope("mail"), io_scope("files")];
    for scope in &scopes {
        let log = log.clone();
        let job = scope.launch(move |s| say!(log, "factory: in {:?}", s.context()));
        job.join()?;
    }
    scopes[0].cancel();
    let active = scopes.map(|scope| scope.is_active());
    say!(log, "factory: active {active:?}");
    Ok(())
}

fn repository(log: &Log) -> Result<()> {
    run_test(|s| {
        let repository = Repository {
            scope: CoroutineScope::new(s.context() + SupervisorJob::new()),
            cache: Arc::default(),
        };
        let request = |id| coroutine_scope(|_| repository.user(id));
        say!(log, "repository: {} was asked for", request(1)?);
        say!(log, "repository: cached {:?}", repository.cached());
        delay(ms(2000))?;
        say!(log, "repository: cached {:?}", repository.cached());

        say!(log, "repository: {} was asked for", request(2)?);
        repository.clear()?;
        delay(ms(2000))?;
        say!(log, "repository: cleared, {:?}", repository.cached());
        Ok(())
    })
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    component(&log)?;
    service(&log)?;
    factory(&log)?;
    repository(&log)?;
    log.assert(&[
        "    0 ms  component: the import refused, not started",
        "    0 ms  component: tick",
        "  500 ms  component: the import done",
        " 1000 ms  component: tick",
        " 2000 ms  component: tick",
        " 2500 ms  component: stopped",
        " 2500 ms  component: tick",
        " 2500 ms  component: stopped",
        "  200 ms  service: the answer is 42",
        "  200 ms  service: active false",
        "    0 ms  factory: in [CoroutineName(mail), Dispatchers.IO]",
        "    0 ms  factory: in [CoroutineName(files), Dispatchers.IO]",
        "    0 ms  factory: active [false, true]",
        "  100 ms  repository: user 1 was asked for",
        "  100 ms  repository: cached []",
        " 2100 ms  repository: cached [1]",
        " 2200 ms  repository: user 2 was asked for",
        " 4200 ms  repository: cleared, [1]",
    ]);
    Ok(log)
}
