//! Services that run apart, met at their own ports.

use chrono::Duration;
use kit::{
    Clock,
    program::config::Config,
    program::host::Storage,
    testing::{Backend, eventually, start},
};
use proto::quickserve::notification::v1::{
    WatchInboxRequest, notification_service_client::NotificationServiceClient,
};
use quickserve::{
    client::Client,
    demo,
    process::{Plan, Process},
    service::Service,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
};
use tonic::{Code, Request};
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_token_that_became_void_is_refused_at_the_port_of_every_service(backend: Backend) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::manual(start());
    let database_url = match backend.storage(folder.path()).await {
        Storage::Sqlite(_) => None,
        Storage::Postgres(url) => Some(url),
    };
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let plan = |service, edge, peers| Plan {
        services: vec![service],
        edge,
        grpc: local,
        peers,
        data_dir: folder.path().to_owned(),
        database_url: database_url.clone(),
        migrate: true,
        config: Config::defaults(),
        clock: clock.clone(),
    };
    let users = plan(Service::User, Some(local), BTreeMap::new());
    let users = Process::start(users).await.unwrap();
    let at_users =
        BTreeMap::from([("user".to_owned(), format!("http://{}", users.grpc()["user"]))]);
    let inboxes = Process::start(plan(Service::Notification, None, at_users)).await.unwrap();

    let client = Client::new(&format!("http://{}", users.edge().unwrap()));
    let ana = demo::register_account(&client, "customer", "Ana", "ana@test.example").await.unwrap();
    let watch = || {
        let mut request = Request::new(WatchInboxRequest {});
        let bearer = format!("Bearer {}", ana.client.token().unwrap());
        request.metadata_mut().insert("authorization", bearer.parse().unwrap());
        request
    };
    let port = format!("http://{}", inboxes.grpc()["notification"]);
    let mut inbox = NotificationServiceClient::connect(port).await.unwrap();
    let mut stream = inbox.watch_inbox(watch()).await.unwrap().into_inner();
    ana.client.post("/v1/auth/logout-all", json!({})).await.unwrap().ok().unwrap();
    clock.advance(Duration::seconds(10));
    let refused = async || inbox.clone().watch_inbox(watch()).await.err().map(|it| it.code());
    let is_refused = |code: &Option<Code>| *code == Some(Code::Unauthenticated);
    eventually("the token is refused", refused, is_refused).await;
    assert_eq!(stream.message().await.unwrap_err().code(), Code::Unauthenticated);
    inboxes.stop().await;
    users.stop().await;
}
