//! Pipes, between coroutines, threads and processes.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::panic::Location;

use crate::driver::descriptor;
use crate::driver::reactor::Direction;
use crate::net::select::sealed;
use crate::net::socket::{self, Socket};
use crate::task::label::Label;

static READ: Label = Label("read a pipe");
static WRITE: Label = Label("write a pipe");

/// Makes a pipe: what is written into one end is read from the other.
///
/// # Suspension
///
/// Never suspends.
///
/// # Errors
///
/// If there is no descriptor left.
///
/// # Examples
///
/// ```
/// use std::io::{Read, Write};
///
/// # fn main() -> switchback::Result<()> {
/// let (mut reader, mut writer) = switchback::io::pipe()?;
/// writer.write_all(b"water")?;
/// drop(writer);
/// let mut text = String::new();
/// reader.read_to_string(&mut text)?;
/// assert_eq!(text, "water");
/// # Ok(())
/// # }
/// ```
pub fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = std::io::pipe()?;
    Ok((PipeReader::from_std(reader)?, PipeWriter::from_std(writer)?))
}

macro_rules! common {
    ($end:ident, $std:ident) => {
        impl $end {
            /// Takes over an end of `std`'s, and puts it into nonblocking mode.
            ///
            /// The mode belongs to this end of the pipe, not to the descriptor: it changes for its clones too.
            ///
            /// # Suspension
            ///
            /// Never suspends.
            ///
            /// # Errors
            ///
            /// If the mode cannot be changed.
            pub fn from_std(end: std::io::$std) -> io::Result<Self> {
                Self::from_fd(OwnedFd::from(end))
            }

            /// Takes over a descriptor, of a pipe or of a FIFO in the file system, and puts it into nonblocking mode.
            ///
            /// # Suspension
            ///
            /// Never suspends.
            ///
            /// # Errors
            ///
            /// If the mode cannot be changed.
            pub fn from_fd(fd: OwnedFd) -> io::Result<Self> {
                descriptor::set_nonblocking(&fd, true)?;
                Ok(Self {
                    socket: Socket::new(File::from(fd)),
                })
            }

            /// Gives the end back to `std`, in blocking mode: to be handed to a child process, for example.
            ///
            /// # Suspension
            ///
            /// Never suspends.
            ///
            /// # Errors
            ///
            /// If the mode cannot be changed.
            pub fn into_std(self) -> io::Result<std::io::$std> {
                let fd = OwnedFd::from(self.socket.into_inner());
                descriptor::set_nonblocking(&fd, false)?;
                Ok(std::io::$std::from(fd))
            }

            /// A second handle of the same end, with a descriptor of its own.
            ///
            /// # Suspension
            ///
            /// Never suspends.
            ///
            /// # Errors
            ///
            /// If there is no descriptor left.
            pub fn try_clone(&self) -> io::Result<Self> {
                Ok(Self {
                    socket: Socket::new(self.socket.get().try_clone()?),
                })
            }
        }

        impl sealed::Selectable for $end {
            fn waits_in(&self) -> io::Result<sealed::WaitsIn<'_>> {
                Ok(sealed::WaitsIn(Some(&self.socket)))
            }
        }

        impl AsFd for $end {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.socket.get().as_fd()
            }
        }

        impl AsRawFd for $end {
            fn as_raw_fd(&self) -> RawFd {
                self.socket.get().as_raw_fd()
            }
        }
    };
}

/// The end of a pipe from which is read: [`Read`] for it and for a reference to it.
///
/// # Suspension
///
/// Reading suspends while the pipe is empty and there is still somebody to write.
///
/// # Cancellation
///
/// As told in the [documentation of `net`](crate::net#cancellation).
///
/// # Examples
///
/// As for [`pipe`].
#[derive(Debug)]
pub struct PipeReader {
    socket: Socket<File>,
}

/// The end of a pipe into which is written: [`Write`] for it and for a reference to it.
///
/// # Suspension
///
/// Writing suspends while the pipe is full and there is still somebody to read.
///
/// # Cancellation
///
/// As told in the [documentation of `net`](crate::net#cancellation).
///
/// # Examples
///
/// As for [`pipe`].
#[derive(Debug)]
pub struct PipeWriter {
    socket: Socket<File>,
}

common!(PipeReader, PipeReader);
common!(PipeWriter, PipeWriter);

impl PipeReader {
    fn receive(
        &self,
        wanted: usize,
        place: &'static Location<'static>,
        read: impl FnMut(&File) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if wanted == 0 {
            return socket::check().map(|()| 0);
        }
        self.socket.run(Direction::Read, &READ, place, read)
    }
}

impl PipeWriter {
    fn send(
        &self,
        offered: usize,
        place: &'static Location<'static>,
        write: impl FnMut(&File) -> io::Result<usize>,
    ) -> io::Result<usize> {
        if offered == 0 {
            return socket::check().map(|()| 0);
        }
        self.socket.run(Direction::Write, &WRITE, place, write)
    }
}

impl Read for &PipeReader {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.receive(buffer.len(), place, |mut end| end.read(buffer))
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let place = Location::caller();
        let wanted = buffers.iter().map(|buffer| buffer.len()).sum();
        self.receive(wanted, place, |mut end| end.read_vectored(buffers))
    }
}

impl Read for PipeReader {
    #[track_caller]
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buffer)
    }

    #[track_caller]
    fn read_vectored(&mut self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(buffers)
    }
}

impl Write for &PipeWriter {
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let place = Location::caller();
        self.send(buffer.len(), place, |mut end| end.write(buffer))
    }

    #[track_caller]
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        let place = Location::caller();
        let offered = buffers.iter().map(|buffer| buffer.len()).sum();
        self.send(offered, place, |mut end| end.write_vectored(buffers))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for PipeWriter {
    #[track_caller]
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        (&*self).write(buffer)
    }

    #[track_caller]
    fn write_vectored(&mut self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(buffers)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
