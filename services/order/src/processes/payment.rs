//! Payments that go on after the booking: close to the start a payment method on file is authorised.

use crate::{
    app::App,
    domain::{Charge, Error, LiableParty, Order, OrderId, Principal},
    repository::orders,
};

impl App {
    /// Authorises the method on file close to the start. Asks the customer when that fails, and in the end cancels the
    /// order.
    pub async fn authorize_late(&self, order: Order) -> Result<(), Error> {
        if order.authorizations_spent(&self.timing) {
            return self.cancel_unpaid(order.id).await;
        }
        let key = order.late_key();
        let seen = order.payment.late_attempts;
        let mut attempt = order;
        attempt.payment.key.clone_from(&key);
        let authorization = self.authorize_payment(&attempt, String::new(), false).await?;

        let tx = self.db.begin().await?;
        let mut change = orders::lock(&tx, attempt.id, &Principal::System, &self.timing).await?;
        if change.order.payment.late_attempts == seen {
            change.count_late_attempt(key);
            change.settle(&authorization)?;
            orders::save(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }

    async fn cancel_unpaid(&self, id: OrderId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock(&tx, id, &Principal::System, &self.timing).await?;
        if change.order.authorize_at(&self.timing).is_some() {
            change.cancel(Charge::default(), LiableParty::Customer, "PAYMENT_FAILED")?;
            orders::save(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }
}
