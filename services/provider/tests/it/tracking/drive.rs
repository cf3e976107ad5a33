//! An order whose provider drives north to its address, as provider hears and sees of it.

use crate::fixture::{Provider, Shop, hold};
use kit::{
    Db, Role, Subject,
    messaging::outbox,
    rpc::client::Channel,
    testing::{ActingAs, Backend, eventually, somebody},
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1::OrderEvent,
    provider::v1::{
        self as pb, presence_service_client::PresenceServiceClient,
        tracking_service_client::TrackingServiceClient,
    },
};
use std::time::Duration;
use tonic::{Status, Streaming};
use uuid::Uuid;
use yare::parameterized;

/// Metres of a degree of latitude.
pub const DEGREE_METRES: f64 = 111_195.0;
/// The address of the order: that of `kit::testing::paris`.
pub const ADDRESS: (f64, f64) = (48.86, 2.34);

/// One order of one customer, and who drives to it.
pub struct Drive {
    pub shop: Shop,
    pub provider: Provider,
    pub customer: Subject,
    pub order_id: Uuid,
    order: Db,
    tracks: Db,
    seq: i64,
}

impl Drive {
    /// A provider who holds the time of an order.
    pub async fn new(backend: Backend) -> Self {
        let shop = Shop::open(backend).await;
        let provider = shop.vetted("Ana").await;
        let host = shop.world.host.of("order");
        host.migrate().await.unwrap();
        let order = host.database().await.unwrap();
        let host = shop.world.host.of("provider");
        let tracks = Db::connect(&host.database_config(), host.clock().clone()).await.unwrap();
        let order_id = Uuid::new_v4();
        let customer = somebody(&[Role::Customer]);
        let mut drive = Self { shop, provider, customer, order_id, order, tracks, seq: 0 };
        drive.reserve().await;
        drive.go_online().await;
        drive.tell("order.assigned", OrderState::Assigned).await;
        drive
    }

    /// One who is on the way.
    pub async fn departed(backend: Backend) -> Self {
        let mut drive = Self::new(backend).await;
        drive.tell("order.en_route", OrderState::EnRoute).await;
        drive
    }

    async fn go_online(&self) {
        let mut presences = PresenceServiceClient::new(self.shop.world.outside("provider"));
        let request = pb::GoOnlineRequest { asset_id: String::new() };
        presences.go_online(request).by(self.provider.owner).await.unwrap();
    }

    async fn reserve(&self) {
        let mut request = hold(&self.provider, "2027-05-24T08:00:00Z", 2, "2027-05-31T08:00:00Z");
        request.order_id = self.order_id.to_string();
        self.shop.reservations().hold_reservation(request).await.unwrap();
    }

    /// Goes on with another provider.
    pub async fn reassign(&mut self) -> Provider {
        let former = self.provider.clone();
        self.tell("order.reassigned", OrderState::Searching).await;
        self.provider = self.shop.vetted("Bea").await;
        self.tell("order.assigned", OrderState::Assigned).await;
        former
    }

    /// Publishes a fact of the order, and waits until provider has heard of it.
    pub async fn tell(&mut self, kind: &'static str, to: OrderState) {
        self.seq += 1;
        let data = OrderEvent {
            order_id: self.order_id.to_string(),
            vertical: "cleaning".to_owned(),
            customer_id: self.customer.user_id.to_string(),
            provider_id: self.provider.id.clone(),
            provider_user_id: self.provider.owner.user_id.to_string(),
            to: to.into(),
            at: Some(timestamp(self.shop.world.clock.now())),
            ..OrderEvent::default()
        };
        let tx = self.order.begin().await.unwrap();
        outbox::record_event(&tx, kind, self.order_id, self.seq, &data).await.unwrap();
        tx.commit().await.unwrap();
        let seq = self.seq;
        eventually("provider has heard", async || self.seen().await, |seen| *seen == seq).await;
    }

    /// The number of the last fact that the track knows of.
    async fn seen(&self) -> i64 {
        let row = self.row("order_seq").await;
        row.parse().unwrap_or_default()
    }

    /// A column of the track as text, empty when there is none.
    pub async fn row(&self, column: &str) -> String {
        use sea_orm::{ConnectionTrait, Statement};
        let sql = format!("SELECT CAST({column} AS TEXT) AS it FROM tracks WHERE order_id = $1");
        let connection = self.tracks.connection();
        let backend = connection.get_database_backend();
        let query = Statement::from_sql_and_values(backend, sql, [self.order_id.into()]);
        let row = connection.query_one_raw(query).await.unwrap();
        row.and_then(|row| row.try_get("", "it").unwrap()).unwrap_or_default()
    }

