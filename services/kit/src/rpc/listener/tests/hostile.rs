//! Clients that do not play by the rules, written frame by frame.

use super::*;
use tokio::net::TcpStream;

const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const GOAWAY: u8 = 0x7;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// `POST http / t`: indices of the static table, and a literal path that hangs.
fn request(stream: u32) -> Vec<u8> {
    let mut block = vec![0x83, 0x86, 0x44, 7];
    block.extend(b"/t/Hang");
    frame(HEADERS, END_HEADERS, stream, &block)
}

async fn hello(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut hello = PREFACE.to_vec();
    hello.extend(frame(SETTINGS, 0, 0, &[]));
    socket.write_all(&hello).await.unwrap();
    socket
}

/// Reads frames until the server goes away: the error code it gave, or none if it only closed.
async fn goodbye(mut read: impl tokio::io::AsyncRead + Unpin) -> Option<u32> {
    loop {
        let mut head = [0; 9];
        read.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        read.read_exact(&mut payload).await.ok()?;
        if head[3] == GOAWAY {
            return Some(u32::from_be_bytes(payload[4..8].try_into().unwrap()));
        }
    }
}

/// Sends `attack(n)` for each stream until the server goes away, which must be within `most` streams.
async fn goes_away(most: u32, attack: impl Fn(u32) -> Vec<u8>) {
    let server = Running::start(draining(SHORT)).await;
    let (read, mut write) = hello(server.address).await.into_split();
    let gone = tokio::spawn(goodbye(read));
    for index in 0..most {
        if write.write_all(&attack(index * 2 + 1)).await.is_err() || gone.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    let code = tokio::time::timeout(Duration::from_secs(10), gone).await;
    let code = code.expect("the server puts up with it").unwrap();
    const ENHANCE_YOUR_CALM: u32 = 0xb;
    assert!(matches!(code, Some(ENHANCE_YOUR_CALM) | None), "{code:?}");
    // Others are served as before.
    let channel = server.channel().await;
    assert_eq!(Running::call(&channel, "/t/Ok").await.unwrap(), Code::Ok);
    server.stop().await;
}

#[tokio::test]
async fn rapid_resets_are_sent_away() {
    goes_away(20_000, |stream| {
        let cancel = 8_u32.to_be_bytes();
        [request(stream), frame(RST_STREAM, 0, stream, &cancel)].concat()
    })
    .await;
}

#[tokio::test]
async fn making_us_reset_streams_is_sent_away() {
    // A body that was announced and does not come: an error that the server answers with a reset of its own.
    goes_away(20_000, |stream| {
        let mut block = vec![0x83, 0x86, 0x84];
        block.extend(*b"\x0f\x0d\x011");
        frame(HEADERS, END_HEADERS | END_STREAM, stream, &block)
    })
    .await;
}

#[tokio::test]
async fn one_connection_opens_a_hundred_calls_and_no_more() {
    let server = Running::start(draining(SHORT)).await;
    let mut socket = hello(server.address).await;
    for index in 0..150 {
        socket.write_all(&request(index * 2 + 1)).await.unwrap();
    }
    // The 50 beyond the limit are reset: once each.
    let mut resets = 0;
    while resets < 50 {
        let mut head = [0; 9];
        socket.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; usize::from(head[2])];
        socket.read_exact(&mut payload).await.unwrap();
        resets += usize::from(head[3] == RST_STREAM);
    }
    assert_eq!(server.open.count(), 100);
    server.stop().await;
}

#[tokio::test]
async fn a_late_or_foreign_preface_closes_the_connection() {
    let limits = Limits { head_timeout: SHORT, drain: LONG, ..service_limits() };
    let server = Running::start(Options { limits, ..draining(LONG) }).await;
    for (bytes, at_once) in [
        (&b""[..], false),
        (&PREFACE[..23], false),
        (b"GET / HTTP/1.1\r\nhost: x\r\n\r\n", true),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r!", true),
    ] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        let begun = Instant::now();
        socket.write_all(bytes).await.unwrap();
        assert!(matches!(socket.read(&mut [0; 9]).await, Ok(0) | Err(_)), "{bytes:?}");
        let took = begun.elapsed();
        assert!(took < SHORT + Duration::from_secs(2), "{took:?}");
        assert!(at_once || took >= SHORT, "{took:?}");
    }
    // A preface in pieces is one.
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for piece in PREFACE.chunks(5) {
        socket.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let mut head = [0; 9];
    socket.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], SETTINGS);
    drop(socket);
    server.stop().await;
}

#[tokio::test]
async fn connections_beyond_the_cap_wait_for_a_place() {
    let limits =
        Limits { max_connections: 2, head_timeout: SHORT, drain: LONG, ..service_limits() };
    let server = Running::start(Options { limits, ..draining(LONG) }).await;
    let first = server.channel().await;
    assert_eq!(Running::call(&first, "/t/Ok").await.unwrap(), Code::Ok);
    // A silent peer takes the second place until its time for a preface is over.
    let silent = TcpStream::connect(server.address).await.unwrap();
    let begun = Instant::now();
    let second = server.channel().await;
    assert_eq!(Running::call(&second, "/t/Ok").await.unwrap(), Code::Ok);
    assert!(begun.elapsed() >= SHORT / 2, "{:?}", begun.elapsed());
    drop(silent);
    server.stop().await;
}

#[tokio::test]
async fn oversized_headers_are_refused() {
    let server = Running::start(draining(LONG)).await;
    let channel = server.channel().await;
    let request = |size: usize| {
        Request::post("/t/Ok").header("x-big", "a".repeat(size)).body(Body::empty()).unwrap()
    };
    let send = |size| channel.clone().oneshot(request(size));
    assert_eq!(send(8 * 1024).await.unwrap().status(), 200);
    let refused = send(20 * 1024).await;
    assert!(refused.map_or(true, |response| response.status() == 431));
    assert_eq!(Running::call(&channel, "/t/Ok").await.unwrap(), Code::Ok);
    server.stop().await;
}
