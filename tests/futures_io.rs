//! `AsyncRead` and `AsyncWrite` on connections: polled by coroutines, by machines, by plain threads, by tokio and for hyper.
//!
//! ```text
//! cargo test --features futures-io --test futures_io
//! ```

#![forbid(unsafe_code)]

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use switchback::future::block_on;
use switchback::net::{TcpListener, TcpStream};
use switchback::prelude::*;

async fn read(mut stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    poll_fn(|context| Pin::new(&mut stream).poll_read(context, buffer)).await
}

async fn write_all(mut stream: &TcpStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let written = poll_fn(|context| Pin::new(&mut stream).poll_write(context, bytes)).await?;
        bytes = &bytes[written..];
    }
    poll_fn(|context| Pin::new(&mut stream).poll_flush(context)).await
}

async fn read_to_end(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match read(stream, &mut buffer).await? {
            0 => return Ok(all),
            count => all.extend(&buffer[..count]),
        }
    }
}

/// A server that sends everything back, a coroutine for each connection.
fn echo() -> (CoroutineScope, SocketAddr) {
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    scope.launch(move |s| {
        loop {
            let (mut stream, _) = listener.accept()?;
            s.launch(move |_| {
                let mut buffer = [0; 1000];
                loop {
                    match stream.read(&mut buffer)? {
                        0 => return Ok(()),
                        count => stream.write_all(&buffer[..count])?,
                    }
                }
            });
        }
        #[expect(unreachable_code, reason = "it says what the loop would end with")]
        Ok(())
    });
    (scope, address)
}

/// Sends questions of several sizes, and demands each back.
async fn converse(stream: TcpStream, rounds: usize) -> Result<usize> {
    let mut moved = 0;
    for round in 0..rounds {
        let question = vec![round as u8; 1 + round * 37 % 3000];
        write_all(&stream, &question).await?;
        let mut answer = vec![0; question.len()];
        let mut filled = 0;
        while filled < answer.len() {
            let count = read(&stream, &mut answer[filled..]).await?;
            assert!(count > 0, "the server has closed");
            filled += count;
        }
        assert_eq!(answer, question);
        moved += filled;
    }
    Ok(moved)
}

/// How much [`converse`] moves.
fn expected(rounds: usize) -> usize {
    (0..rounds).map(|round| 1 + round * 37 % 3000).sum()
}

#[test]
fn machines_that_wander_between_threads_converse_with_coroutines() {
    let (server, address) = echo();
    run_blocking(|s| {
        let places = [
            Dispatchers::default(),
            Dispatchers::io(),
            Dispatchers::unconfined(),
            Dispatchers::default().limited_parallelism(1),
        ];
        let mut all = Vec::new();
        for number in 0..40 {
            let stream = TcpStream::connect(address)?;
            let future = converse(stream, 20);
            all.push(match places.get(number % 5) {
                None => s.async_future(future),
                Some(place) => s.builder().dispatcher(place.clone()).async_future(future),
            });
        }
        for moved in await_all(all)? {
            assert_eq!(moved, expected(20));
        }
        Ok(())
    })
    .unwrap();
    server.cancel();
}

#[test]
fn plain_threads_and_coroutines_poll_too() {
    let (server, address) = echo();
    let stream = TcpStream::connect(address).unwrap();
    let moved = block_on(converse(stream, 20)).unwrap().unwrap();
    assert_eq!(moved, expected(20));
    run_blocking(|s| {
        let stream = TcpStream::connect(address)?;
        let green = s.async_(|_| block_on(converse(stream, 20))?);
        assert_eq!(green.await_()?, expected(20));
        Ok(())
    })
    .unwrap();
    server.cancel();
}

#[test]
fn a_worker_of_tokio_polls_it() {
    let (server, address) = echo();
    let tokio = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .unwrap();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let stream = TcpStream::connect(address).unwrap();
            tokio.spawn(converse(stream, 20))
        })
        .collect();
    for task in tasks {
        assert_eq!(tokio.block_on(task).unwrap().unwrap(), expected(20));
    }
    server.cancel();
}

#[test]
fn a_writer_that_fills_the_pipe_waits_until_there_is_room() {
    const SIZE: usize = 8 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    run_blocking(|s| {
        let received = s.async_(|_| {
            let (mut stream, _) = listener.accept()?;
            let mut all = Vec::new();
            stream.read_to_end(&mut all)?;
            Ok(all)
        });
        let stream = TcpStream::connect(address)?;
        s.builder()
            .dispatcher(Dispatchers::default())
            .launch_future(async move {
                let bytes: Vec<_> = (0..SIZE).map(|at| (at / 1000) as u8).collect();
                write_all(&stream, &bytes).await?;
                let mut writer = &stream;
                poll_fn(|context| Pin::new(&mut writer).poll_close(context)).await?;
                // The other direction is still open.
                assert!(read_to_end(&stream).await?.is_empty());
                Ok::<_, Error>(())
            });
        let all = received.await_()?;
        assert_eq!(all.len(), SIZE);
        assert!((0..SIZE).all(|at| all[at] == (at / 1000) as u8));
        Ok(())
    })
    .unwrap();
}

