//! A process that has no file left for another connection. In a process of its own, whose limit it lowers.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use listener::{Application, Content, Limits, Listener};
use rustix::process::{Resource, getrlimit, setrlimit};
use std::{
    fs::File,
    net::SocketAddr,
    os::fd::AsRawFd as _,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

static OPENED: AtomicUsize = AtomicUsize::new(0);

/// Answers every request with nothing.
#[derive(Clone)]
struct Empty;

impl Application for Empty {
    type Body = Full<Bytes>;

    async fn answer(self, _: Request<Content>, _: SocketAddr) -> Response<Full<Bytes>> {
        Response::default()
    }

    fn connection_opened(&self) {
        OPENED.fetch_add(1, Ordering::Relaxed);
    }
}

/// Leaves room for so many more files.
fn limit_files(more: u64) {
    let next = u64::try_from(File::open("/dev/null").unwrap().as_raw_fd()).unwrap();
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(next + more);
    setrlimit(Resource::Nofile, limit).unwrap();
}

#[tokio::test]
async fn idle_connections_make_room_when_there_is_no_file_for_another() {
    const IDLE: usize = 20;
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let limits = Limits { head_timeout: Duration::from_secs(3600), ..Limits::default() };
    let listener = Listener::new(limits);
    tokio::spawn(listener.serve(socket, Empty, std::future::pending()));
    let mut idle = Vec::new();
    for _ in 0..IDLE {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    while OPENED.load(Ordering::Relaxed) < IDLE {
        tokio::task::yield_now().await;
    }
    // They have been idle for a while. The clock goes on, as the sockets are real.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(2)).await;
    tokio::time::resume();
    limit_files(1);
    let mut another = TcpStream::connect(address).await.unwrap();
    another.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(Duration::from_secs(20), another.read_to_string(&mut answer));
    read.await.expect("there is room").unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