    /// How many points are kept.
    pub async fn points(&self) -> i64 {
        use sea_orm::{ConnectionTrait, Statement};
        let sql = "SELECT COUNT(*) AS it FROM track_points WHERE order_id = $1";
        let connection = self.tracks.connection();
        let backend = connection.get_database_backend();
        let query = Statement::from_sql_and_values(backend, sql, [self.order_id.into()]);
        connection.query_one_raw(query).await.unwrap().unwrap().try_get("", "it").unwrap()
    }

    /// A position so many seconds before now, and so many metres south of the address.
    pub fn position(&self, seconds: i64, south: f64) -> pb::DevicePosition {
        let at = self.shop.world.clock.now() - chrono::Duration::seconds(seconds);
        pb::DevicePosition {
            seq: at.timestamp(),
            at: Some(timestamp(at)),
            lat: Some(ADDRESS.0 - south / DEGREE_METRES),
            lng: Some(ADDRESS.1),
            accuracy_m: 5.0,
            speed: None,
            heading: Some(0.0),
        }
    }

    /// Positions each second until now, ten metres apart, the last one so many metres south of the address.
    pub fn way(&self, count: i64, south: f64) -> Vec<pb::DevicePosition> {
        (0..count).rev().map(|n| self.position(n, south + n as f64 * 10.0)).collect()
    }

    pub async fn push(
        &self,
        positions: Vec<pb::DevicePosition>,
    ) -> Result<pb::PushPositionsResponse, Status> {
        self.push_by(self.shop.tracking(), positions).await
    }

    /// As [`Drive::push`], by a client of another replica.
    pub async fn push_by(
        &self,
        mut client: TrackingServiceClient<Channel>,
        positions: Vec<pb::DevicePosition>,
    ) -> Result<pb::PushPositionsResponse, Status> {
        let request = pb::PushPositionsRequest { positions };
        let answer = client.push_positions(request).by(self.provider.owner).await;
        answer.map(tonic::Response::into_inner)
    }

    /// Watches the track from where `after` says.
    pub async fn watch(&self, viewer: Subject, after: &str) -> Result<Watcher, Status> {
        let request =
            pb::WatchTrackRequest { order_id: self.order_id.to_string(), after: after.to_owned() };
        let stream = self.shop.tracking().watch_track(request).by(viewer).await?;
        Ok(Watcher(stream.into_inner()))
    }

    pub async fn measure(&self, seconds: i64, place: bool) -> pb::MeasureTrackResponse {
        let now = self.shop.world.clock.now();
        let request = pb::MeasureTrackRequest {
            order_id: self.order_id.to_string(),
            from: Some(timestamp(now - chrono::Duration::seconds(seconds))),
            to: Some(timestamp(now)),
            place: place.then_some(pb::TrackPlace { lat: ADDRESS.0, lng: ADDRESS.1 }),
        };
        let mut client =
            TrackingServiceClient::new(self.shop.world.host.of("transport").channel("provider"));
        client.measure_track(request).await.unwrap().into_inner()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_vertical_measures_a_track_and_nobody_else(backend: Backend) {
    let drive = Drive::departed(backend).await;
    let now = timestamp(drive.shop.world.clock.now());
    let request = pb::MeasureTrackRequest {
        order_id: drive.order_id.to_string(),
        from: Some(now),
        to: Some(now),
        place: None,
    };
    for other in ["order", "payment", "notification"] {
        let channel = drive.shop.world.host.of(other).channel("provider");
        let answer = TrackingServiceClient::new(channel).measure_track(request.clone()).await;
        assert_eq!(answer.unwrap_err().code(), tonic::Code::PermissionDenied, "{other}");
    }
}

/// The events of a track.
pub struct Watcher(Streaming<pb::WatchTrackResponse>);

impl Watcher {
    /// The next event, none at the end. What is to come comes within ten seconds.
    pub async fn next(&mut self) -> Option<pb::WatchTrackResponse> {
        let next = tokio::time::timeout(Duration::from_secs(10), self.0.message()).await;
        next.expect("in time").unwrap()
    }

    /// The next event as its name with what matters of it.
    pub async fn short(&mut self) -> String {
        match self.next().await {
            None => "over".to_owned(),
            Some(event) if event.event == "position" => {
                let south = (ADDRESS.0 - event.position.unwrap().lat) * DEGREE_METRES;
                format!("position {}", south.round())
            }
            Some(event) => {
                format!("{} {}{}", event.event, event.state, event.reason).trim_end().to_owned()
            }
        }
    }
}
