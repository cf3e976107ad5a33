//! Accounts kept for hot reads: a read that finds its account here never reaches the database.

use crate::domain::UserId;
use kit::storage::cache::Cache;
use prost::Message;
use proto::quickserve::user::v1 as pb;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// How long another replica may see an account as it was.
const TTL: Duration = Duration::from_secs(10);

/// The accounts that are kept.
#[derive(Clone)]
pub struct Hot {
    cache: Arc<dyn Cache>,
    /// Counts the changes of this process, so that a read that began before one keeps nothing outdated.
    changes: Arc<AtomicU64>,
}

/// The changes that a read had seen when it began.
#[derive(Clone, Copy)]
pub struct CacheStamp(u64);

impl Hot {
    /// Keeps accounts in `cache`.
    pub fn new(cache: Arc<dyn Cache>) -> Self {
        Self { cache, changes: Arc::default() }
    }

    /// The account, if it is kept.
    pub async fn get(&self, id: UserId) -> Option<pb::User> {
        let bytes = self.cache.get(&key(id)).await?;
        pb::User::decode(bytes).ok()
    }

    /// What a read must take note of before it asks the database.
    pub fn begin(&self) -> CacheStamp {
        CacheStamp(self.changes.load(Ordering::SeqCst))
    }

    /// Keeps an account that was read after `seen`.
    pub async fn put(&self, id: UserId, user: &pb::User, seen: CacheStamp) {
        let key = key(id);
        self.cache.put(&key, user.encode_to_vec().into(), TTL).await;
        if self.changes.load(Ordering::SeqCst) != seen.0 {
            self.cache.remove(&key).await;
        }
    }

    /// Forgets an account after a change was committed.
    pub async fn forget(&self, id: UserId) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.cache.remove(&key(id)).await;
    }
}

fn key(id: UserId) -> String {
    format!("user:{id}")
}
