//! Pays what orders owe to other services after a change: money given back or captured, time freed, verticals told.

use crate::{
    app::App,
    convert,
    domain::records::effect,
    domain::{Error, Order, OrderId, PaymentState, Principal, RecordChange, SideEffect},
};
use kit::{Error as KitError, program::crash};
use proto::quickserve::payment::v1::{
    RefundPaymentRequest, SetPayoutFrozenRequest, VoidPaymentRequest,
};

impl App {
    /// Pays all that an order owes, in order. What fails is tried again with what comes after it; only a vertical that
    /// cannot be told holds nothing else up.
    pub async fn pay_debts(&self, id: OrderId) -> Result<(), Error> {
        let mut untold = None;
        for row in self.orders.owed(id).await? {
            let order = self.orders.get(id, &Principal::System).await?;
            match self.pay(&order, &row).await {
                Ok(()) => {}
                Err(error) if matches!(row.effect, SideEffect::Tell { .. }) => untold = Some(error),
                Err(error) => {
                    tracing::error!(%error, order.id = %id, effect = ?row.effect, "still owed");
                    return Err(error);
                }
            }
        }
        untold.map_or(Ok(()), Err)
    }

    async fn pay(&self, order: &Order, row: &effect::Model) -> Result<(), Error> {
        let order_id = order.id.to_string();
        match &row.effect {
            SideEffect::Void { reason } => {
                let request = VoidPaymentRequest { order_id, reason: reason.clone() };
                self.peers.charges().void_payment(request).await?;
                crash::point("effect.voided");
                self.paid(order.id, row.seq, PaymentState::Released, false).await
            }
            SideEffect::Capture { fee, .. } => {
                let request = convert::capture(order, &row.effect);
                let request = request.ok_or_else(|| KitError::internal("no capture"))?;
                let answer = self.peers.charges().capture_payment(request).await?.into_inner();
                crash::point("effect.captured");
                let earns_nothing = !fee && answer.payout_id.is_empty();
                self.paid(order.id, row.seq, PaymentState::Captured, earns_nothing).await
            }
            SideEffect::Refund { amount, step, reason } => {
                let request = RefundPaymentRequest {
                    order_id,
                    amount: Some(order.money(*amount).into()),
                    step_key: step.clone(),
                    reason: reason.clone(),
                };
                self.peers.charges().refund_payment(request).await?;
                self.orders.done(row).await
            }
            SideEffect::Freeze { frozen } => {
                let request = SetPayoutFrozenRequest { order_id, frozen: *frozen };
                self.peers.charges().set_payout_frozen(request).await?;
                self.orders.done(row).await
            }
            SideEffect::Release { provider_id } => {
                self.peers.release(order, *provider_id).await?;
                crash::point("effect.released");
                self.orders.done(row).await
            }
            SideEffect::Tell { from, to, provider_user_id } => {
                self.peers.on_transition(order, *from, *to, *provider_user_id).await?;
                self.orders.done(row).await
            }
        }
    }

    /// Notes that an effect on the money is done, and how the payment stands after it.
    async fn paid(
        &self,
        id: OrderId,
        seq: i64,
        state: PaymentState,
        paid_out: bool,
    ) -> Result<(), Error> {
        let noted = self.orders.change(id, &Principal::System, move |draft| {
            draft.note_payment(state);
            if paid_out {
                draft.paid_out()?;
            }
            draft.rows.push(RecordChange::EffectDone(seq));
            Ok(())
        });
        noted.await.map(|_| ())
    }
}
