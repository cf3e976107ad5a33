//! The facts that payment publishes.

use crate::{
    domain::{Chargeback, Due, Error, Intent, Payout, chargeback},
    repository::dues,
};
use chrono::{DateTime, Utc};
use kit::{Tx, messaging::outbox, values::time::timestamp};
use proto::quickserve::{common::v1::Money, payment::v1 as pb};

/// Money is authorised.
pub const AUTHORIZED: &str = "payment.authorized";
/// What is reserved runs out within a day, unless it is secured.
pub const HOLD_EXPIRING: &str = "payment.hold_expiring";
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
/// A refund was refused after it was answered, or came back.
pub const REFUND_FAILED: &str = "payment.refund_failed";
/// The bank gave the money of a dispute back.
pub const CHARGEBACK_WON: &str = "payment.chargeback_won";
/// The customer keeps the money of a dispute.
pub const CHARGEBACK_LOST: &str = "payment.chargeback_lost";
/// A capture was declined: the customer owes the amount.
pub const DUE_CREATED: &str = "payment.due_created";
/// The customer owes less: the amount is what is left.
pub const DUE_LOWERED: &str = "payment.due_lowered";
/// What was to be paid by now is still owed.
pub const DUE_OVERDUE: &str = "payment.due_overdue";
/// The customer has paid what was owed.
pub const DUE_PAID: &str = "payment.due_paid";
/// What was owed is not asked for any more.
pub const DUE_WAIVED: &str = "payment.due_waived";
/// A payout will be made.
pub const PAYOUT_SCHEDULED: &str = "payout.scheduled";
/// A payout is held back.
pub const PAYOUT_FROZEN: &str = "payout.frozen";
/// A payout was made.
pub const PAYOUT_PAID: &str = "payout.paid";
/// A payout failed or came back.
pub const PAYOUT_FAILED: &str = "payout.failed";

/// Publishes a fact about a payment, which is to be saved in the same transaction. Attempts to pay a due are no news to
/// the order and its parties: [`due`] tells when it is paid.
pub async fn payment_event(
    tx: &Tx,
    intent: &mut Intent,
    kind: &'static str,
    amount: i64,
    reason: &str,
) -> Result<(), Error> {
    if intent.pays_due() && [AUTHORIZED, FAILED, CAPTURED].contains(&kind) {
        return Ok(());
    }
    intent.event_seq += 1;
    let event = find_fact(tx, intent, amount, reason).await?;
    Ok(outbox::record_event(tx, kind, intent.id.uuid(), intent.event_seq, &event).await?)
}

/// Publishes how a chargeback of a payment ended, which is to be saved in the same transaction; `still_disputed` says
/// whether the bank looks at another charge of the order.
pub async fn chargeback_end(
    tx: &Tx,
    intent: &mut Intent,
    chargeback: &Chargeback,
    still_disputed: bool,
) -> Result<(), Error> {
    let kind = match chargeback.state {
        chargeback::State::Won => CHARGEBACK_WON,
        chargeback::State::Lost => CHARGEBACK_LOST,
        chargeback::State::Open => return Ok(()),
    };
    intent.event_seq += 1;
    let fact = find_fact(tx, intent, chargeback.amount, &chargeback.reason).await?;
    let event = pb::PaymentEvent { still_disputed, ..fact };
    Ok(outbox::record_event(tx, kind, intent.id.uuid(), intent.event_seq, &event).await?)
}

/// Publishes a fact about a due as one of `intent`, the payment of its order or its own, which is to be saved in the
/// same transaction. The amount is that of the due.
pub async fn due(tx: &Tx, intent: &mut Intent, due: &Due, kind: &'static str) -> Result<(), Error> {
    intent.event_seq += 1;
    let event = pb::PaymentEvent {
        provider_user_id: due.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        ..name_due(to_fact(intent, due.amount, &due.reason), due)
    };
    Ok(outbox::record_event(tx, kind, intent.id.uuid(), intent.event_seq, &event).await?)
}

/// Publishes the fact that a hold of `amount` runs out at `expiry`, which is to be saved in the same transaction.
pub async fn hold_expiring(
    tx: &Tx,
    intent: &mut Intent,
    amount: i64,
    expiry: DateTime<Utc>,
) -> Result<(), Error> {
    intent.event_seq += 1;
    let expires_at = Some(timestamp(expiry));
    let event = pb::PaymentEvent { expires_at, ..to_fact(intent, amount, "") };
    let (id, seq) = (intent.id.uuid(), intent.event_seq);
    Ok(outbox::record_event(tx, HOLD_EXPIRING, id, seq, &event).await?)
}

/// The fact that the first attempt of a payment was authorised, where the statement that says so counts the fact.
pub fn authorized_first(intent: &Intent) -> outbox::Fact {
    let event = pb::PaymentEvent { answered: true, ..to_fact(intent, intent.amount, "") };
    outbox::Fact::new(AUTHORIZED, intent.id.uuid(), intent.event_seq + 1, &event)
}

/// What is told about a payment. Where it pays a due the fact names that, so that its amounts are not taken for those of
/// the order.
async fn find_fact(
    tx: &Tx,
    intent: &Intent,
    amount: i64,
    reason: &str,
) -> Result<pb::PaymentEvent, Error> {
    let fact = to_fact(intent, amount, reason);
    if !intent.pays_due() {
        return Ok(fact);
    }
    let due = dues::find(&**tx, intent.due_id(), None).await?;
    Ok(name_due(fact, &due))
}

fn name_due(fact: pb::PaymentEvent, due: &Due) -> pb::PaymentEvent {
    pb::PaymentEvent {
        due_id: due.id.to_string(),
        beyond_cap: due.is_beyond_cap(),
        beside_capture: due.beyond_cap.is_some(),
        ..fact
    }
}

fn to_fact(intent: &Intent, amount: i64, reason: &str) -> pb::PaymentEvent {
    let currency = &intent.currency;
    pb::PaymentEvent {
        payment_id: intent.id.to_string(),
        order_id: intent.order().to_string(),
        customer_id: intent.customer_id.map(|id| id.to_string()).unwrap_or_default(),
        amount: Some(money_of(currency, amount)),
        reason: reason.to_owned(),
        answered: false,
        provider_user_id: String::new(),
        beyond_cap: false,
        beside_capture: false,
        due_id: String::new(),
        captured: Some(money_of(currency, intent.captured)),
        refunded: Some(money_of(currency, intent.refunded)),
        charged_back: Some(money_of(currency, intent.charged_back)),
        expires_at: None,
        still_disputed: false,
    }
}

fn money_of(currency: &str, minor_units: i64) -> Money {
    Money { currency: currency.to_owned(), minor_units }
}

/// Publishes a fact about a payout, which is to be saved in the same transaction.
pub async fn payout_event(
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
        kind: payout.kind.clone(),
    };
    Ok(outbox::record_event(tx, kind, payout.id.uuid(), payout.event_seq, &event).await?)
}
