//! `CleaningService`: what the parties of an order see and do.

use crate::{cleaning::CleaningJob, convert};
use chrono::{DateTime, Utc};
use kit::{Db, rpc::confidential, storage::version};
use proto::quickserve::cleaning::v1::{self as pb, cleaning_service_server::CleaningService};
use tonic::{Request, Response, Status, async_trait};
use vertical::{
    Error,
    convert::parse_order_id,
    repository::{self, Reach},
    signals,
};

/// Serves `CleaningService`: what cleaners do at work.
pub struct Api {
    db: Db,
}

impl Api {
    /// Serves the cleanings in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }
}

/// The cleaning as `reader` reads it.
fn cleaning_view(
    job: &CleaningJob,
    reader: Reach,
    now: DateTime<Utc>,
) -> Result<pb::Cleaning, Error> {
    let whole = convert::cleaning(job)?;
    if job.shows_home(reader, now) {
        return Ok(whole);
    }
    Ok(confidential::hide("quickserve.cleaning.v1.Cleaning", &whole)?)
}

#[async_trait]
impl CleaningService for Api {
    async fn get_cleaning(
        &self,
        request: Request<pb::GetCleaningRequest>,
    ) -> Result<Response<pb::GetCleaningResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: CleaningJob = repository::find_job(self.db.connection(), id, reach).await?;
        let cleaning = Some(cleaning_view(&job, reach, self.db.clock().now())?);
        Ok(Response::new(pb::GetCleaningResponse { cleaning }))
    }

    async fn get_checklist(
        &self,
        request: Request<pb::GetChecklistRequest>,
    ) -> Result<Response<pb::GetChecklistResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: CleaningJob = repository::find_job(self.db.connection(), id, reach).await?;
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
        let mut job: CleaningJob = repository::lock_job(&tx, id, reach).await?;
        version::expect_version(expected, job.order.version)?;
        job.check_working(tx.now())?;
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
        let reach = Reach::Provider(provider);
        let mut job: CleaningJob = repository::lock_job(&tx, id, reach).await?;
        let phase = job.phase();
        if job.order.fail_access(attempts, phase, tx.now())? {
            signals::record_access_failed(&tx, &mut job.order, provider).await?;
            repository::save_job(&tx, &mut job).await?;
        }
        let cleaning = Some(cleaning_view(&job, reach, tx.now())?);
        tx.commit().await?;
        Ok(Response::new(pb::ReportAccessFailedResponse { cleaning }))
    }
}
