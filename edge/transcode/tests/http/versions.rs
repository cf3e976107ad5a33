//! ETag, If-Match and If-None-Match from a version field.

use serde_json::json;
use transcode::Options;

use crate::support::{Edge, Plan};

fn edge() -> Edge {
    let edge = Edge::new(Options { etag_field: Some("version".to_owned()), ..Options::default() });
    edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "1", "version": "7"})]));
    edge
}

#[tokio::test]
async fn a_version_is_the_entity_tag() {
    let edge = edge();
    let answer = edge.get("/v1/books/1").await;
    assert_eq!((answer.status, answer.header("etag")), (200, "\"7\""));
    let partial = edge.get("/v1/books/1?$fields=id").await;
    assert_eq!(partial.header("etag"), "W/\"7\"");
    for (tags, status) in [("\"7\"", 304), ("W/\"7\", \"8\"", 304), ("*", 304), ("\"8\"", 200)] {
        let answer = edge.send("GET /v1/books/1", &[("if-none-match", tags)], "").await;
        assert_eq!(answer.status, status, "{tags}");
        assert_eq!(answer.text.is_empty(), status == 304);
        assert_eq!(answer.header("etag"), "\"7\"");
    }
    edge.plan(Plan::messages("library.v1.BookResponse", &[json!({"book": {"version": "3"}})]));
    assert_eq!(edge.send("POST /v1/books", &[], "").await.header("etag"), "\"3\"");
}

/// A cache refreshes what it holds by the headers of a 304 (RFC 9110 §15.4.5).
#[tokio::test]
async fn not_modified_has_the_headers_of_the_whole_answer() {
    let forward_response_metadata = vec!["cache-control".to_owned()];
    let etag_field = Some("version".to_owned());
    let edge = Edge::new(Options { forward_response_metadata, etag_field, ..Options::default() });
    let mut plan = Plan::messages("library.v1.Book", &[json!({"version": "7"})]);
    plan.headers.push(("cache-control", "max-age=60"));
    edge.plan(plan);
    let answer = edge.send("GET /v1/books/1", &[("if-none-match", "\"7\"")], "").await;
    let headers = (answer.header("etag"), answer.header("cache-control"));
    assert_eq!((answer.status, headers), (304, ("\"7\"", "max-age=60")));
    assert!(!answer.headers.contains_key("content-type"));
}

#[tokio::test]
async fn a_demanded_version_is_part_of_the_request() {
    let edge = edge();
    let json = ("content-type", "application/json");
    let send = async |content: &str| {
        edge.send("PUT /v1/books/1", &[json, ("if-match", "\"7\"")], content).await.status
    };
    assert_eq!(send(r#"{"pages":1}"#).await, 200);
    assert_eq!(edge.received(), [json!({"id": "1", "pages": 1, "version": "7"})]);
    assert_eq!(send(r#"{"version":"7"}"#).await, 200);
    assert_eq!(send(r#"{"version":"8"}"#).await, 400);
    edge.send("PATCH /v1/books/1", &[json, ("if-match", "\"7\"")], r#"{"pages":1}"#).await;
    assert_eq!(edge.received()[0]["version"], "7");
    for tags in ["W/\"7\"", "\"x\"", "\"0\""] {
        let answer = edge.send("PUT /v1/books/1", &[("if-match", tags)], "").await;
        assert_eq!((answer.status, answer.code().as_str()), (412, "ABORTED"), "{tags}");
    }
    for tags in ["7", "\"7\", \"8\""] {
        let answer = edge.send("PUT /v1/books/1", &[("if-match", tags)], "").await;
        assert_eq!((answer.status, answer.fields()), (400, vec!["if-match".to_owned()]), "{tags}");
    }
    assert_eq!(edge.send("PUT /v1/books/1", &[("if-match", "*")], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"id": "1"})]);
    // A precondition that nothing checks must not look as if it held.
    for line in ["PUT /v1/books/1", "POST /v1/books"] {
        let answer = edge.send(line, &[("if-none-match", "*")], "").await;
        assert_eq!((answer.status, answer.fields()), (400, vec!["if-none-match".to_owned()]));
    }
    assert_eq!(edge.send("POST /v1/blobs/n", &[("if-match", "\"7\"")], "").await.status, 400);
}

#[tokio::test]
async fn a_version_out_of_date_is_a_failed_precondition() {
    let edge = edge();
    edge.plan(Plan { messages: vec![], ..Plan::default() }.status(10, "stale"));
    assert_is_failed_precondition(&edge).await;
    // The same in a head without content, as servers end a call that has no message.
    let headers = vec![
        ("content-type", "application/grpc"),
        ("grpc-status", "10"),
        ("grpc-message", "stale"),
    ];
    edge.plan(Plan { headers, messages: vec![], trailers: vec![], ..Plan::default() });
    assert_is_failed_precondition(&edge).await;
}

async fn assert_is_failed_precondition(edge: &Edge) {
    let with = edge.send("PUT /v1/books/1", &[("if-match", "\"6\"")], "").await;
    assert_eq!((with.status, with.code().as_str()), (412, "ABORTED"));
    assert_eq!(edge.send("PUT /v1/books/1", &[], "").await.status, 409);
}

#[tokio::test]
async fn a_reading_that_depends_on_a_version_is_refused_when_it_is_another() {
    let edge = edge();
    for (tags, status) in
        [("\"7\"", 200), ("*", 200), ("\"6\", \"7\"", 200), ("\"6\"", 412), ("W/\"7\"", 412)]
    {
        let answer = edge.send("GET /v1/books/1", &[("if-match", tags)], "").await;
        assert_eq!(answer.status, status, "{tags}");
    }
}
