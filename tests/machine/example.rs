//! The example `find_user_name`, which shows how long a machine is to write.

#[allow(dead_code)]
#[path = "../../examples/find_user_name.rs"]
mod find_user_name;

#[test]
fn machines_and_green_threads_find_the_same_names() {
    let names = find_user_name::run().unwrap();
    let expected = [101, 102, 103].map(|account| format!("name of account {account}"));
    assert_eq!(names, expected);
}

#[test]
fn a_suspending_function_that_calls_two_others_is_forty_lines_of_machines_at_most() {
    let source = include_str!("../../examples/find_user_name.rs");
    let (_, rest) = source
        .split_once("// The three machines begin here.")
        .unwrap();
    let (machines, _) = rest.split_once("// The three machines end here.").unwrap();
    let lines = machines
        .lines()
        .filter(|line| !line.trim().is_empty())
        .count();
    assert!(lines <= 40, "{lines} lines");
    assert_eq!(machines.matches("impl StateMachine for").count(), 3);
}
