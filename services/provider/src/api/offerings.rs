//! Handlers of `OfferingService`: what providers offer.

use super::{Api, parse_provider_id, scope_of};
use crate::{
    convert::{self, View},
    domain::{Offering, OfferingId},
    events,
    repository::{offerings, profiles},
};
use kit::{
    Id,
    storage::{db::Begun, idempotency::Key, page::Page},
};
use proto::quickserve::provider::v1::{self as pb, offering_service_server::OfferingService};
use tonic::{Request, Response, Status, async_trait};

#[async_trait]
impl OfferingService for Api {
    async fn create_offering(
        &self,
        request: Request<pb::CreateOfferingRequest>,
    ) -> Result<Response<pb::CreateOfferingResponse>, Status> {
        let (key, scope) = (Key::of(&request), scope_of(&request)?);
        let pb::CreateOfferingRequest { provider_id, vertical, skills, rate_card, area } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let terms = convert::parse_terms(skills, &rate_card, area)?;
        let tx = match self.providers.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        provider.check_area(terms.centre)?;
        let offering = Offering::new(Id::new(tx.clock()), id, vertical, terms, tx.now());
        offerings::insert_offering(&tx, &offering).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let offering = Some(convert::offering(&offering, View::Full));
        Ok(self.commit(tx, id, pb::CreateOfferingResponse { offering }).await?)
    }

    async fn list_offerings(
        &self,
        request: Request<pb::ListOfferingsRequest>,
    ) -> Result<Response<pb::ListOfferingsResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::ListOfferingsRequest { provider_id, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = self.providers.find(parse_provider_id(&provider_id)?, scope).await?;
        let (rows, next_page_token) = self.providers.offerings(provider.id, page).await?;
        let offerings = rows.iter().map(|row| convert::offering(row, View::Full)).collect();
        Ok(Response::new(pb::ListOfferingsResponse { offerings, next_page_token }))
    }

    async fn update_offering(
        &self,
        request: Request<pb::UpdateOfferingRequest>,
    ) -> Result<Response<pb::UpdateOfferingResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::UpdateOfferingRequest { provider_id, offering_id, skills, rate_card, area } =
            request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let offering_id = OfferingId::parse("offering_id", &offering_id)?;
        let terms = convert::parse_terms(skills, &rate_card, area)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        provider.check_area(terms.centre)?;
        let mut offering = offerings::find_offering(&tx, id, offering_id).await?;
        offering.replace(terms, tx.now());
        offerings::save_offering(&tx, &offering).await?;
        events::record_event(&tx, &mut provider, events::OFFERING_CHANGED, &offering.vertical)
            .await?;
        profiles::save_profile(&tx, &mut provider).await?;
        let offering = Some(convert::offering(&offering, View::Full));
        Ok(self.commit(tx, id, pb::UpdateOfferingResponse { offering }).await?)
    }

    async fn delete_offering(
        &self,
        request: Request<pb::DeleteOfferingRequest>,
    ) -> Result<Response<pb::DeleteOfferingResponse>, Status> {
        let scope = scope_of(&request)?;
        let pb::DeleteOfferingRequest { provider_id, offering_id } = request.into_inner();
        let id = parse_provider_id(&provider_id)?;
        let offering_id = OfferingId::parse("offering_id", &offering_id)?;
        let tx = self.providers.db.begin().await?;
        let mut provider = profiles::lock_profile(&tx, id, scope).await?;
        provider.check_changeable()?;
        let offering = offerings::find_offering(&tx, id, offering_id).await?;
        offerings::delete_offering(&tx, id, offering_id).await?;
        events::record_event(&tx, &mut provider, events::OFFERING_CHANGED, &offering.vertical)
            .await?;
        profiles::save_profile(&tx, &mut provider).await?;
        Ok(self.commit(tx, id, pb::DeleteOfferingResponse {}).await?)
    }
}
