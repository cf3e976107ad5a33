//! The content of answers, whose end is the end of the request.

use crate::{application::BoxError, open_connections::RequestInProgress};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};

/// The application's content; the request is in progress until it is dropped.
pub struct Answer<B> {
    body: B,
    _request: Option<RequestInProgress>,
}

impl<B> Answer<B> {
    /// Content of the answer to `request`.
    pub const fn new(body: B, request: Option<RequestInProgress>) -> Self {
        Self { body, _request: request }
    }
}

impl<B> Body for Answer<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
