//! Orders as providers handle them.

use super::{
    Api,
    asked::{AskedAct, AskedCall},
    view,
};
use crate::{
    domain::{
        Actor, Agreement, Error, OrderId, Principal, State,
        records::{offer, visit},
    },
    peers::is_refusal,
    repository::{offers, orders, visits},
    watch::{OfferStream, offer_message},
};
use kit::{
    Id, Window,
    storage::{db::Begun, idempotency::Key, page::Page, version},
};
use proto::quickserve::order::v1::{self as pb, job_service_server::JobService};
use tonic::{Request, Response, Status};

impl Api {
    /// Fails when the start code is wrong, and counts it. A wrong code counts as a try even when the call is wrong
    /// in other ways, and its error is never kept as the answer of a key. Only the provider tries: a customer who is a
    /// provider elsewhere is refused by the state, and locks no code.
    async fn count_wrong_code(
        &self,
        id: OrderId,
        caller: &Principal,
        code: &str,
    ) -> Result<(), Error> {
        let order = orders::get_order(self.app.db.connection(), id, caller).await?;
        let tries = order.state == State::Arrived && order.side(caller) == Some(Actor::Provider);
        if !tries || self.app.secret.opens(&order, code) {
            return Ok(());
        }
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, caller, &self.app.timing).await?;
        let wrong = change.count_wrong_code()?;
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        Err(wrong)
    }

    async fn write_visit(
        &self,
        visit: &visit::Model,
        caller: &Principal,
        key: Option<Key>,
    ) -> Result<Response<pb::BookVisitResponse>, Error> {
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => {
                self.app.free_visit(visit.id).await;
                return Ok(Response::new(answer));
            }
            Begun::New(tx) => tx,
        };
        let timing = &self.app.timing;
        let mut change = orders::lock_order(&tx, visit.order_id, caller, timing).await?;
        change.book_visit(visit)?;
        visits::confirm_visit(&tx, visit.id).await?;
        let order = orders::save_order(&tx, change).await?;
        let booked = order.progress.visits.last().map(|visit| view::visit_of(&order, visit));
        self.commit(tx, visit.order_id, pb::BookVisitResponse { visit: booked }).await
    }

    async fn write_offer_acceptance(
        &self,
        offer: &offer::Model,
        agreed: Option<Agreement>,
        key: Option<Key>,
    ) -> Result<Response<pb::AcceptOfferResponse>, Error> {
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        // The account is no side of the order before it has it.
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, offer.order_id, &system, &self.app.timing).await?;
        change.vertical_agreed(agreed);
        change.take_offer(offer)?;
        let order = orders::save_order(&tx, change).await?;
        let provider = Principal::User { id: offer.provider_user_id, operator: false };
        let order = Some(view::order_view(&self.app, &order, &provider)?);
        let answer = self.commit(tx, offer.order_id, pb::AcceptOfferResponse { order }).await?;
        self.app.offers.look_now();
        Ok(answer)
    }
}

