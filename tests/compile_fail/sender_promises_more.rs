//! A sender is invariant: its channel also drops what is in it, so it must not outlive what the elements borrow.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

#[cfg(not(ok))]
fn strengthen<'short>(tx: Sender<&'short str>) -> Sender<&'static str> {
    tx
}

#[cfg(ok)]
fn strengthen<'short>(tx: Sender<&'short str>) -> Sender<&'short str> {
    tx
}

fn main() -> Result<()> {
    let (tx, rx) = channel(Capacity::buffered(1));
    strengthen(tx).send("text")?;
    println!("{}", rx.recv()?);
    Ok(())
}
