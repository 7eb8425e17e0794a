//! Program 5. The job tree can be looked at: parents, children, and a job that prints itself.
//!
//! In Kotlin: `a.children.forEach(::println)`, `println(coroutineContext.job.parent)`, and the job of a
//! `coroutineScope` among the children of the caller's.

use switchback::current_job;
use switchback::prelude::*;
use switchback::testing::run_test;

use super::log::{Log, in_order_of_appearance, say};

pub fn run() -> Result<Log> {
    let log = Log::new();
    run_test(|s| {
        let a = s.builder().name("A").launch(|s| {
            s.builder().name("A1").launch(|_| delay(ms(1000)));
            s.builder().name("A2").launch(|_| delay(ms(1000)));
        });
        delay(ms(100))?;
        say!(log, "A is {a}");
        for child in a.children() {
            let parent_is_a = child.parent().as_ref() == Some(&a);
            say!(log, "  its child {child}, whose parent is A: {parent_is_a}");
        }

        let root = s.job();
        let b = s.builder().name("B").launch(|_| {
            let b = current_job().expect("a coroutine has a job");
            say!(log, "B is {b}");
            say!(log, "  its parent is main: {}", b.parent() == Some(root));

            coroutine_scope(|inner| {
                let inner = inner.job();
                say!(log, "  a coroutine_scope in it: {inner}");
                say!(log, "  is a child of B: {}", b.children() == [inner]);
                Ok(())
            })
        });
        b.join()?;
        a.join()?;
        say!(log, "at the end A is {a}, with {:?}", a.children());
        Ok(())
    })?;

    let text = in_order_of_appearance(&log.lines().join("\n"));
    let shown: Vec<_> = text.lines().collect();
    assert_eq!(
        shown,
        [
            r#"A is "A" launch#1{Completing}"#,
            r#"  its child "A1" launch#2{Active}, whose parent is A: true"#,
            r#"  its child "A2" launch#3{Active}, whose parent is A: true"#,
            r#"B is "B" launch#4{Active}"#,
            r#"  its parent is main: true"#,
            r#"  a coroutine_scope in it: "B" scope#5{Active}"#,
            r#"  is a child of B: true"#,
            r#"at the end A is launch#1{Completed}, with []"#,
        ]
    );
    Ok(log)
}
