//! Contents that cost more than they look.

use crate::{Outcome, TOKEN};
use http::StatusCode;
use std::{
    io::Write,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tests::sender::{Protocol, Sender};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Bombs at once, and what each becomes, in bytes.
const BOMBS: (usize, usize) = (200, 64 << 20);
/// Connections that send wrong documents, one after another.
const CLIENTS: usize = 16;

/// Makes the attack for `time`.
pub async fn attack(name: &str, address: SocketAddr, time: Duration) -> anyhow::Result<Outcome> {
    let documents = match name {
        "bombs" => return bombs(address).await,
        "deep JSON" => vec![
            format!("{}{}", r#"{"a":"#.repeat(500_000), "}".repeat(500_000)),
            "[".repeat(3_000_000),
            format!("{}1{}", r#"{"a":["#.repeat(90), "]}".repeat(90)),
        ],
        _ => vec![
            "9".repeat(1_000_000),
            format!("1e{}", "9".repeat(1_000_000)),
            format!("0.{}1", "0".repeat(1_000_000)),
            format!("{{{}}}", vec![r#""a":1"#; 100_000].join(",")),
            format!("[{}]", vec!["1e999"; 100_000].join(",")),
            format!(r#""{}""#, r"\ud800".repeat(100_000)),
        ],
    };
    let bodies =
        documents.iter().map(|it| format!(r#"{{"vertical":"cleaning","details":{{"x":{it}}}}}"#));
    let bodies: Arc<[bytes::Bytes]> = bodies.map(bytes::Bytes::from).collect();
    let clients = (0..CLIENTS).map(|_| tokio::spawn(client(address, Arc::clone(&bodies), time)));
    let clients: Vec<_> = clients.collect();
    let mut outcome = Outcome::default();
    for client in clients {
        outcome.add(client.await??);
    }
    Ok(outcome)
}

async fn client(
    address: SocketAddr,
    bodies: Arc<[bytes::Bytes]>,
    time: Duration,
) -> anyhow::Result<Outcome> {
    let token = std::env::var(TOKEN)?;
    let (begun, mut outcome) = (Instant::now(), Outcome { connections: 1, ..Outcome::default() });
    let mut sender = Sender::connect(address, Protocol::Http).await?;
    for body in bodies.iter().cycle() {
        if begun.elapsed() > time {
            break;
        }
        let request = http::Request::post("/v1/quotes")
            .header("host", "x")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(body.clone().into())?;
        let asked = Instant::now();
        outcome.sent += 1;
        let status = match sender.send(request).await {
            Ok((status, _)) => status,
            Err(_) => {
                outcome.closed += 1;
                sender = Sender::connect(address, Protocol::Http).await?;
                continue;
            }
        };
        outcome.answered(status, asked.elapsed());
    }
    Ok(outcome)
}

impl Outcome {
    fn answered(&mut self, status: StatusCode, time: Duration) {
        *self.answers.entry(status.as_u16()).or_default() += 1;
        let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.slowest_ms = self.slowest_ms.max(millis);
    }
}

/// All but the last byte of each, then all last bytes.
async fn bombs(address: SocketAddr) -> anyhow::Result<Outcome> {
    let content = vec![b' '; BOMBS.1];
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&content)?;
    let bombs = [("gzip", gzip.finish()?), ("zstd", zstd::encode_all(&content[..], 3)?)];
    drop(content);
    let mut open = Vec::new();
    for number in 0..BOMBS.0 {
        let (coding, bomb) = &bombs[number % 2];
        let head = format!(
            "POST /v1/users HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
             content-encoding: {coding}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            bomb.len()
        );
        let (start, last) = bomb.split_at(bomb.len() - 1);
        let mut socket = TcpStream::connect(address).await?;
        socket.write_all(head.as_bytes()).await?;
        socket.write_all(start).await?;
        open.push((socket, [last[0]]));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answers = open.into_iter().map(|(mut socket, last)| {
        tokio::spawn(async move {
            let (asked, mut answer) = (Instant::now(), Vec::new());
            socket.write_all(&last).await?;
            socket.read_to_end(&mut answer).await?;
            let status = answer.get(9..12).and_then(|it| StatusCode::from_bytes(it).ok());
            Ok::<_, anyhow::Error>((status.unwrap_or(StatusCode::CONTINUE), asked.elapsed()))
        })
    });
    let answers: Vec<_> = answers.collect();
    let mut outcome = Outcome { connections: BOMBS.0 as u64, ..Outcome::default() };
    for answer in answers {
        let (status, time) = answer.await??;
        (outcome.sent, outcome.closed) = (outcome.sent + 1, outcome.closed + 1);
        outcome.answered(status, time);
    }
    Ok(outcome)
}
