//! The content of requests, and what becomes of content that the application does not want.

use bytes::Bytes;
use http::{HeaderMap, header::EXPECT};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::sync::oneshot::{self, error::TryRecvError};

/// Content up to this size that is not wanted is read, so that the connection can serve the next request.
const MAX_DISCARDED_BYTES: u64 = 64 * 1024;
/// How long an early answer waits for such content. HTTP libraries send it right after the head.
const DISCARD_TIMEOUT: Duration = Duration::from_millis(10);

/// The content of a request.
#[derive(Debug)]
pub struct Content {
    incoming: Option<Incoming>,
    ended: bool,
    /// Hears what is left of content that is not read to its end.
    unread: Option<oneshot::Sender<Left>>,
}

/// What is left of a content.
#[derive(Debug)]
enum Left {
    /// Content that the application does not want.
    Unwanted(Incoming),
    /// It broke off or is malformed, so that it is not known where the next request begins.
    Unknown,
}

impl Content {
    pub(crate) const fn new(incoming: Incoming) -> Self {
        Self { incoming: Some(incoming), ended: false, unread: None }
    }

    /// Content of HTTP/1, where an answer must say whether the connection can go on after it.
    pub(crate) fn watched(incoming: Incoming, headers: &HeaderMap) -> (Self, Unread) {
        let (sender, dropped) = oneshot::channel();
        let content = Self { incoming: Some(incoming), ended: false, unread: Some(sender) };
        (content, Unread { dropped, waits_for_us: headers.contains_key(EXPECT) })
    }

    fn leave(&mut self, left: Left) {
        if let Some(unread) = self.unread.take() {
            // A connection that is gone has no use for it.
            let _ = unread.send(left);
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(incoming) = &mut self.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(incoming).poll_frame(context);
        self.ended |= matches!(polled, Poll::Ready(None | Some(Err(_))));
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.leave(Left::Unknown);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map(Body::size_hint).unwrap_or_default()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if !self.is_end_stream()
            && let Some(incoming) = self.incoming.take()
        {
            self.leave(Left::Unwanted(incoming));
        }
    }
}

/// What the application leaves of a request's content.
pub(crate) struct Unread {
    dropped: oneshot::Receiver<Left>,
    /// The client sends its content only when it is asked to: `Expect: 100-continue`.
    waits_for_us: bool,
}

impl Unread {
    /// Called when the answer is there: whether another request can follow it on the connection (RFC 9112, section
    /// 9.3). Reads what is left of the content, if it is short and comes at once.
    pub async fn finish(mut self) -> bool {
        match self.dropped.try_recv() {
            // The application has read it to its end.
            Err(TryRecvError::Closed) => true,
            // The answer begins before the content has ended.
            Err(TryRecvError::Empty) => false,
            Ok(Left::Unknown) => false,
            Ok(Left::Unwanted(rest)) => {
                !self.waits_for_us
                    && rest.size_hint().lower() <= MAX_DISCARDED_BYTES
                    && tokio::time::timeout(DISCARD_TIMEOUT, discard_rest(rest))
                        .await
                        .unwrap_or(false)
            }
        }
    }
}

/// Reads content to its end; false when it is long or breaks off.
async fn discard_rest(mut content: Incoming) -> bool {
    let mut left = MAX_DISCARDED_BYTES;
    while let Some(frame) = content.frame().await {
        let Ok(frame) = frame else { return false };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        let Some(rest) = left.checked_sub(bytes) else { return false };
        left = rest;
    }
    true
}
