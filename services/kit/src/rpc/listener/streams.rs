//! Ends the streams that would keep a stopping server alive, such as health watches.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::{Status, body::Body};

/// A response body that ends with UNAVAILABLE when it has nothing to send and the server stops. The body of a unary
/// call is never in that position: all of it is there at once.
pub(super) struct Ending {
    body: Body,
    sign: CancellationToken,
    waiting: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    ended: bool,
}

impl Ending {
    pub fn new(body: Body, sign: CancellationToken) -> Self {
        Self { body, sign, waiting: None, ended: false }
    }
}

impl HttpBody for Ending {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame);
        }
        let sign = &this.sign;
        let waiting = this.waiting.get_or_insert_with(|| Box::pin(sign.clone().cancelled_owned()));
        if waiting.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        this.ended = true;
        let mut trailers = HeaderMap::with_capacity(2);
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from_static("14"));
        trailers.insert(Status::GRPC_MESSAGE, HeaderValue::from_static("the server is stopping"));
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
