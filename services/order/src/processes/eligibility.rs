//! Whether a provider may still take or render an order: provider is asked at every step that needs it and whenever a
//! profile loses something, and who may not loses the order.

use crate::{
    app::App,
    domain::{AccountId, Error, OfferEnding, Order, OrderId, Principal, ProviderId},
    repository::{offers, orders, visits},
};

/// Why an order is taken from its provider.
const NOT_ELIGIBLE: &str = "PROVIDER_NOT_ELIGIBLE";

impl App {
    /// Fails when the provider may not take or render the order. It loses the order then, if it has it.
    pub async fn check_eligibility(
        &self,
        order: &Order,
        provider: ProviderId,
    ) -> Result<(), Error> {
        let causes = self.peers.objections(order, provider).await?;
        if causes.is_empty() {
            return Ok(());
        }
        self.withdraw_provider(order.id, provider, NOT_ELIGIBLE).await?;
        Err(Error::ProviderNotEligible(causes))
    }

    /// Looks at all that a provider is to render or is asked for, after its profile has changed: what it may not do goes to
    /// others, and a further visit for which nobody is left is not made.
    pub async fn review_provider(
        &self,
        provider: ProviderId,
        account: AccountId,
    ) -> Result<(), Error> {
        let db = self.db.connection();
        for order in orders::before_work_of(db, account).await? {
            if let Some(assigned) = order.provider_id {
                self.is_eligible(&order, assigned).await?;
            }
        }
        for order in visits::orders_at_work(db, account).await? {
            self.review_visits(&order, provider).await?;
        }
        for offer in offers::all_open(db, account).await? {
            let order = orders::get_order(db, offer.order_id, &Principal::System).await?;
            if offer.provider_id == provider && !self.is_eligible(&order, provider).await? {
                self.close_offer(&offer, OfferEnding::Refused).await?;
            }
        }
        Ok(())
    }

    /// Looks at the visits that are to come to work that a provider has begun. Provider has put others in the place of those
    /// who are gone, where it can.
    async fn review_visits(&self, order: &Order, provider: ProviderId) -> Result<(), Error> {
        for visit in order.visits_after(self.now()) {
            let causes = self.peers.objections_to_visit(order, provider, visit).await?;
            if causes.is_empty() {
                continue;
            }
            let tx = self.db.begin().await?;
            let system = Principal::System;
            let mut change = orders::lock_order(&tx, order.id, &system, &self.timing).await?;
            change.lose_visit(visit.id, &causes.join(","));
            orders::save_order(&tx, change).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    async fn is_eligible(&self, order: &Order, provider: ProviderId) -> Result<bool, Error> {
        match self.check_eligibility(order, provider).await {
            Ok(()) => Ok(true),
            Err(Error::ProviderNotEligible(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Takes an order from its provider, unless it is another's meanwhile or the work has begun.
    pub async fn withdraw_provider(
        &self,
        id: OrderId,
        provider: ProviderId,
        reason: &str,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &Principal::System, &self.timing).await?;
        if change.order.provider_id == Some(provider) {
            change.withdraw_provider(reason)?;
            orders::save_order(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }
}
