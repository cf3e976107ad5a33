//! REST: routes, bodies, errors, headers.

use crate::{
    fakes::{ABSENT, BROKEN, SLOW},
    fixture::{Answer, Edge, REGISTRATION, customer},
};
use edge::Config;
use http::StatusCode;
use proto::quickserve::user::v1::{
    UpdateMeRequest, UserChanges, user_service_client::UserServiceClient,
};
use serde_json::json;

#[tokio::test]
async fn a_creation_answers_201_with_its_place() {
    let edge = Edge::start().await;
    let answer = edge.post("/v1/users", REGISTRATION).await;
    assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
    assert_eq!(answer.json()["name"], "Ada");
    assert_eq!(answer.header("location"), format!("/v1/users/{ABSENT}"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    // The seed's own path, with its slash.
    let answer = edge.post("/users/", REGISTRATION).await;
    assert_eq!(answer.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_resource_has_all_its_fields_under_their_own_names() {
    let edge = Edge::start().await;
    let answer = edge.get_as(customer(), &format!("/v1/users/{}", customer().user_id)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let user = answer.json();
    assert_eq!(user["email"], "ada@example.org");
    assert_eq!(user["time_zone"], "");
    assert_eq!(user["roles"], json!(["customer"]));
    assert_eq!(answer.header("etag"), "\"3\"");
}

#[tokio::test]
async fn wrong_bodies_are_refused_with_the_field_named() {
    let edge = Edge::start().await;
    for (body, field) in [
        (r#"{"name":"Ada","nme":"x"}"#, "nme"),
        (r#"{"name":7}"#, "name"),
        (r#"{"email":"ada@example.org","role":"customer","password":"long enough"}"#, "name"),
        (
            r#"{"name":"Ada","email":"ada@example.org","role":"admin","password":"long enough"}"#,
            "role",
        ),
        (r#"{"name":"Ada","name":"Bob"}"#, "name"),
    ] {
        let answer = edge.post("/v1/users", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem = answer.json();
        assert_eq!(problem["violations"][0]["field"], field, "{body} {problem}");
        assert_eq!(problem["code"], "INVALID_ARGUMENT");
        assert_eq!(problem["status"], 400);
        assert_eq!(problem["request_id"], answer.header("x-request-id"));
    }
    for body in ["{", "[]", "{'name':1}", "\u{1}", "{\"name\":\"\u{1}\"}"] {
        let answer = edge.post("/v1/users", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body:?}");
    }
    assert!(!edge.fakes.was_called());
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_same_shape() {
    let edge = Edge::start().await;
    let answer = edge.get("/v1/nothing").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(answer.json()["code"], "NOT_FOUND");
    let put = edge.request("PUT", "/v1/users").body(String::new()).unwrap();
    let answer = edge.send(put).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert!(answer.header("allow").contains("POST"), "{}", answer.header("allow"));
    assert_eq!(answer.json()["status"], 405);
    let text = edge.request("POST", "/v1/users").header("content-type", "text/plain");
    let answer = edge.send(text.body("hello".into()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let options = edge.request("OPTIONS", "/v1/users").body(String::new()).unwrap();
    let answer = edge.send(options).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert!(answer.header("allow").contains("POST"));
    assert!(!edge.fakes.was_called());
}

#[tokio::test]
async fn a_services_refusal_keeps_its_reason() {
    let edge = Edge::start().await;
    let answer = edge.get_as(customer(), &format!("/v1/users/{ABSENT}")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let problem = answer.json();
    assert_eq!(problem["reason"], "USER_NOT_FOUND");
    assert_eq!(problem["detail"], "the account does not exist");
    assert_eq!(problem["allowed_actions"], json!(["create", "search"]));
    let answer = edge.get_as(customer(), &format!("/v1/users/{BROKEN}")).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.json()["detail"], "internal error");
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let edge = Edge::start().await;
    for (sent, kept) in [("abc-123.DEF_4", true), ("short", false), ("has space in it", false)] {
        let request = edge.request("GET", "/v1/nothing").header("x-request-id", sent);
        let answer = edge.send(request.body(String::new()).unwrap()).await;
        assert_eq!(answer.header("x-request-id") == sent, kept, "{sent}");
        assert!(answer.header("x-request-id").len() >= 8);
    }
}

#[tokio::test]
async fn the_deadline_ends_a_call() {
    let edge = Edge::with(Config { read_deadline_ms: 200, ..Config::default() }).await;
    let path = format!("/v1/users/{SLOW}");
    let answer = edge.get_as(customer(), &path).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
    assert_eq!(answer.json()["code"], "DEADLINE_EXCEEDED");
    let request = edge.request("GET", &path).header("x-server-timeout", "0.1");
    let request = request.header("authorization", edge.bearer(customer()));
    let answer = edge.send(request.body(String::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::GATEWAY_TIMEOUT);
}

#[tokio::test]
async fn a_head_is_a_get_without_its_content() {
    let edge = Edge::start().await;
    let path = format!("/v1/users/{}", customer().user_id);
    let request = edge.request("HEAD", &path).header("authorization", edge.bearer(customer()));
    let answer = edge.send(request.body(String::new()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(answer.body.is_empty());
    let get = edge.get_as(customer(), &path).await;
    assert_eq!(answer.header("content-length"), get.body.len().to_string());
}

#[tokio::test]
async fn refusals_of_the_edge_have_stable_reasons() {
    let edge = Edge::with(Config { max_request_bytes: 1000, ..Config::default() }).await;
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(2000));
    for (method, path, body, status, reason) in [
        ("GET", "/v1/nothing", "", 404, "ROUTE_NOT_FOUND"),
        ("DELETE", "/v1/users", "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/healthz", "", 405, "METHOD_NOT_ALLOWED"),
        ("POST", "/v1/users", "{", 400, "INVALID_ARGUMENT"),
        ("POST", "/v1/users", &long, 413, "CONTENT_TOO_LARGE"),
        ("GET", "/v1/me", "", 401, "UNAUTHENTICATED"),
    ] {
        let request = edge.request(method, path).header("content-type", "application/json");
        let answer = edge.send(request.body(body.to_owned()).unwrap()).await;
        assert_eq!(answer.status, status, "{method} {path}");
        assert_eq!(answer.json()["reason"], reason, "{method} {path}");
    }
}

/// PATCH of the caller's account.
async fn patch_me(edge: &Edge, if_match: Option<&str>, body: &str) -> Answer {
    let mut request = edge.request("PATCH", "/v1/me").header("content-type", "application/json");
    request = request.header("authorization", edge.bearer(customer()));
    if let Some(tag) = if_match {
        request = request.header("if-match", tag);
    }
    edge.send(request.body(body.to_owned()).unwrap()).await
}

#[tokio::test]
async fn a_stale_if_match_is_a_failed_precondition() {
    let edge = Edge::start().await;
    let ada = r#"{"name":"Ada"}"#;
    for (tag, status) in [
        (None, 200),
        (Some("*"), 200),
        (Some("\"3\""), 200),
        (Some("W/\"2\", \"3\""), 200),
        (Some("\"2\""), 412),
        // A weak tag never matches, and what was never given out as a tag is not the current one.
        (Some("W/\"3\""), 412),
        (Some("\"0\""), 412),
        (Some("\"abc\""), 412),
        (Some("3"), 400),
    ] {
        let answer = patch_me(&edge, tag, ada).await;
        assert_eq!(answer.status, status, "{tag:?}: {:?}", answer.body);
        if status == 412 {
            let problem = answer.json();
            assert_eq!(
                (&problem["reason"], &problem["code"]),
                (&"VERSION_MISMATCH".into(), &"ABORTED".into())
            );
        }
    }
    // A lost race is no failed precondition, and neither is a version in the content.
    let answer = patch_me(&edge, Some("\"3\""), r#"{"name":"Busy"}"#).await;
    assert_eq!(
        (answer.status, &answer.json()["reason"]),
        (StatusCode::CONFLICT, &"IN_PROGRESS".into())
    );
    let update = |version: i64| UpdateMeRequest {
        changes: Some(UserChanges { name: "Ada".to_owned(), ..UserChanges::default() }),
        version,
        ..UpdateMeRequest::default()
    };
    let channel = tonic::transport::Channel::from_shared(edge.url("")).unwrap();
    let mut users = UserServiceClient::new(channel.connect().await.unwrap());
    let mut stale = tonic::Request::new(update(2));
    stale.metadata_mut().insert("authorization", edge.bearer(customer()).parse().unwrap());
    assert_eq!(users.update_me(stale).await.unwrap_err().code(), tonic::Code::Aborted);
}

#[tokio::test]
async fn violations_name_the_field_that_the_client_sent() {
    let edge = Edge::start().await;
    for (body, field, detail) in [
        (r#"{"name":""}"#, "name", "name must not be empty"),
        (r#"{"name":5}"#, "name", "name: expected a string (byte 8)"),
        (r#"{"time_zone":5}"#, "time_zone", "time_zone: expected a string (byte 13)"),
        (r#"{"timeZone":5}"#, "time_zone", "time_zone: expected a string (byte 12)"),
        (r#"{"nme":"Ada"}"#, "nme", "nme: the message has no such field"),
    ] {
        let answer = patch_me(&edge, None, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {:?}", answer.body);
        let problem = answer.json();
        assert_eq!(problem["violations"][0]["field"], field, "{body}: {problem}");
        assert_eq!(problem["detail"], detail, "{body}");
    }
}
