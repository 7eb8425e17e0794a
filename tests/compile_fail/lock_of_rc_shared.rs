//! A lock gives its value to whichever thread has it, so the value must be `Send`.
//! expect: E0277

use switchback::prelude::*;

#[cfg(not(ok))]
type Pointer = std::rc::Rc<i32>;
#[cfg(ok)]
type Pointer = std::sync::Arc<i32>;

fn main() -> Result<()> {
    let lock = Mutex::new(Pointer::new(1));
    coroutine_scope(|s| {
        s.launch(|_| {
            let _ = &lock;
        });
        Ok(())
    })
}
