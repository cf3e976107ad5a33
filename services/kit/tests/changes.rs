//! An RPC that changes something runs to its end, whatever its caller does meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use http_body_util::{BodyExt, StreamBody};
use kit::{
    Db, Error, Routes,
    messaging::outbox,
    rpc::context::Context,
    testing::{Backend, World, eventually},
};
use proto::{
    google::api::HttpBody,
    quickserve::{
        payment::v1::{
            ReceivePspEventRequest, ReceivePspEventResponse,
            psp_event_service_client::PspEventServiceClient as Client,
            psp_event_service_server::{PspEventService, PspEventServiceServer as Server},
        },
        user::v1::UserEvent,
    },
};
use sea_orm::{ConnectionTrait, Statement};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{sync::Semaphore, time::Instant};
use tonic::{Code, Request, Response, Status, body::Body};
use tower::ServiceExt;
use uuid::Uuid;
use yare::parameterized;

const PATH: &str = "/quickserve.payment.v1.PspEventService/ReceivePspEvent";

/// Records a fact in a transaction for each call, and waits for the gate between its statement and its commit.
struct Change {
    db: Db,
    begun: AtomicUsize,
    gate: Semaphore,
}

impl Change {
    async fn record(&self) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        outbox::record_event(&tx, "user.registered", Uuid::new_v4(), 1, &UserEvent::default())
            .await?;
        let pass = self.gate.acquire().await.map_err(Error::internal)?;
        pass.forget();
        tx.commit().await
    }

    /// How many facts another connection sees.
    async fn recorded(&self) -> i64 {
        let connection = self.db.connection();
        let count = "SELECT count(*) AS n FROM outbox";
        let count = Statement::from_string(connection.get_database_backend(), count);
        let row = connection.query_one_raw(count).await.unwrap().unwrap();
        row.try_get("", "n").unwrap()
    }
}

#[async_trait]
impl PspEventService for Change {
    async fn receive_psp_event(
        &self,
        _: Request<ReceivePspEventRequest>,
    ) -> Result<Response<ReceivePspEventResponse>, Status> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.record().await?;
        Ok(Response::new(ReceivePspEventResponse {}))
    }
}

/// A service of that one RPC, whose gate lets this many calls through.
async fn service(backend: Backend, passes: usize) -> (World, Arc<Change>) {
    let world = World::new(backend).await;
    let host = world.host.of("payment");
    host.migrate().await.unwrap();
    let db = Db::connect(&host.database_config(), world.clock.clone()).await.unwrap();
    let gate = Semaphore::new(passes);
    let change = Arc::new(Change { db, begun: AtomicUsize::new(0), gate });
    host.install(Routes::default().add(Server::from_arc(change.clone())));
    (world, change)
}

async fn call(world: &World) -> Result<(), Status> {
    let body = HttpBody { content_type: "application/json".into(), ..HttpBody::default() };
    let request = ReceivePspEventRequest { name: "sandbox".into(), body: Some(body) };
    Client::new(world.outside("payment")).receive_psp_event(request).await.map(|_| ())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_caller_that_hangs_up_neither_stops_nor_poisons_a_change(backend: Backend) {
    let (world, change) = service(backend, 1_000).await;
    for n in 0..200 {
        // Polled a few times and dropped, somewhere between BEGIN and COMMIT.
        let mut call = Box::pin(call(&world));
        for _ in 0..n % 4 {
            let _ = futures::poll!(&mut call);
            tokio::task::yield_now().await;
        }
    }
    // The calls that were dropped keep their places until they end.
    eventually("another call", async || call(&world).await, Result::is_ok).await.unwrap();
    // Every change that began is there, and another pool sees it: no connection kept a transaction open.
    let config = world.host.of("payment").database_config();
    let other = Db::connect(&config, world.clock.clone()).await.unwrap();
    let other = Change { db: other, begun: AtomicUsize::new(0), gate: Semaphore::new(0) };
    let begun = || i64::try_from(change.begun.load(Ordering::SeqCst)).unwrap();
    eventually(
        "every change that began is committed",
        async || other.recorded().await,
        |recorded| *recorded == begun(),
    )
    .await;
    assert!(begun() > 100, "only {} of the dropped calls began", begun());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_whose_deadline_passes_is_committed_all_the_same(backend: Backend) {
    let (world, change) = service(backend, 0).await;
    let deadline = Some(Instant::now() + Duration::from_millis(200));
    let late = Context { deadline, ..Context::default() }.scope(call(&world)).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded);
    assert_eq!(change.begun.load(Ordering::SeqCst), 1);
    change.gate.add_permits(1);
    eventually(
        "the change is committed",
        async || change.recorded().await,
        |recorded| *recorded == 1,
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_does_not_come_ends_at_the_deadline_and_begins_nothing() {
    let (world, change) = service(Backend::Sqlite, 1).await;
    let silent = StreamBody::new(futures::stream::pending::<Result<_, Status>>()).boxed_unsync();
    let request = http::Request::post(PATH)
        .header("content-type", "application/grpc")
        .header("grpc-timeout", "200m")
        .body(Body::new(silent))
        .unwrap();
    let answer = world.outside("payment").oneshot(request).await;
    let status = match answer {
        Ok(response) => Status::from_header_map(response.headers()).unwrap(),
        Err(error) => *error.downcast::<Status>().unwrap(),
    };
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert_eq!(change.begun.load(Ordering::SeqCst), 0);
    call(&world).await.unwrap();
}
