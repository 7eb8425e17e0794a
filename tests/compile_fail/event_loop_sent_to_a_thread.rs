//! An event loop belongs to the thread on which its coroutines live; its handle goes anywhere.
//! expect: E0277

use switchback::EventLoop;
use switchback::prelude::*;

fn main() -> Result<()> {
    let host = EventLoop::new()?;
    #[cfg(not(ok))]
    std::thread::spawn(move || host.run_until_idle());
    #[cfg(ok)]
    {
        let handle = host.handle();
        std::thread::spawn(move || handle.post(|| ()));
    }
    Ok(())
}
