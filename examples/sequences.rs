//! Elements that a block computes one by one, where they are asked for.
//!
//! ```text
//! cargo run --release --example sequences
//! ```

use std::fs;
use std::path::{Path, PathBuf};

use switchback::prelude::*;
use switchback::{Sequence, SequenceScope};

/// Each file under `folder`, found while one goes on asking: recursion, with an element out of its depth.
fn walk(folder: &Path, y: &SequenceScope<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, y)?;
        } else {
            y.yield_(path)?;
        }
    }
    Ok(())
}

fn files(folder: impl Into<PathBuf>) -> Sequence<PathBuf> {
    let folder = folder.into();
    sequence(move |y| walk(&folder, y))
}

fn primes() -> Sequence<u64> {
    sequence(|y| {
        let mut found = Vec::new();
        for candidate in 2.. {
            if found.iter().all(|prime| candidate % prime != 0) {
                found.push(candidate);
                y.yield_(candidate)?;
            }
        }
        Ok(())
    })
}

fn main() -> Result<()> {
    let first: Vec<_> = primes().iter().take(10).collect();
    println!("primes: {first:?}");
    assert_eq!(first.last(), Some(&29));

    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    // The folders that come later are not read.
    let source = files(here)
        .iter()
        .find(|path| path.extension().is_some_and(|e| e == "rs"));
    println!("a source: {}", source.expect("this one").display());

    // A failure is the last element.
    let nowhere = files("/no such folder").iter().results().last();
    let error = nowhere.expect("one element").unwrap_err();
    println!("no such folder: {error}");
    assert!(error.is::<std::io::Error>());
    Ok(())
}
