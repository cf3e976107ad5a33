//! What is kept about orders.

use super::{Api, Caller, view};
use crate::domain::{Action, ChangeId, Error, Order, OrderChange};
use kit::{Id, storage::page::Page, values::time::moment};
use proto::quickserve::order::v1::{self as pb, record_service_server::RecordService};
use tonic::{Request, Response, Status};

impl Api {
    /// The order whose records are listed, if the caller may see it, and the page.
    async fn listed(
        &self,
        caller: &Caller,
        order_id: &str,
        (size, token): (i32, &str),
    ) -> Result<(Order, Page), Error> {
        let page = Page::parse(size, token)?;
        let id = Id::parse("order_id", order_id)?;
        Ok((self.app.orders.get(id, &caller.who()).await?, page))
    }
}

#[tonic::async_trait]
impl RecordService for Api {
    async fn post_order_message(
        &self,
        request: Request<pb::PostOrderMessageRequest>,
    ) -> Result<Response<pb::PostOrderMessageResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::PostOrderMessageRequest { order_id, text } = request.into_inner();
        let call = caller.call(&order_id, 0)?;
        let post = move |draft: &mut OrderChange| draft.post_message(text.clone());
        let answer =
            |_: &Order, row| pb::PostOrderMessageResponse { message: Some(view::message_of(row)) };
        Ok(Response::new(self.app.orders.change_once(call, post, answer).await?))
    }

    async fn list_order_messages(
        &self,
        request: Request<pb::ListOrderMessagesRequest>,
    ) -> Result<Response<pb::ListOrderMessagesResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListOrderMessagesRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) = self.listed(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = self.app.orders.messages(order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let messages = rows.into_iter().map(view::message_of).collect();
        Ok(Response::new(pb::ListOrderMessagesResponse { messages, next_page_token }))
    }

    async fn add_proof(
        &self,
        request: Request<pb::AddProofRequest>,
    ) -> Result<Response<pb::AddProofResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::AddProofRequest { order_id, kind, sha256, position, taken_at } =
            request.into_inner();
        let taken_at = match taken_at {
            None => self.app.now(),
            Some(at) => moment("taken_at", Some(&at))?,
        };
        let position = position.map(|pb::Position { lat, lng }| (lat, lng));
        let call = caller.call(&order_id, 0)?;
        let add = move |draft: &mut OrderChange| {
            draft.add_proof(kind.clone(), sha256.clone(), position, taken_at)
        };
        let answer = |_: &Order, row| pb::AddProofResponse { proof: Some(view::proof_of(row)) };
        Ok(Response::new(self.app.orders.change_once(call, add, answer).await?))
    }

    async fn list_proofs(
        &self,
        request: Request<pb::ListProofsRequest>,
    ) -> Result<Response<pb::ListProofsResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListProofsRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) = self.listed(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = self.app.orders.proofs(order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let proofs = rows.into_iter().map(view::proof_of).collect();
        Ok(Response::new(pb::ListProofsResponse { proofs, next_page_token }))
    }

    async fn propose_change(
        &self,
        request: Request<pb::ProposeChangeRequest>,
    ) -> Result<Response<pb::ProposeChangeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ProposeChangeRequest { order_id, lines, reason } = request.into_inner();
        let line = |pb::ChangeLine { label, minor_units }| (label, minor_units);
        let lines: Vec<_> = lines.into_iter().map(line).collect();
        let call = caller.call(&order_id, 0)?;
        let propose =
            move |draft: &mut OrderChange| draft.propose_change(lines.clone(), reason.clone());
        let answer = |order: &Order, row| pb::ProposeChangeResponse {
            change_order: Some(view::change_order_of(order, row)),
        };
        Ok(Response::new(self.app.orders.change_once(call, propose, answer).await?))
    }

    async fn list_change_orders(
        &self,
        request: Request<pb::ListChangeOrdersRequest>,
    ) -> Result<Response<pb::ListChangeOrdersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListChangeOrdersRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) = self.listed(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = self.app.orders.change_orders(order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let change_orders =
            rows.into_iter().map(|row| view::change_order_of(&order, row)).collect();
        Ok(Response::new(pb::ListChangeOrdersResponse { change_orders, next_page_token }))
    }

    async fn approve_change(
        &self,
        request: Request<pb::ApproveChangeRequest>,
    ) -> Result<Response<pb::ApproveChangeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ApproveChangeRequest { order_id, change_order_id } = request.into_inner();
        let change: ChangeId = Id::parse("change_order_id", &change_order_id)?;
        let order = self.app.orders.get(Id::parse("order_id", &order_id)?, &caller.who()).await?;
        self.app.orders.change_order(order.id, change).await?;
        let by = super::side(&order, &caller.who());
        let pending = order.progress.change.as_ref().filter(|pending| pending.id == change);
        if let Some(pending) = pending.filter(|_| order.check(Action::ApproveChange, by).is_ok()) {
            self.app.peers.raise(&order, pending.amount, change).await?;
        }
        let approve = move |draft: &mut OrderChange| draft.approve_change(change);
        let wrap = |order| pb::ApproveChangeResponse { order };
        self.decide(&caller, (&order_id, 0), approve, wrap).await
    }

    async fn reject_change(
        &self,
        request: Request<pb::RejectChangeRequest>,
    ) -> Result<Response<pb::RejectChangeResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::RejectChangeRequest { order_id, change_order_id } = request.into_inner();
        let change: ChangeId = Id::parse("change_order_id", &change_order_id)?;
        let order = self.app.orders.get(Id::parse("order_id", &order_id)?, &caller.who()).await?;
        self.app.orders.change_order(order.id, change).await?;
        let reject = move |draft: &mut OrderChange| draft.reject_change(change);
        let wrap = |order| pb::RejectChangeResponse { order };
        self.decide(&caller, (&order_id, 0), reject, wrap).await
    }

    async fn list_timeline(
        &self,
        request: Request<pb::ListTimelineRequest>,
    ) -> Result<Response<pb::ListTimelineResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListTimelineRequest { order_id, page_size, page_token } = request.into_inner();
        let (order, page) = self.listed(&caller, &order_id, (page_size, &page_token)).await?;
        let mut rows = self.app.orders.timeline(order.id, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let entries = rows.into_iter().map(view::timeline_entry).collect();
        Ok(Response::new(pb::ListTimelineResponse { entries, next_page_token }))
    }

    async fn list_provider_reviews(
        &self,
        request: Request<pb::ListProviderReviewsRequest>,
    ) -> Result<Response<pb::ListProviderReviewsResponse>, Status> {
        let pb::ListProviderReviewsRequest { provider_id, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let provider = Id::parse("provider_id", &provider_id)?;
        let mut rows = self.app.orders.provider_reviews(provider, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id);
        let reviews = rows.into_iter().map(|row| view::review_of(row, false)).collect();
        Ok(Response::new(pb::ListProviderReviewsResponse { reviews, next_page_token }))
    }
}
