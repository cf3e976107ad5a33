//! What hyper reads from and writes to: a socket whose first bytes were looked at, and whose peer must keep reading and
//! must not flood us.

use crate::{control_frames::ControlFrameBudget, unreadable::status_of_bare_error};
use bytes::{Buf as _, Bytes};
use http::StatusCode;
use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a peer whose connection is closed may be silent before the socket is closed, too. What it sends meanwhile is
/// read: unread, it would have the kernel reset the connection, and the peer lose an answer that came before its content
/// had ended (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_millis(500);
/// How long such a peer may go on sending.
const MAX_LINGER: Duration = Duration::from_secs(5);

/// The version of HTTP that a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0 or HTTP/1.1.
    One,
    /// HTTP/2, which begins with a preface of its own.
    Two,
}

/// A connection whose first bytes have been read, to tell which version its peer speaks.
pub struct BufferedSocket<T> {
    socket: T,
    seen: [u8; PREFACE.len()],
    /// Which of the bytes seen are still to be read.
    unread: std::ops::Range<usize>,
    stall: Duration,
    /// Counts the frames of HTTP/2.
    budget: Option<ControlFrameBudget>,
    /// Running while a write waits for the peer.
    stalled: Option<Pin<Box<Sleep>>>,
    /// Running since we have said our last.
    lingering: Option<Lingering>,
    /// Makes the answer that takes the place of hyper's own to a request that cannot be read.
    answer_unreadable: Option<AnswerUnreadable>,
    /// What is left to write of such an answer.
    replacement: Option<Bytes>,
    /// Lives as long as the socket.
    _kept: Option<Arc<dyn Send + Sync>>,
}

type AnswerUnreadable = Box<dyn Fn(StatusCode) -> Option<Bytes> + Send>;

/// The time for which a closed connection is still read.
struct Lingering {
    silence: Pin<Box<Sleep>>,
    ends_at: Instant,
}

impl<T: AsyncRead + Unpin> BufferedSocket<T> {
    /// Reads as much as shows the version. None when the peer leaves before.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn open(mut socket: T, stall: Duration) -> io::Result<Option<(Version, Self)>> {
        let (mut seen, mut count) = ([0_u8; PREFACE.len()], 0);
        let version = loop {
            let Some(rest) = seen.get_mut(count..).filter(|rest| !rest.is_empty()) else {
                break Version::Two;
            };
            match socket.read(rest).await? {
                0 => return Ok(None),
                more => count += more,
            }
            if seen.get(..count) != PREFACE.get(..count) {
                break Version::One;
            }
        };
        let budget = (version == Version::Two).then(|| ControlFrameBudget::new(PREFACE.len()));
        let socket = Self {
            socket,
            seen,
            unread: 0..count,
            stall,
            budget,
            stalled: None,
            lingering: None,
            answer_unreadable: None,
            replacement: None,
            _kept: None,
        };
        Ok(Some((version, socket)))
    }

    /// Reads and drops what the peer still sends, until it closes too, falls silent, or has gone on for too long.
    fn linger(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let begin = || {
            let now = Instant::now();
            let silence = Box::pin(tokio::time::sleep_until(now + LINGER));
            Lingering { silence, ends_at: now + MAX_LINGER }
        };
        let lingering = self.lingering.get_or_insert_with(begin);
        let mut chunk = [0_u8; 8 * 1024];
        while lingering.silence.as_mut().poll(context).is_pending() {
            let mut buffer = ReadBuf::new(&mut chunk);
            let read = ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                break;
            }
            let until = (Instant::now() + LINGER).min(lingering.ends_at);
            lingering.silence.as_mut().reset(until);
        }
        Poll::Ready(Ok(()))
    }
}

impl<T> BufferedSocket<T> {
    /// Keeps `value` until the socket is dropped, which of a WebSocket is after hyper's connection has ended.
    pub fn keep_until_dropped(&mut self, value: Arc<dyn Send + Sync>) {
        self._kept = Some(value);
    }

    /// Writes what `answer` makes in place of hyper's own answers to requests that cannot be read.
    pub fn replace_bare_errors(
        &mut self,
        answer: impl Fn(StatusCode) -> Option<Bytes> + Send + 'static,
    ) {
        self.answer_unreadable = Some(Box::new(answer));
    }

    fn wrote(&mut self, done: &Poll<io::Result<usize>>) {
        if let (Some(budget), Poll::Ready(Ok(bytes))) = (&mut self.budget, done) {
            budget.wrote(*bytes);
        }
    }

    /// Passes on what a write did, and gives up on a peer that has taken nothing for too long.
    fn watch<R>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let stall = self.stall;
        let sleep = || Box::pin(tokio::time::sleep_until(Instant::now() + stall));
        ready!(self.stalled.get_or_insert_with(sleep).as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer does not read")))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for BufferedSocket<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        if this.unread.is_empty() {
            ready!(Pin::new(&mut this.socket).poll_read(context, buffer))?;
        } else {
            let bytes = this.seen.get(this.unread.clone()).unwrap_or_default();
            let count = bytes.len().min(buffer.remaining());
            buffer.put_slice(bytes.get(..count).unwrap_or_default());
            this.unread.start += count;
            // What follows too: a reader that gets a few bytes at first makes its buffer larger for the rest.
            if buffer.remaining() > 0
                && let Poll::Ready(done) = Pin::new(&mut this.socket).poll_read(context, buffer)
            {
                done?;
            }
        }
        let read = buffer.filled().get(before..).unwrap_or_default();
        let counted = this.budget.as_mut().map_or(Ok(()), |budget| budget.read(read));
        Poll::Ready(counted.map_err(io::Error::other))
    }
}

