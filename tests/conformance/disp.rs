//! Dispatchers.

use std::thread;

use switchback::prelude::*;

use crate::suite::{Scenario, scenario};
use crate::support::{Trace, dispatcher, t};

pub const SCENARIOS: &[Scenario] = &[
    scenario!(disp_01_event_loop_fifo),
    scenario!(disp_07_with_context_io),
];

fn disp_01_event_loop_fifo(trace: &'static Trace) -> Result<()> {
    run_blocking(|s| {
        s.launch(|s| {
            t!(trace, "1");
            s.launch(|_| t!(trace, "1.1"));
            t!(trace, "1 end");
        });
        s.launch(|_| {
            t!(trace, "2");
            yield_()?;
            t!(trace, "2 end");
            Ok(())
        });
        s.launch(|_| t!(trace, "3"));
        t!(trace, "body end");
        Ok(())
    })
}

fn disp_07_with_context_io(trace: &'static Trace) -> Result<()> {
    let main = thread::current().id();
    let on_main = || thread::current().id() == main;
    run_blocking(|_| {
        t!(trace, "{}", dispatcher());
        with_context(Dispatchers::default(), |_| {
            t!(trace, "{} main thread: {}", dispatcher(), on_main());
            let v = with_context(Dispatchers::io(), |s| {
                s.launch(|_| t!(trace, "child: {}", dispatcher()));
                Ok(format!("{} main thread: {}", dispatcher(), on_main()))
            })?;
            t!(trace, "{v}");
            t!(trace, "{}", dispatcher());
            Ok(())
        })?;
        t!(trace, "{} main thread: {}", dispatcher(), on_main());
        GlobalScope
            .launch(|_| t!(trace, "GlobalScope: {}", dispatcher()))
            .join()?;
        let scope = CoroutineScope::new(Job::by_hand());
        scope
            .launch(|_| t!(trace, "scope without dispatcher: {}", dispatcher()))
            .join()
    })
}
