//! `MovingService`: inventory, loading, way and waybill.

use super::{Api, account_of};
use crate::{
    convert::{self, MoveJob},
    domain::{
        claim::{ClaimKind, Model as DamageClaim},
        state::{MoveState, MoveStep},
        waybill::{GoodsReserve, SignatureRequest, SignedStage, Signer},
    },
    events,
};
use kit::{Tx, storage::version};
use proto::quickserve::moving::v1::{self as pb, moving_service_server::MovingService};
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;
use vertical::{
    Error, Phase,
    convert::parse_order_id,
    facts::JobChangeState,
    repository::{self, Reach},
};

impl Api {
    /// Takes a step of the provider's that leads to `state`. One that was taken before changes nothing.
    async fn take_step(
        &self,
        order_id: &str,
        provider: Uuid,
        step: MoveStep,
        state: MoveState,
    ) -> Result<Option<pb::Inventory>, Error> {
        let id = parse_order_id(order_id)?;
        let reach = Reach::Provider(provider);
        let tx = self.db.begin().await?;
        let mut job: MoveJob = repository::lock_job(&tx, id, reach).await?;
        if job.own.take_step(step, state)? {
            job.check_working(tx.now())?;
            if state == MoveState::Surveyed {
                events::record_move_event(&tx, &mut job, events::SURVEYED, None).await?;
            }
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        Ok(Some(self.inventory_view(&job, reach)?))
    }

    /// Signs for a stage, and opens claims for what is damaged or missing. The caller saves the job.
    async fn sign(
        &self,
        tx: &Tx,
        job: &mut MoveJob,
        request: SignatureRequest,
    ) -> Result<(), Error> {
        let (stage, now) = (request.stage, tx.now());
        check_may_sign(job, &request, tx)?;
        let before = job.own.state;
        let reserves = job.own.sign(request, now, self.moves.tables.claims.reserve_hours)?;
        if stage == SignedStage::Loading {
            job.own.fixed_work = self.moves.current_work(job)?;
        }
        if job.own.state != before {
            let fact = match stage {
                SignedStage::Loading => events::LOADED,
                SignedStage::Delivery => events::UNLOADED,
            };
            events::record_move_event(tx, job, fact, None).await?;
        }
        for reserve in reserves {
            self.claim_reserve(tx, job, reserve).await?;
        }
        Ok(())
    }

    /// Opens the claim that a reserve is. Damage that was noted before the loading is none.
    async fn claim_reserve(
        &self,
        tx: &Tx,
        job: &mut MoveJob,
        reserve: GoodsReserve,
    ) -> Result<(), Error> {
        let GoodsReserve { line, kind, amount, .. } = reserve;
        if kind == ClaimKind::Damaged && job.own.was_damaged_before(line) {
            return Ok(());
        }
        let (id, order_id) = (tx.new_uuid(), job.order.order_id);
        let claim = DamageClaim::open(id, order_id, (line, kind), amount, Vec::new(), tx.now());
        self.open_claim(tx, job, &claim).await
    }
}

/// Refuses a signature while no work is going on. After the delivery only a customer signs who was not there.
fn check_may_sign(job: &MoveJob, request: &SignatureRequest, tx: &Tx) -> Result<(), Error> {
    let adds_reserves =
        (&request.signer, request.stage) == (&Signer::Customer, SignedStage::Delivery);
    if job.phase() != Phase::Delivered || !adds_reserves {
        job.check_working(tx.now())?;
    }
    let mut changes = job.order.facts.changes.iter();
    let is_open = changes.any(|change| change.state == JobChangeState::Proposed);
    if request.stage == SignedStage::Loading && is_open {
        let problem = "a change order is open: approve or reject it before the price is fixed";
        return Err(Error::Refused("CHANGE_OPEN", problem.to_owned()));
    }
    Ok(())
}

#[async_trait]
impl MovingService for Api {
    async fn get_inventory(
        &self,
        request: Request<pb::GetInventoryRequest>,
    ) -> Result<Response<pb::GetInventoryResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: MoveJob = repository::find_job(self.db.connection(), id, reach).await?;
        let inventory = Some(self.inventory_view(&job, reach)?);
        Ok(Response::new(pb::GetInventoryResponse { inventory }))
    }

