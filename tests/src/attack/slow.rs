//! Clients that take their time.

use crate::Outcome;
use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

/// Clients, from so many addresses.
const CLIENTS: (usize, u8) = (5000, 10);
/// Readers of long answers; each may hold what the kernel buffers for it.
const READERS: usize = 1000;
/// Between two clients that come: the attack is to hold connections, not to open them.
const APART: Duration = Duration::from_millis(1);
/// Between two bytes of a client.
const DRIP: Duration = Duration::from_secs(1);
/// How long a reader takes nothing.
const IDLE: Duration = Duration::from_secs(35);
/// Long after any of them should have been sent away.
const LIMIT: Duration = Duration::from_secs(60);
/// Answers that one reader asks for without taking any.
const ASKED: usize = 5;

/// Makes the attack.
pub async fn attack(name: &str, address: SocketAddr) -> anyhow::Result<Outcome> {
    let start: &[u8] = match name {
        "slow heads" => b"GET /v1/me HTTP/1.1\r\nhost: x\r\nx-slow: ",
        "half a preface" => b"PRI * HTTP/2.0",
        "slow contents" => {
            b"POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
              content-length: 100000\r\nconnection: close\r\n\r\n{"
        }
        _ => return readers(address).await,
    };
    // What comes of the preface, so slowly that it never ends.
    let (more, drip) = match name {
        "half a preface" => (b'\r', DRIP * 9),
        _ => (b' ', DRIP),
    };
    let clients =
        (0..CLIENTS.0).map(|number| tokio::spawn(client(address, number, start, (more, drip))));
    let clients: Vec<_> = clients.collect();
    let mut outcome = Outcome::default();
    for client in clients {
        outcome.count(client.await??);
    }
    Ok(outcome)
}

/// A connection from one of several addresses: each may have so many.
async fn connect(address: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let last = 2 + u8::try_from(number % usize::from(CLIENTS.1))?;
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)))?;
    Ok(socket.connect(address).await?)
}

/// What became of a connection.
pub struct End {
    closed: bool,
    lasted: Duration,
    answer: Vec<u8>,
}

impl Outcome {
    fn count(&mut self, end: End) {
        self.connections += 1;
        self.closed += u64::from(end.closed);
        let millis = u64::try_from(end.lasted.as_millis()).unwrap_or(u64::MAX);
        self.longest_ms = self.longest_ms.max(millis);
        let status =
            end.answer.get(9..12).and_then(|it| std::str::from_utf8(it).ok()?.parse().ok());
        if let Some(status) = status {
            *self.answers.entry(status).or_default() += 1;
        }
    }
}

async fn client(
    address: SocketAddr,
    number: usize,
    start: &'static [u8],
    (more, each): (u8, Duration),
) -> anyhow::Result<End> {
    tokio::time::sleep(APART * u32::try_from(number)?).await;
    let (mut from, mut to) = connect(address, number).await?.into_split();
    let begun = Instant::now();
    to.write_all(start).await?;
    let drip = async {
        loop {
            tokio::time::sleep(each).await;
            if to.write_all(&[more]).await.is_err() {
                break;
            }
        }
    };
    let mut answer = Vec::new();
    let closed = tokio::select! {
        // A reset says the same as an end.
        read = timeout(LIMIT, from.read_to_end(&mut answer)) => read.is_ok(),
        () = drip => true,
    };
    Ok(End { closed, lasted: begun.elapsed(), answer })
}

/// Clients that ask for much and take nothing.
async fn readers(address: SocketAddr) -> anyhow::Result<Outcome> {
    let asked = b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(ASKED);
    let asked: Arc<[u8]> = asked.into();
    let readers = (0..READERS).map(|number| {
        let asked = Arc::clone(&asked);
        tokio::spawn(async move {
            let mut socket = connect(address, number).await?;
            socket.write_all(&asked).await?;
            tokio::time::sleep(IDLE).await;
            let (begun, mut chunk) = (Instant::now(), vec![0; 64 * 1024]);
            // What the kernel still has comes at once; then there is an end if the edge gave up.
            let read = async { while let Ok(1..) = socket.read(&mut chunk).await {} };
            let closed = timeout(LIMIT, read).await.is_ok();
            Ok::<_, anyhow::Error>(End { closed, lasted: begun.elapsed(), answer: Vec::new() })
        })
    });
    let readers: Vec<_> = readers.collect();
    let mut outcome = Outcome::default();
    for reader in readers {
        outcome.count(reader.await??);
    }
    Ok(outcome)
}
