//! Pipes.

use std::io::{ErrorKind, IoSlice, IoSliceMut, Read, Write};

use switchback::io::{PipeReader, pipe};
use switchback::prelude::*;

use crate::watchdog::Watchdog;

#[test]
fn large_volumes_go_from_coroutine_to_thread_and_back() {
    const BYTES: usize = 16 << 20;
    let _watchdog = Watchdog::new();
    let (there, mut to_thread) = pipe().unwrap();
    let (mut back, to_coroutine) = pipe().unwrap();
    let thread = std::thread::spawn(move || std::io::copy(&mut &there, &mut &to_coroutine));
    run_blocking(|s| {
        s.launch(move |_| {
            let chunk = vec![9; 100_000];
            let mut left = BYTES;
            while left > 0 {
                left -= to_thread.write(&chunk[..left.min(chunk.len())])?;
            }
            Ok(())
        });
        let (mut buffer, mut sum) = (vec![0; 70_000], 0);
        loop {
            match back.read(&mut buffer)? {
                0 => break,
                count => sum += count,
            }
        }
        assert_eq!(sum, BYTES);
        Ok(())
    })
    .unwrap();
    assert_eq!(thread.join().unwrap().unwrap(), BYTES as u64);
}

#[test]
fn many_pipes_in_a_chain() {
    const PIPES: usize = 200;
    let _watchdog = Watchdog::new();
    run_blocking(|s| {
        let (mut first, mut last): (Option<_>, Option<PipeReader>) = (None, None);
        for number in 0..PIPES {
            let (reader, mut writer) = pipe()?;
            match last.replace(reader) {
                None => first = Some(writer),
                Some(mut from) => {
                    let dispatcher =
                        [Dispatchers::default(), Dispatchers::io()][number % 2].clone();
                    s.builder().dispatcher(dispatcher).launch(move |_| {
                        std::io::copy(&mut from, &mut writer)?;
                        Ok(())
                    });
                }
            }
        }
        let mut first = first.unwrap();
        for word in ["from ", "hand ", "to ", "hand"] {
            first.write_all(word.as_bytes())?;
        }
        drop(first);
        let mut text = String::new();
        last.unwrap().read_to_string(&mut text)?;
        assert_eq!(text, "from hand to hand");
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_closed_end_is_told_to_whoever_waits_and_to_whoever_comes() {
    let _watchdog = Watchdog::new();
    let (reader, writer) = pipe().unwrap();
    let clone = writer.try_clone().unwrap();
    run_blocking(|s| {
        let read = s.async_(|_| Ok((&reader).read(&mut [0])?));
        yield_()?;
        drop(writer);
        yield_()?;
        assert!(read.job().is_active(), "a clone can still write");
        drop(clone);
        assert_eq!(read.await_()?, 0);
        Ok(())
    })
    .unwrap();
    let (reader, writer) = pipe().unwrap();
    run_blocking(|s| {
        let written = s.async_(|_| {
            let error = (&writer).write_all(&vec![0; 1 << 20]).unwrap_err();
            Ok(error.kind())
        });
        yield_()?;
        drop(reader);
        assert_eq!(written.await_()?, ErrorKind::BrokenPipe);
        let error = (&writer).write(b"x").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        Ok(())
    })
    .unwrap();
}

#[test]
fn ends_go_to_std_and_come_from_it() {
    let _watchdog = Watchdog::new();
    let (reader, mut writer) = pipe().unwrap();
    let mut std = reader.into_std().unwrap();
    let thread = std::thread::spawn(move || {
        // In blocking mode: it waits.
        let mut byte = [0];
        std.read_exact(&mut byte).map(|()| (byte[0], std))
    });
    std::thread::sleep(ms(5));
    writer.write_all(b"a").unwrap();
    let (byte, std) = thread.join().unwrap().unwrap();
    assert_eq!(byte, b'a');
    let mut reader = PipeReader::from_std(std).unwrap();
    let parts = [IoSlice::new(b"b"), IoSlice::new(b"cd")];
    assert_eq!(writer.write_vectored(&parts).unwrap(), 3);
    let (mut one, mut two) = ([0; 2], [0; 8]);
    let mut buffers = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    assert_eq!(reader.read_vectored(&mut buffers).unwrap(), 3);
    assert_eq!((&one, two[0]), (b"bc", b'd'));
    assert_eq!(reader.read(&mut []).unwrap(), 0);
    assert_eq!(writer.write(&[]).unwrap(), 0);
}
