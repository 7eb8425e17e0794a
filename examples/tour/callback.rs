//! A library of the old kind answers by calling back, on a thread of its own. Wrapped once, it is an ordinary call.

use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use switchback::prelude::*;

use crate::output::row;

/// A temperature, and the thread that brought it.
type Reading = (f64, String);
type Callback = Box<dyn FnOnce(Reading) + Send>;

/// The library. It answers requests on its own thread, and forgets those that come when it is tired.
struct Thermometer {
    requests: Sender<Callback>,
}

impl Thermometer {
    fn new(patience: usize) -> Self {
        let (requests, received) = channel::<Callback>();
        let work = move || {
            for callback in received.iter().take(patience) {
                thread::sleep(Duration::from_millis(5));
                let name = thread::current().name().unwrap_or_default().to_owned();
                callback((21.5, name));
            }
        };
        let named = thread::Builder::new().name(String::from("thermometer"));
        named.spawn(work).expect("the system gives a thread");
        Self { requests }
    }

    fn request(&self, callback: impl FnOnce(Reading) + Send + 'static) {
        // A thermometer that has stopped drops the request.
        let _ = self.requests.send(Box::new(callback));
    }
}

/// The wrapper: suspends the coroutine, and hands the right to resume it to the callback.
fn read(thermometer: &Thermometer) -> Result<Reading> {
    suspend_cancellable_coroutine(|continuation| {
        thermometer.request(move |reading| continuation.resume(reading));
    })
}

pub fn stop() -> Result<()> {
    run_blocking(|_| {
        let thermometer = Thermometer::new(1);
        let (degrees, resumed_by) = read(&thermometer)?;
        let name = thread::current().name().unwrap_or_default().to_owned();
        assert_eq!((degrees, resumed_by.as_str()), (21.5, "thermometer"));
        assert_ne!(name, resumed_by);

        // A callback that is dropped does not leave its caller waiting for ever.
        let forgotten = read(&thermometer).unwrap_err().to_string();
        assert!(forgotten.contains("callback.rs"), "{forgotten}");

        row("the temperature", format!("{degrees} degrees"));
        row("resumed by the thread", resumed_by);
        row("went on in the thread", name);
        let (what, place) = forgotten.split_once(" (").expect("it names the place");
        row("a callback that was dropped", format!("Err: {what}"));
        row("", format!("({place}"));
        Ok(())
    })
}
