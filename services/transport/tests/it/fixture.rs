//! The service in a world of its own, met as order and as people meet it.

use crate::tracks::Tracks;
use chrono::Duration;
use kit::{
    Subject,
    rpc::client::Channel,
    testing::{ActingAs, Backend},
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    transport::v1::{self as pb, transport_service_client::TransportServiceClient},
};
use serde_json::{Value as Json, json};
use std::ops::Deref;
use tonic::Status;
use vertical::testing::{Order, Stage, place_after};

/// The service in a world of its own.
pub struct Garage {
    stage: Stage,
    /// What is measured of rides.
    pub tracks: Tracks,
}

impl Deref for Garage {
    type Target = Stage;

    fn deref(&self) -> &Stage {
        &self.stage
    }
}

/// What a provider reports.
#[derive(Clone, Copy, Debug)]
pub enum Report {
    Arrive(i32),
    Complete(i32),
    Undeliverable(i32),
    Returned,
}

impl Garage {
    /// Starts the service on `backend`, at ten o'clock in Paris on Monday, 24 May 2027.
    pub async fn open(backend: Backend) -> Self {
        let stage = Stage::open(backend, "transport", async |host| transport::start(host).await);
        let stage = stage.await;
        stage.wait_for_orders();
        Self { tracks: Tracks::install(&stage.world.host), stage }
    }

    /// As people call.
    pub fn people(&self) -> TransportServiceClient<Channel> {
        TransportServiceClient::new(self.outside())
    }

    /// The ride as `reader` sees it.
    pub async fn ride(&self, order: &Order, reader: Subject) -> Result<pb::Ride, Status> {
        let request = pb::GetRideRequest { order_id: order.id.clone() };
        Ok(self.people().get_ride(request).by(reader).await?.into_inner().ride.unwrap())
    }

    /// What the provider's report of an order's ride is answered with.
    pub async fn report(&self, order: &Order, report: Report) -> Result<pb::Ride, Status> {
        self.report_as(order, report, order.provider).await
    }

    /// As [`Garage::report`], by any account.
    pub async fn report_as(
        &self,
        order: &Order,
        report: Report,
        by: Subject,
    ) -> Result<pb::Ride, Status> {
        let (mut people, order_id) = (self.people(), order.id.clone());
        let ride = match report {
            Report::Arrive(n) => {
                let request = pb::ArriveAtStopRequest { order_id, n };
                people.arrive_at_stop(request).by(by).await?.into_inner().ride
            }
            Report::Complete(n) => {
                let request = pb::CompleteStopRequest { order_id, n };
                people.complete_stop(request).by(by).await?.into_inner().ride
            }
            Report::Undeliverable(n) => {
                let request = pb::ReportUndeliverableRequest { order_id, n };
                people.report_undeliverable(request).by(by).await?.into_inner().ride
            }
            Report::Returned => {
                let request = pb::ReportReturnedRequest { order_id };
                people.report_returned(request).by(by).await?.into_inner().ride
            }
        };
        Ok(ride.unwrap())
    }

    /// Lets minutes pass.
    pub fn wait(&self, minutes: i64) {
        self.world.clock.advance(Duration::minutes(minutes));
    }

    /// The ride goes to its end over this many stops.
    pub async fn drive(&self, order: &Order, stops: i32) {
        for n in 1..=stops {
            self.report(order, Report::Arrive(n)).await.unwrap();
            self.report(order, Report::Complete(n)).await.unwrap();
        }
    }

    /// What a delivery comes to, line by line.
    pub async fn settlement(&self, order: &Order, proofs: &[&str]) -> Vec<(String, i64)> {
        let answer = self.judge_delivery(order, proofs).await;
        assert_eq!(answer.missing, Vec::<String>::new());
        assert_eq!(answer.due, []);
        totals(&answer.settlement)
    }
}

pub use vertical::testing::totals;

/// A stop to which the way from the pick-up is so many metres, north of it.
pub fn stop(metres: f64) -> Json {
    place_after(metres)
}

/// A ride of 8.2 km for one.
pub fn taxi() -> Json {
    json!({ "kind": "ride", "stops": [stop(8_200.0)] })
}

/// A parcel of 2.5 kg that goes 1.5 km.
pub fn parcel(undeliverable: &str) -> Json {
    let parcel = json!({ "kg": 2.5, "longest_cm": 40, "undeliverable": undeliverable });
    json!({ "kind": "parcel", "stops": [stop(1_500.0)], "parcel": parcel })
}

/// The states that follow the work.
pub const TO_END: [OrderState; 2] = [OrderState::Delivered, OrderState::Completed];
