//! The commands besides `up`: health, tables, keys, the document, operators.

use super::program::{Finished, Home, Program, run};
use chrono::Duration;
use kit::{
    Clock,
    testing::{Backend, eventually},
};
use quickserve::{
    demo::{self, Person},
    service::Service,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use yare::parameterized;

/// A command that failed and says why in a line.
fn told(failed: Finished) -> String {
    assert_eq!(failed.status.code(), Some(1), "{}{}", failed.stdout, failed.stderr);
    assert_eq!(failed.stderr.trim_end().lines().count(), 1, "{}", failed.stderr);
    failed.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn healthcheck_tells_by_its_exit_code() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start().await;
    let url = program.url();
    let check = ["healthcheck", "--url", url.as_str()];
    assert_eq!(home.run(&check).await.ok(), format!("{url} answers 200 OK\n"));
    program.stop().await;
    // The port is taken, so that nobody else gets it, and nobody listens there.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let check = ["healthcheck", "--url", url.as_str()];
    assert!(told(home.run(&check).await).contains("does not answer"));
    // Somebody who is there, but is not it.
    let stranger = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", stranger.local_addr().unwrap());
    let answering = tokio::spawn(async move {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut stream, _) = stranger.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await.unwrap();
        let refusal = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(refusal.as_bytes()).await.unwrap();
    });
    let ended = home.run(&["healthcheck", "--url", &url]).await;
    answering.await.unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stdout.contains("503"), "{}", ended.stdout);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn tables_are_made_once(backend: Backend) {
    let home = Home::new(backend).await;
    let one = home.run(&["migrate", "order"]).await.ok();
    assert_eq!(one, "order is up to date\n");
    // Two at once, as replicas do that start together.
    let both = tokio::join!(home.run(&["migrate"]), home.run(&["migrate"]));
    let (first, second) = (both.0.ok(), both.1.ok());
    assert_eq!(first, second);
    assert_eq!(first.lines().count(), Service::ALL.len(), "{first}");
    assert!(first.lines().all(|line| line.ends_with(" is up to date")), "{first}");
    assert_eq!(home.run(&["migrate"]).await.ok(), first);
    let program = home.start().await;
    demo::make_customer(&program.client, "alice", "alice@test.example").await.unwrap();
    assert_eq!(home.run(&["migrate"]).await.ok(), first, "while it runs");
    program.stop().await;
    assert!(!home.run(&["migrate", "nothing"]).await.status.success());
}

/// The keys in a state, as `keys list` and `keys rotate` print them.
fn keys_in(state: &str, listed: &str) -> Vec<String> {
    let rows = listed.lines().map(|line| line.split_once("  ").unwrap());
    rows.filter(|(_, is)| *is == state).map(|(kid, _)| kid.to_owned()).collect()
}

