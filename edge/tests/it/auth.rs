//! Identity and policy: who passes, and what a service learns of them.

use crate::fixture::{Answer, Edge, REGISTRATION, customer};
use edge::Config;
use http::StatusCode;
use kit::{Role, testing::somebody};
use proto::{
    quickserve::user::v1::Revocation,
    rpc::{Caller as Listed, Route},
};

async fn get_with(edge: &Edge, authorization: &str, path: &str) -> Answer {
    let request = edge.request("GET", path).header("authorization", authorization);
    edge.send(request.body(String::new()).unwrap()).await
}

#[tokio::test]
async fn a_claim_that_does_not_hold_is_401_and_a_role_too_few_403() {
    let edge = Edge::start().await;
    let stranger = edge.get("/v1/me").await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    assert_eq!(stranger.header("www-authenticate"), "Bearer");
    assert_eq!(stranger.json()["reason"], "UNAUTHENTICATED");

    let valid = edge.bearer(customer());
    let forged = format!("{}AAAA", &valid[..valid.len() - 4]);
    let none = "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.";
    for credential in ["Bearer x", "Bearer ", "Basic YTpi", "x", none, &forged] {
        let answer = get_with(&edge, credential, "/v1/me").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{credential}");
        assert_eq!(answer.header("www-authenticate"), r#"Bearer error="invalid_token""#);
        assert_eq!(answer.json()["reason"], "TOKEN_INVALID");
    }
    assert!(!edge.fakes.was_called());

    let path = format!("/v1/users/{}:suspend", customer().user_id);
    for (roles, status) in [
        (&[Role::Customer, Role::Provider][..], StatusCode::FORBIDDEN),
        (&[Role::Operator], StatusCode::OK),
    ] {
        let request =
            edge.request("POST", &path).header("authorization", edge.bearer(somebody(roles)));
        let request = request.header("content-type", "application/json");
        let answer = edge.send(request.body("{}".into()).unwrap()).await;
        assert_eq!(answer.status, status);
    }

    assert_eq!(get_with(&edge, &valid, "/v1/me").await.status, StatusCode::OK);
    edge.world.clock.advance(chrono::Duration::minutes(11));
    assert_eq!(get_with(&edge, &valid, "/v1/me").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_open_to_all_takes_no_bad_token() {
    let edge = Edge::start().await;
    for (credential, status) in
        [("Basic YTpi", StatusCode::CREATED), ("Bearer x", StatusCode::UNAUTHORIZED)]
    {
        let request = edge.request("POST", "/v1/users").header("authorization", credential);
        let request = request.header("content-type", "application/json");
        let answer = edge.send(request.body(REGISTRATION.into()).unwrap()).await;
        assert_eq!(answer.status, status, "{credential}");
    }
}

#[tokio::test]
async fn a_service_learns_only_what_the_edge_proved() {
    let edge = Edge::start().await;
    let subject = customer();
    let request = edge
        .request("GET", "/v1/me")
        .header("authorization", edge.bearer(subject))
        .header("x-quickserve-identity", "forged")
        .header("x-quickserve-client", "6.6.6.6")
        .header("x-forwarded-for", "6.6.6.6")
        .header("x-user-id", "1")
        .header("grpc-internal-encoding-request", "gzip")
        .header("accept-language", "fr")
        .header("idempotency-key", "k-1");
    assert_eq!(edge.send(request.body(String::new()).unwrap()).await.status, StatusCode::OK);
    let (caller, metadata) = edge.fakes.seen();
    assert_eq!(caller.subject, Some(subject));
    assert_eq!(caller.service.as_deref(), Some("edge"));
    assert_eq!(metadata.get("x-quickserve-client").unwrap(), "127.0.0.1");
    assert_eq!(metadata.get("accept-language").unwrap(), "fr");
    assert_eq!(metadata.get("idempotency-key").unwrap(), "k-1");
    for name in [
        "authorization",
        "x-quickserve-identity",
        "x-forwarded-for",
        "x-user-id",
        "grpc-internal-encoding-request",
    ] {
        assert!(metadata.get(name).is_none(), "{name}");
    }
}

#[tokio::test]
async fn a_revoked_token_fails_before_its_time() {
    let edge = Edge::start().await;
    let (ended, other) = (customer(), customer());
    let (of_ended, of_other) = (edge.bearer(ended), edge.bearer(other));
    assert_eq!(get_with(&edge, &of_ended, "/v1/me").await.status, StatusCode::OK);
    let now = edge.world.clock.now();
    edge.fakes.revoke(Revocation {
        user_id: ended.user_id.to_string(),
        session_id: ended.session_id.to_string(),
        token_version: 0,
        revoked_at: Some(prost_types::Timestamp { seconds: now.timestamp(), nanos: 0 }),
    });
    edge.world.clock.advance(chrono::Duration::seconds(5));
    kit::testing::eventually(
        "the refusal",
        async || {
            let answer = get_with(&edge, &of_ended, "/v1/me").await;
            answer.status
        },
        |seen| *seen == StatusCode::UNAUTHORIZED,
    )
    .await;
    assert_eq!(get_with(&edge, &of_other, "/v1/me").await.status, StatusCode::OK);
}

/// Every route of every RPC, by a stranger and by an account of each role: the contract alone decides who passes.
#[tokio::test]
async fn the_contracts_policy_holds_on_every_route() {
    let config = Config { client_per_minute: 0, read_deadline_ms: 300, ..Config::default() };
    let edge = Edge::with(config).await;
    let roles = [
        (Listed::Customer, Role::Customer),
        (Listed::Provider, Role::Provider),
        (Listed::Operator, Role::Operator),
    ];
    let accounts = roles.map(|(listed, role)| (listed, edge.bearer(somebody(&[role]))));
    let mut routes = 0;
    for rpc in proto::all_rpcs().iter().filter(|rpc| !rpc.server_streaming) {
        for route in rpc.routes {
            routes += 1;
            let stranger = status_of(&edge, route, None).await;
            let open = rpc.callers.contains(Listed::Public);
            assert_eq!(stranger != StatusCode::UNAUTHORIZED, open, "{route:?} {stranger}");
            for (listed, bearer) in &accounts {
                let status = status_of(&edge, route, Some(bearer)).await;
                let may =
                    open || rpc.callers.contains(Listed::User) || rpc.callers.contains(*listed);
                assert_ne!(status, StatusCode::UNAUTHORIZED, "{route:?} {listed:?}");
                assert_ne!(status, StatusCode::NOT_FOUND, "{route:?} {listed:?}");
                assert_eq!(status != StatusCode::FORBIDDEN, may, "{route:?} {listed:?} {status}");
            }
        }
    }
    assert!(routes > 100, "{routes}");
}

async fn status_of(edge: &Edge, route: &Route, bearer: Option<&str>) -> StatusCode {
    let mut path = route.template.to_owned();
    while let (Some(start), Some(end)) = (path.find('{'), path.find('}')) {
        path.replace_range(start..=end, "0b9d5a80-0000-4000-8000-00000000000a");
    }
    let mut request = edge.request(route.verb, &path).header("content-type", "application/json");
    if let Some(bearer) = bearer {
        request = request.header("authorization", bearer);
    }
    let body = if route.body.is_empty() { "" } else { "{}" };
    edge.send(request.body(body.to_owned()).unwrap()).await.status
}
