//! Accounts that are erased: their appliances go, and the answers that were kept for keys of their calls. What they wrote
//! about orders goes when order tells of it.

use crate::repository;
use async_trait::async_trait;
use kit::{
    Db, Event,
    messaging::{bus::Consumer, inbox},
    storage::idempotency,
    values::id::parse_uuid,
};
use proto::quickserve::user::v1::UserEvent;
use vertical::Error;

/// An account was erased.
const USER_ERASED: &str = "user.erased";
/// The name under which repair notes the events on which it has acted.
const INBOX: &str = "repair";

/// Forgets what is kept of accounts that are erased.
pub struct ErasedAccounts {
    db: Db,
}

impl ErasedAccounts {
    /// Forgets what is in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    async fn forget(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let account = parse_uuid("user_id", &user_id)?;
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, INBOX, event).await? {
            repository::delete_appliances(&tx, account).await?;
            idempotency::forget_account(&tx, account).await?;
        }
        Ok(tx.commit().await?)
    }
}

#[async_trait]
impl Consumer for ErasedAccounts {
    fn wants(&self, kind: &str) -> bool {
        kind == USER_ERASED
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        Ok(self.forget(event).await?)
    }
}
