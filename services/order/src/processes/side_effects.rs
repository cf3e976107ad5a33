//! What other services do after an order has changed: money given back or captured, time freed, verticals told.
//!
//! A side effect is a row that commits with the change it follows from, and is deleted once it is done.

use super::{StepFuture, visits::order_at_provider};
use crate::{
    app::App,
    convert,
    domain::{
        Amounts, CaptureTerms, Error, Order, OrderId, PaymentState, Principal, ProviderId,
        RecordChange, SideEffect, VisitId, records::effect,
    },
    peers::final_refusal,
    repository::{orders, side_effects},
};
use kit::{program::crash, values::time::timestamp};
use proto::quickserve::payment::v1::{
    CaptureKind, CapturePaymentRequest, RefundPaymentRequest, ReleaseAuthorizationRequest,
    SecurePaymentRequest, SetPayoutFrozenRequest, VoidPaymentRequest,
};
use std::time::Duration;
use uuid::Uuid;

/// How long a call waits for the side effects of its change.
const MAX_WAIT: Duration = Duration::from_secs(2);

const NAME: &str = "effect";
const STEPS: [&str; 9] =
    ["void", "capture", "refund", "unauthorize", "secure", "freeze", "release", "finish", "tell"];

/// `effect.void`, `effect.capture` …
pub fn crash_points() -> impl Iterator<Item = String> {
    STEPS.iter().map(|step| format!("{NAME}.{step}"))
}

/// A side effect as it is run.
struct Step<'a> {
    name: &'static str,
    run: StepFuture<'a, Outcome>,
}

/// What the order notes of a side effect that is done.
enum Outcome {
    Nothing,
    /// Nothing of the payment is kept.
    Released,
    /// So much is captured; whether the provider earns of it.
    Captured {
        amount: i64,
        /// So much of it goes back by itself.
        refunded: i64,
        has_payout: bool,
    },
    /// So much has gone back to the customer in all.
    Refunded {
        total: i64,
    },
}

