//! `CleaningService`: what the parties of an order see and do.

use crate::{
    convert,
    domain::Error,
    events,
    repository::{self, Cleanings, Reach},
};
use kit::storage::version;
use proto::quickserve::cleaning::v1::{self as pb, cleaning_service_server::CleaningService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

/// Serves `CleaningService`.
pub struct Api {
    cleanings: Cleanings,
}

impl Api {
    /// Serves `cleanings`.
    pub const fn new(cleanings: Cleanings) -> Self {
        Self { cleanings }
    }
}

#[async_trait]
impl CleaningService for Api {
    async fn get_cleaning(
        &self,
        request: Request<pb::GetCleaningRequest>,
    ) -> Result<Response<pb::GetCleaningResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = order_id(&request.get_ref().order_id)?;
        let cleaning = convert::cleaning(&self.cleanings.find(id, reach).await?)?;
        Ok(Response::new(pb::GetCleaningResponse { cleaning: Some(cleaning) }))
    }

    async fn get_checklist(
        &self,
        request: Request<pb::GetChecklistRequest>,
    ) -> Result<Response<pb::GetChecklistResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = order_id(&request.get_ref().order_id)?;
        let checklist = convert::checklist(&self.cleanings.find(id, reach).await?);
        Ok(Response::new(pb::GetChecklistResponse { checklist: Some(checklist) }))
    }

    async fn update_checklist(
        &self,
        request: Request<pb::UpdateChecklistRequest>,
    ) -> Result<Response<pb::UpdateChecklistResponse>, Status> {
        let reach = Reach::provider(&kit::caller_of(&request))?;
        let pb::UpdateChecklistRequest { order_id: id, items, version: expected } =
            request.into_inner();
        let id = order_id(&id)?;
        let ticks = items.into_iter().map(convert::parse_tick).collect();
        let tx = self.cleanings.db.begin().await?;
        let mut cleaning = repository::lock_cleaning(&tx, id, reach).await?;
        version::expect_version(expected, cleaning.version)?;
        let phase = convert::stored_phase(cleaning.state);
        cleaning.tick(ticks, phase, tx.now())?;
        repository::save_cleaning(&tx, &mut cleaning).await?;
        tx.commit().await?;
        let checklist = convert::checklist(&cleaning);
        Ok(Response::new(pb::UpdateChecklistResponse { checklist: Some(checklist) }))
    }

    async fn report_access_failed(
        &self,
        request: Request<pb::ReportAccessFailedRequest>,
    ) -> Result<Response<pb::ReportAccessFailedResponse>, Status> {
        let provider = kit::caller_of(&request).subject()?.user_id;
        let pb::ReportAccessFailedRequest { order_id: id, contact_attempts } = request.into_inner();
        let attempts = convert::parse_attempts(contact_attempts)?;
        let id = order_id(&id)?;
        let tx = self.cleanings.db.begin().await?;
        let mut cleaning = repository::lock_cleaning(&tx, id, Reach::Provider(provider)).await?;
        let phase = convert::stored_phase(cleaning.state);
        if cleaning.fail_access(attempts, phase, tx.now())? {
            events::record_access_failed(&tx, &mut cleaning, provider).await?;
            repository::save_cleaning(&tx, &mut cleaning).await?;
        }
        tx.commit().await?;
        let cleaning = Some(convert::cleaning(&cleaning)?);
        Ok(Response::new(pb::ReportAccessFailedResponse { cleaning }))
    }
}

/// Reads the id of an order.
pub fn order_id(text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::invalid("order_id", "must be a UUID"))
}
