//! The messages of a streamed answer from the moment when its call is made.

use bytes::Bytes;
use futures::future::BoxFuture;
use tokio::time::{Instant, timeout_at};

use super::prepare::Call;
use super::replies::Replies;
use crate::deadline;
use crate::failure::Failure;
use crate::shutdown::Shutdown;

/// The messages of an answer whose headers may be still to come, until the deadline of the call or the stop of the server.
pub(crate) struct ReplyStream {
    state: State,
    deadline: Option<Instant>,
    shutdown: Option<Shutdown>,
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
        let (deadline, shutdown) = (call.deadline, call.shutdown.clone());
        Self { state: State::Opening(Box::pin(opening)), deadline, shutdown }
    }

    /// The next message; `None` when the call ended well. Nothing is lost when the future is dropped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let Some(shutdown) = self.shutdown.clone() else { return self.next_in_time().await };
        tokio::select! {
            // What has arrived is passed on first.
            biased;
            next = self.next_in_time() => next,
            () = shutdown.begun() => Err(Failure::stopping()),
        }
    }

    async fn next_in_time(&mut self) -> Result<Option<Bytes>, Failure> {
        match self.deadline {
            None => self.state.next().await,
            Some(deadline) => match timeout_at(deadline, self.state.next()).await {
                Ok(next) => {
                    next.map_err(|failure| deadline::blame_deadline(failure, Some(deadline)))
                }
                Err(_) => Err(Failure::deadline()),
            },
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
