//! Orders from the booking to the start.

use super::{Api, view};
use crate::{
    convert,
    domain::{
        Action, Actor, CancelBasis, CancelToken, CancellationCharge, LiableParty, NewOrder, Order,
        Principal, Private,
    },
    processes::booking::Beginning,
    repository::{
        orders::{self, OrderFilter},
        records,
    },
};
use chrono::Duration;
use kit::values::money::Currency;
use kit::{
    Id, Money, Window,
    storage::{db::Begun, idempotency::Key, page::Page, version},
    values::time::timestamp,
};
use prost::Message;
use proto::quickserve::order::v1::{self as pb, order_service_server::OrderService};
use std::collections::BTreeMap;
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl OrderService for Api {
    async fn create_order(
        &self,
        request: Request<pb::CreateOrderRequest>,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::CreateOrderRequest {
            quote_id,
            payment_method_id,
            provider_id,
            search_if_declined,
            notes,
            recall_of,
            window,
        } = request.into_inner();
        let customer = caller.account()?;
        let quote_id = match (quote_id.as_str(), recall_of.as_str()) {
            ("", "") => {
                return Err(kit::Error::invalid("quote_id", "or recall_of must be given").into());
            }
            (quote_id, "") => Id::parse("quote_id", quote_id)?,
            ("", order) => self.quote_recall(customer, order, window, key.as_ref()).await?,
            _ => {
                let problem = "must be empty with recall_of, which is quoted and booked in one";
                return Err(kit::Error::invalid("quote_id", problem).into());
            }
        };
        let new = NewOrder {
            customer_id: customer,
            quote_id,
            provider_id: Id::parse_optional("provider_id", &provider_id)?,
            method_id: Id::<()>::parse_optional("payment_method_id", &payment_method_id)?
                .map(Id::uuid),
            search_if_declined,
            notes: Private(notes),
            dedup_id: key.as_ref().map(|key| key.derived_id::<Order>().uuid()),
        };
        let _turn = self.app.take_turn(key.as_ref()).await?;
        let booking = match self.app.begin_booking(new, key.clone()).await? {
            Beginning::Answered(answer) => {
                let answer = pb::CreateOrderResponse::decode(answer.as_slice());
                return Ok(Response::new(answer.map_err(kit::Error::internal)?));
            }
            Beginning::Finished(order) => {
                return self.answer_finished_booking(&order, &caller, key).await;
            }
            Beginning::Started(booking) => booking,
        };
        let change = self.app.book(*booking).await?;
        let order = Some(view::order_view(&self.app, &change.order, &caller)?);
        let answer = pb::CreateOrderResponse { order };
        let finished = self.app.finish_booking(change, key.clone(), answer.encode_to_vec());
        match finished.await? {
            None => Ok(Response::new(answer)),
            Some(order) => self.answer_finished_booking(&order, &caller, key).await,
        }
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let account = caller.account()?;
        let pb::ListOrdersRequest { side, states, page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let filter = match (side.as_str(), caller) {
            ("customer", _) => OrderFilter::Customer(account),
            ("provider", _) => OrderFilter::Provider(account),
            (_, Principal::User { operator: true, .. }) => OrderFilter::All,
            _ => OrderFilter::Either(account),
        };
        let states: Vec<_> = states.into_iter().filter_map(convert::state_of).collect();
        let mut rows =
            orders::list_orders(self.app.db.connection(), filter, &states, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let orders = rows.iter().map(|row| view::listed_view(&self.app, row, &caller));
        let orders = orders.collect::<Result<_, _>>()?;
        Ok(Response::new(pb::ListOrdersResponse { orders, next_page_token }))
    }

    async fn get_order(
        &self,
        request: Request<pb::GetOrderRequest>,
    ) -> Result<Response<pb::GetOrderResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::GetOrderRequest { order_id, view } = request.into_inner();
        let db = self.app.db.connection();
        let order = orders::get_order(db, Id::parse("order_id", &order_id)?, &caller).await?;
        let order = if view == "full" {
            let records = records::all_records(db, order.id).await?;
            let job = self.app.describe_job(&order, &caller).await.unwrap_or_default();
            let crew = self.app.describe_crew(&order).await.unwrap_or_default();
            pb::Order {
                vertical_state: job.state,
                vertical_actions: job.allowed_actions,
                crew: view::crew_of(&crew),
                vehicles: view::vehicles_of(&crew),
                ..view::full_view(&self.app, &order, &caller, records)?
            }
        } else {
            view::read_view(&self.app, &order, &caller)?
        };
        Ok(Response::new(pb::GetOrderResponse { order: Some(order) }))
    }

    /// The attempt is noted, then made, then its outcome written.
    async fn confirm_payment(
        &self,
        request: Request<pb::ConfirmPaymentRequest>,
    ) -> Result<Response<pb::ConfirmPaymentResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ConfirmPaymentRequest { order_id, version, payment_method_id, confirmation } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let method = Id::<()>::parse_optional("payment_method_id", &payment_method_id)?;
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.retry_payment(method.map(Id::uuid), !confirmation.is_empty())?;
        let order = orders::save_order(&tx, change).await?;
        tx.commit().await?;

        let later = !order.authorizes_now(&self.app.timing, self.app.now());
        let authorization = self.app.authorize_payment(&order, confirmation, later).await?;

        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        change.settle(&authorization)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::ConfirmPaymentResponse { order }).await?)
    }

    async fn preview_cancel(
        &self,
        request: Request<pb::PreviewCancelRequest>,
    ) -> Result<Response<pb::PreviewCancelResponse>, Status> {
        let caller = Principal::of(&kit::caller_of(&request))?;
        let pb::PreviewCancelRequest { order_id, fault, waive } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let order = orders::get_order(self.app.db.connection(), id, &caller).await?;
        let actor = order.side(&caller).unwrap_or(Actor::System);
        order.check_now(Action::PreviewCancel, actor, self.app.now(), &self.app.timing)?;
        let fault = match actor {
            Actor::Operator => LiableParty::from_name(&fault).unwrap_or(LiableParty::None),
            _ => order.fault_of_customer(self.app.now(), &self.app.timing),
        };
        let charge = order.cancellation_charge(actor, fault, waive, self.app.now());
        let expires_at = self.app.now() + Duration::seconds(self.app.timing.cancel_token_s);
        let CancellationCharge { fee, provider_gross, .. } = charge;
        let (order_id, basis) = (order.id, CancelBasis::of(&order));
        let token = CancelToken { order_id, basis, actor, fault, fee, provider_gross, expires_at };
        Ok(Response::new(pb::PreviewCancelResponse {
            fee: Some(order.money(fee).into()),
            refund: Some(order.money(order.held_amount() - fee).into()),
            cancel_token: self.app.secret.write(&token),
            expires_at: Some(timestamp(expires_at)),
            policy_version: order.terms.policy.version,
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::CancelOrderRequest { order_id, version, cancel_token, reason } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let token = self.app.secret.read(&cancel_token)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.cancel_with_token(token, &reason)?;
        change.caller_runs_side_effects = true;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        let answer = tx.commit_answer(pb::CancelOrderResponse { order }).await?;
        // The customer may book the same time again at once.
        self.app.run_side_effects_now(id).await;
        Ok(answer)
    }

    async fn preview_erasure(
        &self,
        request: Request<pb::PreviewErasureRequest>,
    ) -> Result<Response<pb::PreviewErasureResponse>, Status> {
        let account = Principal::of(&kit::caller_of(&request))?.account()?;
        let (now, timing) = (self.app.now(), &self.app.timing);
        let mut answer = pb::PreviewErasureResponse::default();
        let mut fees: BTreeMap<Currency, i64> = BTreeMap::new();
        for order in orders::booked_by(self.app.db.connection(), account).await? {
            if order.booking || !order.state.is_before_work() {
                continue;
            }
            let fee = order.erasure_charge(now, timing).0.fee;
            *fees.entry(order.currency()).or_default() += fee;
            answer.orders.push(pb::ErasedOrder {
                order_id: order.id.to_string(),
                fee: Some(order.money(fee).into()),
                refund: Some(order.money(order.held_amount() - fee).into()),
            });
        }
        fees.retain(|_, fee| *fee > 0);
        answer.fees =
            fees.into_iter().map(|(currency, fee)| Money::new(currency, fee).into()).collect();
        Ok(Response::new(answer))
    }

    async fn reset_start_code(
        &self,
        request: Request<pb::ResetStartCodeRequest>,
    ) -> Result<Response<pb::ResetStartCodeResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::ResetStartCodeRequest { order_id, version } = request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        change.reset_start_code()?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(tx.commit_answer(pb::ResetStartCodeResponse { order }).await?)
    }

    /// The new date is priced; then the move is noted, made at the provider, and written.
    async fn reschedule_order(
        &self,
        request: Request<pb::RescheduleOrderRequest>,
    ) -> Result<Response<pb::RescheduleOrderResponse>, Status> {
        let (caller, key) = (Principal::of(&kit::caller_of(&request))?, Key::of(&request));
        let pb::RescheduleOrderRequest { order_id, version, window, accepted_total } =
            request.into_inner();
        let id = Id::parse("order_id", &order_id)?;
        let accepted =
            accepted_total.map(|it| Money::parse("accepted_total", Some(&it))).transpose()?;
        if let Some(answer) = self.kept_answer(&key).await? {
            return Ok(Response::new(answer));
        }
        let order = orders::get_order(self.app.db.connection(), id, &caller).await?;
        let window = Window::parse_at("window", window.as_ref(), order.terms.place.zone())?;
        let by = order.side(&caller).unwrap_or(Actor::System);
        order.check_now(Action::Reschedule, by, self.app.now(), &self.app.timing)?;
        let (price, requirements) = self.app.price_move(&order, &window).await?;
        let tx = self.app.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        version::expect_version(version, change.order.version)?;
        let moving = change.begin_move(&window, price, requirements, accepted)?;
        let order = orders::save_order(&tx, change).await?;
        tx.commit().await?;

        self.app.move_reservation(&order, &moving).await?;

        let tx = match self.app.db.begin_call(key).await? {
            Begun::Answered(answer) => return Ok(Response::new(answer)),
            Begun::New(tx) => tx,
        };
        let mut change = orders::lock_order(&tx, id, &caller, &self.app.timing).await?;
        change.end_move(&moving, true)?;
        let order = orders::save_order(&tx, change).await?;
        let order = Some(view::order_view(&self.app, &order, &caller)?);
        Ok(self.commit(tx, id, pb::RescheduleOrderResponse { order }).await?)
    }
}

impl Api {
    /// Answers with an order whose booking another call has finished, and keeps the answer.
    async fn answer_finished_booking(
        &self,
        order: &Order,
        caller: &Principal,
        key: Option<Key>,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        let order = Some(view::order_view(&self.app, order, caller)?);
        let answer = pb::CreateOrderResponse { order };
        self.app.bookings.keep_answer(key.as_ref(), answer.encode_to_vec()).await?;
        Ok(Response::new(answer))
    }
}
