//! Who may send only texts that live for ever must not come to send shorter ones: the receiver keeps what it gets.
//! expect: "lifetime may not live long enough"

use switchback::prelude::*;

#[cfg(not(ok))]
fn weaken<'short>(tx: Sender<&'static str>) -> Sender<&'short str> {
    tx
}

#[cfg(ok)]
fn weaken(tx: Sender<&'static str>) -> Sender<&'static str> {
    tx
}

fn main() -> Result<()> {
    let (tx, rx) = channel::<&'static str>(Capacity::buffered(1));
    weaken(tx).send("text")?;
    println!("{}", rx.recv()?);
    Ok(())
}
