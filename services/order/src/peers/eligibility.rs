//! Whether a provider may do a job, as provider judges it.

use super::Peers;
use crate::{
    convert,
    domain::{Error, Order, ProviderId, Visit},
};
use proto::quickserve::provider::v1::CheckEligibilityRequest;

impl Peers {
    /// What speaks against the provider taking or rendering the order now, as stable codes.
    pub async fn objections(
        &self,
        order: &Order,
        provider: ProviderId,
    ) -> Result<Vec<String>, Error> {
        let request = CheckEligibilityRequest {
            provider_id: provider.to_string(),
            vertical: order.vertical.clone(),
            window: Some(order.window().into()),
            address: Some(convert::address(&order.terms.place)),
            requirements: Some(convert::requirements_of(&order.terms.requirements)),
            customer_id: order.customer_id.to_string(),
            order_id: order.id.to_string(),
            round: order.progress.round,
        };
        self.check(request).await
    }

    /// What speaks against the provider making a further visit, as stable codes. The home is not told: provider knows it
    /// from the order's own time.
    pub async fn objections_to_visit(
        &self,
        order: &Order,
        provider: ProviderId,
        visit: &Visit,
    ) -> Result<Vec<String>, Error> {
        let request = CheckEligibilityRequest {
            provider_id: provider.to_string(),
            vertical: order.vertical.clone(),
            window: Some(order.window_of_visit(visit).into()),
            requirements: Some(convert::requirements_of(&order.terms.requirements)),
            customer_id: order.customer_id.to_string(),
            order_id: visit.id.to_string(),
            ..CheckEligibilityRequest::default()
        };
        self.check(request).await
    }

    /// What speaks against a provider doing a job, as stable codes.
    pub async fn check(&self, request: CheckEligibilityRequest) -> Result<Vec<String>, Error> {
        let answer = self.reservations.clone().check_eligibility(request).await?;
        Ok(answer.into_inner().causes)
    }
}
