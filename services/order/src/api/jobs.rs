//! Orders as providers handle them.

use super::{Api, Caller, view};
use crate::domain::{Action, Actor, Error, Order, OrderChange, State};
use kit::{Id, storage::page::Page};
use proto::quickserve::order::v1::{self as pb, job_service_server::JobService};
use std::sync::Arc;
use tonic::{Request, Response, Status};

impl Api {
    /// The order that the caller wants to move, once the vertical agrees. A move that the state refuses is not asked
    /// about: what refuses it also finds the answer of an earlier call with the same key.
    async fn ask_vertical(
        &self,
        caller: &Caller,
        order_id: &str,
        action: Action,
    ) -> Result<Order, Error> {
        let who = caller.who();
        let order = self.app.orders.get(Id::parse("order_id", order_id)?, &who).await?;
        let to = order.side(&who).map(|by| order.check(action, by));
        if let Some(Ok(to)) = to {
            if action == Action::Deliver {
                let kinds = self.app.orders.proof_kinds(order.id).await?;
                self.app.peers.gate(&order, kinds).await?;
            }
            self.app.peers.allow(&order, to.state, order.provider_user_id).await?;
        }
        Ok(order)
    }
}

#[tonic::async_trait]
impl JobService for Api {
    async fn accept_order(
        &self,
        request: Request<pb::AcceptOrderRequest>,
    ) -> Result<Response<pb::AcceptOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::AcceptOrderRequest { order_id, version } = request.into_inner();
        let call = caller.call(&order_id, version)?;
        let answer = self.answer(&caller, |order| pb::AcceptOrderResponse { order });
        Ok(Response::new(self.app.accept(call, answer).await?))
    }

    async fn decline_order(
        &self,
        request: Request<pb::DeclineOrderRequest>,
    ) -> Result<Response<pb::DeclineOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::DeclineOrderRequest { order_id, version, reason } = request.into_inner();
        let decline = move |draft: &mut OrderChange| draft.decline(&reason);
        let wrap = |order| pb::DeclineOrderResponse { order };
        self.decide(&caller, (&order_id, version), decline, wrap).await
    }

    async fn depart(
        &self,
        request: Request<pb::DepartRequest>,
    ) -> Result<Response<pb::DepartResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::DepartRequest { order_id, version } = request.into_inner();
        self.ask_vertical(&caller, &order_id, Action::Depart).await?;
        let wrap = |order| pb::DepartResponse { order };
        self.decide(&caller, (&order_id, version), OrderChange::depart, wrap).await
    }

    async fn arrive(
        &self,
        request: Request<pb::ArriveRequest>,
    ) -> Result<Response<pb::ArriveResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ArriveRequest { order_id, version, position } = request.into_inner();
        self.ask_vertical(&caller, &order_id, Action::Arrive).await?;
        let position = position.map(|pb::Position { lat, lng }| (lat, lng));
        let arrive = move |draft: &mut OrderChange| draft.arrive(position);
        let wrap = |order| pb::ArriveResponse { order };
        self.decide(&caller, (&order_id, version), arrive, wrap).await
    }

    async fn start_work(
        &self,
        request: Request<pb::StartWorkRequest>,
    ) -> Result<Response<pb::StartWorkResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::StartWorkRequest { order_id, version, start_code } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let order = self.app.orders.get(id, &caller.who()).await?;
        // A wrong code counts as a try whatever else is wrong, and is never kept as an answer.
        if order.state == State::Arrived && !self.app.secret.opens(&order, &start_code) {
            let who = caller.who();
            let wrong = self.app.orders.change(id, &who, |draft| draft.start(false));
            let (_, wrong) = wrong.await?;
            return Err(wrong.unwrap_or(Error::StartCodeLocked).into());
        }
        self.ask_vertical(&caller, &order_id, Action::Start).await?;
        let secret = self.app.secret.clone();
        let start = move |draft: &mut OrderChange| {
            let right = secret.opens(&draft.order, &start_code);
            draft.start(right)?.map_or(Ok(()), Err)
        };
        let wrap = |order| pb::StartWorkResponse { order };
        self.decide(&caller, (&order_id, version), start, wrap).await
    }

    async fn record_contact_attempt(
        &self,
        request: Request<pb::RecordContactAttemptRequest>,
    ) -> Result<Response<pb::RecordContactAttemptResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::RecordContactAttemptRequest { order_id, version, channel } = request.into_inner();
        let record = move |draft: &mut OrderChange| draft.contact_attempt(&channel);
        let wrap = |order| pb::RecordContactAttemptResponse { order };
        self.decide(&caller, (&order_id, version), record, wrap).await
    }

    async fn report_no_show(
        &self,
        request: Request<pb::ReportNoShowRequest>,
    ) -> Result<Response<pb::ReportNoShowResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ReportNoShowRequest { order_id, version } = request.into_inner();
        let wrap = |order| pb::ReportNoShowResponse { order };
        self.decide(&caller, (&order_id, version), OrderChange::no_show, wrap).await
    }

    async fn deliver(
        &self,
        request: Request<pb::DeliverRequest>,
    ) -> Result<Response<pb::DeliverResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::DeliverRequest { order_id, version } = request.into_inner();
        self.ask_vertical(&caller, &order_id, Action::Deliver).await?;
        let wrap = |order| pb::DeliverResponse { order };
        self.decide(&caller, (&order_id, version), OrderChange::deliver, wrap).await
    }

    async fn list_offers(
        &self,
        request: Request<pb::ListOffersRequest>,
    ) -> Result<Response<pb::ListOffersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListOffersRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let mut rows = self.app.orders.offers(caller.account, &page).await?;
        let next_page_token = page.cut(&mut rows, |(offer, _)| offer.id.uuid());
        let offers = rows.iter().map(|(offer, order)| view::offer_of(offer, order)).collect();
        Ok(Response::new(pb::ListOffersResponse { offers, next_page_token }))
    }

    async fn accept_offer(
        &self,
        request: Request<pb::AcceptOfferRequest>,
    ) -> Result<Response<pb::AcceptOfferResponse>, Status> {
        let Caller { account, key, .. } = Caller::of(&request)?;
        let pb::AcceptOfferRequest { offer_id } = request.into_inner();
        let app = self.app.clone();
        let answer = Arc::new(move |order: &Order| pb::AcceptOfferResponse {
            order: Some(view::order(&app, order, Actor::Provider)),
        });
        let id = Id::parse("offer_id", &offer_id)?;
        Ok(Response::new(self.app.take_offer(id, account, key, answer).await?))
    }

    async fn decline_offer(
        &self,
        request: Request<pb::DeclineOfferRequest>,
    ) -> Result<Response<pb::DeclineOfferResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::DeclineOfferRequest { offer_id } = request.into_inner();
        let id = Id::parse("offer_id", &offer_id)?;
        let offer = self.app.decline_offer(id, caller.account).await?;
        let order = self.app.orders.get(offer.order_id, &crate::domain::Principal::System).await?;
        let offer = Some(view::offer_of(&offer, &order));
        Ok(Response::new(pb::DeclineOfferResponse { offer }))
    }
}
