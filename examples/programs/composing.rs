//! Program 2. Two suspending calls in sequence, the same two at once, and two of which one may fail.
//!
//! In Kotlin: `val a = one(); val b = two()` (2 s); `coroutineScope { val a = async { one() }; .. a.await() + b.await()
//! }` (1 s); `supervisorScope { .. }` with `try { b.await() } catch ..` for partial results.

use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, say};

/// What the page of a user is made of.
#[derive(Debug)]
struct Page {
    name: String,
    orders: Option<u32>,
}

fn load_name(user: u32) -> Result<String> {
    delay(ms(1000))?;
    Ok(format!("user {user}"))
}

fn load_orders(user: u32) -> Result<u32> {
    delay(ms(1000))?;
    if user == 13 {
        return Err(Error::msg("the orders are not available"));
    }
    Ok(user * 10)
}

fn in_sequence(user: u32) -> Result<Page> {
    let name = load_name(user)?;
    let orders = Some(load_orders(user)?);
    Ok(Page { name, orders })
}

fn at_once(user: u32) -> Result<Page> {
    coroutine_scope(|s| {
        let name = s.async_(move |_| load_name(user));
        let orders = s.async_(move |_| load_orders(user));
        Ok(Page {
            name: name.await_()?,
            orders: Some(orders.await_()?),
        })
    })
}

fn what_there_is(user: u32) -> Result<Page> {
    supervisor_scope(|s| {
        let name = s.async_(move |_| load_name(user));
        let orders = s.async_(move |_| load_orders(user));
        Ok(Page {
            name: name.await_()?,
            orders: orders.await_().ok(),
        })
    })
}

pub fn run() -> Result<Log> {
    let log = Log::timed();
    let show = |how: &str, load: fn(u32) -> Result<Page>, user| {
        run_test(|_| {
            match load(user) {
                Ok(Page { name, orders }) => say!(log, "{how}: {name}, orders {orders:?}"),
                Err(error) => say!(log, "{how}: Err: {error}"),
            }
            Ok(())
        })
    };
    show("in sequence", in_sequence, 7)?;
    show("at once", at_once, 7)?;
    show("at once, one part fails", at_once, 13)?;
    show("what there is, one part fails", what_there_is, 13)?;
    log.assert(&[
        " 2000 ms  in sequence: user 7, orders Some(70)",
        " 1000 ms  at once: user 7, orders Some(70)",
        " 1000 ms  at once, one part fails: Err: the orders are not available",
        " 1000 ms  what there is, one part fails: user 13, orders None",
    ]);
    Ok(log)
}
