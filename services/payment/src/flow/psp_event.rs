//! Taking the events of the payment provider: each once, whoever sent it proven, in whatever order they come.

use super::{Payments, apply::apply, freeze, payout};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal},
        signature,
    },
    events,
    psp::Answer,
    repository::{attempts, intents, payouts, psp_events},
};
use kit::Tx;
use serde::Deserialize;
use uuid::Uuid;

/// Most bytes of an event.
const BODY_MOST: usize = 64 * 1024;

/// An event as it is sent. What else it holds is left to the future.
#[derive(Deserialize)]
struct PspEvent {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    reference: Uuid,
    #[serde(default)]
    reason: String,
}

impl Payments {
    /// Takes an event of the payment provider `name`.
    pub async fn receive(&self, name: &str, header: &str, body: &[u8]) -> Result<(), Error> {
        if name != self.psp.name() {
            return Err(Error::PspNotFound);
        }
        if body.len() > BODY_MOST {
            return Err(Error::invalid("body", "must have at most 65536 bytes"));
        }
        let now = self.db.clock().now().timestamp();
        signature::verify(&self.config.psp_webhook_secrets, header, body, now)?;
        let event: PspEvent = serde_json::from_slice(body)
            .map_err(|_| Error::invalid("body", "must be an event in JSON"))?;
        if event.id.is_empty() || event.id.len() > 255 || event.data.reason.len() > 255 {
            return Err(Error::invalid("body", "must have an id of 1 to 255 bytes"));
        }
        let psp = self.psp.name();
        self.db.write(move |tx| async move { take(&tx, psp, event).await }).await
    }
}

async fn take(tx: &Tx, psp: &'static str, event: PspEvent) -> Result<(), Error> {
    let PspEvent { id, kind, data: Data { reference, reason } } = event;
    if !psp_events::first_time(tx, psp, &id, &kind, reference).await? {
        return Ok(());
    }
    let answer = |signal| Answer { reason: reason.clone(), ..Answer::plain(signal) };
    match kind.as_str() {
        "charge.pending" => attempt(tx, Kind::Authorize, reference, answer(Signal::Pending)).await,
        "charge.authorized" => {
            attempt(tx, Kind::Authorize, reference, answer(Signal::Succeeded)).await
        }
        "charge.declined" => {
            attempt(tx, Kind::Authorize, reference, answer(Signal::Declined)).await
        }
        "charge.disputed" => disputed(tx, reference, &reason).await,
        "capture.succeeded" => {
            attempt(tx, Kind::Capture, reference, answer(Signal::Succeeded)).await
        }
        "capture.failed" => attempt(tx, Kind::Capture, reference, answer(Signal::Declined)).await,
        "refund.succeeded" => attempt(tx, Kind::Refund, reference, answer(Signal::Succeeded)).await,
        "refund.failed" => attempt(tx, Kind::Refund, reference, answer(Signal::Declined)).await,
        "payout.paid" => transfer(tx, reference, answer(Signal::Succeeded)).await,
        "payout.failed" => transfer(tx, reference, answer(Signal::Declined)).await,
        _ => Ok(()),
    }
}

async fn attempt(tx: &Tx, kind: Kind, reference: Uuid, answer: Answer) -> Result<(), Error> {
    let found = attempts::find(&**tx, kit::Id::from_uuid(reference)).await?;
    let Some(found) = found.filter(|attempt| attempt.kind == kind) else { return Ok(()) };
    // What confirms the state is no reason to ask again.
    if found.state.next(answer.signal) == found.state {
        return Ok(());
    }
    apply(tx, found.intent_id, found.id, answer).await.map(drop)
}

async fn transfer(tx: &Tx, reference: Uuid, answer: Answer) -> Result<(), Error> {
    match payouts::of_transfer(&**tx, reference).await? {
        Some(found) => payout::conclude(tx, found.id, reference, answer).await,
        None => Ok(()),
    }
}

/// The customer's bank disputes a charge: nothing more is paid out for the order until somebody has looked.
async fn disputed(tx: &Tx, reference: Uuid, reason: &str) -> Result<(), Error> {
    let found = attempts::find(&**tx, kit::Id::from_uuid(reference)).await?;
    let Some(found) = found.filter(|attempt| attempt.kind == Kind::Authorize) else {
        return Ok(());
    };
    let mut intent = intents::lock(tx, found.intent_id).await?;
    events::payment(tx, &mut intent, events::DISPUTED, found.amount, reason).await?;
    freeze::set_frozen(tx, intents::save(tx, intent).await?, true).await.map(drop)
}
