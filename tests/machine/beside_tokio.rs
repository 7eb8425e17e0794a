//! Together with another runtime: its futures in our coroutines, our coroutines in its tasks.

use std::io::{Read, Write};

use switchback::future::block_on;
use switchback::net::TcpListener;
use switchback::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

fn tokio() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn a_client_on_tokio_talks_to_a_server_of_coroutines() {
    let runtime = tokio();
    let scope = CoroutineScope::new(Dispatchers::default());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = scope.launch(move |s| {
        for _ in 0..20 {
            let (mut stream, _) = listener.accept()?;
            s.launch(move |_| {
                let mut line = String::new();
                (&stream).take(6).read_to_string(&mut line)?;
                stream.write_all(line.to_uppercase().as_bytes())?;
                Ok(())
            });
        }
        Ok(())
    });
    let clients: Vec<_> = (0..20)
        .map(|number| {
            runtime.spawn(async move {
                let mut stream = TcpStream::connect(address).await?;
                stream
                    .write_all(format!("ask {number:02}").as_bytes())
                    .await?;
                let mut answer = String::new();
                stream.read_to_string(&mut answer).await?;
                std::io::Result::Ok(answer)
            })
        })
        .collect();
    // The scope ends with its last connection, and a task of tokio's learns of it.
    let ended = runtime.spawn(async move { server.await });
    for (number, client) in clients.into_iter().enumerate() {
        let answer = runtime.block_on(client).unwrap().unwrap();
        assert_eq!(answer, format!("ASK {number:02}"));
    }
    runtime.block_on(ended).unwrap();
}

#[test]
fn a_task_of_tokio_awaits_jobs_and_values_of_an_owned_scope() {
    let runtime = tokio();
    let scope = CoroutineScope::new(Dispatchers::default() + SupervisorJob::new());
    let values: Vec<_> = (0..100_u64)
        .map(|number| {
            let value = scope.async_(move |_| {
                delay(std::time::Duration::from_micros(number * 50))?;
                Ok(number)
            });
            let job = scope.launch(move |_| delay(std::time::Duration::from_micros(number * 30)));
            runtime.spawn(async move {
                job.clone().await;
                assert!(job.is_completed());
                value.await.unwrap()
            })
        })
        .collect();
    let sum: u64 = values
        .into_iter()
        .map(|value| runtime.block_on(value).unwrap())
        .sum();
    assert_eq!(sum, 4950);
    let failing = scope.async_(|_| -> Result<()> { Err(Error::msg("failed")) });
    let failed = runtime.spawn(async move { failing.await.unwrap_err().to_string() });
    assert_eq!(runtime.block_on(failed).unwrap(), "failed");
    let cancelled = scope.launch(|_| await_cancellation());
    let learnt = runtime.spawn({
        let cancelled = cancelled.clone();
        async move { cancelled.await }
    });
    cancelled.cancel();
    runtime.block_on(learnt).unwrap();
}

#[test]
fn a_coroutine_and_a_machine_wait_for_tasks_of_tokio() {
    let runtime = tokio();
    let handle = runtime.handle();
    let sum = run_blocking(|s| {
        let green = s.async_(|_| {
            let task = handle.spawn(async {
                tokio::time::sleep(ms(5)).await;
                1
            });
            Ok(block_on(task)??)
        });
        let machine = s
            .builder()
            .dispatcher(Dispatchers::default())
            .async_future(async {
                let task = handle.spawn(async {
                    tokio::time::sleep(ms(5)).await;
                    2
                });
                Ok(task.await?)
            });
        Ok(green.await_()? + machine.await_()?)
    });
    assert_eq!(sum.unwrap(), 3);
}
