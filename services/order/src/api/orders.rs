//! Orders from the booking to the start.

use super::{Api, Caller, side, view};
use crate::{
    convert,
    domain::{
        Action, Actor, CancelToken, Charge, LiableParty, Order, OrderChange, PaymentState, Private,
    },
    repository::{NewOrder, OrderFilter},
};
use chrono::Duration;
use kit::{Id, Window, storage::page::Page, values::time::timestamp};
use proto::quickserve::order::v1::{self as pb, order_service_server::OrderService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl OrderService for Api {
    async fn create_order(
        &self,
        request: Request<pb::CreateOrderRequest>,
    ) -> Result<Response<pb::CreateOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::CreateOrderRequest {
            quote_id,
            payment_method_id,
            provider_id,
            search_if_declined,
            notes,
        } = request.into_inner();
        let new = NewOrder {
            customer_id: caller.account,
            quote_id: Id::parse("quote_id", &quote_id)?,
            provider_id: Id::parse_optional("provider_id", &provider_id)?,
            method_id: Id::<()>::parse_optional("payment_method_id", &payment_method_id)?
                .map(Id::uuid),
            search_if_declined,
            notes: Private(notes),
            key: caller.key.clone(),
        };
        let answer = self.answer(&caller, |order| pb::CreateOrderResponse { order });
        Ok(Response::new(self.app.book(new, answer).await?))
    }

    async fn list_orders(
        &self,
        request: Request<pb::ListOrdersRequest>,
    ) -> Result<Response<pb::ListOrdersResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ListOrdersRequest { side: of, states, page_size, page_token } =
            request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let of = match of.as_str() {
            "customer" => OrderFilter::Customer(caller.account),
            "provider" => OrderFilter::Provider(caller.account),
            _ if caller.operator => OrderFilter::All,
            _ => OrderFilter::Either(caller.account),
        };
        let states: Vec<_> = states.into_iter().filter_map(convert::state_of).collect();
        let mut rows = self.app.orders.list(of, &states, &page).await?;
        let next_page_token = page.cut(&mut rows, |row| row.id.uuid());
        let who = caller.who();
        let orders = rows.iter().map(|row| view::order(&self.app, row, side(row, &who))).collect();
        Ok(Response::new(pb::ListOrdersResponse { orders, next_page_token }))
    }

    async fn get_order(
        &self,
        request: Request<pb::GetOrderRequest>,
    ) -> Result<Response<pb::GetOrderResponse>, Status> {
        let who = Caller::of(&request)?.who();
        let pb::GetOrderRequest { order_id, view } = request.into_inner();
        let order = self.app.orders.get(Id::parse("order_id", &order_id)?, &who).await?;
        let side = side(&order, &who);
        let order = if view == "full" {
            let records = self.app.orders.records(order.id).await?;
            view::full(&self.app, &order, side, records)
        } else {
            view::order(&self.app, &order, side)
        };
        Ok(Response::new(pb::GetOrderResponse { order: Some(order) }))
    }

    async fn confirm_payment(
        &self,
        request: Request<pb::ConfirmPaymentRequest>,
    ) -> Result<Response<pb::ConfirmPaymentResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::ConfirmPaymentRequest { order_id, version, payment_method_id, confirmation } =
            request.into_inner();
        let method = Id::<()>::parse_optional("payment_method_id", &payment_method_id)?;
        let call = caller.call(&order_id, version)?;
        let answer = self.answer(&caller, |order| pb::ConfirmPaymentResponse { order });
        let confirmed = self.app.confirm_payment(call, method.map(Id::uuid), confirmation, answer);
        Ok(Response::new(confirmed.await?))
    }

    async fn preview_cancel(
        &self,
        request: Request<pb::PreviewCancelRequest>,
    ) -> Result<Response<pb::PreviewCancelResponse>, Status> {
        let who = Caller::of(&request)?.who();
        let pb::PreviewCancelRequest { order_id, fault, waive } = request.into_inner();
        let order = self.app.orders.get(Id::parse("order_id", &order_id)?, &who).await?;
        let actor = side(&order, &who);
        order.check(Action::PreviewCancel, actor)?;
        let fault = match actor {
            Actor::Operator => LiableParty::from_name(&fault).unwrap_or(LiableParty::None),
            _ => LiableParty::Customer,
        };
        let charge = self.charge(&order, actor, fault, waive);
        let expires_at = self.app.now() + Duration::seconds(self.app.timing().cancel_token_s);
        let Charge { fee, provider_gross, .. } = charge;
        let (order_id, version) = (order.id, order.version);
        let token =
            CancelToken { order_id, version, actor, fault, fee, provider_gross, expires_at };
        let paid = if order.payment.state == PaymentState::Authorized { order.total } else { fee };
        Ok(Response::new(pb::PreviewCancelResponse {
            fee: Some(order.money(fee).into()),
            refund: Some(order.money(paid - fee).into()),
            cancel_token: self.app.secret.write(&token),
            expires_at: Some(timestamp(expires_at)),
            policy_version: order.terms.policy.version,
        }))
    }

    async fn cancel_order(
        &self,
        request: Request<pb::CancelOrderRequest>,
    ) -> Result<Response<pb::CancelOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::CancelOrderRequest { order_id, version, cancel_token, reason } =
            request.into_inner();
        let token = self.app.secret.read(&cancel_token)?;
        let call = caller.call(&order_id, version)?;
        let cancel = move |draft: &mut OrderChange| {
            draft.order.check(Action::Cancel, draft.by)?;
            let charge = token.clone().redeem(&draft.order, draft.by, draft.now)?;
            draft.cancel(charge, token.fault, &reason)
        };
        let answer = self.answer(&caller, |order| pb::CancelOrderResponse { order });
        let answer = move |order: &Order, ()| answer(order);
        Ok(Response::new(self.app.orders.change_once(call, cancel, answer).await?))
    }

    async fn reschedule_order(
        &self,
        request: Request<pb::RescheduleOrderRequest>,
    ) -> Result<Response<pb::RescheduleOrderResponse>, Status> {
        let caller = Caller::of(&request)?;
        let pb::RescheduleOrderRequest { order_id, version, window } = request.into_inner();
        let window = Window::parse("window", window.as_ref())?;
        let call = caller.call(&order_id, version)?;
        let answer = self.answer(&caller, |order| pb::RescheduleOrderResponse { order });
        Ok(Response::new(self.app.reschedule(call, window, answer).await?))
    }
}

impl Api {
    /// What cancelling costs now: nothing while no money is authorised to take it from.
    fn charge(&self, order: &Order, actor: Actor, fault: LiableParty, waive: bool) -> Charge {
        let charge = order.charge(order.state, actor, fault, self.app.now());
        let waived = waive && actor == Actor::Operator && charge.waivable;
        if waived || order.payment.state != PaymentState::Authorized {
            return Charge::default();
        }
        charge
    }
}
