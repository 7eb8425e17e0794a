//! Patterns, numbers and the store, without a server.

use crate::glob::matches;
use crate::number::{Decimal, parse_integer};
use crate::shard::{Expiry, Shard, now};
use crate::store::Store;

#[test]
fn patterns_match_as_in_redis() {
    for (pattern, text, expected) in [
        ("", "", true),
        ("", "a", false),
        ("*", "", true),
        ("**", "abc", true),
        ("a*c", "abc", true),
        ("a*c", "abcd", false),
        ("a*b*c", "a-b-b-c", true),
        ("*ab", "aab", true),
        ("?", "", false),
        ("a?c", "abc", true),
        ("[abc]", "b", true),
        ("[abc]", "d", false),
        ("[a-c]x", "bx", true),
        ("[c-a]", "b", true),
        ("[^a-c]", "b", false),
        ("[^a-c]", "d", true),
        ("[\\]]", "]", true),
        ("[a", "a", true),
        ("[", "[", false),
        ("\\*", "*", true),
        ("\\*", "a", false),
        ("\\", "\\", true),
        ("[a-", "-", true),
        ("a[]b", "ab", false),
    ] {
        let outcome = matches(pattern.as_bytes(), text.as_bytes());
        assert_eq!(outcome, expected, "{pattern:?} and {text:?}");
    }
}

#[test]
fn a_hostile_pattern_is_no_more_than_quadratic() {
    // By plain recursion this would outlast the universe.
    let pattern = b"a*".repeat(500);
    let text = [b'a'; 20_000];
    assert!(matches(&pattern, &text));
    assert!(!matches(&[&pattern[..], b"b"].concat(), &text));
}

#[test]
fn integers_are_spelled_in_one_way_only() {
    for value in [0, 1, -1, 10, -10, 1234567890, i64::MAX, i64::MIN] {
        let text = value.to_string();
        assert_eq!(Decimal::new(value).as_bytes(), text.as_bytes());
        assert_eq!(parse_integer(text.as_bytes()), Some(value));
    }
    for text in [
        "",
        "-",
        "+1",
        "01",
        "-0",
        "-01",
        "1 ",
        " 1",
        "1a",
        "9223372036854775808",
        "-9223372036854775809",
        "99999999999999999999999",
    ] {
        assert_eq!(parse_integer(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn reminders_of_overwritten_lifetimes_do_not_pile_up_or_strike() {
    let mut shard = Shard::default();
    for round in 0..10_000 {
        shard.set(b"key", b"value", Expiry::At(now() + 1_000_000 + round));
    }
    assert!(shard.reminders() < 100, "{}", shard.reminders());
    // A lifetime that was replaced by an endless one has no effect when its time comes.
    shard.set(b"key", b"value", Expiry::At(now() - 1));
    shard.set(b"key", b"value", Expiry::Never);
    shard.set(b"other", b"value", Expiry::At(now() - 1));
    assert!(!shard.sweep(100));
    assert_eq!(shard.len(), 1);
    assert!(shard.get(b"key").is_some());
}

#[test]
fn a_sweep_stops_at_its_limit() {
    let mut shard = Shard::default();
    for number in 0..10_u8 {
        shard.set(&[number], b"value", Expiry::At(now() - 1));
    }
    assert!(shard.sweep(4));
    assert_eq!(shard.len(), 6);
    assert!(shard.sweep(4));
    assert!(!shard.sweep(4));
    assert_eq!(shard.len(), 0);
}

#[test]
fn keys_spread_over_all_shards() {
    let store = Store::new();
    for number in 0..16_000 {
        let key = format!("key:{number:012}");
        let mut shard = store.shard(key.as_bytes());
        shard.set(key.as_bytes(), b"", Expiry::Never);
    }
    let sizes: Vec<usize> = store.all_shards().iter().map(Shard::len).collect();
    let even = |size: &usize| (700..1300).contains(size);
    assert!(sizes.iter().all(even), "{sizes:?}");
    store.clear();
    assert_eq!(store.all_shards().iter().map(Shard::len).sum::<usize>(), 0);
}
