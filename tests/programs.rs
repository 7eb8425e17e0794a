//! The programs of the example `programs`, each as a test. What they claim they assert themselves.

#![forbid(unsafe_code)]

#[allow(dead_code)]
#[path = "../examples/programs/main.rs"]
mod programs;

use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use programs::PROGRAMS;

/// The whole example takes seconds; a program that takes this long hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// One at a time: the runtime's messages go to one place.
static TURN: Mutex<()> = Mutex::new(());

/// Runs a program on a thread of its own, so that one that hangs can be named.
#[track_caller]
fn run(name: &str) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let program = PROGRAMS.iter().find(|program| program.name == name);
    let program = *program.expect("a program of this name");
    let (ended, end) = mpsc::channel();
    let thread = std::thread::spawn(move || {
        let ran = (program.run)();
        let _ = ended.send(());
        ran
    });
    if end.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("{name} hangs");
    }
    match thread.join() {
        Ok(Ok(log)) => assert!(!log.lines().is_empty()),
        Ok(Err(error)) => panic!("{name} has failed: {error:?}"),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// A test for each program, named by its claim; and one that no program is left out.
macro_rules! tests {
    ($($name:ident: $claim:ident,)*) => {
        $(
            #[test]
            fn $claim() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn every_program_is_a_test() {
            let names: Vec<_> = PROGRAMS.iter().map(|program| program.name).collect();
            assert_eq!(names, [$(stringify!($name)),*]);
        }
    };
}

tests! {
    hello: the_caller_goes_on_before_what_it_launched,
    composing: two_calls_at_once_take_the_time_of_one,
    naming: a_log_line_names_thread_and_coroutine,
    family: a_parent_waits_for_its_grandchildren,
    tree: the_job_tree_shows_parents_and_children,
    contexts: a_context_is_inherited_and_replaced_in_part,
    owned: an_owned_scope_lives_as_long_as_its_owner_likes,
    presenter: a_destroyed_presenter_shows_nothing_more,
    server: a_server_shuts_down_from_the_outside_in,
    post_mortem: a_scope_with_a_plain_job_dies_of_one_failure_and_says_so,
    states: a_failing_child_cancels_its_parent_and_sibling,
    triggers: a_cancellation_reaches_three_generations,
    swallowing: a_loop_that_swallows_its_cancellation_is_named_with_the_line,
    cooperating: computing_work_is_cancelled_only_where_it_asks,
    closing: a_destructor_closes_what_a_cancellation_would_leak,
    transactions: a_cancelled_transaction_is_rolled_back,
    retrying: a_timeout_is_retried_and_a_cancellation_is_not,
    handling: a_handler_hears_of_a_failure_once_at_the_root,
    log_context: a_log_context_follows_its_coroutine,
    independent: a_coroutine_with_a_job_of_its_own_leaves_the_tree,
    searching: several_sources_give_what_they_can,
}
