//! Capturing what was authorised, once for an order.

use super::{
    Payments, SETTLE,
    authorize::{locked, new_attempt},
};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal, State},
        commission::Rules,
        intent,
    },
    entity::{Attempt, AttemptId, Capture, Intent, OrderId, PayoutId, ProviderId, UserId},
    events,
    repository::{attempts, intents, payouts},
};
use chrono::{DateTime, Utc};
use kit::{Tx, messaging::timers};

/// A request to capture.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The order.
    pub order: OrderId,
    /// How much in all, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// What the money is for: `SERVICE` or `FEE`.
    pub kind: &'static str,
    /// The profile that earns.
    pub provider: Option<ProviderId>,
    /// The account of that provider.
    pub provider_user: Option<UserId>,
    /// Key of the vertical, for its commission.
    pub vertical: String,
    /// The provider's share before commission.
    pub gross: i64,
    /// When the payout falls due; none means after the usual delay.
    pub payout_due_at: Option<DateTime<Utc>>,
}

/// A capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How much in all, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// The payout it earns.
    pub payout: Option<PayoutId>,
}

impl Payments {
    /// Captures what was authorised for an order and frees the rest.
    pub async fn capture(&self, ask: Settlement) -> Result<Captured, Error> {
        let config = self.config.clone();
        let opened = self.db.write(move |tx| async move {
            let due = ask.payout_due_at.unwrap_or_else(|| tx.now() + config.payout_delay());
            open(&tx, &config.commission, ask, due).await
        });
        let (intent, attempt) = opened.await?;
        let Some(attempt) = attempt else { return self.captured(intent).await };
        let (intent, attempt) = match attempt.state.is_open() {
            true => {
                let answer = self.resolve_or_ask(&intent, &attempt).await?;
                self.apply(intent.id, attempt.id, answer).await?
            }
            false => (intent, attempt),
        };
        match attempt.state {
            State::Succeeded => self.captured(intent).await,
            State::Failed => Err(Error::Declined(attempt.reason)),
            _ => Err(Error::Pending),
        }
    }

    async fn captured(&self, intent: Intent) -> Result<Captured, Error> {
        let payout = payouts::of_intent(self.db.read(), intent.id).await?;
        Ok(Captured {
            amount: intent.captured,
            currency: intent.currency,
            payout: payout.map(|payout| payout.id),
        })
    }
}

/// Writes down the capture and how it will be split, or finds what was written down before.
async fn open(
    tx: &Tx,
    rules: &Rules,
    ask: Settlement,
    due: DateTime<Utc>,
) -> Result<(Intent, Option<Attempt>), Error> {
    let intent = locked(tx, ask.order).await?;
    if intent.currency != ask.currency {
        return Err(Error::invalid("amount.currency", "is not the payment's currency"));
    }
    if let Some(before) = intents::capture(tx, intent.id).await? {
        if before.amount != ask.amount || before.kind != ask.kind {
            return Err(Error::State("captured with another amount"));
        }
        let attempt = attempts::find(&**tx, before.attempt_id).await?;
        return Ok((intent, attempt));
    }
    if intent.state == intent::State::Captured && ask.amount == 0 && intent.captured == 0 {
        return Ok((intent, None));
    }
    let captured = intent.state.transition(intent::Event::Capture)?;
    if ask.amount > intent.authorized {
        return Err(Error::ExceedsAuthorization);
    }
    let parts = rules.split(&ask.vertical, ask.amount, ask.gross)?;
    if parts.payable > 0 && (ask.provider.is_none() || ask.provider_user.is_none()) {
        return Err(Error::invalid("provider_id", "must be given when the provider earns"));
    }
    if ask.amount == 0 {
        return capture_nothing(tx, intent, captured).await;
    }
    let attempt = step(tx, &intent, Kind::Capture, "capture", ask.amount).await?;
    let capture = Capture {
        intent_id: intent.id,
        attempt_id: attempt.id,
        kind: ask.kind.to_owned(),
        amount: ask.amount,
        provider_id: ask.provider,
        provider_user_id: ask.provider_user,
        vertical: ask.vertical,
        payable: parts.payable,
        commission: parts.commission,
        vat: parts.vat,
        payable_refunded: 0,
        commission_refunded: 0,
        vat_refunded: 0,
        payout_due_at: due,
    };
    intents::insert_capture(tx, capture).await?;
    Ok((intent, Some(attempt)))
}

/// Nothing is due: what was authorised is freed.
async fn capture_nothing(
    tx: &Tx,
    mut intent: Intent,
    captured: intent::State,
) -> Result<(Intent, Option<Attempt>), Error> {
    intent.state = captured;
    for mut attempt in attempts::of_intent(&**tx, intent.id).await? {
        if attempt.kind == Kind::Authorize && attempt.state == State::Succeeded {
            attempt.state = attempt.state.next(Signal::GiveUp);
            attempt.tries = 0;
            timers::schedule(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
            attempts::save(tx, attempt).await?;
        }
    }
    events::payment(tx, &mut intent, events::CAPTURED, 0, "").await?;
    Ok((intents::save(tx, intent).await?, None))
}

/// Writes down a step on the payment's charge.
pub(super) async fn step(
    tx: &Tx,
    intent: &Intent,
    kind: Kind,
    key: &str,
    amount: i64,
) -> Result<Attempt, Error> {
    let known = attempts::of_intent(&**tx, intent.id).await?;
    let charge = known.iter().find(|it| it.kind == Kind::Authorize && it.state == State::Succeeded);
    let charge = charge.ok_or(Error::State("not authorised on a card"))?;
    let name = match kind {
        Kind::Authorize => "authorize",
        Kind::Raise => "raise",
        Kind::Capture => "capture",
        Kind::Refund => "refund",
    };
    let id = AttemptId::derived(intent.order_id.uuid(), &format!("{name}:{key}"));
    let attempt = Attempt {
        kind,
        charge_id: Some(charge.id),
        ..new_attempt(tx, id, intent.id, key.to_owned(), amount)
    };
    attempts::insert(tx, &attempt).await?;
    Ok(attempt)
}
