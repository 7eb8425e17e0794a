//! The service: what it knows, what it fetches, and what it does behind a request's back, in a scope of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::{CompletableDeferred, CompletableJob};

#[derive(Debug, Default)]
struct Tables {
    users: BTreeMap<u32, String>,
    /// By user: the entries are written by coroutines on any worker, in any order.
    audit: BTreeMap<u32, String>,
}

/// Holds a request back until it is opened, so that it is certainly on its way at a given moment.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    pub reached: CompletableDeferred<()>,
    pub open: CompletableDeferred<()>,
}

impl Gate {
    fn pass(&self) -> Result<()> {
        self.reached.complete(());
        self.open.await_()
    }
}

/// The users, behind a slow database.
#[derive(Debug)]
pub struct UserService {
    job: CompletableJob,
    scope: CoroutineScope,
    tables: Arc<Mutex<Tables>>,
    /// Where a request for user 3 stands still.
    pub gate: Gate,
}

impl UserService {
    /// A service whose scope is a child of the application's.
    pub fn new(application: &CoroutineScope) -> Self {
        let job = SupervisorJob::under(&application.job());
        let context = application.context() + CoroutineName::new("users");
        Self {
            scope: CoroutineScope::new(context + job.clone()),
            job,
            tables: Arc::default(),
            gate: Gate::default(),
        }
    }

    /// Adds a user and answers; the audit is written later.
    pub fn add(&self, name: &str) -> Result<u32> {
        delay(ms(1))?;
        let id = {
            let mut tables = self.tables.lock().unwrap();
            let id = tables.users.len() as u32 + 1;
            tables.users.insert(id, name.to_owned());
            id
        };
        let (tables, entry) = (Arc::clone(&self.tables), format!("added {name}"));
        self.scope.launch(move |_| {
            delay(ms(50))?;
            tables.lock().unwrap().audit.insert(id, entry);
            Ok(())
        });
        Ok(id)
    }

    /// The name of a user, if there is one.
    pub fn name(&self, id: u32) -> Result<Option<String>> {
        delay(ms(1))?;
        Ok(self.tables.lock().unwrap().users.get(&id).cloned())
    }

    /// How many orders a user has.
    pub fn orders(&self, id: u32) -> Result<u32> {
        delay(ms(1))?;
        match id {
            2 => return Err(Error::msg("the orders are not available")),
            3 => self.gate.pass()?,
            _ => {}
        }
        Ok(id * 10)
    }

    /// What a user may like: nice to have.
    pub fn hints(&self, id: u32) -> Result<&'static str> {
        delay(ms(1))?;
        match id {
            1 => Err(Error::msg("no hints today")),
            _ => Ok("books"),
        }
    }

    /// Ends when what it does in the background is done. Gives the audit.
    pub fn close(&self) -> Result<Vec<String>> {
        self.job.complete();
        self.job.join()?;
        let tables = self.tables.lock().unwrap();
        Ok(tables.audit.values().cloned().collect())
    }
}
