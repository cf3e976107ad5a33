//! The money of orders after a restore.

use super::Finding;
use crate::{
    app::App,
    domain::{Authorization, Error, Order, OrderId, Outcome, PaymentState, Principal, RESTORED},
    peers::{final_refusal, parse_id},
    repository::{orders, side_effects},
};
use proto::quickserve::payment::v1::{Payment, PaymentState as StateAtPayment, VoidPaymentRequest};

impl App {
    /// Compares the money that an order counts on with what payment has for it.
    pub(super) async fn reconcile_money(
        &self,
        order: &Order,
        payment: Option<&Payment>,
    ) -> Result<Option<Finding>, Error> {
        let counts_on_it = order.payment.state == PaymentState::Authorized && order.ceiling() > 0;
        if !counts_on_it {
            return Ok(payment.and_then(|payment| missing_refund(order, payment)));
        }
        match payment.map_or(StateAtPayment::Unspecified, Payment::state) {
            StateAtPayment::Authorized => Ok(lower_authorization(order, payment)),
            StateAtPayment::Captured | StateAtPayment::Due if order.state.is_before_work() => {
                let detail = "its money was taken already, after the moment to which the order was restored: \
                              refund it, or cancel the order";
                Ok(Some(Finding::left(order.id, "PAYMENT_DIFFERS", detail)))
            }
            // The order comes to the same capture in the end.
            StateAtPayment::Captured | StateAtPayment::Due => Ok(None),
            StateAtPayment::Closed => self.end_unpaid(order).await.map(Some),
            StateAtPayment::Unspecified
            | StateAtPayment::Open
            | StateAtPayment::MethodSaved
            | StateAtPayment::Pending
            | StateAtPayment::ConfirmationRequired => {
                if side_effects::pending_side_effects(self.db.connection(), order.id)
                    .await?
                    .is_empty()
                {
                    self.authorize_again(order).await.map(Some)
                } else {
                    Ok(None)
                }
            }
        }
    }

    /// Payment gave the money back: the order ended after the moment to which it was restored.
    async fn end_unpaid(&self, order: &Order) -> Result<Finding, Error> {
        let kind = "PAYMENT_CLOSED";
        if !order.state.is_before_work() {
            let detail = "payment has given its money back, and the work has begun: take the money in another way, or \
                          break the work off";
            return Ok(Finding::left(order.id, kind, detail));
        }
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, order.id, &system, &self.timing).await?;
        change.end_restored()?;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        let detail = "payment has given its money back: the order is cancelled at no cost";
        Ok(Finding::mended(order.id, kind, detail))
    }

    /// Payment does not know of the money. The same attempt finds it at the payment provider, or reserves it anew.
    async fn authorize_again(&self, order: &Order) -> Result<Finding, Error> {
        let kind = "PAYMENT_MISSING";
        if !order.state.is_before_work() {
            let detail = "payment knows nothing of its money, and the work has begun: nothing is paid when it is done";
            return Ok(Finding::left(order.id, kind, detail));
        }
        let authorization = match self.authorize_payment(order, String::new(), false).await {
            Ok(authorization) => authorization,
            Err(error) => match final_refusal(&error) {
                Some(reason) => Authorization::declined(reason),
                None => return Err(error),
            },
        };
        if authorization.outcome == Outcome::Authorized {
            return Ok(Finding::mended(order.id, kind, "its money is authorised again"));
        }
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, order.id, &system, &self.timing).await?;
        if change.order.payment.state == PaymentState::Authorized {
            change.lose_authorization(&authorization)?;
            orders::save_order(&tx, change).await?;
        }
        tx.commit().await?;
        let detail = "its money cannot be authorised again: the customer is asked, and the order ends unless they pay";
        Ok(Finding::mended(order.id, kind, detail))
    }

    /// Has payment give back what no order keeps, and take what an order that is over has still to take.
    pub(super) async fn settle_orphan(&self, payment: &Payment) -> Result<Option<Finding>, Error> {
        let id: OrderId = parse_id(&payment.order_id)?;
        let db = self.db.connection();
        let is_taken = matches!(payment.state(), StateAtPayment::Captured | StateAtPayment::Due);
        let Some(order) = orders::find_by_id(db, id).await? else {
            return self.give_back(id, is_taken).await.map(Some);
        };
        let is_over = order.state.is_final() || order.progress.completed_at.is_some();
        if order.booking || !is_over || order.ceiling() == 0 {
            return Ok(None);
        }
        if !side_effects::pending_side_effects(db, id).await?.is_empty() {
            return Ok(None);
        }
        if is_taken {
            let detail = "its money was taken, although the order ended without a price: refund it";
            let keeps_too_much = !order.keeps_money();
            return Ok(keeps_too_much.then(|| Finding::left(id, "PAYMENT_DIFFERS", detail)));
        }
        self.settle_end_again(id, payment.state()).await.map(Some)
    }

    async fn give_back(&self, id: OrderId, is_taken: bool) -> Result<Finding, Error> {
        let kind = "PAYMENT_ORPHANED";
        if is_taken {
            let detail =
                "money was taken for it and the order is lost: refund it, or settle it by hand";
            return Ok(Finding::left(id, kind, detail));
        }
        let request = VoidPaymentRequest { order_id: id.to_string(), reason: RESTORED.to_owned() };
        self.peers.charges().void_payment(request).await?;
        Ok(Finding::mended(id, kind, "there is no such order: its money goes back"))
    }

    async fn settle_end_again(&self, id: OrderId, state: StateAtPayment) -> Result<Finding, Error> {
        let kind = "PAYMENT_UNSETTLED";
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, id, &system, &self.timing).await?;
        let can_be_taken = !change.order.keeps_money() || state == StateAtPayment::Authorized;
        if !can_be_taken || !change.settle_end_again() {
            let detail =
                "the order is over and its price or fee is not taken: take it in another way";
            return Ok(Finding::left(id, kind, detail));
        }
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        Ok(Finding::mended(id, kind, "the order is over: payment settles it again"))
    }
}

/// More was authorised for a change of the work than payment knows.
fn lower_authorization(order: &Order, payment: Option<&Payment>) -> Option<Finding> {
    let authorized = payment?.authorized.as_ref()?.minor_units;
    let detail = "less is authorised than its price, which a change of the work raised: the capture will fail";
    (authorized < order.ceiling()).then(|| Finding::left(order.id, "PAYMENT_DIFFERS", detail))
}

/// Payment does not know of money that went back.
fn missing_refund(order: &Order, payment: &Payment) -> Option<Finding> {
    let refunded = payment.refunded.as_ref().map_or(0, |money| money.minor_units);
    let detail = "payment does not know of a refund of the order: look at the payment provider, and refund what is missing";
    let is_missing = refunded < order.payment.amounts.refunded;
    is_missing.then(|| Finding::left(order.id, "PAYMENT_DIFFERS", detail))
}
