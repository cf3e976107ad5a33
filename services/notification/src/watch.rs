//! The inbox as a stream: what is unread, then what comes, nothing lost and nothing twice.
//!
//! A watcher is woken by commits of its own process and looks by itself at intervals for those of others. Ids are made
//! before their rows are committed, so that each look goes back a while and leaves out what was sent.

use crate::{
    api::Reader,
    domain::{Error, Message, MessageId, text::Locale},
    events::Signals,
    repository::inbox::first_id_at,
};
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, BoxStream, StreamExt};
use proto::quickserve::notification::v1::WatchInboxResponse;
use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use uuid::Uuid;

/// Streams that one account may have open in this process.
const STREAMS_MOST: usize = 8;
/// Rows that a watcher holds at a time.
const BATCH: usize = 100;
/// How long a row may take from its id to its commit; no statement may run longer.
const OVERLAP: Duration = Duration::seconds(60);
/// How often a watcher looks for what other processes wrote.
const POLL: std::time::Duration = std::time::Duration::from_secs(10);
/// How long a stream lasts. Its reader then comes back with a token that is still good.
const LONGEST: Duration = Duration::minutes(15);

/// A stream of messages.
pub type Stream = BoxStream<'static, Result<WatchInboxResponse, Status>>;

#[derive(Clone)]
pub struct Watches {
    reader: Reader,
    signals: Signals,
    stop: CancellationToken,
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
}

/// A place among the streams of an account, given back when the stream ends.
struct StreamPermit {
    user_id: Uuid,
    open: Arc<Mutex<HashMap<Uuid, usize>>>,
}

impl Drop for StreamPermit {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.user_id) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user_id);
            }
        }
    }
}

impl Watches {
    /// Streams for readers; `stop` ends them.
    pub fn new(reader: Reader, signals: Signals, stop: CancellationToken) -> Self {
        Self { reader, signals, stop, open: Arc::default() }
    }

    /// The inbox of an account from now on: what is unread first, or of that what is newer than `seen`.
    pub async fn watch(&self, user_id: Uuid, seen: Option<MessageId>) -> Result<Stream, Error> {
        let place = self.place(user_id)?;
        // Subscribed before reading: a message that is committed later is either read below or wakes this task.
        let wake = self.signals.inbox.subscribe();
        let opened_at = self.reader.repository.clock().now();
        let locale = self.reader.locale(user_id).await?;
        let watch = Watch {
            reader: self.reader.clone(),
            user_id,
            locale,
            wake,
            stop: self.stop.clone(),
            ends_at: opened_at + LONGEST,
            ready: VecDeque::new(),
            sent: seen.into_iter().collect(),
            backlog_after: Some(seen.map_or(MessageId::from_uuid(Uuid::nil()), before_seen)),
            looked_at: opened_at,
            _place: place,
        };
        let messages = stream::unfold(Some(watch), |watch| async move {
            let mut watch = watch?;
            match watch.next().await {
                Ok(None) => None,
                Ok(Some(message)) => Some((Ok(watch.show(&message)), Some(watch))),
                Err(error) => Some((Err(error.into()), None)),
            }
        });
        Ok(messages.boxed())
    }

    fn place(&self, user_id: Uuid) -> Result<StreamPermit, Error> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let count = open.entry(user_id).or_default();
        if *count >= STREAMS_MOST {
            return Err(Error::TooManyStreams);
        }
        *count += 1;
        Ok(StreamPermit { user_id, open: self.open.clone() })
    }
}

/// Where to look from for a client that has seen `id`: a message whose id was made earlier may have been committed later.
fn before_seen(id: MessageId) -> MessageId {
    let made = id.uuid().get_timestamp().map(|time| time.to_unix());
    let made = made.and_then(|(seconds, nanos)| {
        DateTime::from_timestamp(i64::try_from(seconds).unwrap_or_default(), nanos)
    });
    made.map_or(MessageId::from_uuid(Uuid::nil()), |made| first_id_at(made - OVERLAP))
}

struct Watch {
    reader: Reader,
    user_id: Uuid,
    locale: Locale,
    wake: broadcast::Receiver<Arc<[Uuid]>>,
    stop: CancellationToken,
    ends_at: DateTime<Utc>,
    ready: VecDeque<Message>,
    sent: BTreeSet<MessageId>,
    /// Up to where the backlog was read; none once it is through.
    backlog_after: Option<MessageId>,
    /// When the last complete look began.
    looked_at: DateTime<Utc>,
    _place: StreamPermit,
}

impl Watch {
    fn show(&self, message: &Message) -> WatchInboxResponse {
        WatchInboxResponse { message: Some(self.reader.show(self.locale, message)) }
    }

    /// The next message; none when the stream ends.
    async fn next(&mut self) -> Result<Option<Message>, Error> {
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            if let Some(message) = self.ready.pop_front() {
                self.sent.insert(message.id);
                return Ok(Some(message));
            }
            match self.backlog_after {
                Some(after) => self.read_backlog(after).await?,
                None => self.look().await?,
            }
            if self.ready.is_empty() && self.backlog_after.is_none() && !self.wait().await {
                return Ok(None);
            }
        }
    }

    /// Reads in a task of its own: half done, a query would keep its connection for as long as the stream is not read on.
    async fn read_unread(&self, after: MessageId) -> Result<Vec<Message>, Error> {
        let (reader, user_id) = (self.reader.clone(), self.user_id);
        let read =
            async move { reader.repository.unread_after(user_id, after, BATCH as u64).await };
        tokio::spawn(read).await.map_err(kit::Error::internal)?
    }

    async fn read_backlog(&mut self, after: MessageId) -> Result<(), Error> {
        let rows = self.read_unread(after).await?;
        self.backlog_after = rows.last().filter(|_| rows.len() == BATCH).map(|message| message.id);
        self.ready.extend(rows.into_iter().filter(|row| !self.sent.contains(&row.id)));
        Ok(())
    }

    /// Finds what came since the last look, and what may have been committed late.
    async fn look(&mut self) -> Result<(), Error> {
        let began = self.reader.repository.clock().now();
        let floor = first_id_at(self.looked_at - OVERLAP);
        self.sent = self.sent.split_off(&floor);
        let mut after = floor;
        loop {
            let rows = self.read_unread(after).await?;
            let full = rows.len() == BATCH;
            after = rows.last().map_or(after, |message| message.id);
            self.ready.extend(rows.into_iter().filter(|row| !self.sent.contains(&row.id)));
            if self.ready.len() >= BATCH {
                // The rest is found by the next look, which begins where this one did.
                return Ok(());
            }
            if !full {
                self.looked_at = began;
                return Ok(());
            }
        }
    }

    /// Waits until it is time to look. False when the stream ends instead.
    async fn wait(&mut self) -> bool {
        let clock = self.reader.repository.clock();
        let rung = async {
            loop {
                match self.wake.recv().await {
                    Ok(accounts) if !accounts.contains(&self.user_id) => {}
                    // Closed is never: the sender lives as long as the service.
                    Ok(_) | Err(RecvError::Lagged(_) | RecvError::Closed) => return,
                }
            }
        };
        tokio::select! {
            () = rung => true,
            () = clock.poll(POLL) => clock.now() < self.ends_at,
            () = clock.sleep_until(self.ends_at) => false,
            () = self.stop.cancelled() => false,
        }
    }
}