#[test]
fn a_connection_that_is_dropped_while_somebody_was_to_be_woken_is_closed() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..50 {
        let stream = TcpStream::connect(address).unwrap();
        let (mut far, _) = listener.accept().unwrap();
        run_blocking(|s| {
            let job = s.launch_future(async move {
                read_to_end(&stream).await?;
                Ok::<_, Error>(())
            });
            yield_()?;
            job.cancel_and_join()
        })
        .unwrap();
        // The end, and not an error.
        assert_eq!(far.read(&mut [0; 10]).unwrap(), 0);
    }
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    struct Counts(AtomicUsize);
    impl std::task::Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let [first, last] = [(); 2].map(|()| Arc::new(Counts(AtomicUsize::new(0))));
    for counts in [&first, &last, &last] {
        let waker = counts.clone().into();
        let mut buffer = [0; 10];
        let polled =
            Pin::new(&mut &stream).poll_read(&mut Context::from_waker(&waker), &mut buffer);
        assert!(polled.is_pending());
    }
    assert_eq!(last.0.load(Ordering::SeqCst), 0);
    far.write_all(b"now").unwrap();
    while last.0.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    let mut buffer = [0; 10];
    assert_eq!(block_on(read(&stream, &mut buffer)).unwrap().unwrap(), 3);
    assert_eq!(first.0.load(Ordering::SeqCst), 0);
    assert_eq!(last.0.load(Ordering::SeqCst), 1);
}

/// A connection, as hyper wants it.
struct ForHyper(TcpStream);

impl hyper::rt::Read for ForHyper {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut unfilled: hyper::rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut buffer = [0; 4096];
        let most = buffer.len().min(unfilled.remaining());
        let polled = Pin::new(&mut self.0).poll_read(context, &mut buffer[..most]);
        polled.map_ok(|count| unfilled.put_slice(&buffer[..count]))
    }
}

impl hyper::rt::Write for ForHyper {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}

/// Answers each request on a connection with its path, in blocking style.
fn serve(mut stream: TcpStream) -> Result<()> {
    let mut asked = Vec::new();
    let mut buffer = [0; 1024];
    loop {
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        asked.extend(&buffer[..count]);
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut headers);
            let httparse::Status::Complete(length) = request.parse(&asked)? else {
                break;
            };
            let body = format!("you asked for {}", request.path.unwrap_or("?"));
            let length_of_body = body.len();
            write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length_of_body}\r\n\r\n{body}"
            )?;
            asked.drain(..length);
        }
    }
}

#[test]
fn a_client_of_hyper_speaks_through_a_future_that_is_a_coroutine() {
    use hyper::body::Body;

    run_blocking(|s| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        s.launch(move |_| serve(listener.accept()?.0));

        let stream = ForHyper(TcpStream::connect(address)?);
        let (mut sender, connection) =
            block_on(hyper::client::conn::http1::handshake::<_, String>(stream))??;
        let driving = s
            .builder()
            .dispatcher(Dispatchers::default())
            .launch_future(async move { connection.await.map_err(Error::from) });
        for number in 0..20 {
            let request = hyper::Request::get(format!("/number/{number}"))
                .header("host", "localhost")
                .body(String::new())?;
            let text = block_on(async {
                sender.ready().await?;
                let mut body = sender.send_request(request).await?.into_body();
                let mut text = Vec::new();
                while let Some(frame) =
                    poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await
                {
                    text.extend(frame?.into_data().unwrap_or_default());
                }
                Ok::<_, Error>(text)
            })??;
            assert_eq!(text, format!("you asked for /number/{number}").as_bytes());
        }
        drop(sender);
        driving.join()
    })
    .unwrap();
}

#[test]
fn a_unix_stream_is_polled_as_well() {
    let (one, mut two) = switchback::net::UnixStream::pair().unwrap();
    let text = run_blocking(|s| {
        let reading = s.async_future(async {
            let mut one = one;
            let mut buffer = [0; 16];
            let count =
                poll_fn(|context| Pin::new(&mut one).poll_read(context, &mut buffer)).await?;
            poll_fn(|context| Pin::new(&mut one).poll_close(context)).await?;
            Ok(buffer[..count].to_vec())
        });
        delay(ms(5))?;
        two.write_all(b"in the machine")?;
        let mut rest = Vec::new();
        two.read_to_end(&mut rest)?;
        assert!(rest.is_empty());
        reading.await_()
    });
    assert_eq!(text.unwrap(), b"in the machine");
}
