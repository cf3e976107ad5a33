//! Whether a provider may still take or render an order: provider is asked at every step that needs it, and who may not
//! loses the order.

use crate::{
    app::App,
    domain::{Error, Order, OrderId, Principal, ProviderId},
    repository::orders,
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
        self.withdraw_provider(order.id, provider).await?;
        Err(Error::ProviderNotEligible(causes))
    }

    /// Takes an order from its provider, unless it is another's meanwhile or the work has begun.
    async fn withdraw_provider(&self, id: OrderId, provider: ProviderId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock(&tx, id, &Principal::System, &self.timing).await?;
        if change.order.provider_id == Some(provider) {
            change.withdraw_provider(NOT_ELIGIBLE)?;
            orders::save(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }
}
