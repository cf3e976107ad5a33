//! One request on a connection, and its answer.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream, SendStream};
use http::{Request, Response};
use http_body::{Body as _, Frame};
use http_body_util::BodyExt as _;
use tokio::task::AbortHandle;

use crate::body::BoxError;

/// The body of a request.
pub enum RequestBody {
    Empty,
    /// The message of a call that has one, which can be sent again.
    Message(Bytes),
    /// Messages that are sent as they come; none once they are being sent.
    Stream(Option<tonic::body::Body>),
}

impl RequestBody {
    /// Takes the message out of a body whose length is known: it is there already.
    pub async fn new(mut body: tonic::body::Body) -> Result<Self, BoxError> {
        if body.is_end_stream() {
            return Ok(Self::Empty);
        }
        if body.size_hint().exact().is_none() {
            return Ok(Self::Stream(Some(body)));
        }
        match body.frame().await {
            Some(frame) => Ok(Self::Message(frame?.into_data().unwrap_or_default())),
            None => Ok(Self::Empty),
        }
    }

    /// Whether a request that failed like this was not processed, and can be sent again. That is so when the upstream was
    /// closing the connection and says that it did not get to it (RFC 9113, section 6.8), and when it refused the stream
    /// (section 8.7). After other failures it may have been processed.
    pub fn is_unsent(&self, error: &h2::Error) -> bool {
        let unprocessed = error.is_remote()
            && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        unprocessed && !matches!(self, Self::Stream(None))
    }
}

/// Sends a request and waits for the head of its answer.
pub async fn send_request(
    mut sender: SendRequest<Bytes>,
    request: Request<()>,
    body: &mut RequestBody,
) -> Result<Response<Incoming>, h2::Error> {
    let (answer, mut stream) = sender.send_request(request, matches!(body, RequestBody::Empty))?;
    let mut send_task = SendTask(None);
    match body {
        RequestBody::Empty => {}
        RequestBody::Message(message) => {
            // It goes out at once; h2 keeps what the window does not take yet. Where the stream has ended already, the
            // answer says why.
            let _ = stream.send_data(message.clone(), true);
        }
        RequestBody::Stream(body) => {
            let sending = body.take().map(|body| tokio::spawn(send_stream(body, stream)));
            send_task.0 = sending.map(|task| task.abort_handle());
        }
    }
    let (head, stream) = answer.await?.into_parts();
    Ok(Response::from_parts(head, Incoming { stream, read: false, _send_task: send_task }))
}

/// Sends a request's stream, no faster than the upstream takes it.
async fn send_stream(mut body: tonic::body::Body, mut stream: SendStream<Bytes>) {
    let sent = async {
        while let Some(frame) = body.frame().await {
            let Ok(mut data) = frame?.into_data() else { continue };
            while !data.is_empty() {
                stream.reserve_capacity(data.len());
                let room = poll_fn(|context| stream.poll_capacity(context)).await;
                let room = room.ok_or("the call has ended")??.min(data.len());
                stream.send_data(data.split_to(room), false)?;
            }
        }
        Ok::<_, BoxError>(stream.send_data(Bytes::new(), true)?)
    };
    if sent.await.is_err() {
        stream.send_reset(Reason::CANCEL);
    }
}

/// The task that sends a request's stream. It is aborted with the answer: what is still unsent no longer matters.
struct SendTask(Option<AbortHandle>);

impl Drop for SendTask {
    fn drop(&mut self) {
        if let Some(send_task) = &self.0 {
            send_task.abort();
        }
    }
}

/// The answer's frames. Dropped before its end, it cancels the call.
pub struct Incoming {
    stream: RecvStream,
    /// Whether all data is read, and trailers follow.
    read: bool,
    _send_task: SendTask,
}

impl http_body::Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let this = &mut *self;
        if !this.read {
            match ready!(this.stream.poll_data(context)) {
                Some(Ok(data)) => {
                    // It fails only for a stream that has ended.
                    let _ = this.stream.flow_control().release_capacity(data.len());
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => this.read = true,
            }
        }
        let trailers = ready!(this.stream.poll_trailers(context));
        Poll::Ready(trailers.transpose().map(|trailers| trailers.map(Frame::trailers)))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }
}
