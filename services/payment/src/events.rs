//! The facts that payment publishes, and the one it acts on.

use crate::{
    domain::{Error, Intent, Payout, UserId},
    repository::methods,
};
use async_trait::async_trait;
use kit::{
    Db, Event, Tx,
    messaging::{bus::Consumer, inbox, outbox},
};
use proto::quickserve::{common::v1::Money, payment::v1 as pb, user::v1::UserEvent};

/// Money is authorised.
pub const AUTHORIZED: &str = "payment.authorized";
/// Money is captured.
pub const CAPTURED: &str = "payment.captured";
/// Money went back to the customer.
pub const REFUNDED: &str = "payment.refunded";
/// A success that came after the payment was given up went back by itself.
pub const LATE_REFUNDED: &str = "payment.late_refunded";
/// Something was refused for good.
pub const FAILED: &str = "payment.failed";
/// The customer disputes the charge at the bank.
pub const DISPUTED: &str = "payment.disputed";
/// A payout will be made.
pub const PAYOUT_SCHEDULED: &str = "payout.scheduled";
/// A payout is held back.
pub const PAYOUT_FROZEN: &str = "payout.frozen";
/// A payout was made.
pub const PAYOUT_PAID: &str = "payout.paid";
/// A payout failed or came back.
pub const PAYOUT_FAILED: &str = "payout.failed";

/// Publishes a fact about a payment, which is to be saved in the same transaction.
pub async fn payment(
    tx: &Tx,
    intent: &mut Intent,
    kind: &'static str,
    amount: i64,
    reason: &str,
) -> Result<(), Error> {
    intent.event_seq += 1;
    let event = fact(intent, amount, reason);
    Ok(outbox::record(tx, kind, intent.id.uuid(), intent.event_seq, &event).await?)
}

/// The fact that the first attempt of a payment was authorised, where the statement that says so counts the fact.
pub fn authorized_first(intent: &Intent) -> outbox::Fact {
    let event = pb::PaymentEvent { answered: true, ..fact(intent, intent.amount, "") };
    outbox::Fact::new(AUTHORIZED, intent.id.uuid(), intent.event_seq + 1, &event)
}

fn fact(intent: &Intent, amount: i64, reason: &str) -> pb::PaymentEvent {
    pb::PaymentEvent {
        payment_id: intent.id.to_string(),
        order_id: intent.order_id.to_string(),
        customer_id: intent.customer_id.map(|id| id.to_string()).unwrap_or_default(),
        amount: Some(Money { currency: intent.currency.clone(), minor_units: amount }),
        reason: reason.to_owned(),
        answered: false,
    }
}

/// Publishes a fact about a payout, which is to be saved in the same transaction.
pub async fn payout(
    tx: &Tx,
    payout: &mut Payout,
    kind: &'static str,
    amount: i64,
) -> Result<(), Error> {
    payout.event_seq += 1;
    let event = pb::PayoutEvent {
        payout_id: payout.id.to_string(),
        order_id: payout.order_id.to_string(),
        provider_user_id: payout.provider_user_id.to_string(),
        amount: Some(Money { currency: payout.currency.clone(), minor_units: amount }),
    };
    Ok(outbox::record(tx, kind, payout.id.uuid(), payout.event_seq, &event).await?)
}

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
        self.erase_methods(event).await.map_err(into_kit_error)
    }
}

impl ErasureConsumer {
    async fn erase_methods(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let user = UserId::parse("user_id", &user_id)?;
        let tx = self.db.begin().await?;
        if inbox::first_time(&tx, "payment", event).await? {
            methods::erase(&tx, user).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// A failure as workers report it.
pub fn into_kit_error(error: Error) -> kit::Error {
    match error {
        Error::Kit(error) => error,
        other => kit::Error::internal(other),
    }
}
