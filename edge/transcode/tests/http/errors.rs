//! Failures, in both shapes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use prost::Message as _;
use serde_json::json;
use tonic_types::pb;
use transcode::{ErrorContext, ErrorFormat, Options, RequestId};

use crate::support::{Edge, Plan, read};

fn any(name: &str, message: &impl prost::Message) -> prost_types::Any {
    let type_url = format!("type.googleapis.com/google.rpc.{name}");
    prost_types::Any { type_url, value: message.encode_to_vec() }
}

/// A plan that fails with these details.
fn failing(code: i32, details: Vec<prost_types::Any>) -> Plan {
    let status = pb::Status { code, message: "m".to_owned(), details };
    let mut plan = Plan { messages: vec![], ..Plan::default() }.status(code, "m");
    let details = STANDARD_NO_PAD.encode(status.encode_to_vec());
    plan.trailers.push(("grpc-status-details-bin", details));
    plan
}

fn info(metadata: &[(&str, &str)]) -> pb::ErrorInfo {
    let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    pb::ErrorInfo { reason: "BOOK_LENT".to_owned(), domain: "library".to_owned(), metadata }
}

#[tokio::test]
async fn codes_have_their_http_status() {
    let edge = Edge::new(Options::default());
    let statuses = [499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];
    for (code, status) in (1..).zip(statuses) {
        edge.plan(Plan { messages: vec![], ..Plan::default() }.status(code, "caf%C3%A9"));
        let answer = edge.get("/v1/books/1").await;
        assert_eq!(answer.status, status, "{code}");
        assert_eq!(answer.json()["error"]["code"], status, "{code}");
        assert_eq!(answer.json()["error"]["message"], "café");
        assert_eq!(answer.header("content-type"), "application/json");
    }
    edge.plan(Plan { messages: vec![], ..Plan::default() }.status(42, "m"));
    let answer = edge.get("/v1/books/1").await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "UNKNOWN"));
}

#[tokio::test]
async fn upstreams_that_break_the_protocol_are_told_apart() {
    let edge = Edge::new(Options::default());
    let book = vec![0x0A, 1, b'x'];
    let ok = Plan { messages: vec![book.clone()], ..Plan::default() };
    let plans: [(&str, Plan, u16, &str); 8] = [
        ("no status", Plan { trailers: vec![], ..ok.clone() }, 500, "UNKNOWN"),
        ("no message", Plan { messages: vec![], ..ok.clone() }, 502, "INTERNAL"),
        (
            "two messages",
            Plan { messages: vec![book.clone(), book], ..ok.clone() },
            502,
            "INTERNAL",
        ),
        ("malformed", Plan { messages: vec![vec![0x0A, 9]], ..ok.clone() }, 502, "INTERNAL"),
        ("not UTF-8", Plan { messages: vec![vec![0x0A, 1, 0xFF]], ..ok.clone() }, 502, "INTERNAL"),
        (
            "no gRPC",
            Plan { headers: vec![("content-type", "text/html")], ..ok.clone() },
            500,
            "UNKNOWN",
        ),
        (
            "HTTP 503",
            Plan { http_status: http::StatusCode::SERVICE_UNAVAILABLE, ..ok.clone() },
            503,
            "UNAVAILABLE",
        ),
        ("HTTP 404", Plan { http_status: http::StatusCode::NOT_FOUND, ..ok }, 501, "UNIMPLEMENTED"),
    ];
    for (name, plan, status, code) in plans {
        edge.plan(plan);
        let answer = edge.get("/v1/books/1").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}");
    }
    let mut trailers_only = Plan { messages: vec![], trailers: vec![], ..Plan::default() };
    trailers_only.headers.extend([("grpc-status", "7"), ("grpc-message", "no")]);
    edge.plan(trailers_only);
    assert_eq!(edge.get("/v1/books/1").await.status, 403);
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_503_and_keeps_its_address_to_itself() {
    let edge = Edge::new(Options::default());
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{closed}")).unwrap();
    let request = http::Request::get("/v1/books/1").body(http_body_util::Empty::new()).unwrap();
    let answer = read(edge.transcoder.handle(request, channel.connect_lazy()).await).await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
    assert!(!answer.text.contains("127.0.0.1"), "{}", answer.text);
}