    async fn update_inventory(
        &self,
        request: Request<pb::UpdateInventoryRequest>,
    ) -> Result<Response<pb::UpdateInventoryResponse>, Status> {
        let reach = Reach::Provider(account_of(&request)?);
        let pb::UpdateInventoryRequest { order_id, items, version: expected } =
            request.into_inner();
        let id = parse_order_id(&order_id)?;
        let changes: Vec<_> = items.into_iter().map(convert::line_change).collect();
        let tx = self.db.begin().await?;
        let mut job: MoveJob = repository::lock_job(&tx, id, reach).await?;
        version::expect_version(expected, job.order.version)?;
        if job.own.change_inventory(&changes, &self.moves.tables)? {
            job.check_working(tx.now())?;
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        let inventory = Some(self.inventory_view(&job, reach)?);
        Ok(Response::new(pb::UpdateInventoryResponse { inventory }))
    }

    async fn confirm_inventory(
        &self,
        request: Request<pb::ConfirmInventoryRequest>,
    ) -> Result<Response<pb::ConfirmInventoryResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::ConfirmInventoryRequest { order_id } = request.into_inner();
        let (step, state) = (MoveStep::Confirm, MoveState::Surveyed);
        let inventory = self.take_step(&order_id, provider, step, state).await?;
        Ok(Response::new(pb::ConfirmInventoryResponse { inventory }))
    }

    async fn begin_loading(
        &self,
        request: Request<pb::BeginLoadingRequest>,
    ) -> Result<Response<pb::BeginLoadingResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::BeginLoadingRequest { order_id } = request.into_inner();
        let (step, state) = (MoveStep::Load, MoveState::Loading);
        let inventory = self.take_step(&order_id, provider, step, state).await?;
        Ok(Response::new(pb::BeginLoadingResponse { inventory }))
    }

    async fn begin_transit(
        &self,
        request: Request<pb::BeginTransitRequest>,
    ) -> Result<Response<pb::BeginTransitResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::BeginTransitRequest { order_id } = request.into_inner();
        let (step, state) = (MoveStep::Depart, MoveState::InTransit);
        let inventory = self.take_step(&order_id, provider, step, state).await?;
        Ok(Response::new(pb::BeginTransitResponse { inventory }))
    }

    async fn begin_unloading(
        &self,
        request: Request<pb::BeginUnloadingRequest>,
    ) -> Result<Response<pb::BeginUnloadingResponse>, Status> {
        let provider = account_of(&request)?;
        let pb::BeginUnloadingRequest { order_id } = request.into_inner();
        let (step, state) = (MoveStep::Unload, MoveState::Unloading);
        let inventory = self.take_step(&order_id, provider, step, state).await?;
        Ok(Response::new(pb::BeginUnloadingResponse { inventory }))
    }

    async fn get_waybill(
        &self,
        request: Request<pb::GetWaybillRequest>,
    ) -> Result<Response<pb::GetWaybillResponse>, Status> {
        let reach = Reach::party(&kit::caller_of(&request))?;
        let id = parse_order_id(&request.get_ref().order_id)?;
        let job: MoveJob = repository::find_job(self.db.connection(), id, reach).await?;
        let waybill = Some(self.waybill_view(&job, reach)?);
        Ok(Response::new(pb::GetWaybillResponse { waybill }))
    }

    async fn sign_waybill(
        &self,
        request: Request<pb::SignWaybillRequest>,
    ) -> Result<Response<pb::SignWaybillResponse>, Status> {
        let account = account_of(&request)?;
        let reach = Reach::Party(account);
        let request = request.into_inner();
        let id = parse_order_id(&request.order_id)?;
        let tx = self.db.begin().await?;
        let mut job: MoveJob = repository::lock_job(&tx, id, reach).await?;
        let request = convert::signature_request(request, job.order.customer_id == account)?;
        if !job.own.is_signed_for(&request) {
            self.sign(&tx, &mut job, request).await?;
            repository::save_job(&tx, &mut job).await?;
        }
        tx.commit().await?;
        let waybill = Some(self.waybill_view(&job, reach)?);
        Ok(Response::new(pb::SignWaybillResponse { waybill }))
    }
}
