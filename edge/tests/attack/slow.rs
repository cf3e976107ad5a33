//! Clients that take their time: heads and contents that never end, answers that nobody takes.

use crate::{Memory, fixture::Edge, neighbour};
use edge::Config;
use kit::testing::eventually;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

const CLIENTS: usize = 500;
/// Long after any of them should have been sent away.
const LIMIT: Duration = Duration::from_secs(30);
/// What each connection may take, in KiB, with the client's end, which is in this process too.
const EACH_KIB: usize = 40;

const READERS: usize = 50;
/// Answers that a reader asks for at once.
const ASKED: usize = 10;

/// Opens connections that send `start` at once and then `more` byte by byte, and waits until all are sent away. Their
/// answers, and the longest that one of them lasted.
async fn attack(
    edge: &Edge,
    memory: &mut Memory,
    start: &'static [u8],
    more: &'static [u8],
) -> (Vec<Vec<u8>>, Duration) {
    let clients = (0..CLIENTS).map(|_| {
        let address = edge.address;
        tokio::spawn(async move {
            let begun = Instant::now();
            let (mut from, mut to) = TcpStream::connect(address).await.unwrap().into_split();
            to.write_all(start).await.unwrap();
            let drip = async {
                for byte in more.iter().cycle() {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    if to.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                }
            };
            let mut answer = Vec::new();
            let read = timeout(LIMIT, from.read_to_end(&mut answer));
            tokio::select! {
                // A reset says the same as an end.
                read = read => drop(read.expect("a slow client is sent away")),
                () = drip => {}
            }
            (answer, begun.elapsed())
        })
    });
    let clients: Vec<_> = clients.collect();
    while clients.iter().any(|client| !client.is_finished()) {
        neighbour(edge).await;
        memory.look();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (mut answers, mut longest) = (Vec::new(), Duration::ZERO);
    for client in clients {
        let (answer, lasted) = client.await.unwrap();
        answers.push(answer);
        longest = longest.max(lasted);
    }
    (answers, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_heads_are_sent_away_and_others_served() {
    let mut memory = Memory::alone().await;
    let config = Config { head_timeout_ms: 1_000, ..Config::default() };
    let edge = Edge::with(config).await;
    neighbour(&edge).await;
    memory.watch();
    for (start, more) in [
        (&b"GET /v1/me HTTP/1.1\r\nhost: x\r\nx-slow: "[..], &b"a"[..]),
        (b"PRI * HTTP/2.0\r\n", b"\r"),
        (b"", b"G"),
    ] {
        let (_, longest) = attack(&edge, &mut memory, start, more).await;
        assert!(longest < LIMIT, "{longest:?}");
    }
    assert!(memory.grown() <= CLIENTS * EACH_KIB / 1024, "{} MiB", memory.grown());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_contents_are_sent_away_and_others_served() {
    let mut memory = Memory::alone().await;
    let config = Config { write_deadline_ms: 1_000, ..Config::default() };
    let edge = Edge::with(config).await;
    neighbour(&edge).await;
    memory.watch();
    for start in [
        &b"POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
           content-length: 100000\r\nconnection: close\r\n\r\n{"[..],
        b"POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
          content-encoding: zstd\r\ncontent-length: 100000\r\nconnection: close\r\n\r\n{",
    ] {
        let (answers, _) = attack(&edge, &mut memory, start, b" ").await;
        let late = answers.iter().filter(|answer| answer.starts_with(b"HTTP/1.1 504")).count();
        // An answer can be lost when the edge closes while the client still sends.
        assert!(late > CLIENTS / 2, "{late}");
    }
    assert!(memory.grown() <= CLIENTS * EACH_KIB / 1024, "{} MiB", memory.grown());
}

async fn open_connections(edge: &Edge) -> usize {
    let metrics = edge.get("/metrics").await.body;
    let metrics = String::from_utf8(metrics.to_vec()).unwrap();
    let count = metrics.lines().find_map(|line| line.strip_prefix("http_connections "));
    count.unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_take_nothing_are_sent_away_with_little_copied_for_them() {
    let mut memory = Memory::alone().await;
    let edge = Edge::with(Config { stall_timeout_ms: 500, ..Config::default() }).await;
    let asked = ASKED * edge.get("/openapi.json").await.body.len();
    let others = open_connections(&edge).await;
    memory.watch();
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = TcpStream::connect(edge.address).await.unwrap();
        let request = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n";
        reader.write_all(&request.repeat(ASKED)).await.unwrap();
        readers.push(reader);
    }
    neighbour(&edge).await;
    let open = async || open_connections(&edge).await;
    eventually("the readers are sent away", open, |open| *open <= others).await;
    assert!(memory.grown() <= READERS * EACH_KIB / 1024, "{} MiB", memory.grown());
    for mut reader in readers {
        // What the kernel took of the edge, up to the end or a reset.
        let mut kept = Vec::new();
        let _ = timeout(LIMIT, reader.read_to_end(&mut kept)).await.unwrap();
        assert!(kept.len() < asked / 4, "{} of {asked}", kept.len());
    }
}
