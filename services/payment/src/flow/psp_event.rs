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
        attempt::{AttemptKind, PspAnswer, PspHold, Signal},
        chargeback::Dispute,
        signature,
    },
    repository::{attempts, payouts, psp_events},
};
use chrono::{DateTime, Utc};
use kit::Tx;
use serde::Deserialize;
use uuid::Uuid;

/// Most bytes of an event.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// An event as it is sent. What else it holds is left to the future.
#[derive(Deserialize)]
pub(super) struct PspEvent {
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
    /// When a hold runs out.
    expires_at: Option<DateTime<Utc>>,
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

pub(super) async fn take_event(tx: &Tx, event: PspEvent) -> Result<(), Error> {
    let PspEvent { id: _, kind, data } = event;
    let EventData { reference, reason, amount, fee, expires_at } = data;
    let answer = |signal| PspAnswer { reason: reason.clone(), ..PspAnswer::plain(signal) };
    let dispute = || Dispute { amount, fee, reason: reason.clone() };
    match kind.as_str() {
        "charge.pending" => take_charge_answer(tx, reference, answer(Signal::Pending)).await,
        "charge.authorized" => {
            let hold = Some(PspHold { expires_at });
            let authorized = PspAnswer { hold, ..answer(Signal::Succeeded) };
            take_charge_answer(tx, reference, authorized).await
        }
        "charge.declined" => take_charge_answer(tx, reference, answer(Signal::Declined)).await,
        "charge.disputed" => open_chargeback(tx, reference, dispute()).await,
        "charge.dispute_won" => close_chargeback(tx, reference, dispute(), true).await,
        "charge.dispute_lost" => close_chargeback(tx, reference, dispute(), false).await,
        "capture.succeeded" => {
            let captured = PspAnswer { fee, ..answer(Signal::Succeeded) };
            take_answer(tx, &[AttemptKind::Capture], reference, captured).await
        }
        "capture.failed" => {
            take_answer(tx, &[AttemptKind::Capture], reference, answer(Signal::Declined)).await
        }
        "refund.succeeded" => {
            take_answer(tx, &[AttemptKind::Refund], reference, answer(Signal::Succeeded)).await
        }
        "refund.failed" => {
            take_answer(tx, &[AttemptKind::Refund], reference, answer(Signal::CameBack)).await
        }
        "payout.paid" => take_transfer(tx, reference, Signal::Succeeded, reason).await,
        "payout.failed" => take_transfer(tx, reference, Signal::Declined, reason).await,
        _ => Ok(()),
    }
}

/// What an event says of a charge: of the first one, of one that takes its place, or of a second one.
async fn take_charge_answer(tx: &Tx, reference: Uuid, answer: PspAnswer) -> Result<(), Error> {
    let charges = [AttemptKind::Authorize, AttemptKind::Renew, AttemptKind::Raise];
    take_answer(tx, &charges, reference, answer).await
}

/// What an event says of an attempt. An attempt that is not known, or is of another kind, is left alone.
async fn take_answer(
    tx: &Tx,
    kinds: &[AttemptKind],
    reference: Uuid,
    answer: PspAnswer,
) -> Result<(), Error> {
    let found = attempts::find_attempt(&**tx, AttemptId::from_uuid(reference)).await?;
    let Some(found) = found.filter(|attempt| kinds.contains(&attempt.kind)) else { return Ok(()) };
    // What confirms the state is no reason to ask again.
    if found.state.next(answer.signal) == found.state {
        return Ok(());
    }
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
