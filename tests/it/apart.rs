//! Services that run apart, met at their own ports.

use chrono::Duration;
use http::Method;
use kit::{
    Clock,
    program::config::Config,
    testing::{Backend, RedisServer, eventually, start},
};
use proto::quickserve::notification::v1::{
    WatchInboxRequest, notification_service_client::NotificationServiceClient,
};
use quickserve::{
    client::Client,
    demo::{self, Person},
    process::{Plan, Process},
    service::Service,
    trust::Trust,
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};
use tonic::{Code, Request};
use yare::parameterized;

/// What makes the tokens of an account void.
#[derive(Clone, Copy, Debug)]
enum End {
    LogoutAll,
    Suspension,
    Erasure,
}

impl End {
    async fn apply(self, person: &Person, operator: &Person) {
        let suspend = format!("/v1/users/{}:suspend", person.user_id);
        let answer = match self {
            Self::LogoutAll => person.client.post("/v1/auth/logout-all", json!({})).await,
            Self::Suspension => operator.client.post(&suspend, json!({ "reason": "fraud" })).await,
            Self::Erasure => person.client.send(Method::DELETE, "/v1/me", None, &[]).await,
        };
        answer.unwrap().ok().unwrap();
    }
}

#[parameterized(
    sqlite = { Backend::Sqlite, false },
    postgres = { Backend::Postgres, false },
    postgres_and_redis = { Backend::Postgres, true },
)]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_token_that_became_void_is_refused_at_the_port_of_every_service(
    backend: Backend,
    has_redis: bool,
) {
    let mut redis = if has_redis { Some(RedisServer::start().await) } else { None };
    let redis_url = redis.as_ref().map(RedisServer::url);
    let store = backend.store().await;
    let clock = Clock::manual(start());
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let elsewhere = tempfile::tempdir().unwrap();
    let plan = |service, edge, peers, folder: &Path| Plan {
        services: vec![service],
        edge,
        grpc: local,
        admin: None,
        peers,
        trust: Trust::ThisMachine,
        data_dir: folder.to_owned(),
        database_url: store.database_url(),
        redis_url: redis_url.clone(),
        migrate: true,
        config: Config::defaults(),
        clock: clock.clone(),
    };
    let users = plan(Service::User, Some(local), BTreeMap::new(), store.folder());
    let users = Process::start(users).await.unwrap();
    let at_users =
        BTreeMap::from([("user".to_owned(), format!("http://{}", users.grpc()["user"]))]);
    // It holds no key that signs access tokens: it reads from the user service which ones are good.
    let mesh_keys = elsewhere.path().join("keys/mesh");
    std::fs::create_dir_all(&mesh_keys).unwrap();
    let keyring = "keys/mesh/keyring.json";
    std::fs::copy(store.folder().join(keyring), elsewhere.path().join(keyring)).unwrap();
    let inboxes = plan(Service::Notification, None, at_users, elsewhere.path());
    let inboxes = Process::start(inboxes).await.unwrap();
    assert!(!elsewhere.path().join("keys/access").exists());

    let client = Client::new(&format!("http://{}", users.edge().unwrap()));
    let host = users.host().of("user");
    user::create_operator(&host, "olga@test.example", "Olga", demo::PASSWORD).await.unwrap();
    let operator = demo::sign_in(&client, "olga@test.example", demo::PASSWORD).await.unwrap();
    let port = format!("http://{}", inboxes.grpc()["notification"]);
    let mut inbox = NotificationServiceClient::connect(port).await.unwrap();
    for end in [End::LogoutAll, End::Suspension, End::Erasure] {
        let email = format!("{end:?}@test.example").to_lowercase();
        let ana = demo::register_account(&client, "customer", "Ana", &email).await.unwrap();
        let watch = || {
            let mut request = Request::new(WatchInboxRequest::default());
            let bearer = format!("Bearer {}", ana.client.token().unwrap());
            request.metadata_mut().insert("authorization", bearer.parse().unwrap());
            request
        };
        let mut stream = inbox.watch_inbox(watch()).await.unwrap().into_inner();
        if matches!(end, End::Erasure) {
            redis = None;
        }
        end.apply(&ana, &operator).await;
        // Redis tells every process at once. While it is away, each of them asks by itself.
        if redis.is_none() {
            clock.advance(Duration::seconds(10));
        }
        let refused = async || inbox.clone().watch_inbox(watch()).await.err().map(|it| it.code());
        let is_refused = |code: &Option<Code>| *code == Some(Code::Unauthenticated);
        eventually("the token is refused", refused, is_refused).await;
        // It may have shown messages before it is cut.
        let cut = loop {
            match stream.message().await {
                Ok(message) => assert!(message.is_some(), "{end:?}: the stream ends"),
                Err(cut) => break cut,
            }
        };
        assert_eq!(cut.code(), Code::Unauthenticated, "{end:?}");
    }
    inboxes.stop().await;
    users.stop().await;
}
