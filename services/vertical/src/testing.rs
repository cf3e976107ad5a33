//! A vertical in a world of its own, met as order meets it.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use chrono::{DateTime, Utc};
use kit::{
    Host, Role, Routes, Subject,
    rpc::client::Channel,
    testing::{Backend, World, at, paris, somebody, window},
    values::time::timestamp,
};
use prost_types::Struct;
use proto::quickserve::{
    common::v1::{Money, TimeWindow},
    fulfilment::v1::{self as pb, OrderState, vertical_service_client::VerticalServiceClient},
};
use serde_json::{Value as Json, json};
use std::fmt::Debug;
use tonic::Status;
use uuid::Uuid;

/// The states of an order from the assignment until the work goes on.
pub const TO_WORK: [OrderState; 4] =
    [OrderState::Assigned, OrderState::EnRoute, OrderState::Arrived, OrderState::InProgress];

/// Metres of a degree of latitude.
const METRES_A_DEGREE: f64 = 111_195.08;
/// Ways are longer than the great circle by this factor.
const DETOUR: f64 = 1.3;

/// The vertical in a world of its own.
pub struct Stage {
    /// Its database, its bus and its clock.
    pub world: World,
    /// An operator, who sees every order.
    pub operator: Subject,
    key: &'static str,
}

/// An order as its service drives it.
pub struct Order {
    /// Which order it is, a UUID.
    pub id: String,
    /// The account that booked it.
    pub customer: Subject,
    /// The account that does the work.
    pub provider: Subject,
    /// What it was priced on.
    pub details: Json,
    /// When it happens.
    pub window: TimeWindow,
    /// Where it happens.
    pub place: pb::Place,
    /// When it reached the steps of its work.
    pub times: pb::OrderTimes,
    /// What it costs.
    pub price: pb::OrderPrice,
    /// Its change orders.
    pub changes: Vec<pb::OrderChange>,
    /// The order that it makes good, a UUID; empty for none.
    pub parent_order_id: String,
    state: OrderState,
    version: i64,
    delivered_at: Option<DateTime<Utc>>,
}

impl Stage {
    /// Starts the vertical `key` on `backend`.
    pub async fn open<E: Debug>(
        backend: Backend,
        key: &'static str,
        start: impl AsyncFnOnce(&Host) -> Result<Routes, E>,
    ) -> Self {
        Self::start(World::new(backend).await, key, start).await
    }

    /// Starts the vertical `key` in a world that there is already, with whatever an earlier version has left there.
    pub async fn start<E: Debug>(
        world: World,
        key: &'static str,
        start: impl AsyncFnOnce(&Host) -> Result<Routes, E>,
    ) -> Self {
        let host = world.host.of(key);
        host.migrate().await.unwrap();
        let routes = start(&host).await.unwrap();
        host.install(routes);
        Self { world, operator: somebody(&[Role::Operator]), key }
    }

    /// Lets time pass until orders begin: ten o'clock in Paris on Monday, 24 May 2027.
    pub fn wait_for_orders(&self) {
        let clock = &self.world.clock;
        clock.advance(at("2027-05-24T08:00:00Z") - clock.now());
    }

    /// The vertical as order calls it.
    pub fn vertical(&self) -> VerticalServiceClient<Channel> {
        VerticalServiceClient::new(self.world.host.of("order").channel(self.key))
    }

    /// The channel by which people call.
    pub fn outside(&self) -> Channel {
        self.world.outside(self.key)
    }

    /// Why an order may not move to a state.
    pub async fn ask(&self, order: &Order, to: OrderState) -> Vec<String> {
        let request = ask_request(order.snapshot(), to);
        self.vertical().on_transition(request).await.unwrap().into_inner().denials
    }

    /// Tells the vertical how an order stands.
    pub async fn tell(&self, order: pb::OrderSnapshot) {
        let denials = self.vertical().on_transition(tell_request(order)).await;
        let denials = denials.unwrap().into_inner().denials;
        assert_eq!(denials, Vec::<String>::new(), "what has happened is not denied");
    }

