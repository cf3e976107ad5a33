//! The service in a world of its own, met as order and as people meet it.

use kit::{
    rpc::client::Channel,
    testing::{Backend, World},
};
use proto::quickserve::cleaning::v1::cleaning_service_client::CleaningServiceClient;
use serde_json::{Value as Json, json};
use std::ops::Deref;
use vertical::testing::{Order, Stage};

/// The service in a world of its own.
pub struct Shop(Stage);

impl Deref for Shop {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.0
    }
}

impl Shop {
    /// Starts the service on `backend`.
    pub async fn open(backend: Backend) -> Self {
        Self(Stage::open(backend, "cleaning", async |host| cleaning::start(host).await).await)
    }

    /// Starts the service in a world that there is already.
    pub async fn open_in(world: World) -> Self {
        Self(Stage::start(world, "cleaning", async |host| cleaning::start(host).await).await)
    }

    /// As people call.
    pub fn people(&self) -> CleaningServiceClient<Channel> {
        CleaningServiceClient::new(self.outside())
    }
}

/// Two rooms and a bathroom.
pub fn flat() -> Json {
    json!({"rooms": 2, "bathrooms": 1})
}

/// An order for a cleaning of the flat.
pub fn new_order() -> Order {
    Order::new(flat())
}
