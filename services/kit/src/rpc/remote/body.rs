//! The body of an answer, within the call's deadline and with failures named by their cause.

use super::failure;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
};
use tokio::time::{Instant, Sleep, sleep_until};
use tonic::{Status, body::Body};

/// A body that fails with DEADLINE_EXCEEDED when it is not whole by its deadline.
pub(super) struct Bounded {
    body: Body,
    deadline: Option<Instant>,
    /// Made only when there is something to wait for.
    alarm: Option<Pin<Box<Sleep>>>,
}

impl Bounded {
    pub fn new(body: Body, deadline: Option<Instant>) -> Self {
        Self { body, deadline, alarm: None }
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(context) {
            return Poll::Ready(frame.map(|frame| frame.map_err(failure::rename_failure)));
        }
        let Some(deadline) = this.deadline else { return Poll::Pending };
        let alarm = this.alarm.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if alarm.as_mut().poll(context).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Some(Err(failure::too_late())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
