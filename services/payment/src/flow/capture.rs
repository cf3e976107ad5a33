//! Capturing what was authorised, once for an order.

use super::{Payments, SETTLE, attempt::open_step, effects::insert_due};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent, PayoutId,
        attempt::{AttemptKind, State},
        capture::CaptureRequest,
        due, intent,
    },
    events,
    repository::{attempts, captures, dues, intents, payouts},
};
use kit::{Tx, messaging::timers};

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
    pub async fn capture(&self, request: CaptureRequest) -> Result<Captured, Error> {
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_of_order(&tx, request.order).await?;
        intent.check_currency(&request.currency)?;
        let attempt = match captures::find_capture(&tx, intent.id).await? {
            Some(before) => {
                if intent.state == intent::State::Due {
                    drop(tx);
                    return self.find_captured_due(&intent).await;
                }
                before.check_same(&request)?;
                attempts::find_attempt(&*tx, before.attempt_id).await?
            }
            None if request.amount == 0 => {
                self.open_beyond_cap(&tx, &mut intent, &request).await?;
                self.capture_nothing(&tx, &mut intent, &request).await?;
                None
            }
            None => {
                self.open_beyond_cap(&tx, &mut intent, &request).await?;
                Some(self.open_capture(&tx, &intent, request).await?)
            }
        };
        tx.commit().await?;
        let Some(attempt) = attempt else { return self.find_captured(intent).await };
        let (intent, attempt) = self.run_attempt(intent, attempt).await?;
        match attempt.state {
            State::Succeeded => self.find_captured(intent).await,
            State::Failed => Err(Error::Declined(attempt.reason)),
            _ => Err(Error::Pending),
        }
    }

    /// Writes down the capture and how it will be split.
    async fn open_capture(
        &self,
        tx: &Tx,
        intent: &Intent,
        request: CaptureRequest,
    ) -> Result<Attempt, Error> {
        intent.check_capture(request.amount)?;
        let parts = request.split(&self.config.commission)?;
        let due = request.payout_due_at.unwrap_or_else(|| tx.now() + self.config.payout_delay());
        let attempt =
            open_step(tx, intent, AttemptKind::Capture, "capture", request.amount).await?;
        let capture = Capture::plan(intent.id, attempt.id, request, parts, due);
        captures::insert_capture(tx, capture).await?;
        Ok(attempt)
    }

    /// Writes down what the customer owes beyond what is captured.
    async fn open_beyond_cap(
        &self,
        tx: &Tx,
        intent: &mut Intent,
        request: &CaptureRequest,
    ) -> Result<(), Error> {
        let known = dues::lock_if_any(tx, Due::beyond_cap_id(intent.id)).await?;
        if request.due.is_empty() || known.is_some() {
            return Ok(());
        }
        let parts = request.split_due(&self.config.commission)?;
        let payout = request.payout_due_at.unwrap_or_else(|| tx.now() + self.config.payout_delay());
        let due = Due::open_beyond_cap(intent, request, parts, payout, tx.now());
        let due = due.ok_or(Error::State("without a customer, so that nobody owes anything"))?;
        insert_due(tx, intent, &due).await?;
        intents::save_intent(tx, intent).await
    }

    /// Nothing is due: what was authorised is freed.
    async fn capture_nothing(
        &self,
        tx: &Tx,
        intent: &mut Intent,
        request: &CaptureRequest,
    ) -> Result<(), Error> {
        if intent.has_captured_nothing() {
            return Ok(());
        }
        intent.check_capture(0)?;
        request.split(&self.config.commission)?;
        intent.capture(0)?;
        for mut attempt in attempts::list_of_intent(&**tx, intent.id).await? {
            if attempt.is_charge() && attempt.give_up() {
                timers::schedule_timer(tx, SETTLE, intent.id.uuid(), tx.now()).await?;
                attempts::save_attempt(tx, &mut attempt).await?;
            }
        }
        events::payment_event(tx, intent, events::CAPTURED, 0, "").await?;
        intents::save_intent(tx, intent).await
    }

    /// What became of a capture that was declined: the customer owes it, or has paid it since.
    async fn find_captured_due(&self, intent: &Intent) -> Result<Captured, Error> {
        let db = self.db.connection();
        let due = dues::find(db, Due::id_of(intent.id), None).await?;
        if due.state != due::State::Paid {
            return Err(Error::Declined(due.reason));
        }
        let payment = intents::find_of_order(db, due.payment_subject()).await?;
        self.find_captured(payment).await
    }

    async fn find_captured(&self, intent: Intent) -> Result<Captured, Error> {
        let payout = payouts::find_of_intent(self.db.connection(), intent.id).await?;
        Ok(Captured {
            amount: intent.captured,
            currency: intent.currency,
            payout: payout.map(|payout| payout.id),
        })
    }
}
