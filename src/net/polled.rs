//! A connection as `async` code polls it.
//!
//! A future may be polled on any thread: by a coroutine or a machine of this library, by a worker of another runtime, by a
//! thread that has no reactor at all; and the next poll may come on another one. So none of these threads is the one to wait
//! for readiness. One thread is there for this alone: who would have to wait leaves a waker and has a *watcher* there, a
//! machine that waits for the descriptor in that thread's reactor, wakes and ends.
//!
//! No wake-up is lost: a poll tries, is told to wait, and then leaves its waker. If a watcher is there by then, it has not
//! taken the waker yet and will; if not, a new one begins by asking the system, and finds what has come in between.
//!
//! The watcher has a descriptor of its own, so that the connection may be dropped meanwhile. It is cancelled then, and lets
//! go of its descriptor at once.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_io::{AsyncRead, AsyncWrite};

use crate::dispatchers::{CloseableDispatcher, new_single_thread_context};
use crate::driver::reactor::Direction;
use crate::error::Result;
use crate::machine::{Slot, StateMachine, Step, Turn};
use crate::net::select::Selectable;
use crate::net::tcp_stream::TcpStream;
use crate::net::unix_stream::UnixStream;
use crate::scope::by_hand::SupervisorJob;
use crate::scope::job::Job;
use crate::scope::owned::CoroutineScope;

/// What a connection keeps for those who poll it: nothing before one of them had to wait.
#[derive(Debug)]
pub(super) struct Polls<S>(OnceLock<Arc<Polled<S>>>);

impl<S> Default for Polls<S> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

/// A connection that can be polled.
pub(super) trait Connection:
    Selectable + fmt::Debug + Send + Sync + Sized + 'static
{
    /// The one of `std`.
    type Inner;

    fn inner(&self) -> &Self::Inner;
    fn second_handle(&self) -> io::Result<Self>;
    fn polls(&self) -> &Polls<Self>;
}

/// A second handle of the connection, and who waits at it.
#[derive(Debug)]
struct Polled<S> {
    stream: S,
    read: Side,
    write: Side,
}

/// One direction.
#[derive(Debug, Default)]
struct Side(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    /// Of the last poll: that is the one to be woken, as everywhere.
    waker: Option<Waker>,
    watcher: Option<Job>,
    /// Why the descriptor could not be watched.
    failed: Option<io::Error>,
}

impl Side {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The descriptor may be ready.
    fn wake(&self, failed: Option<io::Error>) {
        let waker = {
            let mut waiting = self.lock();
            waiting.watcher = None;
            waiting.failed = failed;
            waiting.waker.take()
        };
        // Outside the lock: it is the user's.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<S> Polled<S> {
    fn side(&self, direction: Direction) -> &Side {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }
}

/// The thread that waits for all that is polled.
fn watchers() -> io::Result<&'static CoroutineScope> {
    static WATCHERS: OnceLock<(CoroutineScope, CloseableDispatcher)> = OnceLock::new();
    if let Some((scope, _)) = WATCHERS.get() {
        return Ok(scope);
    }
    let thread = new_single_thread_context("futures-io")?;
    let scope = CoroutineScope::new(thread.dispatcher() + SupervisorJob::new());
    // If another thread was faster, this one is closed again.
    let (scope, _) = WATCHERS.get_or_init(|| (scope, thread));
    Ok(scope)
}

/// Waits for a direction of a connection, once.
#[derive(Debug)]
struct Watcher<S> {
    polled: Arc<Polled<S>>,
    direction: Direction,
    ready: Slot<()>,
}

impl<S: Connection> StateMachine for Watcher<S> {
    type Output = ();

    fn resume(&mut self, label: u32, turn: &mut Turn<'_, Self>) -> Result<Step<()>> {
        let direction = self.direction;
        if label == 0 {
            return turn.at(1).select(
                self.polled.clone(),
                move |polled, s| match direction {
                    Direction::Read => s.on_readable(&polled.stream, || Ok(())),
                    Direction::Write => s.on_writable(&polled.stream, || Ok(())),
                },
                |me| &mut me.ready,
            );
        }
        let failed = self.ready.take().err().map(io::Error::from);
        self.polled.side(direction).wake(failed);
        Ok(Step::Return(()))
    }
}