#[tokio::test]
async fn details_survive_whatever_their_type() {
    let edge = Edge::new(Options::default());
    let unknown =
        prost_types::Any { type_url: "x.example/no.such.Type".to_owned(), value: vec![1, 2] };
    let broken =
        prost_types::Any { type_url: any("BadRequest", &()).type_url, value: vec![0x0A, 9] };
    edge.plan(failing(9, vec![any("ErrorInfo", &info(&[("k", "v")])), unknown, broken]));
    let details = edge.get("/v1/books/1").await.json()["error"]["details"].clone();
    assert_eq!(details[0]["reason"], "BOOK_LENT");
    assert_eq!(details[1], json!({"@type": "x.example/no.such.Type", "value": "AQI="}));
    assert_eq!(details[2]["value"], "Cgk=");
}

#[tokio::test]
async fn headers_follow_from_the_details() {
    let edge = Edge::new(Options::default());
    let delay = prost_types::Duration { seconds: 1, nanos: 5 };
    edge.plan(failing(14, vec![any("RetryInfo", &pb::RetryInfo { retry_delay: Some(delay) })]));
    assert_eq!(edge.get("/v1/books/1").await.header("retry-after"), "2");
    edge.plan(failing(16, vec![]));
    let answer = edge.get("/v1/books/1").await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
}

#[tokio::test]
async fn a_problem_says_what_the_details_say() {
    let violation = pb::bad_request::FieldViolation {
        field: "book.pages".to_owned(),
        description: "too many".to_owned(),
        ..Default::default()
    };
    let bad = pb::BadRequest { field_violations: vec![violation] };
    let info = info(&[("allowed_actions", "return, reserve"), ("until", "friday")]);
    let edge = Edge::new(Options {
        errors: ErrorFormat::Problem,
        problem_details: false,
        problem_type_base: Some("https://library.example/problems/".to_owned()),
        ..Options::default()
    });
    edge.plan(failing(9, vec![any("ErrorInfo", &info), any("BadRequest", &bad)]));
    let mut request = http::Request::get("/v1/books/1");
    request.extensions_mut().unwrap().insert(RequestId("r-1".to_owned()));
    let request = request.body(http_body_util::Empty::new()).unwrap();
    let answer = read(edge.transcoder.handle(request, edge.upstream.clone()).await).await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    assert_eq!(
        answer.json(),
        json!({
            "type": "https://library.example/problems/BOOK_LENT",
            "title": "Bad Request",
            "status": 400,
            "detail": "m",
            "code": "FAILED_PRECONDITION",
            "reason": "BOOK_LENT",
            "violations": [{"field": "book.pages", "description": "too many"}],
            "allowed_actions": ["return", "reserve"],
            "metadata": {"until": "friday"},
            "request_id": "r-1",
        })
    );
}

#[tokio::test]
async fn a_client_may_ask_for_a_problem() {
    let edge = Edge::new(Options::default());
    let accept = [("accept", "application/problem+json")];
    let answer = edge.send("GET /nowhere", &accept, "").await;
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "transcode", "reason": "ROUTE_NOT_FOUND"});
    let want = json!({"type": "about:blank", "title": "Not Found", "status": 404, "detail": "no such path", "code": "NOT_FOUND", "reason": "ROUTE_NOT_FOUND", "details": [info]});
    assert_eq!(answer.json(), want);
}

#[tokio::test]
async fn the_edges_own_refusals_have_the_same_shape() {
    let edge = Edge::new(Options { errors: ErrorFormat::Problem, ..Options::default() });
    let context = ErrorContext::default();
    let status = tonic::Status::unauthenticated("who");
    let answer = read(edge.transcoder.respond(&context, &status)).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(answer.json()["code"], "UNAUTHENTICATED");
    let answer = edge.send("BREW /v1/files/x", &[], "").await;
    assert_eq!((answer.status, answer.json()["code"].as_str()), (405, Some("UNIMPLEMENTED")));
    assert_eq!(answer.json()["title"], "Method Not Allowed");
}

#[tokio::test]
async fn content_that_is_not_read_is_told_what_would_be() {
    let edge = Edge::new(Options::default());
    let csv = ("content-type", "text/csv");
    let gzip = ("content-encoding", "gzip");
    for (line, sent, header, value) in [
        ("POST /v1/books", csv, "accept", "application/json"),
        ("PATCH /v1/books/1", csv, "accept-patch", "application/json"),
        ("POST /v1/collect/1", csv, "accept", "application/json, application/x-ndjson"),
        ("POST /v1/books", gzip, "accept-encoding", "identity"),
    ] {
        let answer = edge.send(line, &[sent], "x").await;
        assert_eq!((answer.status, answer.header(header)), (415, value), "{line}");
    }
    let answer = edge.send("POST /v1/books", &[csv], "x").await;
    assert!(!answer.headers.contains_key("accept-patch"));
    let message = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("application/json"), "{message}");
}

