//! Streams that end when the access token of their caller becomes void.

use crate::identity::{
    identify::{Identity, refuse_token},
    token::AccessClaims,
};
use bytes::Bytes;
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tonic::{Status, body::Body};

/// The access token that a call is made with.
#[derive(Clone)]
pub struct AccessToken {
    identity: Arc<Identity>,
    claims: AccessClaims,
}

impl AccessToken {
    /// A token that `identity` has verified.
    pub const fn new(identity: Arc<Identity>, claims: AccessClaims) -> Self {
        Self { identity, claims }
    }

    /// Ends the answer with UNAUTHENTICATED once the token is void, whatever is still to come.
    pub fn until_void(self, response: Response<Body>) -> Response<Body> {
        let void = async move { self.identity.revocations().covered(&self.claims).await };
        response.map(|body| Body::new(UntilVoid { body, void: Box::pin(void), ended: false }))
    }
}

struct UntilVoid {
    body: Body,
    void: Pin<Box<dyn Future<Output = ()> + Send>>,
    ended: bool,
}

impl HttpBody for UntilVoid {
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
        if this.void.as_mut().poll(context).is_pending() {
            return Pin::new(&mut this.body).poll_frame(context);
        }
        this.ended = true;
        let mut trailers = HeaderMap::new();
        refuse_token().add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
