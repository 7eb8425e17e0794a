//! Program 8. A presenter on the main loop of its host: loads on IO, updates its view on main, and is cancelled by
//! `destroy`.
//!
//! In Kotlin: `class Presenter(val view: View) { val scope = MainScope(); fun show(id: Int) = scope.launch {
//! view.show(withContext(Dispatchers.IO) { api.load(id) }) }; fun destroy() = scope.cancel() }`.

use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use switchback::prelude::*;
use switchback::{EventLoop, event_loop};

use super::log::{Log, say};

/// A view as toolkits have them: it belongs to its thread, and the compiler knows it, for an `Rc` is not `Send`.
struct View(Log);

impl View {
    fn show(&self, text: &str) {
        say!(self.0, "view: {text}");
    }
}

/// A client that blocks its thread until the server answers.
struct Api {
    asked: Sender<u32>,
    answers: Mutex<Receiver<String>>,
}

impl Api {
    fn load(&self, id: u32) -> Result<String> {
        self.asked.send(id)?;
        Ok(self.answers.lock().unwrap().recv()?)
    }
}

struct Presenter {
    scope: CoroutineScope,
    view: Rc<View>,
    api: Arc<Api>,
}

impl Presenter {
    fn new(view: View, api: Api) -> Self {
        Self {
            scope: CoroutineScope::new(Dispatchers::main() + SupervisorJob::new()),
            view: Rc::new(view),
            api: Arc::new(api),
        }
    }

    fn show(&self, id: u32) -> Job {
        let (view, api) = (Rc::clone(&self.view), Arc::clone(&self.api));
        self.scope.launch_local(move |_| {
            view.show(&format!("loading {id}"));
            let user = with_context(Dispatchers::io(), |_| api.load(id))?;
            view.show(&user);
            Ok(())
        })
    }

    fn destroy(&self) {
        self.scope.cancel();
    }
}

/// The host's own loop, for as long as something is to be done.
fn run_until_completed(main: &EventLoop, job: &Job) {
    while !job.is_completed() {
        main.wait(None);
    }
}

fn host(log: &Log, main: &EventLoop) -> Result<()> {
    main.install_as_main()?;
    let (asked, requests) = channel();
    let (answer, answers) = channel();
    let api = Api {
        asked,
        answers: Mutex::new(answers),
    };
    let presenter = Presenter::new(View(log.clone()), api);

    let shown = presenter.show(7);
    main.run_until_idle();
    say!(log, "the server is asked for {}", requests.recv()?);
    // The loop is free meanwhile.
    let own_log = log.clone();
    let click = main.handle().post(move || say!(own_log, "a click"));
    run_until_completed(main, &click);
    answer.send(String::from("user 7"))?;
    run_until_completed(main, &shown);

    let never_shown = presenter.show(8);
    main.run_until_idle();
    say!(log, "the server is asked for {}", requests.recv()?);
    presenter.destroy();
    say!(log, "destroyed, ended: {}", never_shown.is_completed());
    answer.send(String::from("user 8"))?;
    run_until_completed(main, &never_shown);
    say!(log, "the answer has come, and is not shown");

    let too_late = presenter.show(9);
    main.run_until_idle();
    say!(log, "shown after the end: {}", !too_late.is_cancelled());
    Ok(())
}

pub fn run() -> Result<Log> {
    let log = Log::new();
    event_loop(|main| host(&log, main))??;
    log.assert(&[
        "view: loading 7",
        "the server is asked for 7",
        "a click",
        "view: user 7",
        "view: loading 8",
        "the server is asked for 8",
        "destroyed, ended: false",
        "the answer has come, and is not shown",
        "shown after the end: false",
    ]);
    Ok(log)
}
