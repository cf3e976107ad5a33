//! The service in a world of its own, met as order and as people meet it.

use chrono::Duration;
use kit::{
    Subject,
    rpc::client::Channel,
    testing::{ActingAs, Backend},
};
use proto::quickserve::{
    common::v1::Money,
    moving::v1::{
        self as pb, claim_service_client::ClaimServiceClient,
        moving_service_client::MovingServiceClient,
    },
};
use serde_json::{Value as Json, json};
use std::ops::Deref;
use tonic::Status;
use vertical::testing::{Order, Stage, place_after};

/// The service in a world of its own.
pub struct Depot(Stage);

impl Deref for Depot {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.0
    }
}

/// What a provider does with a move.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    Confirm,
    Load,
    Depart,
    Unload,
}

/// All that a provider does, in its order, and the state to which each leads.
pub const ACTS: [(Act, pb::MoveState); 4] = [
    (Act::Confirm, pb::MoveState::Surveyed),
    (Act::Load, pb::MoveState::Loading),
    (Act::Depart, pb::MoveState::InTransit),
    (Act::Unload, pb::MoveState::Unloading),
];

impl Depot {
    /// Starts the service on `backend`, at ten o'clock in Paris on Monday, 24 May 2027.
    pub async fn open(backend: Backend) -> Self {
        let stage = Stage::open(backend, "moving", async |host| moving::start(host).await).await;
        stage.wait_for_orders();
        Self(stage)
    }

    /// As people call.
    pub fn people(&self) -> MovingServiceClient<Channel> {
        MovingServiceClient::new(self.outside())
    }

    /// As people call about claims.
    pub fn claims(&self) -> ClaimServiceClient<Channel> {
        ClaimServiceClient::new(self.outside())
    }

    /// The inventory as `reader` sees it.
    pub async fn inventory(&self, order: &Order, reader: Subject) -> Result<pb::Inventory, Status> {
        let request = pb::GetInventoryRequest { order_id: order.id.clone() };
        Ok(self.people().get_inventory(request).by(reader).await?.into_inner().inventory.unwrap())
    }

    /// The waybill as `reader` sees it.
    pub async fn waybill(&self, order: &Order, reader: Subject) -> Result<pb::Waybill, Status> {
        let request = pb::GetWaybillRequest { order_id: order.id.clone() };
        Ok(self.people().get_waybill(request).by(reader).await?.into_inner().waybill.unwrap())
    }

    /// What the provider notes of the inventory.
    pub async fn note(
        &self,
        order: &Order,
        items: Vec<pb::InventoryChange>,
    ) -> Result<pb::Inventory, Status> {
        let request = pb::UpdateInventoryRequest { order_id: order.id.clone(), items, version: 0 };
        let answer = self.people().update_inventory(request).by(order.provider).await?;
        Ok(answer.into_inner().inventory.unwrap())
    }

    /// What the provider's act is answered with.
    pub async fn act(&self, order: &Order, act: Act) -> Result<pb::Inventory, Status> {
        self.act_as(order, act, order.provider).await
    }

    /// As [`Depot::act`], by any account.
    pub async fn act_as(
        &self,
        order: &Order,
        act: Act,
        by: Subject,
    ) -> Result<pb::Inventory, Status> {
        let (mut people, order_id) = (self.people(), order.id.clone());
        let inventory = match act {
            Act::Confirm => {
                let request = pb::ConfirmInventoryRequest { order_id };
                people.confirm_inventory(request).by(by).await?.into_inner().inventory
            }
            Act::Load => {
                let request = pb::BeginLoadingRequest { order_id };
                people.begin_loading(request).by(by).await?.into_inner().inventory
            }
            Act::Depart => {
                let request = pb::BeginTransitRequest { order_id };
                people.begin_transit(request).by(by).await?.into_inner().inventory
            }
            Act::Unload => {
                let request = pb::BeginUnloadingRequest { order_id };
                people.begin_unloading(request).by(by).await?.into_inner().inventory
            }
        };
        Ok(inventory.unwrap())
    }

    /// What a signature is answered with.
    pub async fn sign(
        &self,
        request: pb::SignWaybillRequest,
        by: Subject,
    ) -> Result<pb::Waybill, Status> {
        Ok(self.people().sign_waybill(request).by(by).await?.into_inner().waybill.unwrap())
    }

