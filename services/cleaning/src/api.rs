//! `CleaningService`: what the parties of an order see and do.

use crate::{cleaning::Job, convert};
use kit::{Db, storage::version};
use proto::quickserve::cleaning::v1::{self as pb, cleaning_service_server::CleaningService};
use tonic::{Request, Response, Status, async_trait};
use vertical::{
    check_working,
    convert::parse_order_id,
    repository::{self, Reach},
    signals,
};

/// Serves `CleaningService`.
pub struct Api {
    db: Db,
}

impl Api {
    /// Serves the cleanings in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }
}

#[async_trait]
impl CleaningService for Api {
    async fn get_cleaning(
        &self,
        request: Request<pb::GetCleaningRequest>,
    ) -> Result<Response<pb::GetCleaningResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: Job = repository::find_job(self.db.connection(), id, reach).await?;
        let cleaning = Some(convert::cleaning(&job)?);
        Ok(Response::new(pb::GetCleaningResponse { cleaning }))
    }

    async fn get_checklist(
        &self,
        request: Request<pb::GetChecklistRequest>,
    ) -> Result<Response<pb::GetChecklistResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: Job = repository::find_job(self.db.connection(), id, reach).await?;
        let checklist = Some(convert::checklist(&job));
        Ok(Response::new(pb::GetChecklistResponse { checklist }))
    }

    async fn update_checklist(
        &self,
        request: Request<pb::UpdateChecklistRequest>,
    ) -> Result<Response<pb::UpdateChecklistResponse>, Status> {
        let reach = Reach::provider(&kit::caller_of(&request))?;
        let pb::UpdateChecklistRequest { order_id, items, version: expected } =
            request.into_inner();
        let id = parse_order_id(&order_id)?;
        let changes = items.into_iter().map(convert::parse_item_change).collect();
        let tx = self.db.begin().await?;
        let mut job: Job = repository::lock_job(&tx, id, reach).await?;
        version::expect_version(expected, job.order.version)?;
        check_working(job.phase())?;
        job.own.checklist.change(changes, tx.now())?;
        repository::save_job(&tx, &mut job).await?;
        tx.commit().await?;
        let checklist = Some(convert::checklist(&job));
        Ok(Response::new(pb::UpdateChecklistResponse { checklist }))
    }

    async fn report_access_failed(
        &self,
        request: Request<pb::ReportAccessFailedRequest>,
    ) -> Result<Response<pb::ReportAccessFailedResponse>, Status> {
        let provider = kit::caller_of(&request).subject()?.user_id;
        let pb::ReportAccessFailedRequest { order_id, contact_attempts } = request.into_inner();
        let attempts = convert::parse_attempts(contact_attempts)?;
        let id = parse_order_id(&order_id)?;
        let tx = self.db.begin().await?;
        let mut job: Job = repository::lock_job(&tx, id, Reach::Provider(provider)).await?;
        let phase = job.phase();
        if job.order.fail_access(attempts, phase, tx.now())? {
            signals::record_access_failed(&tx, &mut job.order, provider).await?;
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        let cleaning = Some(convert::cleaning(&job)?);
        Ok(Response::new(pb::ReportAccessFailedResponse { cleaning }))
    }
}
