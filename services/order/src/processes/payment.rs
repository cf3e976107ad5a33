//! Payments that go on after the booking: close to the start a payment method on file is authorised.

use crate::{
    app::App,
    domain::{
        Authorization, CancellationCharge, Error, LiableParty, Order, OrderId, Principal,
        SideEffect,
    },
    peers::final_refusal,
    repository::orders,
};

impl App {
    /// Authorises the method on file close to the start. Asks the customer when that fails, and in the end cancels the
    /// order.
    pub async fn authorize_late(&self, order: Order) -> Result<(), Error> {
        if order.authorizations_spent(&self.timing) {
            return self.cancel_unpaid(order.id).await;
        }
        // What a move gives back goes first: it would be found and taken for the new authorisation.
        self.run_side_effects(order.id).await?;
        let key = order.late_key();
        let seen = (order.payment.late_attempts, order.progress.reschedules);
        let mut attempt = order;
        attempt.payment.key.clone_from(&key);
        let authorization = match self.authorize_payment(&attempt, String::new(), false).await {
            Ok(authorization) => authorization,
            // A refusal for good, such as that of a card that is no longer there, is as good as a declined card.
            Err(error) => match final_refusal(&error) {
                Some(reason) => Authorization::declined(reason),
                None => return Err(error),
            },
        };

        let tx = self.db.begin().await?;
        let mut change =
            orders::lock_order(&tx, attempt.id, &Principal::System, &self.timing).await?;
        let order = &change.order;
        if (order.payment.late_attempts, order.progress.reschedules) == seen {
            change.count_late_attempt(key);
            change.settle(&authorization)?;
        } else if order.progress.reschedules != seen.1 {
            // The order was moved meanwhile: the money is not for its present price and time.
            change.enqueue(SideEffect::ReleaseAuthorization { attempt_key: key });
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }

    async fn cancel_unpaid(&self, id: OrderId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &Principal::System, &self.timing).await?;
        if change.order.authorize_at(&self.timing).is_some() {
            change.cancel(
                CancellationCharge::default(),
                LiableParty::Customer,
                "PAYMENT_FAILED",
            )?;
            orders::save_order(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }
}