/// Has the waker woken when the direction may be ready, after the system has said that it is not.
fn wait<S: Connection>(stream: &S, direction: Direction, waker: &Waker) -> io::Result<()> {
    let polled = polled(stream)?;
    let scope = watchers()?;
    // Cloned and dropped outside the lock: it is the user's.
    let waker = waker.clone();
    let _earlier;
    let mut waiting = polled.side(direction).lock();
    if let Some(failed) = waiting.failed.take() {
        return Err(failed);
    }
    _earlier = waiting.waker.replace(waker);
    if waiting.watcher.is_none() {
        waiting.watcher = Some(scope.launch_machine(Watcher {
            polled: polled.clone(),
            direction,
            ready: Slot::new(),
        }));
    }
    Ok(())
}

fn polled<S: Connection>(stream: &S) -> io::Result<&Arc<Polled<S>>> {
    let polls = &stream.polls().0;
    if let Some(polled) = polls.get() {
        return Ok(polled);
    }
    let polled = Arc::new(Polled {
        stream: stream.second_handle()?,
        read: Side::default(),
        write: Side::default(),
    });
    Ok(polls.get_or_init(|| polled))
}

impl<S> Drop for Polls<S> {
    fn drop(&mut self) {
        let Some(polled) = self.0.get() else { return };
        for side in [&polled.read, &polled.write] {
            let watcher = side.lock().watcher.clone();
            if let Some(watcher) = watcher {
                watcher.cancel();
            }
        }
    }
}

fn poll_with<S: Connection, R>(
    stream: &S,
    direction: Direction,
    context: &Context<'_>,
    mut operation: impl FnMut(&S::Inner) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        match operation(stream.inner()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return match wait(stream, direction, context.waker()) {
                    Ok(()) => Poll::Pending,
                    Err(error) => Poll::Ready(Err(error)),
                };
            }
            answer => return Poll::Ready(answer),
        }
    }
}

macro_rules! polled {
    ($stream:ident, $inner:ty) => {
        impl Connection for $stream {
            type Inner = $inner;

            fn inner(&self) -> &$inner {
                self.socket.get()
            }

            fn second_handle(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn polls(&self) -> &Polls<Self> {
                &self.polls
            }
        }

        /// With the feature `futures-io`. It may be polled by any executor, on any thread; of several readers the one that
        /// polled last is woken.
        impl AsyncRead for &$stream {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                poll_with(&**self, Direction::Read, context, |mut stream| {
                    stream.read(buffer)
                })
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                poll_with(&**self, Direction::Read, context, |mut stream| {
                    stream.read_vectored(buffers)
                })
            }
        }

        /// With the feature `futures-io`. Closing it ends this direction, as `shutdown` does.
        impl AsyncWrite for &$stream {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                poll_with(&**self, Direction::Write, context, |mut stream| {
                    stream.write(buffer)
                })
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                poll_with(&**self, Direction::Write, context, |mut stream| {
                    stream.write_vectored(buffers)
                })
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(self.shutdown(Shutdown::Write))
            }
        }

        /// With the feature `futures-io`. It may be polled by any executor, on any thread.
        impl AsyncRead for $stream {
            fn poll_read(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self).poll_read(context, buffer)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self).poll_read_vectored(context, buffers)
            }
        }

        /// With the feature `futures-io`. Closing it ends this direction, as `shutdown` does.
        impl AsyncWrite for $stream {
            fn poll_write(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self).poll_write(context, buffer)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                context: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                Pin::new(&mut &*self).poll_write_vectored(context, buffers)
            }

            fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut &*self).poll_flush(context)
            }

            fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut &*self).poll_close(context)
            }
        }
    };
}

polled!(TcpStream, std::net::TcpStream);
polled!(UnixStream, std::os::unix::net::UnixStream);
