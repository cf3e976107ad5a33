//! The facts that payment acts on: accounts that are erased or suspended, providers that are blocked.

use crate::{
    domain::{Error, Hold, ProviderId, UserId},
    flow::{hold_payouts, lift_hold},
    repository::methods,
};
use async_trait::async_trait;
use kit::{
    Db, Event, Tx,
    messaging::{bus::Consumer, inbox},
    storage::idempotency,
};
use proto::quickserve::{provider::v1::ProviderEvent, user::v1::UserEvent};

/// A profile was blocked; the reason is its code.
const PROVIDER_BLOCKED: &str = "provider.blocked";
/// A block ended; the reason is its code.
const PROVIDER_UNBLOCKED: &str = "provider.unblocked";
/// An account may not sign in until it is reinstated.
const USER_SUSPENDED: &str = "user.suspended";
/// The suspension of an account ended.
const USER_REINSTATED: &str = "user.reinstated";

/// Forgets the cards of erased accounts. What they paid stays in the books.
pub struct ErasureConsumer {
    pub db: Db,
}

#[async_trait]
impl Consumer for ErasureConsumer {
    fn wants(&self, kind: &str) -> bool {
        kind == "user.erased"
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        self.erase_methods(event).await.map_err(Into::into)
    }
}

impl ErasureConsumer {
    async fn erase_methods(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let user = UserId::parse("user_id", &user_id)?;
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, "payment", event).await? {
            methods::erase_methods(&tx, user).await?;
            idempotency::forget_account(&tx, user.uuid()).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// Holds back the payouts of providers that are blocked for what the settings list, or whose account is suspended, until
/// that ends.
pub struct StandingConsumer {
    pub db: Db,
    /// The reasons of blocks that hold payouts back.
    pub held_blocks: Vec<String>,
}

#[async_trait]
impl Consumer for StandingConsumer {
    fn name(&self) -> &'static str {
        "standing"
    }

    fn wants(&self, kind: &str) -> bool {
        [PROVIDER_BLOCKED, PROVIDER_UNBLOCKED, USER_SUSPENDED, USER_REINSTATED].contains(&kind)
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        self.follow_standing(event).await.map_err(Into::into)
    }
}

impl StandingConsumer {
    async fn follow_standing(&self, event: &Event) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        if !inbox::first_time(&tx, "payment.standing", event).await? {
            return Ok(());
        }
        match event.kind.as_str() {
            USER_SUSPENDED | USER_REINSTATED => follow_account(&tx, event).await?,
            _ => self.follow_profile(&tx, event).await?,
        }
        Ok(tx.commit().await?)
    }

    async fn follow_profile(&self, tx: &Tx, event: &Event) -> Result<(), Error> {
        let ProviderEvent { provider_id, user_id: _, reason, order_id: _ } = event.decode()?;
        let provider = ProviderId::parse("provider_id", &provider_id)?;
        let hold = Hold::of_block(provider, &reason, tx.now());
        if event.kind == PROVIDER_UNBLOCKED {
            lift_hold(tx, hold).await
        } else if self.held_blocks.contains(&reason) {
            hold_payouts(tx, hold).await
        } else {
            Ok(())
        }
    }
}

async fn follow_account(tx: &Tx, event: &Event) -> Result<(), Error> {
    let UserEvent { user_id } = event.decode()?;
    let hold = Hold::of_suspension(UserId::parse("user_id", &user_id)?, tx.now());
    match event.kind == USER_SUSPENDED {
        true => hold_payouts(tx, hold).await,
        false => lift_hold(tx, hold).await,
    }
}
