//! `RepairService`: what the parties of an order see and do.

use super::account_of;
use crate::{
    convert::{self, RepairJob},
    domain::{
        details::RepairedItem,
        part::PartState,
        repair::TestResult,
        state::{RepairOutcome, RepairState},
    },
    events, repository as appliances,
};
use kit::{
    Db,
    rpc::confidential,
    storage::{db::Begun, idempotency::Key},
    values::id::parse_uuid,
};
use proto::quickserve::repair::v1::{self as pb, repair_service_server::RepairService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;
use vertical::{
    Error,
    convert::parse_order_id,
    repository::{self, Reach},
    signals,
};

/// Serves `RepairService`.
pub struct Api {
    db: Db,
}

/// How a repair goes on, or ends.
enum RepairerAct {
    Wait,
    Resume,
    Finish(RepairOutcome, Vec<TestResult>),
}

impl Api {
    /// Serves the repairs in `db`.
    pub const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The repair as `reader` reads it.
    async fn repair_view(&self, job: &RepairJob, reader: Reach) -> Result<pb::Repair, Error> {
        let details = convert::stored_details(&job.order.details)?;
        let appliance = match convert::read_details(&details).map(|inputs| inputs.item) {
            Ok(RepairedItem::Owned(id)) => {
                let db = self.db.connection();
                appliances::find_appliance(db, job.order.customer_id, id).await?
            }
            // An erased order has no details.
            Ok(RepairedItem::Described { .. } | RepairedItem::Unnamed) | Err(_) => None,
        };
        let whole = convert::repair(job, appliance)?;
        if job.shows_home(reader, self.db.clock().now()) {
            return Ok(whole);
        }
        Ok(confidential::hide("quickserve.repair.v1.Repair", &whole)?)
    }

    /// Does what the repairer says of the repair as a whole. What was said before changes nothing.
    async fn go_on(
        &self,
        order_id: &str,
        provider: Uuid,
        act: RepairerAct,
    ) -> Result<Option<pb::Repair>, Error> {
        let (id, reach) = (parse_order_id(order_id)?, Reach::Provider(provider));
        let tx = self.db.begin().await?;
        let mut job: RepairJob = repository::lock_job(&tx, id, reach).await?;
        let (is_new, is_end) = match act {
            RepairerAct::Wait => (job.own.wait()?, false),
            RepairerAct::Resume => (job.own.resume()?, false),
            RepairerAct::Finish(outcome, tests) => (job.own.finish(outcome, tests)?, true),
        };
        if is_new {
            job.check_working(tx.now())?;
            if is_end {
                events::record_repair_event(&tx, &mut job, events::FINISHED).await?;
            }
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        Ok(Some(self.repair_view(&job, reach).await?))
    }
}

#[async_trait]
impl RepairService for Api {
    async fn get_repair(
        &self,
        request: Request<pb::GetRepairRequest>,
    ) -> Result<Response<pb::GetRepairResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: RepairJob = repository::find_job(self.db.connection(), id, reach).await?;
        let repair = Some(self.repair_view(&job, reach).await?);
        Ok(Response::new(pb::GetRepairResponse { repair }))
    }

    async fn record_diagnosis(
        &self,
        request: Request<pb::RecordDiagnosisRequest>,
    ) -> Result<Response<pb::RecordDiagnosisResponse>, Status> {
        let provider = account_of(&kit::caller_of(&request))?;
        let request = request.into_inner();
        let (id, reach) = (parse_order_id(&request.order_id)?, Reach::Provider(provider));
        let tx = self.db.begin().await?;
        let mut job: RepairJob = repository::lock_job(&tx, id, reach).await?;
        let was_dangerous = job.own.is_dangerous();
        if job.own.diagnose(convert::parse_diagnosis(request, tx.now()))? {
            job.check_working(tx.now())?;
            events::record_repair_event(&tx, &mut job, events::DIAGNOSED).await?;
            if job.own.is_dangerous() && !was_dangerous {
                signals::record_safety(&tx, &mut job.order, provider).await?;
            }
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await.map_err(Error::from)?;
        let repair = Some(self.repair_view(&job, reach).await?);
        Ok(Response::new(pb::RecordDiagnosisResponse { repair }))
    }

    async fn list_parts(
        &self,
        request: Request<pb::ListPartsRequest>,
    ) -> Result<Response<pb::ListPartsResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: RepairJob = repository::find_job(self.db.connection(), id, reach).await?;
        Ok(Response::new(pb::ListPartsResponse { parts: convert::parts(&job.own) }))
    }

    async fn add_part(
        &self,
        request: Request<pb::AddPartRequest>,
    ) -> Result<Response<pb::AddPartResponse>, Status> {
        let (provider, key) = (account_of(&kit::caller_of(&request))?, Key::of(&request));
        let request = request.into_inner();
        let (id, reach) = (parse_order_id(&request.order_id)?, Reach::Provider(provider));
        let noted = convert::parse_part(request)?;
        let tx = match self.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut job: RepairJob = repository::lock_job(&tx, id, reach).await?;
        job.check_working(tx.now())?;
        let part_id = tx.new_uuid();
        job.own.add_part(part_id, noted, tx.now())?;
        repository::save_job(&tx, &mut job).await?;
        let part = job.own.part(part_id).map(|part| convert::part(&job.own, part));
        Ok(tx.commit_answer(pb::AddPartResponse { part }).await?)
    }

    async fn update_part(
        &self,
        request: Request<pb::UpdatePartRequest>,
    ) -> Result<Response<pb::UpdatePartResponse>, Status> {
        let provider = account_of(&kit::caller_of(&request))?;
        let request = request.into_inner();
        let (id, reach) = (parse_order_id(&request.order_id)?, Reach::Provider(provider));
        let part_id = parse_uuid("part_id", &request.part_id).map_err(Error::from)?;
        let change = convert::parse_part_change(request)?;
        let is_arrival = change.state == Some(PartState::Arrived);
        let tx = self.db.begin().await?;
        let mut job: RepairJob = repository::lock_job(&tx, id, reach).await?;
        let had_arrived = job.own.have_parts_arrived();
        if job.own.change_part(part_id, change)? {
            // Parts of an order that was broken off can still be given back.
            if job.own.state != RepairState::Off {
                job.check_working(tx.now())?;
            }
            if is_arrival && !had_arrived && job.own.have_parts_arrived() {
                events::record_repair_event(&tx, &mut job, events::PARTS_ARRIVED).await?;
            }
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await.map_err(Error::from)?;
        let part = job.own.part(part_id).map(|part| convert::part(&job.own, part));
        Ok(Response::new(pb::UpdatePartResponse { part }))
    }

    async fn wait_for_parts(
        &self,
        request: Request<pb::WaitForPartsRequest>,
    ) -> Result<Response<pb::WaitForPartsResponse>, Status> {
        let provider = account_of(&kit::caller_of(&request))?;
        let pb::WaitForPartsRequest { order_id } = request.into_inner();
        let repair = self.go_on(&order_id, provider, RepairerAct::Wait).await?;
        Ok(Response::new(pb::WaitForPartsResponse { repair }))
    }

    async fn resume_repair(
        &self,
        request: Request<pb::ResumeRepairRequest>,
    ) -> Result<Response<pb::ResumeRepairResponse>, Status> {
        let provider = account_of(&kit::caller_of(&request))?;
        let pb::ResumeRepairRequest { order_id } = request.into_inner();
        let repair = self.go_on(&order_id, provider, RepairerAct::Resume).await?;
        Ok(Response::new(pb::ResumeRepairResponse { repair }))
    }

    async fn finish_repair(
        &self,
        request: Request<pb::FinishRepairRequest>,
    ) -> Result<Response<pb::FinishRepairResponse>, Status> {
        let provider = account_of(&kit::caller_of(&request))?;
        let pb::FinishRepairRequest { order_id, outcome, tests } = request.into_inner();
        let tests = convert::parse_tests(tests);
        let act = RepairerAct::Finish(RepairOutcome::parse(&outcome)?, tests);
        let repair = self.go_on(&order_id, provider, act).await?;
        Ok(Response::new(pb::FinishRepairResponse { repair }))
    }
}
