//! Access tokens that became void before their time: a short set, fed from the user service.

use crate::identity::token::{ACCESS_LIFE, AccessClaims, LEEWAY};
use chrono::{DateTime, Utc};
use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock},
};
use uuid::Uuid;

/// Tokens that are void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoked {
    /// Those of one session.
    Session(Uuid),
    /// Those of an account with a lower version.
    Below {
        /// The account.
        user_id: Uuid,
        /// The first version that still holds.
        token_version: i64,
    },
}

/// The tokens that are void now. Each is forgotten once it has expired by itself.
#[derive(Default)]
pub struct Revocations {
    sets: RwLock<Sets>,
}

#[derive(Default)]
struct Sets {
    sessions: HashMap<Uuid, DateTime<Utc>>,
    accounts: HashMap<Uuid, (i64, DateTime<Utc>)>,
}

impl Revocations {
    /// Adds what was revoked at `at`, and forgets what has expired by `now`.
    pub fn add(
        &self,
        revoked: impl IntoIterator<Item = (Revoked, DateTime<Utc>)>,
        now: DateTime<Utc>,
    ) {
        let mut sets = self.sets.write().unwrap_or_else(PoisonError::into_inner);
        for (revoked, at) in revoked {
            match revoked {
                Revoked::Session(session) => {
                    sets.sessions.insert(session, at);
                }
                Revoked::Below { user_id, token_version } => {
                    let entry = sets.accounts.entry(user_id).or_insert((token_version, at));
                    *entry = (entry.0.max(token_version), entry.1.max(at));
                }
            }
        }
        let life = ACCESS_LIFE + LEEWAY;
        sets.sessions.retain(|_, at| *at + life > now);
        sets.accounts.retain(|_, (_, at)| *at + life > now);
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
