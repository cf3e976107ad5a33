//! The messages of a streamed answer from the moment when its call is made.

use bytes::Bytes;
use futures::future::BoxFuture;
use listener::{StreamEnd, StreamEnds};
use tokio::time::{Instant, timeout_at};

use super::prepare::Call;
use super::replies::Replies;
use crate::deadline;
use crate::failure::Failure;

/// The messages of an answer whose headers may be still to come, until the deadline of the call or the stop of the server.
pub(crate) struct ReplyStream {
    state: State,
    deadline: Option<Instant>,
    end: Option<StreamEnd>,
}

enum State {
    Opening(BoxFuture<'static, Result<Replies, Failure>>),
    Open(Box<Replies>),
    Failed,
}

impl ReplyStream {
    pub fn new(
        opening: impl Future<Output = Result<Replies, Failure>> + Send + 'static,
        call: &Call,
    ) -> Self {
        let end = call.stream_ends.as_ref().map(StreamEnds::join);
        Self { state: State::Opening(Box::pin(opening)), deadline: call.deadline, end }
    }

    /// The next message; `None` when the call ended well. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let next = self.state.next_in_time(self.deadline);
        let Some(end) = &mut self.end else { return next.await };
        tokio::select! {
            // What has arrived is passed on first.
            biased;
            next = next => next,
            () = end => Err(Failure::stopping()),
        }
    }

    /// Waits for the headers of the answer. Its messages stay for [`Self::next`].
    pub async fn open(&mut self) -> Result<(), Failure> {
        self.state.open().await
    }

    /// The answer, once its headers have come.
    pub fn opened(&self) -> Option<&Replies> {
        match &self.state {
            State::Open(replies) => Some(replies),
            State::Opening(_) | State::Failed => None,
        }
    }
}

impl State {
    async fn next_in_time(&mut self, deadline: Option<Instant>) -> Result<Option<Bytes>, Failure> {
        match deadline {
            None => self.next().await,
            Some(deadline) => match timeout_at(deadline, self.next()).await {
                Ok(next) => {
                    next.map_err(|failure| deadline::blame_deadline(failure, Some(deadline)))
                }
                Err(_) => Err(Failure::deadline()),
            },
        }
    }

    async fn open(&mut self) -> Result<(), Failure> {
        if let Self::Opening(opening) = self {
            let opened = opening.await;
            *self = Self::Failed;
            *self = Self::Open(Box::new(opened?));
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        self.open().await?;
        match self {
            Self::Open(replies) => replies.next().await,
            Self::Opening(_) | Self::Failed => Ok(None),
        }
    }
}
