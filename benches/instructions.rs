//! How many instructions does each hot path execute?
//!
//! ```sh
//! .ci/instructions            # counts under callgrind, and compares with benches/instructions.txt
//! .ci/instructions --accept   # writes the counts into that table
//! ```
//!
//! Time moves with the machine and with what else runs on it; the number of instructions does not, and a change of a few
//! percent is a change of the code. This program runs one path so many times: `instructions NAME ROUNDS`. It is run twice,
//! with fewer and with more rounds, and the difference is what the rounds have taken. Everything happens on one thread.
//!
//! The loops stand in functions of their own, which are not inlined: the check also looks whether a suspension is inlined
//! into them, all the way down to the switch.

use std::env;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex as StdMutex;

use switchback::prelude::*;

/// A name, and what is run so many times.
type Path = (&'static str, fn(u64) -> Result<()>);

const PATHS: [Path; 10] = [
    ("yield", yields),
    ("resume", resumes),
    ("launch", launches),
    ("async", awaits),
    ("scope", scopes),
    ("timeout", timeouts),
    ("channel", streams),
    ("rendezvous", round_trips),
    ("mutex", locks),
    ("sequence", elements),
];

/// One element after the other.
fn elements(rounds: u64) -> Result<()> {
    let numbers = iterator(|y| {
        let (mut a, mut b) = (0_u64, 1_u64);
        loop {
            y.yield_(black_box(a))?;
            (a, b) = (b, a.wrapping_add(b));
        }
    });
    black_box(take_in_a_loop(rounds, numbers));
    Ok(())
}

#[inline(never)]
fn take_in_a_loop(rounds: u64, numbers: impl Iterator<Item = u64>) -> u64 {
    let mut sum = 0;
    for number in numbers.take(usize::try_from(rounds).expect("so many can be counted")) {
        sum ^= number;
    }
    sum
}

/// Two take turns.
fn yields(rounds: u64) -> Result<()> {
    coroutine_scope(|s| {
        for _ in 0..2 {
            s.launch(move |_| yield_in_a_loop(rounds / 2));
        }
        Ok(())
    })
}

#[inline(never)]
fn yield_in_a_loop(rounds: u64) -> Result<()> {
    for _ in 0..rounds {
        yield_()?;
    }
    Ok(())
}

type Waiting = StdMutex<Option<Continuation<u64>>>;

/// One waits, another resumes it and yields.
fn resumes(rounds: u64) -> Result<()> {
    let waiting = StdMutex::new(None);
    coroutine_scope(|s| {
        s.launch(|_| suspend_in_a_loop(rounds, &waiting));
        for number in 0..rounds {
            // The first time it lets the other start, and then it lets it run on.
            yield_()?;
            let continuation = waiting.lock().expect("nobody panics").take();
            continuation.expect("it waits").resume(number);
        }
        Ok(())
    })
}

#[inline(never)]
fn suspend_in_a_loop(rounds: u64, waiting: &Waiting) -> Result<()> {
    for number in 0..rounds {
        let answer = suspend_coroutine(|k| *waiting.lock().expect("nobody panics") = Some(k))?;
        assert_eq!(answer, number);
    }
    Ok(())
}

/// Launches and joins, one by one.
fn launches(rounds: u64) -> Result<()> {
    coroutine_scope(|s| {
        for number in 0..rounds {
            let job = s.launch(move |_| {
                black_box(number);
            });
            job.join()?;
        }
        Ok(())
    })
}

/// Starts and awaits, one by one.
fn awaits(rounds: u64) -> Result<()> {
    coroutine_scope(|s| {
        for number in 0..rounds {
            assert_eq!(s.async_(move |_| Ok(number)).await_()?, number);
        }
        Ok(())
    })
}

/// Scopes in which nothing is launched.
fn scopes(rounds: u64) -> Result<()> {
    for number in 0..rounds {
        assert_eq!(coroutine_scope(|_| Ok(black_box(number)))?, number);
    }
    Ok(())
}

/// Timeouts that are not needed.
fn timeouts(rounds: u64) -> Result<()> {
    const LIMIT: u64 = 3_600_000;
    for number in 0..rounds {
        assert_eq!(with_timeout(ms(LIMIT), |_| Ok(black_box(number)))?, number);
    }
    Ok(())
}

/// From one to another through a buffer, which fills and empties.
fn streams(rounds: u64) -> Result<()> {
    let (tx, rx) = channel(Capacity::buffered(100));
    coroutine_scope(|s| {
        s.launch(move |_| send_in_a_loop(rounds, tx));
        let sum = s.async_(move |_| receive_in_a_loop(rx)).await_()?;
        assert_eq!(sum, rounds * (rounds - 1) / 2);
        Ok(())
    })
}

#[inline(never)]
fn send_in_a_loop(rounds: u64, tx: Sender<u64>) -> Result<()> {
    for number in 0..rounds {
        tx.send(number)?;
    }
    Ok(())
}

/// To another and back, where who sends waits for who receives. Of another type than the elements of `streams`: so the two do
/// not share the code of a send.
fn round_trips(rounds: u64) -> Result<()> {
    let (there, from_there) = channel(Capacity::rendezvous());
    let (back, from_back) = channel(Capacity::rendezvous());
    coroutine_scope(|s| {
        s.launch(move |_| echo_in_a_loop(from_there, back));
        s.launch(move |_| ask_in_a_loop(rounds, there, from_back));
        Ok(())
    })
}

#[inline(never)]
fn echo_in_a_loop(from_there: Receiver<u32>, back: Sender<u32>) -> Result<()> {
    for number in from_there {
        back.send(number?)?;
    }
    Ok(())
}

#[inline(never)]
fn ask_in_a_loop(rounds: u64, there: Sender<u32>, from_back: Receiver<u32>) -> Result<()> {
    for number in (0..u32::MAX).take(usize::try_from(rounds)?) {
        there.send(number)?;
        assert_eq!(from_back.recv()?, number);
    }
    Ok(())
}

#[inline(never)]
fn receive_in_a_loop(rx: Receiver<u64>) -> Result<u64> {
    let mut sum = 0;
    for number in rx {
        sum += number?;
    }
    Ok(sum)
}

/// Two take a lock in turn, and every time each of them waits for the other.
fn locks(rounds: u64) -> Result<()> {
    let total = Mutex::new(0);
    coroutine_scope(|s| {
        for _ in 0..2 {
            s.launch(|_| lock_in_a_loop(rounds / 2, &total));
        }
        Ok(())
    })?;
    assert_eq!(total.into_inner(), rounds);
    Ok(())
}

#[inline(never)]
fn lock_in_a_loop(rounds: u64, total: &Mutex<u64>) -> Result<()> {
    for _ in 0..rounds {
        let mut total = total.lock()?;
        yield_()?;
        *total += 1;
    }
    Ok(())
}

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let outcome = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["list"] => {
            for (name, _) in PATHS {
                println!("{name}");
            }
            Ok(())
        }
        [name, rounds] => {
            let path = PATHS.into_iter().find(|(path, _)| *path == name);
            let (_, run) = path.expect("a name from the list");
            let rounds = rounds.parse().expect("a number");
            run_blocking(|_| run(rounds))
        }
        // As one among the benches: all of them, to see that they run.
        _ => run_blocking(|_| PATHS.into_iter().try_for_each(|(_, run)| run(1000))),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("instructions: {error}");
            ExitCode::FAILURE
        }
    }
}