impl App {
    /// The side effects of orders. Those of one order run in the order in which they were decided.
    ///
    /// Timer: `effects`, set when they are decided. A side effect that fails for now has the timer fire again after a
    /// growing pause. One that is refused for good ends: the timeline and an error of the log say so for the operators.
    /// What it held is given back by those behind it, which run then: a payout is thawed after its refund.
    fn side_effect<'a>(&'a self, order: &'a Order, effect: &'a SideEffect) -> Step<'a> {
        let [void, capture, refund, unauthorize, secure, freeze, release, finish, tell] = STEPS;
        match effect {
            SideEffect::Void { reason } => {
                Step { name: void, run: Box::pin(self.void_payment(order, reason)) }
            }
            SideEffect::Capture(terms) => {
                Step { name: capture, run: Box::pin(self.capture_payment(order, terms)) }
            }
            SideEffect::Refund { amount, step, reason } => Step {
                name: refund,
                run: Box::pin(self.refund_payment(order, *amount, step, reason)),
            },
            SideEffect::ReleaseAuthorization { attempt_key } => Step {
                name: unauthorize,
                run: Box::pin(self.release_authorization(order, attempt_key, false)),
            },
            SideEffect::ReleaseRaise { change } => {
                Step { name: unauthorize, run: Box::pin(self.release_raise(order, *change)) }
            }
            SideEffect::SecurePayment { capture } => {
                Step { name: secure, run: Box::pin(self.secure_payment(order, *capture)) }
            }
            SideEffect::Freeze { frozen } => {
                Step { name: freeze, run: Box::pin(self.freeze_payout(order, *frozen)) }
            }
            SideEffect::HoldClaim { claim, amount } => {
                Step { name: freeze, run: Box::pin(self.set_claim(order, *claim, Some(*amount))) }
            }
            SideEffect::EndClaim { claim } => {
                Step { name: freeze, run: Box::pin(self.set_claim(order, *claim, None)) }
            }
            SideEffect::Release { provider_id } => Step {
                name: release,
                run: Box::pin(self.release_time(order, provider_id.map(|id| (id, 0)))),
            },
            SideEffect::ReleaseProvider { provider_id, round } => Step {
                name: release,
                run: Box::pin(self.release_time(order, Some((*provider_id, *round)))),
            },
            SideEffect::ReleaseVisit { visit } => {
                Step { name: release, run: Box::pin(self.release_visit(*visit)) }
            }
            SideEffect::FinishJob { provider_id, round } => {
                Step { name: finish, run: Box::pin(self.finish_job(order, *provider_id, *round)) }
            }
            SideEffect::TellVertical => {
                Step { name: tell, run: Box::pin(self.tell_vertical_in_turn(order)) }
            }
        }
    }

    /// Runs the side effects of a change whose caller waits for them: it finds a provider's time free, for one. What they
    /// do not come to in time the timer does.
    pub async fn run_side_effects_now(&self, id: OrderId) {
        match tokio::time::timeout(MAX_WAIT, self.run_side_effects(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, order.id = %id, "side effect failed, the timer will retry it");
            }
            Err(_) => {
                tracing::warn!(order.id = %id, "side effects take long, the timer will end them");
            }
        }
    }

    /// Runs the pending side effects of an order in sequence. A failure holds up those behind it until the timer retries
    /// it. The vertical comes last: it holds nothing up, and nothing holds it up.
    pub async fn run_side_effects(&self, id: OrderId) -> Result<(), Error> {
        let db = self.db.connection();
        let mut pending = side_effects::pending_side_effects(db, id).await?;
        if pending.is_empty() {
            return Ok(());
        }
        pending.sort_by_key(|row| row.effect == SideEffect::TellVertical);
        // Read after what is pending, so that it contains the changes from which that follows.
        let order = orders::get_order(db, id, &Principal::System).await?;
        let mut failed = None;
        for row in &pending {
            if failed.is_some() && row.effect != SideEffect::TellVertical {
                continue;
            }
            let Step { name, run } = self.side_effect(&order, &row.effect);
            match run.await {
                Ok(outcome) => {
                    crash::crash_step(NAME, name);
                    self.complete_side_effect(row, outcome).await?;
                }
                Err(error) => {
                    if let Some(reason) = final_refusal(&error) {
                        tracing::error!(%error, reason, order.id = %id, side_effect = name, "side effect refused for good, will not be retried");
                        self.end_side_effect(row, name, &reason).await?;
                    } else {
                        tracing::error!(%error, order.id = %id, side_effect = name, "side effect failed, will be retried");
                        failed = Some(error);
                    }
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Deletes a side effect that is done, together with what the order notes of it.
    async fn complete_side_effect(
        &self,
        row: &effect::Model,
        outcome: Outcome,
    ) -> Result<(), Error> {
        if matches!(outcome, Outcome::Nothing) {
            return side_effects::delete_side_effect(
                self.db.connection(),
                row.order_id,
                &[row.seq],
            )
            .await;
        }
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, row.order_id, &system, &self.timing).await?;
        let amounts = change.order.payment.amounts;
        match outcome {
            Outcome::Nothing => {}
            Outcome::Released => change.note_payment(PaymentState::Released),
            Outcome::Captured { amount, refunded, has_payout } => {
                change.note_payment(PaymentState::Captured);
                let refunded = amounts.refunded.max(refunded);
                change.order.payment.amounts = Amounts { captured: amount, refunded, ..amounts };
                if !has_payout {
                    change.paid_out()?;
                }
            }
            Outcome::Refunded { total } => {
                change.note_refund(Amounts { refunded: total, ..amounts })?;
            }
        }
        change.records.push(RecordChange::SideEffectDone(row.seq));
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn end_side_effect(
        &self,
        row: &effect::Model,
        name: &str,
        reason: &str,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, row.order_id, &system, &self.timing).await?;
        if !side_effects::is_pending(&*tx, row.order_id, row.seq).await? {
            // The timer and a call ran it at once, and the other one has ended it.
            return Ok(());
        }
        change.end_side_effect(row, name, reason);
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn void_payment(&self, order: &Order, reason: &str) -> Result<Outcome, Error> {
        let order_id = order.id.to_string();
        let request = VoidPaymentRequest { order_id, reason: reason.to_owned() };
        self.peers.charges().void_payment(request).await?;
        Ok(Outcome::Released)
    }

    async fn capture_payment(&self, order: &Order, terms: &CaptureTerms) -> Result<Outcome, Error> {
        let CaptureTerms { amount, provider_gross, fee, provider_id, provider_user_id, .. } = terms;
        let kind = if *fee { CaptureKind::Fee } else { CaptureKind::Service };
        let request = CapturePaymentRequest {
            order_id: order.id.to_string(),
            amount: Some(order.money(*amount).into()),
            provider_id: provider_id.map(|id| id.to_string()).unwrap_or_default(),
            provider_user_id: provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
            vertical: order.vertical.clone(),
            kind: kind.into(),
            provider_gross: Some(order.money(*provider_gross).into()),
            payout_due_at: Some(timestamp(terms.payout_due_at)),
            commission_base: terms.commission_base.map(|base| order.money(base).into()),
            due: terms.due.iter().map(|line| convert::due_line(line, order)).collect(),
        };
        let answer = self.peers.charges().capture_payment(request).await?.into_inner();
        let captured = answer.captured.map_or(*amount, |captured| captured.minor_units);
        let refunded = answer.refunded.map_or(0, |refunded| refunded.minor_units);
        let has_payout = *fee || !answer.payout_id.is_empty();
        Ok(Outcome::Captured { amount: captured, refunded, has_payout })
    }

    async fn refund_payment(
        &self,
        order: &Order,
        amount: i64,
        step: &str,
        reason: &str,
    ) -> Result<Outcome, Error> {
        let request = RefundPaymentRequest {
            order_id: order.id.to_string(),
            amount: Some(order.money(amount).into()),
            step_key: step.to_owned(),
            reason: reason.to_owned(),
            // An operator may have refunded some of it at payment: the customer gets what is left.
            at_most: true,
        };
        let answer = self.peers.charges().refund_payment(request).await?.into_inner();
        Ok(Outcome::Refunded { total: answer.refunded.map_or(0, |refunded| refunded.minor_units) })
    }

    async fn release_authorization(
        &self,
        order: &Order,
        attempt_key: &str,
        raise: bool,
    ) -> Result<Outcome, Error> {
        let order_id = order.id.to_string();
        let attempt_key = attempt_key.to_owned();
        let request = ReleaseAuthorizationRequest { order_id, attempt_key, raise };
        self.peers.charges().release_authorization(request).await?;
        Ok(Outcome::Nothing)
    }

    async fn release_raise(&self, order: &Order, change: Uuid) -> Result<Outcome, Error> {
        self.release_authorization(order, &change.to_string(), true).await
    }

    async fn secure_payment(&self, order: &Order, capture: bool) -> Result<Outcome, Error> {
        let request = SecurePaymentRequest { order_id: order.id.to_string(), capture };
        self.peers.charges().secure_payment(request).await?;
        Ok(Outcome::Nothing)
    }

    async fn freeze_payout(&self, order: &Order, frozen: bool) -> Result<Outcome, Error> {
        let order_id = order.id.to_string();
        let request =
            SetPayoutFrozenRequest { order_id, frozen, ..SetPayoutFrozenRequest::default() };
        self.peers.charges().set_payout_frozen(request).await?;
        Ok(Outcome::Nothing)
    }

    /// Holds back what a claim is about; without an amount the claim is over.
    async fn set_claim(
        &self,
        order: &Order,
        claim: Uuid,
        amount: Option<i64>,
    ) -> Result<Outcome, Error> {
        let request = SetPayoutFrozenRequest {
            order_id: order.id.to_string(),
            frozen: amount.is_some(),
            amount: amount.map(|amount| order.money(amount).into()),
            claim_id: claim.to_string(),
        };
        self.peers.charges().set_payout_frozen(request).await?;
        Ok(Outcome::Nothing)
    }

    async fn release_time(
        &self,
        order: &Order,
        provider: Option<(ProviderId, i32)>,
    ) -> Result<Outcome, Error> {
        match provider {
            None => {
                self.peers.release_all(order.id).await?;
                for visit in &order.progress.visits {
                    self.peers.release_all(order_at_provider(visit.id)).await?;
                }
            }
            Some((provider, round)) => self.peers.release(order.id, provider, round).await?,
        }
        Ok(Outcome::Nothing)
    }

    async fn release_visit(&self, visit: VisitId) -> Result<Outcome, Error> {
        self.peers.release_all(order_at_provider(visit)).await?;
        Ok(Outcome::Nothing)
    }

    async fn finish_job(
        &self,
        order: &Order,
        provider: ProviderId,
        round: i32,
    ) -> Result<Outcome, Error> {
        self.peers.finish(order.id, provider, round).await?;
        let delivered_at = order.progress.delivered_at.unwrap_or_else(|| self.now());
        for visit in order.visits_after(delivered_at) {
            self.peers.release_all(order_at_provider(visit.id)).await?;
        }
        Ok(Outcome::Nothing)
    }

    async fn tell_vertical_in_turn(&self, order: &Order) -> Result<Outcome, Error> {
        self.verticals.tell(order).await?;
        Ok(Outcome::Nothing)
    }
}
