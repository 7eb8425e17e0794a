//! A value that nobody can await is a mistake: `launch` ends with nothing or with `Result<()>`.
//! expect: E0277

use switchback::prelude::*;

fn main() -> Result<()> {
    coroutine_scope(|s| {
        #[cfg(not(ok))]
        s.launch(|_| 5);
        #[cfg(ok)]
        let _five = s.async_(|_| Ok(5)).await_()?;
        Ok(())
    })
}