    /// Moves an order, and tells the vertical.
    pub async fn go(&self, order: &mut Order, to: OrderState) {
        order.enter(to, self.world.clock.now());
        self.tell(order.snapshot()).await;
    }

    /// Moves an order through several states.
    pub async fn go_through(&self, order: &mut Order, states: &[OrderState]) {
        for state in states {
            self.go(order, *state).await;
        }
    }

    /// What is missing before an order can be delivered, with these kinds of proof on file.
    pub async fn missing(&self, order: &Order, proofs: &[&str]) -> Vec<String> {
        self.judge_delivery(order, proofs).await.missing
    }

    /// What the order's delivery comes to, with these kinds of proof on file.
    pub async fn judge_delivery(
        &self,
        order: &Order,
        proofs: &[&str],
    ) -> pb::CompletionGateResponse {
        let request = pb::CompletionGateRequest {
            proof_kinds: proofs.iter().map(|kind| (*kind).to_owned()).collect(),
            order: Some(order.snapshot()),
        };
        self.vertical().completion_gate(request).await.unwrap().into_inner()
    }

    /// The price of a change that `proposer` asks for.
    pub async fn quote_change(
        &self,
        order: &Order,
        details: Option<&Json>,
        proposer: pb::Party,
    ) -> Result<pb::QuoteChangeResponse, Status> {
        let request = pb::QuoteChangeRequest {
            order: Some(order.snapshot()),
            details: details.map(to_details),
            lines: Vec::new(),
            proposer: proposer.into(),
            approving: false,
        };
        Ok(self.vertical().quote_change(request).await?.into_inner())
    }

    /// What speaks against a change of the provider's that costs so much and is about to be approved.
    pub async fn approval_denials(&self, order: &Order, minor_units: i64) -> Vec<String> {
        let total = Some(Money { currency: "EUR".to_owned(), minor_units });
        let request = pb::QuoteChangeRequest {
            order: Some(order.snapshot()),
            details: None,
            lines: vec![pb::PriceLine { total, ..pb::PriceLine::default() }],
            proposer: pb::Party::Provider.into(),
            approving: true,
        };
        self.vertical().quote_change(request).await.unwrap().into_inner().denials
    }

    /// Where an order stands in the vertical's own words, as one side sees it.
    pub async fn describe(&self, order: &Order, side: pb::Party) -> pb::DescribeJobResponse {
        let request = pb::DescribeJobRequest { order: Some(order.snapshot()), side: side.into() };
        self.vertical().describe_job(request).await.unwrap().into_inner()
    }

    /// Asks for the price of an order with these details, and books it.
    pub async fn book(&self, details: Json) -> Order {
        let mut order = Order::new(details);
        let pb::QuoteResponse { lines, cap, .. } =
            self.quote(&order.details, order.customer).await.unwrap();
        order.price = pb::OrderPrice { quoted: lines, cap, ..pb::OrderPrice::default() };
        order
    }

    /// Books an order and has the work begin.
    pub async fn begin(&self, details: Json) -> Order {
        let mut order = self.book(details).await;
        self.go_through(&mut order, &TO_WORK).await;
        order
    }

    /// The price of a job in Paris from 10 o'clock on Monday, 24 May 2027.
    pub async fn quote(&self, inputs: &Json, by: Subject) -> Result<pb::QuoteResponse, Status> {
        Ok(self.vertical().quote(quote_request(inputs, by)).await?.into_inner())
    }
}

