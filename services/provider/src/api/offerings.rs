//! `OfferingService`.

use super::{Api, provider_id, reach};
use crate::{convert, domain::OfferingId};
use kit::{storage::idempotency::Key, storage::page::Page};
use proto::quickserve::provider::v1::{self as pb, offering_service_server::OfferingService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl OfferingService for Api {
    async fn create_offering(
        &self,
        request: Request<pb::CreateOfferingRequest>,
    ) -> Result<Response<pb::CreateOfferingResponse>, Status> {
        let (key, reach) = (Key::of(&request), reach(&request)?);
        let pb::CreateOfferingRequest { provider_id: id, vertical, skills, rate_card, area } =
            request.into_inner();
        let terms = convert::parse_terms(skills, &rate_card, area)?;
        let id = provider_id(&id)?;
        let offering = self.providers.create_offering(key, id, reach, vertical, terms).await?;
        Ok(Response::new(pb::CreateOfferingResponse { offering: Some(offering) }))
    }

    async fn list_offerings(
        &self,
        request: Request<pb::ListOfferingsRequest>,
    ) -> Result<Response<pb::ListOfferingsResponse>, Status> {
        let reach = reach(&request)?;
        let pb::ListOfferingsRequest { provider_id: id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let (rows, next_page_token) =
            self.providers.offerings(provider_id(&id)?, reach, page).await?;
        let offerings =
            rows.iter().map(|row| convert::offering(row, convert::View::Full)).collect();
        Ok(Response::new(pb::ListOfferingsResponse { offerings, next_page_token }))
    }

    async fn update_offering(
        &self,
        request: Request<pb::UpdateOfferingRequest>,
    ) -> Result<Response<pb::UpdateOfferingResponse>, Status> {
        let reach = reach(&request)?;
        let pb::UpdateOfferingRequest { provider_id: id, offering_id, skills, rate_card, area } =
            request.into_inner();
        let terms = convert::parse_terms(skills, &rate_card, area)?;
        let (id, offering_id) =
            (provider_id(&id)?, OfferingId::parse("offering_id", &offering_id)?);
        let offering = self.providers.replace_offering(id, reach, offering_id, terms).await?;
        Ok(Response::new(pb::UpdateOfferingResponse { offering: Some(offering) }))
    }

    async fn delete_offering(
        &self,
        request: Request<pb::DeleteOfferingRequest>,
    ) -> Result<Response<pb::DeleteOfferingResponse>, Status> {
        let reach = reach(&request)?;
        let pb::DeleteOfferingRequest { provider_id: id, offering_id } = request.into_inner();
        let offering_id = OfferingId::parse("offering_id", &offering_id)?;
        let deleted = self.providers.delete_offering(provider_id(&id)?, reach, offering_id).await?;
        Ok(Response::new(deleted))
    }
}
