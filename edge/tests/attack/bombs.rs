//! Compressed content that is a thousand times longer than it looks.

use crate::{Memory, fixture::Edge, neighbour};
use edge::Config;
use std::io::Write as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const BOMBS: usize = 200;
/// What each becomes, in bytes; the edge takes a sixteenth of it.
const WHOLE: usize = 64 << 20;

fn bombs() -> [(&'static str, Vec<u8>); 2] {
    let content = vec![b' '; WHOLE];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&content).unwrap();
    let zstd = zstd::encode_all(&content[..], 3).unwrap();
    [("gzip", gzip.finish().unwrap()), ("zstd", zstd)]
}

/// The last byte of each is held back, so that all are there at once; then they go off together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_bombs_at_once_cost_little() {
    let mut memory = Memory::alone().await;
    let config = Config { write_deadline_ms: 60_000, max_deadline_ms: 60_000, ..Config::default() };
    let edge = Edge::with(config).await;
    let bombs = bombs();
    neighbour(&edge).await;
    memory.watch();
    let mut open = Vec::new();
    for number in 0..BOMBS {
        let (coding, bomb) = &bombs[number % 2];
        let head = format!(
            "POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-encoding: {coding}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            bomb.len()
        );
        let (start, last) = bomb.split_at(bomb.len() - 1);
        let mut socket = TcpStream::connect(edge.address).await.unwrap();
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(start).await.unwrap();
        open.push((socket, last));
    }
    neighbour(&edge).await;
    memory.look();
    for (socket, last) in &mut open {
        socket.write_all(last).await.unwrap();
    }
    let answers = open.into_iter().map(|(mut socket, _)| {
        tokio::spawn(async move {
            let mut answer = Vec::new();
            socket.read_to_end(&mut answer).await.unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 413"), "{}", String::from_utf8_lossy(&answer));
        })
    });
    let answers: Vec<_> = answers.collect();
    while answers.iter().any(|answer| !answer.is_finished()) {
        neighbour(&edge).await;
        memory.look();
    }
    for answer in answers {
        answer.await.unwrap();
    }
    let grown = memory.grown();
    assert!(grown <= 64, "{grown} MiB");
}
