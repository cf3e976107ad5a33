//! Taking the events of the payment provider: each once, its sender proven, in any order.

use super::{
    Payments,
    attempt::apply_answer,
    chargeback::{close_chargeback, open_chargeback},
    payout::conclude_transfer,
};
use crate::{
    domain::{
        AttemptId, Error, MAX_AMOUNT,
        attempt::{AttemptKind, PspAnswer, Signal},
        chargeback::Dispute,
        signature,
    },
    repository::{attempts, payouts, psp_events},
};
use kit::Tx;
use serde::Deserialize;
use uuid::Uuid;

/// Most bytes of an event.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An event as it is sent. What else it holds is left to the future.
#[derive(Deserialize)]
struct PspEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: EventData,
}

#[derive(Deserialize)]
struct EventData {
    reference: Uuid,
    #[serde(default)]
    reason: String,
    amount: Option<i64>,
    #[serde(default)]
    fee: i64,
}

impl Payments {
    /// Takes an event of the payment provider `name`.
    pub async fn receive_event(&self, name: &str, header: &str, body: &[u8]) -> Result<(), Error> {
        if name != self.psp.name() {
            return Err(Error::PspNotFound);
        }
        if body.len() > MAX_BODY_BYTES {
            return Err(Error::invalid("body", "must have at most 65536 bytes"));
        }
        let now = self.db.clock().now().timestamp();
        signature::verify_signature(&self.config.psp_webhook_secrets, header, body, now)?;
        let event: PspEvent = serde_json::from_slice(body)
            .map_err(|_| Error::invalid("body", "must be an event in JSON"))?;
        if event.id.is_empty() || event.id.len() > 255 || event.data.reason.len() > 255 {
            return Err(Error::invalid("body", "must have an id of 1 to 255 bytes"));
        }
        let amounts = [event.data.amount.unwrap_or_default(), event.data.fee];
        if amounts.iter().any(|amount| !(0..=MAX_AMOUNT).contains(amount)) {
            return Err(Error::invalid("body", "must have amounts between zero and 100000000000"));
        }
        let tx = self.db.begin().await?;
        let EventData { reference, .. } = event.data;
        if psp_events::first_time(&tx, name, &event.id, &event.kind, reference).await? {
            take_event(&tx, event).await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn take_event(tx: &Tx, event: PspEvent) -> Result<(), Error> {
    let PspEvent { id: _, kind, data: EventData { reference, reason, amount, fee } } = event;
    match kind.as_str() {
        "charge.pending" => {
            take_answer(tx, AttemptKind::Authorize, reference, Signal::Pending, reason).await
        }
        "charge.authorized" => {
            take_answer(tx, AttemptKind::Authorize, reference, Signal::Succeeded, reason).await
        }
        "charge.declined" => {
            take_answer(tx, AttemptKind::Authorize, reference, Signal::Declined, reason).await
        }
        "charge.disputed" => open_chargeback(tx, reference, Dispute { amount, fee, reason }).await,
        "charge.dispute_won" => {
            close_chargeback(tx, reference, Dispute { amount, fee, reason }, true).await
        }
        "charge.dispute_lost" => {
            close_chargeback(tx, reference, Dispute { amount, fee, reason }, false).await
        }
        "capture.succeeded" => {
            take_answer(tx, AttemptKind::Capture, reference, Signal::Succeeded, reason).await
        }
        "capture.failed" => {
            take_answer(tx, AttemptKind::Capture, reference, Signal::Declined, reason).await
        }
        "refund.succeeded" => {
            take_answer(tx, AttemptKind::Refund, reference, Signal::Succeeded, reason).await
        }
        "refund.failed" => {
            take_answer(tx, AttemptKind::Refund, reference, Signal::CameBack, reason).await
        }
        "payout.paid" => take_transfer(tx, reference, Signal::Succeeded, reason).await,
        "payout.failed" => take_transfer(tx, reference, Signal::Declined, reason).await,
        _ => Ok(()),
    }
}

/// What an event says of an attempt. An attempt that is not known, or is of another kind, is left alone.
async fn take_answer(
    tx: &Tx,
    kind: AttemptKind,
    reference: Uuid,
    signal: Signal,
    reason: String,
) -> Result<(), Error> {
    let found = attempts::find_attempt(&**tx, AttemptId::from_uuid(reference)).await?;
    let Some(found) = found.filter(|attempt| attempt.kind == kind) else { return Ok(()) };
    // What confirms the state is no reason to ask again.
    if found.state.next(signal) == found.state {
        return Ok(());
    }
    let answer = PspAnswer { reason, ..PspAnswer::plain(signal) };
    apply_answer(tx, found.intent_id, found.id, answer).await.map(drop)
}

async fn take_transfer(
    tx: &Tx,
    reference: Uuid,
    signal: Signal,
    reason: String,
) -> Result<(), Error> {
    let Some(payout) = payouts::find_of_transfer(&**tx, reference).await? else { return Ok(()) };
    let answer = PspAnswer { reason, ..PspAnswer::plain(signal) };
    conclude_transfer(tx, payout.id, reference, answer).await
}