impl<T: AsyncWrite + Unpin> BufferedSocket<T> {
    /// Writes the application's answer where `bytes` are hyper's own to a request that cannot be read; none where they
    /// are not. Until all of it is written, hyper comes back with the same bytes.
    fn write_replacement(
        &mut self,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Option<Poll<io::Result<usize>>> {
        if self.replacement.is_none() {
            let answer = self.answer_unreadable.as_ref()?;
            self.replacement = answer(status_of_bare_error(bytes)?);
        }
        while let Some(left) = self.replacement.as_mut().filter(|left| !left.is_empty()) {
            match Pin::new(&mut self.socket).poll_write(context, left) {
                Poll::Ready(Ok(0)) => {
                    return Some(Poll::Ready(Err(io::ErrorKind::WriteZero.into())));
                }
                Poll::Ready(Ok(written)) => left.advance(written),
                unfinished => return Some(self.watch(context, unfinished)),
            }
        }
        self.replacement.take()?;
        Some(Poll::Ready(Ok(bytes.len())))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for BufferedSocket<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(done) = self.write_replacement(context, bytes) {
            return done;
        }
        let done = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.wrote(&done);
        self.watch(context, done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.socket).poll_flush(context);
        self.watch(context, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let done = Pin::new(&mut self.socket).poll_shutdown(context);
            ready!(self.watch(context, done))?;
        }
        // HTTP/2 says by itself that a content is not wanted.
        if self.budget.is_some() { Poll::Ready(Ok(())) } else { self.linger(context) }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [only] = slices
            && let Some(done) = self.write_replacement(context, only)
        {
            return done;
        }
        let done = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.wrote(&done);
        self.watch(context, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    async fn of(sent: &[u8]) -> Option<(Version, Vec<u8>)> {
        let (mut client, server) = tokio::io::duplex(256);
        client.write_all(sent).await.unwrap();
        client.shutdown().await.unwrap();
        let (version, mut socket) =
            BufferedSocket::open(server, Duration::from_secs(1)).await.unwrap()?;
        let mut read = Vec::new();
        socket.read_to_end(&mut read).await.unwrap();
        Some((version, read))
    }

    #[tokio::test]
    async fn the_first_bytes_show_the_version_and_are_read_again() {
        for (sent, version) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], Version::One),
            (b"PUT / HTTP/1.1\r\n\r\n", Version::One),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04", Version::Two),
            (b"PRI * HTTP/1.1\r\n\r\n", Version::One),
            (b"\x16\x03\x01", Version::One),
        ] {
            assert_eq!(of(sent).await, Some((version, sent.to_vec())));
        }
        assert_eq!(of(b"").await, None);
        assert_eq!(of(b"PRI * HT").await, None);
    }

    #[tokio::test]
    async fn what_follows_the_first_bytes_is_read_with_them() {
        let (mut client, server) = tokio::io::duplex(256);
        let sent = [b'G'; 100];
        client.write_all(&sent).await.unwrap();
        let opened = BufferedSocket::open(server, Duration::from_secs(1)).await.unwrap();
        let (_, mut socket) = opened.unwrap();
        assert_eq!(socket.read(&mut [0; 200]).await.unwrap(), sent.len());
        client.write_all(&sent).await.unwrap();
        assert_eq!(socket.read(&mut [0; 200]).await.unwrap(), sent.len());
    }

    /// A peer that sends a byte every so often, `more` times after the first bytes, and then closes.
    async fn drip(mut to: impl AsyncWrite + Unpin, more: usize) -> io::Result<()> {
        to.write_all(&[b'G'; 1000]).await?;
        for _ in 0..more {
            tokio::time::sleep(LINGER / 2).await;
            to.write_all(b"G").await?;
        }
        to.shutdown().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_still_sends_gets_the_answer_and_has_time_to_stop() {
        for more in [0, 8, usize::MAX] {
            let (client, server) = tokio::io::duplex(64);
            let (mut from, to) = tokio::io::split(client);
            let sending = tokio::spawn(drip(to, more));
            let opened = BufferedSocket::open(server, Duration::from_secs(60)).await.unwrap();
            let (_, mut socket) = opened.unwrap();
            socket.write_all(b"too long").await.unwrap();
            let begun = Instant::now();
            socket.shutdown().await.unwrap();
            let is_endless = more == usize::MAX;
            assert_eq!(begun.elapsed() >= MAX_LINGER, is_endless);
            drop(socket);
            let mut answer = Vec::new();
            from.read_to_end(&mut answer).await.unwrap();
            assert_eq!(answer, b"too long");
            assert_eq!(sending.await.unwrap().is_err(), is_endless);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_says_nothing_is_not_waited_for() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET /").await.unwrap();
        let opened = BufferedSocket::open(server, Duration::from_secs(60)).await.unwrap();
        let (_, mut socket) = opened.unwrap();
        let begun = Instant::now();
        socket.shutdown().await.unwrap();
        assert_eq!(begun.elapsed(), LINGER);
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let (mut client, server) = tokio::io::duplex(64);
        client.write_all(b"GET /").await.unwrap();
        let opened = BufferedSocket::open(server, Duration::from_millis(20)).await.unwrap();
        let (_, mut socket) = opened.unwrap();
        let error = socket.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
