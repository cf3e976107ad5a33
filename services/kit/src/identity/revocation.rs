//! Access tokens that became void before their time: a short set, fed from the user service.

mod follow;

pub use follow::follow;

use crate::identity::token::{ACCESS_LIFE, AccessClaims, LEEWAY};
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};
use tokio::sync::watch;
use uuid::Uuid;

/// Tokens that are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Those of one session.
    Session(Uuid),
    /// Those of an account with a lower version.
    Below {
        /// The account whose older tokens are void.
        user_id: Uuid,
        /// The first version that still holds.
        token_version: i64,
    },
}

/// The tokens that are void now. Each is forgotten once it has expired by itself.
#[derive(Default)]
pub struct Revocations {
    sets: RwLock<Sets>,
    /// Tells those who wait in [`Revocations::covered`] that something was added.
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Sets {
    sessions: HashMap<Uuid, DateTime<Utc>>,
    accounts: HashMap<Uuid, (i64, DateTime<Utc>)>,
    read_at: Option<DateTime<Utc>>,
}

impl Revocations {
    /// Adds what was revoked at `at`, as it was known at `now`, and forgets what has expired by then.
    pub fn add(
        &self,
        revoked: impl IntoIterator<Item = (Revoked, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        let mut is_new = false;
        for (revoked, at) in revoked {
            is_new |= sets.insert(revoked, at);
        }
        let life = ACCESS_LIFE + LEEWAY;
        sets.sessions.retain(|_, at| *at + life > now);
        sets.accounts.retain(|_, (_, at)| *at + life > now);
        sets.read_at = Some(now);
        drop(sets);
        if is_new {
            self.news.send_replace(());
        }
    }

    /// When the set was read last; none when it was not read yet.
    pub fn read_at(&self) -> Option<DateTime<Utc>> {
        self.sets.read().unwrap_or_else(PoisonError::into_inner).read_at
    }

    /// Waits until the token with these claims is void.
    pub async fn covered(&self, claims: &AccessClaims) {
        let mut news = self.news.subscribe();
        while !self.covers(claims) {
            // The sender lives as long as `self`.
            let _ = news.changed().await;
        }
    }

    /// Whether the token with these claims is void.
    pub fn covers(&self, claims: &AccessClaims) -> bool {
        let sets = self.sets.read().unwrap_or_else(PoisonError::into_inner);
        let subject = &claims.subject;
        sets.sessions.contains_key(&subject.session_id)
            || sets
                .accounts
                .get(&subject.user_id)
                .is_some_and(|(version, _)| claims.token_version < *version)
    }
}

impl Sets {
    /// Inserts a revocation. Whether it voids tokens that were good before.
    fn insert(&mut self, revoked: Revoked, at: DateTime<Utc>) -> bool {
        match revoked {
            Revoked::Session(session) => self.sessions.insert(session, at).is_none(),
            Revoked::Below { user_id, token_version } => {
                let entry = self.accounts.entry(user_id).or_insert((i64::MIN, at));
                let is_new = token_version > entry.0;
                *entry = (entry.0.max(token_version), entry.1.max(at));
                is_new
            }
        }
    }
}