#[tonic::async_trait]
impl JobService for Api {
    async fn accept_order(
        &self,
        request: Request<pb::AcceptOrderRequest>,
    ) -> Result<Response<pb::AcceptOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::AcceptOrderRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::Accept;
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::AcceptOrderResponse { order }).await?)
    }

    async fn decline_order(
        &self,
        request: Request<pb::DeclineOrderRequest>,
    ) -> Result<Response<pb::DeclineOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::DeclineOrderRequest { order_id, version, reason } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.decline(&reason)?;
        change.caller_runs_side_effects = true;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        let answer = tx.commit_answer(pb::DeclineOrderResponse { order }).await?;
        self.app.run_side_effects_now(id).await;
        Ok(answer)
    }

    async fn depart(
        &self,
        request: Request<pb::DepartRequest>,
    ) -> Result<Response<pb::DepartResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::DepartRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::Depart;
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::DepartResponse { order }).await?)
    }

    async fn arrive(
        &self,
        request: Request<pb::ArriveRequest>,
    ) -> Result<Response<pb::ArriveResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ArriveRequest { order_id, version, position } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::Arrive(position.and_then(|pb::Position { lat, lng }| lat.zip(lng)));
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::ArriveResponse { order }).await?)
    }

    async fn start_work(
        &self,
        request: Request<pb::StartWorkRequest>,
    ) -> Result<Response<pb::StartWorkResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::StartWorkRequest { order_id, version, start_code } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        self.count_wrong_code(id, &caller, &start_code).await?;
        let act = AskedAct::Start(start_code);
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::StartWorkResponse { order }).await?)
    }

    async fn record_contact_attempt(
        &self,
        request: Request<pb::RecordContactAttemptRequest>,
    ) -> Result<Response<pb::RecordContactAttemptResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::RecordContactAttemptRequest { order_id, version, channel } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.contact_attempt(&channel)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::RecordContactAttemptResponse { order }).await?)
    }

    async fn report_no_show(
        &self,
        request: Request<pb::ReportNoShowRequest>,
    ) -> Result<Response<pb::ReportNoShowResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ReportNoShowRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::NoShow;
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::ReportNoShowResponse { order }).await?)
    }

    async fn book_visit(
        &self,
        request: Request<pb::BookVisitRequest>,
    ) -> Result<Response<pb::BookVisitResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::BookVisitRequest { order_id, window } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let order = orders::get_order(self.app.db.connection(), id, &caller).await?;
        let window = Window::parse_at("window", window.as_ref(), order.terms.place.zone())?;
        let visit = self.app.hold_visit(&order, &caller, &window).await?;
        match self.write_visit(&visit, &caller, key).await {
            Err(error) if is_refusal(&error) => {
                self.app.free_visit(visit.id).await;
                Err(error.into())
            }
            written => Ok(written?),
        }
    }

    async fn deliver(
        &self,
        request: Request<pb::DeliverRequest>,
    ) -> Result<Response<pb::DeliverResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::DeliverRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let act = AskedAct::Deliver;
        let call = AskedCall { id, caller, key, version, act };
        Ok(self.act_once_agreed(call, |order| pb::DeliverResponse { order }).await?)
    }

    async fn list_offers(
        &self,
        request: Request<pb::ListOffersRequest>,
    ) -> Result<Response<pb::ListOffersResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let pb::ListOffersRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let db = self.app.db.connection();
        let mut rows = offers::list_open(db, account, self.app.now(), &page).await?;
        let next_page_token = page.cut(&mut rows, |(offer, _)| offer.id.uuid());
        let offers = rows.iter().map(|(offer, order)| offer_message(offer, order)).collect();
        Ok(Response::new(pb::ListOffersResponse { offers, next_page_token }))
    }

    type WatchOffersStream = OfferStream;

    async fn watch_offers(
        &self,
        request: Request<pb::WatchOffersRequest>,
    ) -> Result<Response<OfferStream>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        Ok(Response::new(self.app.watch_offers(account).await?))
    }

    /// The first provider whose acceptance is written gets the order; the time of the others is freed again.
    async fn accept_offer(
        &self,
        request: Request<pb::AcceptOfferRequest>,
    ) -> Result<Response<pb::AcceptOfferResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::AcceptOfferRequest { offer_id } = request.into_inner();
        let id = Id::parse("offer_id", &offer_id)?;
        let offer = offers::get_offer(self.app.db.connection(), id, caller.account()?).await?;
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let (offer, agreed) = self.app.prepare_offer_acceptance(&offer).await?;
        match self.write_offer_acceptance(&offer, agreed, key).await {
            Err(Error::OfferTaken | Error::Changed | Error::Refused(..)) => {
                self.app.free_provider(&offer).await;
                Err(Error::OfferTaken.into())
            }
            written => Ok(written?),
        }
    }

    async fn decline_offer(
        &self,
        request: Request<pb::DeclineOfferRequest>,
    ) -> Result<Response<pb::DeclineOfferResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let pb::DeclineOfferRequest { offer_id } = request.into_inner();
        let offer = self.app.decline_offer(Id::parse("offer_id", &offer_id)?, account).await?;
        let db = self.app.db.connection();
        let order = orders::get_order(db, offer.order_id, &Principal::System).await?;
        let offer = Some(offer_message(&offer, &order));
        Ok(Response::new(pb::DeclineOfferResponse { offer }))
    }
}