impl Order {
    /// An order with these details for two hours from 10 o'clock on Monday, 24 May 2027, in Paris.
    pub fn new(details: Json) -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            customer: somebody(&[Role::Customer]),
            provider: somebody(&[Role::Provider]),
            details,
            window: window("2027-05-24T08:00:00Z", 2),
            place: pb::Place {
                lat: paris().lat.unwrap_or_default(),
                lng: paris().lng.unwrap_or_default(),
            },
            times: pb::OrderTimes::default(),
            price: pb::OrderPrice::default(),
            changes: Vec::new(),
            parent_order_id: String::new(),
            state: OrderState::PendingPayment,
            version: 1,
            delivered_at: None,
        }
    }

    /// Moves the order to a state, of which the vertical does not hear yet.
    pub fn enter(&mut self, state: OrderState, now: DateTime<Utc>) {
        self.state = state;
        self.version += 1;
        let at = Some(timestamp(now));
        match state {
            OrderState::Assigned => self.times.assigned_at = at,
            OrderState::EnRoute => self.times.departed_at = at,
            OrderState::Arrived => self.times.arrived_at = at,
            OrderState::InProgress if self.times.started_at.is_none() => self.times.started_at = at,
            OrderState::Delivered => {
                self.times.delivered_at = at;
                self.delivered_at = Some(now);
            }
            _ => {}
        }
    }

    /// The order as it stands.
    pub fn snapshot(&self) -> pb::OrderSnapshot {
        let unassigned = [OrderState::PendingPayment, OrderState::Searching, OrderState::Expired];
        let assigned = !unassigned.contains(&self.state);
        pb::OrderSnapshot {
            order_id: self.id.clone(),
            order_version: self.version,
            state: self.state.into(),
            customer_id: self.customer.user_id.to_string(),
            provider_user_id: match assigned {
                true => self.provider.user_id.to_string(),
                false => String::new(),
            },
            details: Some(to_details(&self.details)),
            window: Some(self.window.clone()),
            delivered_at: self.delivered_at.map(timestamp),
            erased: false,
            provider_erased: false,
            place: Some(self.place),
            times: Some(self.times),
            changes: self.changes.clone(),
            country: "FR".to_owned(),
            parent_order_id: self.parent_order_id.clone(),
            price: Some(self.price.clone()),
            ..pb::OrderSnapshot::default()
        }
    }

    /// The order as it stands once its customer's account is erased.
    pub fn erased(&self) -> pb::OrderSnapshot {
        pb::OrderSnapshot { details: None, place: None, erased: true, ..self.snapshot() }
    }
}

/// Asks whether an order may enter a state.
pub fn ask_request(order: pb::OrderSnapshot, to: OrderState) -> pb::OnTransitionRequest {
    pb::OnTransitionRequest {
        mode: pb::TransitionMode::Ask.into(),
        order: Some(order),
        to: to.into(),
    }
}

/// Says how an order stands.
pub fn tell_request(order: pb::OrderSnapshot) -> pb::OnTransitionRequest {
    pb::OnTransitionRequest {
        mode: pb::TransitionMode::Tell.into(),
        order: Some(order),
        ..pb::OnTransitionRequest::default()
    }
}

/// Asks for the price of a job in Paris from 10 o'clock on Monday, 24 May 2027.
pub fn quote_request(inputs: &Json, by: Subject) -> pb::QuoteRequest {
    pb::QuoteRequest {
        details: Some(to_details(inputs)),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        address: Some(paris()),
        customer_id: by.user_id.to_string(),
        ..pb::QuoteRequest::default()
    }
}

/// The codes and totals of lines, in minor units.
pub fn totals(lines: &[pb::PriceLine]) -> Vec<(String, i64)> {
    let lines = lines.iter();
    lines.map(|line| (line.code.clone(), line.total.as_ref().unwrap().minor_units)).collect()
}

/// A place to which the way is so many metres, north of the one where orders are.
pub fn place_after(metres: f64) -> Json {
    let paris = paris();
    let north = metres / DETOUR / METRES_A_DEGREE;
    json!({ "lat": paris.lat.unwrap() + north, "lng": paris.lng.unwrap() })
}

/// JSON as the edge hands it over.
pub fn to_details(json: &Json) -> Struct {
    match json {
        Json::Object(fields) => kit::rpc::details::to_struct(fields.clone()),
        other => panic!("details are an object, not {other}"),
    }
}
