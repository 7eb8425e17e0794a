//! Program 16. A database connection is lost when its coroutine is cancelled between open and close; with a destructor
//! it is not.
//!
//! In Kotlin: `val c = db.connect(); delay(1000); c.close()`, then the same with `try { .. } finally { c.close() }` or
//! `use`.

use std::sync::atomic::{AtomicU32, Ordering};

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// How many connections are open.
#[derive(Default)]
struct Database {
    open: AtomicU32,
}

impl Database {
    fn connect(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    fn disconnect(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    fn open(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }
}

/// A connection that closes itself.
struct Connection<'a>(&'a Database);

impl<'a> Connection<'a> {
    fn open(database: &'a Database) -> Self {
        database.connect();
        Self(database)
    }
}

impl Drop for Connection<'_> {
    fn drop(&mut self) {
        self.0.disconnect();
    }
}

fn query_and_close_by_hand(database: &Database) -> Result<()> {
    database.connect();
    delay(ms(1000))?; // a cancellation leaves here
    database.disconnect();
    Ok(())
}

fn query(database: &Database) -> Result<()> {
    let _connection = Connection::open(database);
    delay(ms(1000))
}

/// A hundred queries, of which the second half is cancelled on its way. Gives how many connections stay open.
fn stay_open(work: fn(&Database) -> Result<()>) -> Result<u32> {
    let database = Database::default();
    run_test(|s| {
        let queries: Vec<_> = (0..100).map(|_| s.launch(|_| work(&database))).collect();
        delay(ms(500))?;
        assert_eq!(database.open(), 100);
        for query in &queries[50..] {
            query.cancel();
        }
        for query in &queries {
            query.join()?;
        }
        Ok(database.open())
    })
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    let lost = stay_open(query_and_close_by_hand)?;
    say!(log, "closed by hand: {lost} connections are lost");
    let lost = stay_open(query)?;
    say!(log, "closed by a destructor: {lost} connections are lost");
    log.assert(&[
        "closed by hand: 50 connections are lost",
        "closed by a destructor: 0 connections are lost",
    ]);
    Ok(log)
}
