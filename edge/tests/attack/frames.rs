//! Floods of HTTP/2 frames.

use crate::{Memory, fixture::Edge, neighbour};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

const LIMIT: Duration = Duration::from_secs(20);
/// What a flood may make the edge hold, in MiB.
const MOST_MIB: usize = 32;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of GET or POST `path`, of the static table and literals.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut head = vec![method, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend(path.as_bytes());
    head.extend([0x41, 1, b'x']);
    head
}

const GET: u8 = 0x82;
const POST: u8 = 0x83;

/// Sends frames until the edge closes the connection, which it must; says whether it sent GOAWAY. Meanwhile a neighbour
/// is served again and again.
async fn flood(edge: &Edge, memory: &mut Memory, frames: impl Iterator<Item = Vec<u8>>) -> bool {
    neighbour(edge).await;
    memory.watch();
    let socket = TcpStream::connect(edge.address).await.unwrap();
    let (mut from, mut to) = socket.into_split();
    let reader = tokio::spawn(async move { timeout(LIMIT, goaway(&mut from)).await });
    to.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    to.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    let mut frames = frames.peekable();
    while frames.peek().is_some() {
        let some: Vec<u8> = frames.by_ref().take(500).flatten().collect();
        if to.write_all(&some).await.is_err() {
            break;
        }
        neighbour(edge).await;
        memory.look();
    }
    // It is the edge that ends the connection.
    let sent_away = reader.await.unwrap().expect("the connection ends");
    drop(to);
    let grown = memory.grown();
    assert!(grown <= MOST_MIB, "{grown} MiB");
    sent_away
}

/// Reads frames to the end of the connection; whether GOAWAY for an error was among them.
async fn goaway(from: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let mut head = [0; 9];
    let mut payload = Vec::new();
    let mut seen = false;
    while from.read_exact(&mut head).await.is_ok() {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        payload.resize(length, 0);
        if from.read_exact(&mut payload).await.is_err() {
            break;
        }
        seen |= head[3] == GOAWAY && payload.get(4..8) != Some(&[0; 4]);
    }
    seen
}

async fn is_sent_away(name: &str, frames: impl Iterator<Item = Vec<u8>>) {
    let mut memory = Memory::alone().await;
    let edge = Edge::start().await;
    assert!(flood(&edge, &mut memory, frames).await, "{name}");
    neighbour(&edge).await;
}

/// As above, without a word: there is nothing to say to who does not listen.
async fn is_cut_off(frames: impl Iterator<Item = Vec<u8>>) {
    let mut memory = Memory::alone().await;
    let edge = Edge::start().await;
    flood(&edge, &mut memory, frames).await;
    neighbour(&edge).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_are_reset_at_once() {
    let open = head(GET, "/v1/nothing");
    let resets = (0..20_000_u32).map(move |index| {
        let stream = index * 2 + 1;
        let mut pair = frame(HEADERS, END_STREAM | END_HEADERS, stream, &open);
        pair.extend(frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
        pair
    });
    is_sent_away("rapid reset", resets).await;
}

/// CVE-2025-8671: the client makes the edge reset its streams.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_the_edge_must_reset() {
    let open = head(GET, "/v1/nothing");
    let wrongs = (0..20_000_u32).map(move |index| {
        let stream = index * 2 + 1;
        let mut pair = frame(HEADERS, END_STREAM | END_HEADERS, stream, &open);
        pair.extend(frame(WINDOW_UPDATE, 0, stream, &0_u32.to_be_bytes()));
        pair
    });
    is_sent_away("made you reset", wrongs).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_never_end() {
    let begun = frame(HEADERS, END_STREAM, 1, &head(GET, "/v1/nothing"));
    let more = (0..20_000).map(|_| frame(CONTINUATION, 0, 1, &[0x40, 1, b'a', 1, b'b']));
    is_sent_away("continuations", std::iter::once(begun).chain(more)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_of_nothing() {
    let begun = frame(HEADERS, END_HEADERS, 1, &head(POST, "/v1/users"));
    let empty = (0..50_000).map(|_| frame(DATA, 0, 1, &[]));
    is_sent_away("empty DATA", std::iter::once(begun).chain(empty)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_are_no_requests() {
    is_cut_off((0..60_000_u64).map(|index| frame(PING, 0, 0, &index.to_be_bytes()))).await;
    let setting = [0, 4, 0, 1, 0, 0];
    is_cut_off((0..60_000).map(move |_| frame(SETTINGS, 0, 0, &setting))).await;
    is_cut_off((0..60_000).map(|_| frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]))).await;
    let unknown = 0xEE;
    is_cut_off((0..60_000).map(move |_| frame(unknown, 0, 0, b"?"))).await;
}