    /// The move goes on until its customer has signed for the loading; so many of the first line are loaded.
    pub async fn load(&self, order: &Order, loaded: i32) {
        self.act(order, Act::Confirm).await.unwrap();
        self.act(order, Act::Load).await.unwrap();
        self.note(order, vec![of_line(1, Some(loaded))]).await.unwrap();
        self.sign(loading(order), order.customer).await.unwrap();
    }

    /// As [`Depot::load`], and on to the home where the goods are unloaded.
    pub async fn bring(&self, order: &Order, loaded: i32) {
        self.load(order, loaded).await;
        self.act(order, Act::Depart).await.unwrap();
        self.act(order, Act::Unload).await.unwrap();
    }

    /// What a delivery comes to: its lines, and what is due.
    pub async fn settlement(
        &self,
        order: &Order,
        proofs: &[&str],
    ) -> (Vec<(String, i64)>, Vec<(String, i64)>) {
        let answer = self.judge_delivery(order, proofs).await;
        assert_eq!(answer.missing, Vec::<String>::new());
        (totals(&answer.settlement), totals(&answer.due))
    }

    /// The claims about an order, as its customer sees them.
    pub async fn list_claims(&self, order: &Order) -> Vec<pb::DamageClaim> {
        let request = pb::ListClaimsRequest { order_id: order.id.clone() };
        self.claims().list_claims(request).by(order.customer).await.unwrap().into_inner().claims
    }

    /// The customer opens a claim.
    pub async fn claim(
        &self,
        request: pb::CreateClaimRequest,
        by: Subject,
    ) -> Result<pb::DamageClaim, Status> {
        Ok(self.claims().create_claim(request).by(by).await?.into_inner().claim.unwrap())
    }

    /// Lets hours pass.
    pub fn wait(&self, hours: i64) {
        self.world.clock.advance(Duration::hours(hours));
    }
}

pub use vertical::testing::totals;

/// A home to which the way is so many metres, north of Paris.
pub fn home(metres: f64) -> Json {
    place_after(metres)
}

/// The first of the worked prices: 28 m³ in 560 boxes from the fourth floor, 12 km, insured for 10 000 €.
pub fn flat(basis: &str) -> Json {
    json!({
        "items": [{ "code": "box", "quantity": 560 }],
        "basis": basis,
        "from": { "floor": 4 },
        "to": home(12_000.0),
        "declared_value": { "currency": "EUR", "minor_units": 1_000_000 },
    })
}

/// A change of a line, of which so many were loaded.
pub fn of_line(line: i32, loaded: Option<i32>) -> pb::InventoryChange {
    pb::InventoryChange { line, loaded, ..pb::InventoryChange::default() }
}

/// The line has so many.
pub fn count(line: i32, quantity: i32) -> pb::InventoryChange {
    pb::InventoryChange { quantity: Some(quantity), ..of_line(line, None) }
}

/// A signature for what was loaded.
pub fn loading(order: &Order) -> pb::SignWaybillRequest {
    pb::SignWaybillRequest {
        order_id: order.id.clone(),
        stage: pb::WaybillStage::Loading.into(),
        signature_sha256: "0".repeat(64),
        none: true,
        ..pb::SignWaybillRequest::default()
    }
}

/// A signature for a delivery of which this is damaged or missing.
pub fn delivery(order: &Order, reserves: Vec<pb::Reserve>) -> pb::SignWaybillRequest {
    pb::SignWaybillRequest {
        stage: pb::WaybillStage::Delivery.into(),
        none: reserves.is_empty(),
        reserves,
        ..loading(order)
    }
}

/// So many of the first line, damaged or missing, for an amount.
pub fn reserve(kind: &str, quantity: i32, minor_units: i64) -> pb::Reserve {
    pb::Reserve { line: 1, kind: kind.to_owned(), amount: Some(euros(minor_units)), quantity }
}

pub fn euros(minor_units: i64) -> Money {
    Money { currency: "EUR".to_owned(), minor_units }
}

/// A claim about the first line.
pub fn claim_of(order: &Order, kind: &str, minor_units: i64) -> pb::CreateClaimRequest {
    pb::CreateClaimRequest {
        order_id: order.id.clone(),
        line: 1,
        kind: kind.to_owned(),
        amount: Some(euros(minor_units)),
        photo_sha256: vec!["1".repeat(64)],
    }
}