fn kids(jwks: &Value) -> BTreeSet<String> {
    let keys = jwks["keys"].as_array().unwrap();
    assert!(keys.iter().all(|key| key["kty"] == "OKP" && key["d"].is_null()), "{jwks}");
    keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// Makes the next key one that has been published long enough to be used.
fn publish_long_ago(home: &Home) {
    let path = home.path().join("keys/access/keyring.json");
    let mut keys: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for key in keys.as_array_mut().unwrap() {
        key["created_at"] = json!(Clock::system().now() - Duration::hours(1));
    }
    let fresh = path.with_extension("test");
    std::fs::write(&fresh, keys.to_string()).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

/// The part of an access token that names its key.
fn header(person: &Person) -> String {
    person.client.token().unwrap().split('.').next().unwrap().to_owned()
}

async fn reads_me(program: &Program, person: &Person) -> u16 {
    let client = program.client.with_token(person.client.token().unwrap());
    client.get("/v1/me").await.unwrap().status.as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_turn_and_tokens_stay_good() {
    let home = Home::new(Backend::Sqlite).await;
    assert!(
        told(home.run(&["keys", "list"]).await).contains("keyring.json"),
        "before the first start"
    );
    let program = home.start().await;
    let before = demo::make_customer(&program.client, "alice", "alice@test.example").await.unwrap();
    let listed = home.run(&["keys", "list"]).await.ok();
    let (active, next) = (keys_in("Active", &listed), keys_in("Next", &listed));
    assert_eq!((active.len(), next.len(), listed.lines().count()), (1, 1, 2), "{listed}");
    let jwks: Value = serde_json::from_str(&home.run(&["keys", "jwks"]).await.ok()).unwrap();
    assert_eq!(kids(&jwks), active.iter().chain(&next).cloned().collect());
    let served = program.client.get("/.well-known/jwks.json").await.unwrap().ok().unwrap();
    assert_eq!(served, jwks);

    // The next key is too new: a verifier that has not seen it would refuse what it signs.
    assert!(told(home.run(&["keys", "rotate"]).await).contains("rotate then"));
    publish_long_ago(&home);
    let turned = home.run(&["keys", "rotate"]).await.ok();
    assert_eq!(keys_in("Active", &turned), next, "{turned}");
    assert_eq!(keys_in("Retiring", &turned), active, "{turned}");
    assert_eq!(keys_in("Next", &turned).len(), 1, "{turned}");

    // The running program follows, and both tokens are good.
    let sign_in =
        async || demo::sign_in(&program.client, &before.email, demo::PASSWORD).await.unwrap();
    let key = async || header(&sign_in().await);
    eventually("new tokens have the new key", key, |key| *key != header(&before)).await;
    let after = sign_in().await;
    assert_eq!((reads_me(&program, &before).await, reads_me(&program, &after).await), (200, 200));
    let served = program.client.get("/.well-known/jwks.json").await.unwrap().ok().unwrap();
    assert_eq!(kids(&served).len(), 3, "{served}");
    program.stop().await;
    let program = home.start().await;
    assert_eq!((reads_me(&program, &before).await, reads_me(&program, &after).await), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_covers_every_public_rpc() {
    let home = Home::new(Backend::Sqlite).await;
    let printed: Value = serde_json::from_str(&home.run(&["openapi"]).await.ok()).unwrap();
    assert!(printed["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut routes = 0;
    for rpc in proto::all_rpcs() {
        for route in rpc.routes {
            let operation = &printed["paths"][route.template][route.verb.to_ascii_lowercase()];
            assert!(operation["operationId"].is_string(), "{} {}", route.verb, route.template);
            assert!(
                operation["responses"].as_object().is_some_and(|it| it.len() > 1),
                "{operation}"
            );
            routes += 1;
        }
    }
    assert!(routes > 100, "{routes} routes");
    let verbs = ["get", "put", "post", "patch", "delete"];
    let paths = printed["paths"].as_object().unwrap().values();
    let documented: usize =
        paths.map(|path| verbs.iter().filter(|verb| path[**verb].is_object()).count()).sum();
    assert_eq!(documented, routes, "the document has what nobody serves");
    let program = home.start().await;
    let served = program.client.get("/openapi.json").await.unwrap().ok().unwrap();
    assert_eq!(served["paths"], printed["paths"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_is_made_once() {
    let home = Home::new(Backend::Sqlite).await;
    let make = |password: Option<&str>| {
        let mut command = home.command(&["create-operator", "op@test.example", "--name", "Olympe"]);
        command.envs(password.map(|password| ("QS_OPERATOR_PASSWORD", password)));
        run(command)
    };
    assert!(told(make(None).await).contains("QS_OPERATOR_PASSWORD"));
    assert!(!told(make(Some("short")).await).contains("short\""));
    assert!(make(Some(demo::PASSWORD)).await.ok().contains("op@test.example"));
    told(make(Some(demo::PASSWORD)).await);
    let program = home.start().await;
    let operator = demo::sign_in(&program.client, "op@test.example", demo::PASSWORD).await.unwrap();
    assert_eq!(operator.client.get("/v1/ledger/trialBalance").await.unwrap().status, 200);
}
