//! Orders after the work.

use super::{
    Api,
    asked::{AskedAct, AskedCall},
    view,
};
use crate::{
    domain::{Principal, Resolution},
    repository::{orders, side_effects},
};
use kit::{
    Id, Money,
    storage::{db::Begun, idempotency::Key, version},
};
use proto::quickserve::order::v1::{self as pb, settlement_service_server::SettlementService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl SettlementService for Api {
    async fn accept_delivery(
        &self,
        request: Request<pb::AcceptDeliveryRequest>,
    ) -> Result<Response<pb::AcceptDeliveryResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::AcceptDeliveryRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.accept_delivery("")?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(self.commit(tx, id, pb::AcceptDeliveryResponse { order }).await?)
    }

    async fn request_changes(
        &self,
        request: Request<pb::RequestChangesRequest>,
    ) -> Result<Response<pb::RequestChangesResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::RequestChangesRequest { order_id, version, reason } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.request_changes(tx.new_uuid(), reason)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(self.commit(tx, id, pb::RequestChangesResponse { order }).await?)
    }

    async fn open_dispute(
        &self,
        request: Request<pb::OpenDisputeRequest>,
    ) -> Result<Response<pb::OpenDisputeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::OpenDisputeRequest { order_id, version, reason, text } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.open_dispute(tx.new_uuid(), reason, text)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::OpenDisputeResponse { order }).await?)
    }

    async fn call_for_help(
        &self,
        request: Request<pb::CallForHelpRequest>,
    ) -> Result<Response<pb::CallForHelpResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let id = Id::parse("order_id", &request.into_inner().order_id)?;
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        change.call_for_help(tx.new_uuid())?;
        let order = orders::save_order(&tx, change).await?;
        tx.commit().await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(Response::new(pb::CallForHelpResponse { order }))
    }

    async fn resolve_dispute(
        &self,
        request: Request<pb::ResolveDisputeRequest>,
    ) -> Result<Response<pb::ResolveDisputeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ResolveDisputeRequest { order_id, version, resolution, refund } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let resolution = match pb::DisputeState::try_from(resolution).unwrap_or_default() {
            pb::DisputeState::ResolvedCustomer => Resolution::Customer,
            pb::DisputeState::ResolvedSplit => {
                Resolution::Split(Money::parse("refund", refund.as_ref())?)
            }
            _ => Resolution::Provider,
        };
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        let pending = side_effects::pending_refunds(&*tx, id).await?;
        change.resolve_dispute(resolution, pending)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::ResolveDisputeResponse { order }).await?)
    }

    async fn review_order(
        &self,
        request: Request<pb::ReviewOrderRequest>,
    ) -> Result<Response<pb::ReviewOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ReviewOrderRequest { order_id, version, stars, text } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.review(tx.new_uuid(), stars, text)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::ReviewOrderResponse { order }).await?)
    }

    async fn reassign_order(
        &self,
        request: Request<pb::ReassignOrderRequest>,
    ) -> Result<Response<pb::ReassignOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ReassignOrderRequest { order_id, version, reason } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.reassign(&reason)?;
        change.caller_runs_side_effects = true;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        let answer = tx.commit_answer(pb::ReassignOrderResponse { order }).await?;
        self.app.run_side_effects_now(id).await;
        Ok(answer)
    }

    async fn abort_order(
        &self,
        request: Request<pb::AbortOrderRequest>,
    ) -> Result<Response<pb::AbortOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::AbortOrderRequest { order_id, version, reason } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::Abort(reason);
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::AbortOrderResponse { order }).await?)
    }
}
