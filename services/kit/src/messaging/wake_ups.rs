//! Wakes those who wait for something new of an id: those of this process at once, and through Redis those of the others.
//! A wake-up may be lost, as while Redis is away, so that who waits also looks from time to time.

use crate::redis::{Redis, listen_to};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::broadcast;
use uuid::Uuid;

/// Wake-ups that a slow reader may be behind before it must look by itself.
const MAX_BEHIND: usize = 1_024;
/// Ids in one message to the other processes.
const MAX_IDS: usize = 256;

/// Wakes those who wait on one subject, in every process that waits on it. Clones share it.
#[derive(Clone)]
pub struct WakeUps {
    here: broadcast::Sender<Arc<[Uuid]>>,
    others: Option<Others>,
}

/// The other processes.
#[derive(Clone)]
struct Others {
    redis: Redis,
    channel: Arc<str>,
    /// Names this process, which hears what it publishes itself.
    own: Uuid,
}

impl WakeUps {
    /// Wake-ups within this process.
    pub fn local() -> Self {
        Self { here: broadcast::Sender::new(MAX_BEHIND), others: None }
    }

    /// Wake-ups of all processes that use the same `subject` in `redis`.
    pub fn shared(redis: &Redis, subject: &str) -> Self {
        let channel: Arc<str> = format!("qs:wake:{subject}").into();
        let own = Uuid::new_v4();
        let here = broadcast::Sender::new(MAX_BEHIND);
        tokio::spawn(pass_on(redis.clone(), channel.clone(), own, here.clone()));
        Self { here, others: Some(Others { redis: redis.clone(), channel, own }) }
    }

    /// Wakes who waits for one of these ids. Call it after the commit.
    pub fn wake(&self, ids: impl Into<Arc<[Uuid]>>) {
        let ids = ids.into();
        if ids.is_empty() {
            return;
        }
        if let Some(others) = self.others.clone() {
            let ids = ids.clone();
            tokio::spawn(async move { others.publish(&ids).await });
        }
        // This fails when none waits here, which is fine.
        let _ = self.here.send(ids);
    }

    /// Wake-ups from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Uuid]>> {
        self.here.subscribe()
    }
}

/// The wake-ups of a process, by subject.
#[derive(Default)]
pub(crate) struct Subjects(Mutex<HashMap<String, WakeUps>>);

impl Subjects {
    /// The wake-ups of a subject, with the other processes when there is a Redis. The first answer stays.
    pub(crate) fn get(&self, redis: Option<&Redis>, subject: String) -> WakeUps {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(subject).or_insert_with_key(|subject| match redis {
            Some(redis) => WakeUps::shared(redis, subject),
            None => WakeUps::local(),
        });
        known.clone()
    }
}

impl Others {
    async fn publish(&self, ids: &[Uuid]) {
        for ids in ids.chunks(MAX_IDS) {
            let message: Vec<String> =
                [self.own].iter().chain(ids).map(|id| id.simple().to_string()).collect();
            let args = vec![(*self.channel).into(), message.join(" ").into()];
            // The others find it when they look by themselves.
            if self.redis.command::<i64>("PUBLISH", &self.channel, args).await.is_err() {
                return;
            }
        }
    }
}

/// Passes on what other processes publish, for as long as this one runs.
async fn pass_on(redis: Redis, channel: Arc<str>, own: Uuid, here: broadcast::Sender<Arc<[Uuid]>>) {
    let mut messages = listen_to(&redis, &channel);
    loop {
        let message = match messages.recv().await {
            Ok(message) => message,
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            Err(broadcast::error::RecvError::Closed) => return,
        };
        let text = message.value.as_string().unwrap_or_default();
        let mut ids = text.split(' ').filter_map(|id| Uuid::try_parse(id).ok());
        if ids.next() != Some(own) {
            let _ = here.send(ids.collect());
        }
    }
}
