//! Brings the events of one service to one consumer, from the partitions that this process holds for it.
//!
//! Every entry is first what the last process of the partition left without acknowledging it, then what is new. Redis
//! hands entries only to the process that has said so since it holds the partition, so that one that has lost it, and
//! does not know yet, takes none with it.

use super::{entry, publish::stream};
use crate::{
    messaging::{lease::Lease, queue::Backoff, subscription::Subscription},
    redis::{Redis, RedisError, Script, Value},
    rpc::error::Error,
};
use chrono::Duration;
use fred::types::Message;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, LazyLock},
    time::Duration as StdDuration,
};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Entries of each partition that are read at a time.
const BATCH: i64 = 64;
/// How often a reader looks for what no message told it of.
const POLL: StdDuration = StdDuration::from_secs(1);
/// How long a reader rests after a failure.
const BACKOFF: Backoff =
    Backoff { first: Duration::milliseconds(250), longest: Duration::seconds(5) };
/// The name under which entries are handed out: the same for every process, so that the next one finds what is left.
const READER: &str = "reader";

/// Reads entries of partitions. `KEYS`: who reads the partitions, then the streams. `ARGV`: the process, the group, the
/// reader, how many; then for each stream its partition and after which entry.
static READ: LazyLock<Script> = LazyLock::new(|| {
    Script::from_lua(
        "local streams, ids = {}, {}
         for n = 2, #KEYS do
           if redis.call('HGET', KEYS[1], ARGV[2 * n + 1]) ~= ARGV[1] then
             return redis.error_reply('NOTREADER another process reads this partition')
           end
           streams[#streams + 1] = KEYS[n]
           ids[#ids + 1] = ARGV[2 * n + 2]
         end
         for _, id in ipairs(ids) do streams[#streams + 1] = id end
         return redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[4], 'STREAMS', unpack(streams))",
    )
});

/// What a reader asks a partition for next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// To hand entries to this process from now on.
    Begin,
    /// What was handed out and not acknowledged.
    Left,
    /// What was handed to no process yet.
    New,
}

/// Brings the events of one service to one consumer.
pub(super) struct StreamReader {
    redis: Redis,
    source: String,
    subscription: Arc<Subscription>,
    owner: Uuid,
    held: watch::Receiver<BTreeSet<i16>>,
    partitions: BTreeMap<i16, Next>,
    stop: CancellationToken,
}

impl StreamReader {
    /// A reader of the events of `source`, in the process `owner`, which holds the partitions `held`.
    pub(super) fn new(
        redis: Redis,
        source: String,
        subscription: Arc<Subscription>,
        owner: Uuid,
        held: watch::Receiver<BTreeSet<i16>>,
        stop: CancellationToken,
    ) -> Self {
        let partitions = BTreeMap::new();
        Self { redis, source, subscription, owner, held, partitions, stop }
    }

    /// Reads until the process stops: when a publisher says that there is something, and at intervals.
    pub(super) async fn run(mut self, mut news: broadcast::Receiver<Message>) {
        let (mut failures, stop) = (0, self.stop.clone());
        while !stop.is_cancelled() {
            self.follow_held();
            let pause = match self.read_some().await {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => {
                    failures = 0;
                    POLL
                }
                Err(error) => {
                    failures += 1;
                    let again = BACKOFF.after(failures);
                    if failures == 1 {
                        tracing::warn!(
                            %error, consumer = &**self.subscription.name(), source = self.source,
                            "cannot take events; nothing is lost, and they are asked for again until that works"
                        );
                    }
                    // What was read and not taken is read again.
                    self.partitions.values_mut().for_each(|next| *next = (*next).min_left());
                    again.to_std().unwrap_or(POLL)
                }
            };
            self.rest(&mut news, pause, failures == 0, &stop).await;
        }
    }

    /// Waits for a reason to read again. After a failure only time is one.
    async fn rest(
        &mut self,
        news: &mut broadcast::Receiver<Message>,
        pause: StdDuration,
        listens: bool,
        stop: &CancellationToken,
    ) {
        let sleep = tokio::time::sleep(pause);
        tokio::pin!(sleep);
        loop {
            tokio::select! {
                () = &mut sleep => return,
                () = stop.cancelled() => return,
                changed = self.held.changed(), if listens => {
                    if changed.is_ok() {
                        return;
                    }
                    sleep.as_mut().await;
                    return;
                }
                heard = news.recv(), if listens => match heard {
                    Ok(message) if message.value.as_str().as_deref() != Some(&*self.source) => {}
                    Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                    Err(broadcast::error::RecvError::Closed) => {
                        sleep.as_mut().await;
                        return;
                    }
                },
            }
        }
    }

    /// Forgets partitions that the process has lost, and begins those that it got.
    fn follow_held(&mut self) {
        let held = self.held.borrow_and_update();
        self.partitions.retain(|partition, _| held.contains(partition));
        for partition in held.iter() {
            self.partitions.entry(*partition).or_insert(Next::Begin);
        }
    }

    /// Takes what there is, up to a batch of each partition. Whether there may be more.
    async fn read_some(&mut self) -> Result<bool, Error> {
        self.begin_partitions().await?;
        if self.partitions.is_empty() {
            return Ok(false);
        }
        let batches = match self.read_batches().await {
            Ok(batches) => batches,
            Err(error) if error.has_code("NOTREADER") => {
                self.partitions.values_mut().for_each(|next| *next = Next::Begin);
                return Ok(true);
            }
            Err(error) if error.has_code("NOGROUP") => {
                self.make_groups().await?;
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        let has_more = batches.values().any(|entries| !entries.is_empty())
            || self.partitions.values().any(|next| *next == Next::Left);
        let taking = batches.into_iter().map(|(partition, entries)| self.take(partition, entries));
        let taken = futures::future::join_all(taking).await;
        // Only once no partition has anything left that was handed out before.
        for partition in taken.into_iter().collect::<Result<Vec<_>, Error>>()?.into_iter().flatten()
        {
            self.partitions.insert(partition, Next::New);
        }
        Ok(has_more)
    }

    /// Takes the entries of a partition in order, and acknowledges them. Answers the partition when nothing is left in it
    /// that was handed out before. When the process stops, the rest is left to the one that has the partition next.
    async fn take(&self, partition: i16, entries: Vec<Value>) -> Result<Option<i16>, Error> {
        if entries.is_empty() {
            return Ok(Some(partition));
        }
        let (mut taken, mut failed) = (Vec::new(), None);
        for answer in entries {
            if self.stop.is_cancelled() {
                break;
            }
            let Some(entry) = entry::read(&self.source, answer) else {
                return Err(Error::internal("Redis answers with something that is no entry"));
            };
            if let Err(error) = self.take_entry(partition, &entry).await {
                failed = Some(error);
                break;
            }
            taken.push(Value::from(entry.id));
        }
        if !taken.is_empty() {
            let stream = stream(&self.source, partition);
            let mut args = vec![stream.clone().into(), self.group().into()];
            args.extend(taken);
            let _: i64 = self.redis.command("XACK", &stream, args).await?;
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    async fn take_entry(&self, partition: i16, entry: &entry::Entry) -> Result<(), Error> {
        let consumer = self.subscription.name();
        let Some(event) = &entry.event else {
            tracing::error!(
                consumer = &**consumer,
                source = self.source,
                entry = entry.id,
                "an entry of a stream holds no event, and is skipped; `quickserve events replay` publishes what the \
                 outbox still has"
            );
            return Ok(());
        };
        if !self.subscription.wants(&event.kind) || !event.is_for(consumer) {
            return Ok(());
        }
        self.subscription.take_under(event, Some(self.lease(partition))).await
    }

    /// Reads a batch of each partition. One that is asked for what is left answers with no entries when nothing is.
    async fn read_batches(&self) -> Result<BTreeMap<i16, Vec<Value>>, RedisError> {
        let mut keys = vec![self.readers_key()];
        let mut args: Vec<Value> =
            vec![self.owner.to_string().into(), self.group().into(), READER.into(), BATCH.into()];
        let mut partitions = BTreeMap::new();
        for (partition, next) in &self.partitions {
            let stream = stream(&self.source, *partition);
            keys.push(stream.clone());
            args.push(i64::from(*partition).into());
            args.push(if *next == Next::New { ">" } else { "0" }.into());
            partitions.insert(stream, *partition);
        }
        let answer: Value = self.redis.run_script(&READ, keys, args).await?;
        let mut batches = BTreeMap::new();
        // Null when there is nothing new.
        let Value::Array(streams) = answer else { return Ok(batches) };
        for answer in streams {
            let Value::Array(parts) = answer else { continue };
            let Ok([stream, entries]) = <[Value; 2]>::try_from(parts) else { continue };
            let partition = stream.into_string().and_then(|stream| partitions.get(&stream));
            let (Some(partition), Value::Array(entries)) = (partition, entries) else { continue };
            batches.insert(*partition, entries);
        }
        Ok(batches)
    }

    /// Says in Redis that this process reads the partitions that it has just got, unless another process has taken them
    /// over without this one having heard of it.
    async fn begin_partitions(&mut self) -> Result<(), Error> {
        let Some(db) = self.subscription.db() else { return Ok(()) };
        let begins = self.partitions.iter().filter(|(_, next)| **next == Next::Begin);
        let new: Vec<i16> = begins.map(|(partition, _)| *partition).collect();
        let key = self.readers_key();
        for partition in new {
            if !self.lease(partition).is_held(db).await? {
                self.partitions.remove(&partition);
                continue;
            }
            let args = vec![
                key.clone().into(),
                i64::from(partition).into(),
                self.owner.to_string().into(),
            ];
            let _: i64 = self.redis.command("HSET", &key, args).await?;
            self.partitions.insert(partition, Next::Left);
        }
        Ok(())
    }

    /// Makes the consumer's groups, which take in all that the streams have.
    async fn make_groups(&mut self) -> Result<(), Error> {
        for (partition, next) in &mut self.partitions {
            let stream = stream(&self.source, *partition);
            let group = self.subscription.name().to_string();
            let args = [
                "CREATE".into(),
                stream.clone().into(),
                group.into(),
                "0".into(),
                "MKSTREAM".into(),
            ];
            match self.redis.command::<Value>("XGROUP", &stream, args.to_vec()).await {
                Ok(_) => *next = Next::Begin,
                Err(error) if error.has_code("BUSYGROUP") => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn lease(&self, partition: i16) -> Lease {
        let consumer = self.subscription.name().clone();
        Lease { consumer, partition, owner: self.owner }
    }

    fn group(&self) -> String {
        self.subscription.name().to_string()
    }

    /// Where the processes that read for this consumer are noted, by partition.
    fn readers_key(&self) -> String {
        format!("qs:{{{}}}:readers:{}", self.source, self.subscription.name())
    }
}

impl Next {
    /// The same, or what is left where it was what is new.
    const fn min_left(self) -> Self {
        match self {
            Self::New => Self::Left,
            other => other,
        }
    }
}
