//! Answers that end before their time: when the server stops, or when the access token of their caller becomes void.

use ::listener::StreamEnd;
use bytes::Bytes;
use futures::{FutureExt as _, future::BoxFuture, ready};
use http::{HeaderMap, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    pin::Pin,
    task::{Context, Poll},
};
use tonic::{Status, body::Body};

/// Answers a call that streams until its turn to end has come. Then an answer that has begun ends with UNAVAILABLE after
/// what has arrived of it; where the answer may wait for what the client streams, UNAVAILABLE comes in its place.
pub async fn answer_until<E>(
    answer: impl Future<Output = Result<Response<Body>, E>>,
    waits_for_client: bool,
    mut end: StreamEnd,
) -> Result<Response<Body>, E> {
    let response = tokio::select! {
        biased;
        response = answer => response?,
        () = &mut end, if waits_for_client => return Ok(stopping().into_http()),
    };
    let stopped = end.map(|()| stopping());
    Ok(response.map(|body| Body::new(EndingBody::new(body, Cut::WhenQuiet, stopped))))
}

fn stopping() -> Status {
    Status::unavailable("the server is stopping; call again")
}

/// When an answer ends whose event has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// At once, whatever is still to come.
    AtOnce,
    /// When there is nothing to send. The answer to a unary call is never in that position: all of it is there at once.
    WhenQuiet,
}

/// The body of an answer that an event ends, with a status that says why.
pub struct EndingBody {
    body: Body,
    event: BoxFuture<'static, Status>,
    cut: Cut,
    ended: bool,
}

impl EndingBody {
    /// `body` until `event`, whose output is the status.
    pub fn new(body: Body, cut: Cut, event: impl Future<Output = Status> + Send + 'static) -> Self {
        Self { body, event: Box::pin(event), cut, ended: false }
    }

    /// The end, once the event has happened.
    fn poll_end(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let status = ready!(self.event.as_mut().poll(context));
        self.ended = true;
        let mut trailers = HeaderMap::new();
        status.add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

impl HttpBody for EndingBody {
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
        if this.cut == Cut::AtOnce
            && let Poll::Ready(end) = this.poll_end(context)
        {
            return Poll::Ready(end);
        }
        let frame = Pin::new(&mut this.body).poll_frame(context);
        if this.cut == Cut::WhenQuiet && frame.is_pending() {
            return this.poll_end(context);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.ended || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{StreamExt as _, stream};
    use http_body_util::{BodyExt as _, StreamBody};
    use tokio::sync::oneshot;
    use tonic::Code;

    /// A body with two messages that goes on without a third, and what ends it.
    fn ending_body(cut: Cut) -> (EndingBody, oneshot::Sender<()>) {
        let messages = stream::iter(["one", "two"].map(Bytes::from)).chain(stream::pending());
        let frames = messages.map(|message| Ok::<_, Status>(Frame::data(message)));
        let (happen, happened) = oneshot::channel();
        let event = async {
            let _ = happened.await;
            Status::unavailable("stop")
        };
        (EndingBody::new(Body::new(StreamBody::new(frames)), cut, event), happen)
    }

    /// The messages that came, and the status that ended them.
    async fn read_to_end(mut body: EndingBody) -> (usize, Code) {
        for messages in 0.. {
            let frame = body.frame().await.unwrap().unwrap();
            if let Ok(trailers) = frame.into_trailers() {
                assert!(body.is_end_stream() && body.frame().await.is_none());
                return (messages, Status::from_header_map(&trailers).unwrap().code());
            }
        }
        unreachable!("the event ends it");
    }

    #[tokio::test]
    async fn an_event_cuts_what_is_to_come_or_waits_for_it() {
        for (cut, messages) in [(Cut::AtOnce, 0), (Cut::WhenQuiet, 2)] {
            let (body, happen) = ending_body(cut);
            happen.send(()).unwrap();
            assert_eq!(read_to_end(body).await, (messages, Code::Unavailable), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn an_event_ends_a_body_that_waits() {
        for cut in [Cut::AtOnce, Cut::WhenQuiet] {
            let (body, happen) = ending_body(cut);
            let mut reading = Box::pin(read_to_end(body));
            assert!(futures::poll!(&mut reading).is_pending());
            happen.send(()).unwrap();
            assert_eq!(reading.await, (2, Code::Unavailable), "{cut:?}");
        }
    }
}
