//! The service in a world of its own, met as order and as people meet it.

use chrono::{DateTime, Utc};
use kit::{
    Role, Subject,
    rpc::client::Channel,
    testing::{Backend, World, paris, somebody, window},
    values::time::timestamp,
};
use prost_types::{ListValue, Struct, Value, value::Kind};
use proto::quickserve::{
    cleaning::v1::cleaning_service_client::CleaningServiceClient,
    common::v1::TimeWindow,
    fulfilment::v1::{self as pb, OrderState, vertical_service_client::VerticalServiceClient},
};
use serde_json::Value as Json;
use uuid::Uuid;

/// The service in a world of its own.
pub struct Shop {
    pub world: World,
    pub operator: Subject,
}

/// An order as its service drives it.
pub struct Order {
    pub id: String,
    pub customer: Subject,
    pub provider: Subject,
    /// What it was priced on.
    pub details: Json,
    /// When it happens.
    pub window: TimeWindow,
    state: OrderState,
    version: i64,
    delivered_at: Option<DateTime<Utc>>,
}

impl Shop {
    /// Starts the service on `backend`.
    pub async fn open(backend: Backend) -> Self {
        let world = World::new(backend).await;
        let host = world.host.of("cleaning");
        host.migrate().await.unwrap();
        let routes = cleaning::start(&host).await.unwrap();
        host.install(routes);
        Self { world, operator: somebody(&[Role::Operator]) }
    }

    /// As order calls.
    pub fn vertical(&self) -> VerticalServiceClient<Channel> {
        VerticalServiceClient::new(self.world.host.of("order").channel("cleaning"))
    }

    /// As people call.
    pub fn people(&self) -> CleaningServiceClient<Channel> {
        CleaningServiceClient::new(self.world.outside("cleaning"))
    }

    /// Why an order may not move to a state.
    pub async fn ask(&self, order: &Order, to: OrderState) -> Vec<String> {
        let request = pb::OnTransitionRequest {
            mode: pb::TransitionMode::Ask.into(),
            order: Some(order.snapshot()),
            to: to.into(),
        };
        self.vertical().on_transition(request).await.unwrap().into_inner().denials
    }

    /// Tells the service how an order stands.
    pub async fn tell(&self, order: pb::OrderSnapshot) {
        let denials =
            self.vertical().on_transition(telling(order)).await.unwrap().into_inner().denials;
        assert_eq!(denials, Vec::<String>::new(), "what has happened is not denied");
    }

    /// Moves an order, and tells the service.
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
}

impl Order {
    /// A cleaning of two rooms and a bathroom from 10 o'clock on Monday, 24 May 2027, in Paris.
    pub fn new() -> Self {
        Self {
            id: Uuid::new_v4().to_string(),
            customer: somebody(&[Role::Customer]),
            provider: somebody(&[Role::Provider]),
            details: flat(),
            window: window("2027-05-24T08:00:00Z", 2),
            state: OrderState::PendingPayment,
            version: 1,
            delivered_at: None,
        }
    }

    /// Moves the order to a state, of which the service does not hear yet.
    pub fn enter(&mut self, state: OrderState, now: DateTime<Utc>) {
        self.state = state;
        self.version += 1;
        if state == OrderState::Delivered {
            self.delivered_at = Some(now);
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
            details: Some(details(&self.details)),
            window: Some(self.window.clone()),
            delivered_at: self.delivered_at.map(timestamp),
            erased: false,
        }
    }
}

/// Says how an order stands.
pub fn telling(order: pb::OrderSnapshot) -> pb::OnTransitionRequest {
    pb::OnTransitionRequest {
        mode: pb::TransitionMode::Tell.into(),
        order: Some(order),
        ..pb::OnTransitionRequest::default()
    }
}

pub fn flat() -> Json {
    serde_json::json!({"rooms": 2, "bathrooms": 1})
}

pub fn quote(inputs: &Json, customer: Subject) -> pb::QuoteRequest {
    pb::QuoteRequest {
        details: Some(details(inputs)),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        address: Some(paris()),
        customer_id: customer.user_id.to_string(),
    }
}

/// JSON as the edge hands it over.
pub fn details(json: &Json) -> Struct {
    match value(json).kind {
        Some(Kind::StructValue(details)) => details,
        _ => panic!("details are an object"),
    }
}

fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(value) => Kind::BoolValue(*value),
        Json::Number(value) => Kind::NumberValue(value.as_f64().unwrap()),
        Json::String(value) => Kind::StringValue(value.clone()),
        Json::Array(values) => {
            Kind::ListValue(ListValue { values: values.iter().map(value).collect() })
        }
        Json::Object(fields) => Kind::StructValue(Struct {
            fields: fields.iter().map(|(key, json)| (key.clone(), value(json))).collect(),
        }),
    };
    Value { kind: Some(kind) }
}
