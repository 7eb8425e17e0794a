//! How the tour prints: a headline for each stop, then rows of a label and what was seen.

use std::fmt::Display;
use std::time::Duration;

/// Begins a stop.
pub fn headline(number: usize, title: &str) {
    println!("{number:>2}  {title}");
}

/// One line of a stop.
pub fn row(label: &str, seen: impl Display) {
    println!("      {label:<44}{seen}");
}

/// Ends a stop.
pub fn end() {
    println!();
}

/// Ends the tour.
pub fn farewell(took: Duration) {
    println!(
        "Everything above was asserted. The tour took {}.",
        time(took)
    );
}

/// A number in groups of three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that suits it.
pub fn time(time: Duration) -> String {
    match time.as_nanos() {
        0..1_000 => format!("{} ns", time.as_nanos()),
        1_000..10_000 => format!("{:.1} us", time.as_secs_f64() * 1e6),
        10_000..1_000_000 => format!("{:.0} us", time.as_secs_f64() * 1e6),
        1_000_000..10_000_000 => format!("{:.1} ms", time.as_secs_f64() * 1e3),
        10_000_000..1_000_000_000 => format!("{:.0} ms", time.as_secs_f64() * 1e3),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}