#[tokio::test]
async fn a_patch_without_content_is_refused_unless_a_mask_says_what_changes() {
    let edge = Edge::new(Options::default());
    let answer = edge.send("PATCH /v1/books/1", &[], "").await;
    assert_eq!((answer.status, answer.fields()), (400, vec![String::new()]));
    assert_eq!(edge.calls(), 0);
    assert_eq!(edge.send("PATCH /v1/books/1?updateMask=title", &[], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"book": {"id": "1"}, "updateMask": "title"})]);
    assert_eq!(edge.send("PATCH /v1/books/1", &[], "{}").await.status, 200);
}

#[tokio::test]
async fn every_refusal_of_its_own_has_a_stable_reason() {
    let typed = ("content-type", "application/json");
    for errors in [ErrorFormat::Google, ErrorFormat::Problem] {
        let edge = Edge::new(Options { errors, max_request_bytes: 50, ..Options::default() });
        let long = format!(r#"{{"id":"{}"}}"#, "a".repeat(100));
        for (line, headers, content, reason) in [
            ("GET /v1/nothing", vec![], "", "ROUTE_NOT_FOUND"),
            ("DELETE /v1/books", vec![], "", "METHOD_NOT_ALLOWED"),
            ("GET /v1/books/1?x=1", vec![], "", "INVALID_ARGUMENT"),
            ("GET /v1/books/%FF", vec![], "", "INVALID_ARGUMENT"),
            ("POST /v1/books", vec![typed], "{", "INVALID_ARGUMENT"),
            ("POST /v1/books", vec![typed], &long, "CONTENT_TOO_LARGE"),
            ("POST /v1/books", vec![("content-type", "text/csv")], "x", "UNSUPPORTED_MEDIA_TYPE"),
        ] {
            let answer = edge.send(line, &headers, content).await;
            let body = answer.json();
            if errors == ErrorFormat::Problem {
                assert_eq!(body["reason"], reason, "{line}: {body}");
                continue;
            }
            let details = body["error"]["details"].as_array().cloned().unwrap_or_default();
            let info: Vec<_> = details.iter().filter(|d| d["reason"].is_string()).collect();
            assert_eq!(info.len(), 1, "{line}: {body}");
            assert_eq!(info[0]["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
            assert_eq!(
                (&info[0]["reason"], &info[0]["domain"]),
                (&json!(reason), &json!("transcode"))
            );
        }
        assert_eq!(edge.calls(), 0);
        edge.plan(Plan { messages: vec![], ..Plan::default() });
        let body = edge.get("/v1/books/1").await.text;
        assert!(body.contains("UPSTREAM_MALFORMED"), "{body}");
    }
}

#[tokio::test]
async fn fields_are_named_as_the_client_sent_them() {
    let violation = |field: &str| pb::bad_request::FieldViolation {
        field: field.to_owned(),
        description: "is wrong".to_owned(),
        ..Default::default()
    };
    let fields = ["book.pages", "book.tags[1]", "book.id", "bookish", "book", "name"];
    let bad = pb::BadRequest { field_violations: fields.map(violation).to_vec() };
    let edge = Edge::new(Options::default());
    edge.plan(failing(3, vec![any("BadRequest", &bad)]));
    let json = ("content-type", "application/json");
    // The content is the field `book`, and `book.id` comes from the path.
    let answer = edge.send("PATCH /v1/books/1", &[json], r#"{"pages":1}"#).await;
    assert_eq!(answer.fields(), ["pages", "tags[1]", "book.id", "bookish", "", "name"]);
    let answer = edge.get("/v1/books/1").await;
    assert_eq!(answer.fields(), fields);

    let answer = edge.send("PATCH /v1/books/1", &[json], r#"{"printedAt":1}"#).await;
    assert_eq!(answer.fields(), ["printedAt"]);
    let edge = Edge::new(Options { preserve_proto_field_names: true, ..Options::default() });
    for name in ["printedAt", "printed_at"] {
        let answer = edge.send("PATCH /v1/books/1", &[json], &format!(r#"{{"{name}":1}}"#)).await;
        let bad = &answer.json()["error"]["details"][0];
        assert_eq!(bad["field_violations"][0]["field"], "printed_at");
    }
}
