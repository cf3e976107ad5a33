//! Capturing what was authorised, once for an order.

use super::{
    Payments,
    effects::{insert_due, release_holds},
    split::advance_capture,
};
use crate::{
    domain::{
        Attempt, Capture, Due, Error, Intent, OrderId, PayoutId,
        attempt::{AttemptKind, State},
        capture::CaptureRequest,
        card_hold::is_capture_asked,
        due, intent,
    },
    events,
    repository::{attempts, captures, dues, intents, payouts},
};
use kit::Tx;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How much in all, in minor units.
    pub amount: i64,
    /// How much of it has gone back, or is on its way.
    pub refunded: i64,
    /// In which currency.
    pub currency: String,
    /// The payout it earns.
    pub payout: Option<PayoutId>,
}

impl Payments {
    /// Captures what was authorised for an order, from hold after hold, and frees the rest.
    pub async fn capture(&self, request: CaptureRequest) -> Result<Captured, Error> {
        let order = request.order;
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_of_order(&tx, order).await?;
        intent.check_currency(&request.currency)?;
        match captures::find_capture(&tx, intent.id).await? {
            Some(before) => {
                if intent.state != intent::State::Due {
                    before.check_same(&request)?;
                }
            }
            None => {
                self.open_beyond_cap(&tx, &mut intent, &request).await?;
                let known = attempts::list_of_intent(&*tx, intent.id).await?;
                // Money that is in escrow, or on its way there, goes back as what is more than is earned.
                let is_any_taken = intent.captured > 0 || is_capture_asked(&known);
                if request.amount == 0 && !is_any_taken {
                    self.capture_nothing(&tx, &mut intent, &known, &request).await?;
                } else {
                    self.plan_capture(&tx, &mut intent, request).await?;
                }
            }
        }
        tx.commit().await?;
        self.finish_capture(order).await
    }

    /// Asks for the outcome of one step of the capture of an order after another, and says what came of it.
    async fn finish_capture(&self, order: OrderId) -> Result<Captured, Error> {
        let db = self.db.connection();
        loop {
            let intent = intents::find_of_order(db, order).await?;
            let known = attempts::list_of_intent(db, intent.id).await?;
            let captures = known.into_iter().filter(|it| it.kind == AttemptKind::Capture);
            let (open, settled): (Vec<_>, Vec<_>) = captures.partition(|it| it.state.is_open());
            if let Some(next) = open.into_iter().next() {
                let (_, attempt) = self.run_attempt(intent, next).await?;
                if attempt.state.is_open() {
                    return Err(Error::Pending);
                }
                continue;
            }
            // Read again: another call may have settled the last step since the payment was read, and a step and what
            // it does to the payment are written together.
            let intent = intents::find_of_order(db, order).await?;
            let refused = settled.into_iter().rfind(|it| it.state == State::Failed);
            return match (intent.state, refused) {
                (intent::State::Due, _) => self.find_captured_due(&intent).await,
                (intent::State::Closed, Some(refused)) if intent.captured == 0 => {
                    Err(Error::Declined(refused.reason))
                }
                (intent::State::Captured | intent::State::Closed, _) => {
                    self.find_captured(intent).await
                }
                // Another call has taken the next step and not written it down yet.
                (
                    intent::State::Open | intent::State::MethodSaved | intent::State::Authorized,
                    _,
                ) => Err(Error::Pending),
            };
        }
    }

    /// Writes down what is to be captured and how it will be split, and the first step.
    async fn plan_capture(
        &self,
        tx: &Tx,
        intent: &mut Intent,
        request: CaptureRequest,
    ) -> Result<(), Error> {
        intent.check_capture(request.amount)?;
        let parts = request.split(&self.config.commission)?;
        let due = request.payout_due_at.unwrap_or_else(|| tx.now() + self.config.payout_delay());
        let capture = Capture::plan(intent.id, intent.capture_id(), request, parts, due);
        captures::insert_capture(tx, capture).await?;
        advance_capture(tx, intent).await?;
        intents::save_intent(tx, intent).await
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
        known: &[Attempt],
        request: &CaptureRequest,
    ) -> Result<(), Error> {
        if intent.has_captured_nothing() {
            return Ok(());
        }
        intent.check_capture(0)?;
        request.split(&self.config.commission)?;
        intent.complete_capture()?;
        release_holds(tx, intent, known, "").await?;
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
            refunded: intent.refunded,
            currency: intent.currency,
            payout: payout.map(|payout| payout.id),
        })
    }
}
