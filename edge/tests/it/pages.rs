//! What the edge serves of its own.

use crate::fixture::{Edge, REGISTRATION, customer};
use edge::Config;
use http::StatusCode;
use kit::testing::eventually;
use serde_json::Value;
use std::collections::BTreeSet;

#[tokio::test]
async fn a_browser_gets_a_page_and_others_json() {
    let edge = Edge::start().await;
    let browser = edge.request("GET", "/").header("accept", "text/html,*/*;q=0.8");
    let answer = edge.send(browser.body(String::new()).unwrap()).await;
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(answer.header("content-security-policy").contains("default-src 'self'"));
    assert!(String::from_utf8_lossy(&answer.body).contains("href=\"/docs\""));
    assert_eq!(edge.get("/").await.json()["name"], "QuickServe");
    for path in ["/docs", "/redoc"] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert!(answer.body.len() > 1_000_000);
    }
    let answer = edge.post("/healthz", "{}").await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
}

#[tokio::test]
async fn health_and_metrics_tell_how_it_is() {
    let edge = Edge::start().await;
    assert_eq!(edge.get("/healthz").await.json()["status"], "live");
    assert_eq!(edge.get("/readyz").await.json()["status"], "ready");
    edge.post("/v1/users", REGISTRATION).await;
    edge.get(&format!("/v1/users/{}?token=hunter2", customer().user_id)).await;
    let metrics = edge.get("/metrics").await;
    assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
    let text = String::from_utf8_lossy(&metrics.body).into_owned();
    let count = r#"http_requests_total{method="POST",route="/v1/users",status="201"}"#;
    assert!(text.contains(count), "{text}");
    let refused = r#"http_requests_total{method="GET",route="/v1/users/{user_id}",status="401"}"#;
    assert!(text.contains(refused), "{text}");
    assert!(text.contains("rpc_requests_total"));
    assert!(!text.contains("hunter2"));
    assert_eq!(text.matches("# EOF").count(), 1);
    assert!(text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn the_document_covers_every_public_rpc() {
    let edge = Edge::start().await;
    let document = edge.get("/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document, edge::openapi_document());
    let mut documented = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            documented.insert(operation["x-grpc"].as_str().unwrap().to_owned());
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{verb} {path}");
            assert!(operation["responses"].as_object().unwrap().contains_key("default"));
        }
    }
    let has_route = |rpc: &&proto::Rpc| !rpc.routes.is_empty();
    let public: BTreeSet<String> = proto::all_rpcs()
        .iter()
        .filter(has_route)
        .map(|rpc| rpc.path.trim_start_matches('/').to_owned())
        .collect();
    assert_eq!(documented, public);
    assert!(edge.get("/openapi.yaml").await.body.starts_with(b"\"components\":\n"));
}

/// Every `$ref` in the document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::String(target) if name == "$ref" => {
                        found.insert(target);
                    }
                    _ => references(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn the_documents_references_lead_somewhere() {
    let document = edge::openapi_document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 20);
    for target in found {
        let pointer = target.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{target}");
    }
}

#[test]
fn the_document_says_what_the_contracts_say() {
    let document = edge::openapi_document();
    let at = |pointer: &str| document.pointer(pointer).unwrap_or_else(|| panic!("{pointer}"));
    let request = at("/components/schemas/CreateUserRequest");
    assert_eq!(request["properties"]["name"]["maxLength"], 100);
    assert_eq!(request["required"], serde_json::json!(["name", "email", "role", "password"]));
    assert_eq!(request["additionalProperties"], false);
    assert_eq!(request["properties"]["role"]["enum"][1], "provider");
    let suspend = at("/paths/~1v1~1users~1{user_id}:suspend/post");
    assert_eq!(suspend["x-roles"], serde_json::json!(["operator"]));
    assert!(suspend["description"].as_str().unwrap().contains("`operator`"));
    assert_eq!(suspend["parameters"][0]["schema"]["format"], "uuid");
    let create = at("/paths/~1v1~1users/post");
    assert!(create["responses"]["201"].is_object());
    assert_eq!(create["security"][0], serde_json::json!({}));
    let token = at("/paths/~1token/post/requestBody/content");
    assert!(token["application/x-www-form-urlencoded"].is_object());
    let inbox = at("/paths/~1v1~1me~1inbox/get/responses/200/content");
    assert!(inbox["text/event-stream"].is_object());
    let stream = at("/paths/~1v1~1me~1positions:stream/get/responses/101/x-websocket");
    assert!(stream["client"].is_object() && stream["server"].is_object());
    let inbox = at("/paths/~1v1~1me~1inbox/get");
    assert!(inbox["description"].as_str().unwrap().contains("`id:` is `message.id`"));
    let headers = inbox["parameters"].as_array().unwrap().iter().map(|it| &it["name"]);
    assert!(headers.into_iter().any(|name| name == "Last-Event-ID"));
    let created = at("/components/schemas/User/properties/created_at");
    assert_eq!(created["format"], "date-time");
}

#[tokio::test]
async fn the_documentation_is_sent_compressed() {
    let edge = Edge::start().await;
    let plain = edge.get("/docs").await;
    let zipped = edge.request("GET", "/docs").header("accept-encoding", "gzip, br");
    let zipped = edge.send(zipped.body(String::new()).unwrap()).await;
    assert_eq!(zipped.header("content-encoding"), "gzip");
    assert!(zipped.body.len() * 2 < plain.body.len());
    let mut unzipped = Vec::new();
    let mut decoder = flate2::read::GzDecoder::new(&zipped.body[..]);
    std::io::Read::read_to_end(&mut decoder, &mut unzipped).unwrap();
    assert_eq!(unzipped, plain.body);
}

#[tokio::test]
async fn readiness_waits_for_services_and_ends_before_the_edge() {
    let edge = Edge::alone(Config { notice_ms: 30_000, ..Config::default() }).await;
    let answer = edge.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["status"], "starting");
    assert_eq!(edge.get("/healthz").await.status, StatusCode::OK);
    let answer = edge.get_as(customer(), "/v1/me").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    edge.fakes.install(&edge.world.host);
    eventually(
        "readiness",
        async || edge.get("/readyz").await.status,
        |seen| *seen == StatusCode::OK,
    )
    .await;
    edge.world.host.stop_token().cancel();
    let ready = async || edge.get("/readyz").await.json();
    eventually("the notice", ready, |answer| answer["status"] == "stopping").await;
    // Load balancers have not noticed yet: requests still come and are served.
    let last = edge.get_as(customer(), "/v1/me").await;
    assert_eq!(last.status, StatusCode::OK);
    // The client's next request would meet a connection that is being closed.
    assert_eq!(last.header("connection"), "close");
    edge.serving.abort();
}
