//! A connection of the load generator. It shares a processor with what is behind the server, so it does no more than it
//! must.

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use http::{Request, StatusCode, header::CONTENT_LENGTH};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The longest head of an answer.
const HEAD_MOST: usize = 64 * 1024;
/// Bytes that are read at a time.
const CHUNK: usize = 16 * 1024;

/// What a connection speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1, with answers whose length is told.
    #[default]
    Http,
    /// gRPC: HTTP/2, with the call's own status in the trailers.
    Grpc,
}

/// A connection, with one request at a time.
pub enum Sender {
    Http(Plain),
    Grpc(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    /// Connects to `address`.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn connect(address: SocketAddr, protocol: Protocol) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(match protocol {
            Protocol::Http => Self::Http(Plain {
                stream,
                sent: BytesMut::new(),
                read: BytesMut::with_capacity(CHUNK),
            }),
            Protocol::Grpc => {
                let mut builder = http2::Builder::new(TokioExecutor::new());
                builder.initial_stream_window_size(1 << 20);
                let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
                tokio::spawn(connection);
                Self::Grpc(sender)
            }
        })
    }

    /// Sends a request and reads the whole answer.
    ///
    /// # Errors
    /// When the connection is lost, or the answer is not understood.
    pub async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        match self {
            Self::Http(plain) => plain.send(request).await,
            Self::Grpc(sender) => {
                sender.ready().await?;
                let response = sender.send_request(request).await?;
                let content = response.into_body().collect().await?;
                let said = content.trailers().and_then(|trailers| trailers.get("grpc-status"));
                let is_ok = said.is_some_and(|said| said == "0");
                let status = if is_ok { StatusCode::OK } else { StatusCode::BAD_GATEWAY };
                Ok((status, content.to_bytes()))
            }
        }
    }
}

/// HTTP/1.1, written and read by hand.
pub struct Plain {
    stream: TcpStream,
    sent: BytesMut,
    read: BytesMut,
}

impl Plain {
    async fn send(&mut self, request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sent.clear();
        let path = head.uri.path_and_query().context("no path")?;
        for part in [head.method.as_str(), " ", path.as_str(), " HTTP/1.1\r\n"] {
            self.sent.extend_from_slice(part.as_bytes());
        }
        for (name, value) in &head.headers {
            for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
                self.sent.extend_from_slice(part);
            }
        }
        if !body.is_empty() {
            let length = format!("{CONTENT_LENGTH}: {}\r\n", body.len());
            self.sent.extend_from_slice(length.as_bytes());
        }
        self.sent.extend_from_slice(b"\r\n");
        self.sent.extend_from_slice(&body);
        self.stream.write_all(&self.sent).await?;
        self.answer().await
    }

    async fn answer(&mut self) -> anyhow::Result<(StatusCode, Bytes)> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            ensure!(self.read.len() < HEAD_MOST, "the head is too long");
            self.more().await?;
        };
        let head = self.read.split_to(end);
        let head = std::str::from_utf8(&head)?;
        let status = head.split(' ').nth(1).context("no status")?.parse()?;
        let length = length(head)?;
        while self.read.len() < length {
            self.more().await?;
        }
        Ok((status, self.read.split_to(length).freeze()))
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        self.read.reserve(CHUNK);
        ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the connection was closed");
        Ok(())
    }
}

/// The length of an answer's body.
fn length(head: &str) -> anyhow::Result<usize> {
    for line in head.lines().skip(1) {
        let Some((name, value)) = line.split_once(':') else { continue };
        if name.eq_ignore_ascii_case(CONTENT_LENGTH.as_str()) {
            return Ok(value.trim().parse()?);
        }
        if name.eq_ignore_ascii_case("transfer-encoding") {
            bail!("the answer's length is not told");
        }
    }
    Ok(0)
}
