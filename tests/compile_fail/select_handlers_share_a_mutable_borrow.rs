//! One handler runs, but the compiler cannot know which: each holds what it borrows until then.
//! expect: E0499

use switchback::prelude::*;

fn main() -> Result<()> {
    let (tx, rx) = channel(Capacity::buffered(1));
    tx.send(1)?;
    let mut sum = 0;
    #[cfg(not(ok))]
    select(|s| {
        s.on_recv(&rx, |n: i32| {
            sum += n;
            Ok(())
        });
        s.on_timeout(ms(1), || {
            sum += 1;
            Ok(())
        });
    })?;
    #[cfg(ok)]
    {
        sum += select(|s| {
            s.on_recv(&rx, |n: i32| Ok(n));
            s.on_timeout(ms(1), || Ok(1));
        })?;
    }
    assert_eq!(sum, 1);
    Ok(())
}
