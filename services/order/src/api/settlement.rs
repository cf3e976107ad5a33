//! Orders after the work.

use super::{Api, Caller};
use crate::domain::{Error, Order, OrderChange, Resolution};
use kit::Money;
use proto::quickserve::order::v1::{self as pb, settlement_service_server::SettlementService};
use tonic::{Request, Response, Status};

impl Api {
    /// Changes an order by a rule of the domain alone, and answers with the order.
    pub(super) async fn decide<M, F>(
        &self,
        caller: &Caller,
        (order_id, version): (&str, i64),
        decide: F,
        wrap: fn(Option<pb::Order>) -> M,
    ) -> Result<Response<M>, Status>
    where
        M: prost::Message + Default + 'static,
        F: Fn(&mut OrderChange) -> Result<(), Error> + Send + Sync + 'static,
    {
        let call = caller.call(order_id, version)?;
        let answer = self.answer(caller, wrap);
        let answer = move |order: &Order, ()| answer(order);
        Ok(Response::new(self.app.orders.change_once(call, decide, answer).await?))
    }
}

#[tonic::async_trait]
impl SettlementService for Api {
    async fn accept_delivery(
        &self,
        request: Request<pb::AcceptDeliveryRequest>,
    ) -> Result<Response<pb::AcceptDeliveryResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::AcceptDeliveryRequest { order_id, version } = request.into_inner();
        let accept = |draft: &mut OrderChange| draft.accept_delivery("");
        let wrap = |order| pb::AcceptDeliveryResponse { order };
        self.decide(&caller, (&order_id, version), accept, wrap).await
    }

    async fn request_changes(
        &self,
        request: Request<pb::RequestChangesRequest>,
    ) -> Result<Response<pb::RequestChangesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::RequestChangesRequest { order_id, version, reason } = request.into_inner();
        let send_back = move |draft: &mut OrderChange| draft.request_changes(reason.clone());
        let wrap = |order| pb::RequestChangesResponse { order };
        self.decide(&caller, (&order_id, version), send_back, wrap).await
    }

    async fn open_dispute(
        &self,
        request: Request<pb::OpenDisputeRequest>,
    ) -> Result<Response<pb::OpenDisputeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::OpenDisputeRequest { order_id, version, reason, text } = request.into_inner();
        let open = move |draft: &mut OrderChange| draft.open_dispute(reason.clone(), text.clone());
        let wrap = |order| pb::OpenDisputeResponse { order };
        self.decide(&caller, (&order_id, version), open, wrap).await
    }

    async fn resolve_dispute(
        &self,
        request: Request<pb::ResolveDisputeRequest>,
    ) -> Result<Response<pb::ResolveDisputeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ResolveDisputeRequest { order_id, version, resolution, refund } =
            request.into_inner();
        let resolution = pb::DisputeState::try_from(resolution).unwrap_or_default();
        let refund = match resolution {
            pb::DisputeState::ResolvedSplit => Some(Money::parse("refund", refund.as_ref())?),
            _ => None,
        };
        let resolve = move |draft: &mut OrderChange| {
            let resolution = match (resolution, refund) {
                (pb::DisputeState::ResolvedCustomer, _) => Resolution::Customer,
                (_, None) => Resolution::Provider,
                (_, Some(refund)) if refund.currency == draft.order.currency() => {
                    Resolution::Split(refund.minor_units)
                }
                (_, Some(_)) => {
                    let problem = "is not in the currency of the order";
                    return Err(kit::Error::invalid("refund.currency", problem).into());
                }
            };
            draft.resolve_dispute(resolution)
        };
        let wrap = |order| pb::ResolveDisputeResponse { order };
        self.decide(&caller, (&order_id, version), resolve, wrap).await
    }

    async fn review_order(
        &self,
        request: Request<pb::ReviewOrderRequest>,
    ) -> Result<Response<pb::ReviewOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ReviewOrderRequest { order_id, version, stars, text } = request.into_inner();
        let review = move |draft: &mut OrderChange| draft.review(stars, text.clone());
        let wrap = |order| pb::ReviewOrderResponse { order };
        self.decide(&caller, (&order_id, version), review, wrap).await
    }

    async fn reassign_order(
        &self,
        request: Request<pb::ReassignOrderRequest>,
    ) -> Result<Response<pb::ReassignOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ReassignOrderRequest { order_id, version, reason } = request.into_inner();
        let reassign = move |draft: &mut OrderChange| draft.reassign(&reason);
        let wrap = |order| pb::ReassignOrderResponse { order };
        self.decide(&caller, (&order_id, version), reassign, wrap).await
    }

    async fn abort_order(
        &self,
        request: Request<pb::AbortOrderRequest>,
    ) -> Result<Response<pb::AbortOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::AbortOrderRequest { order_id, version, reason } = request.into_inner();
        let abort = move |draft: &mut OrderChange| draft.abort(&reason);
        let wrap = |order| pb::AbortOrderResponse { order };
        self.decide(&caller, (&order_id, version), abort, wrap).await
    }
}
