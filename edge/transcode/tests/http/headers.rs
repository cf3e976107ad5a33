//! Headers ⇄ metadata, deadlines, success statuses.

use std::sync::Arc;
use std::time::Duration;

use http::{Extensions, HeaderMap, HeaderValue, StatusCode};
use transcode::{Options, UpstreamExtensions, UpstreamMetadata};

use crate::support::{Edge, Plan, read};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[tokio::test]
async fn the_upstream_sees_what_is_listed_and_nothing_else() {
    let forward_request_headers = names(&["X-Tenant", "x-trace-bin"]);
    let edge = Edge::new(Options { forward_request_headers, ..Options::default() });
    let sent = [
        ("x-tenant", "t"),
        ("x-trace-bin", "AQI="),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("authorization", "Bearer secret"),
        ("cookie", "a=b"),
        ("grpc-status", "0"),
        ("te", "gzip"),
        ("user-agent", "x"),
    ];
    assert_eq!(edge.send("GET /v1/books/1", &sent, "").await.status, 200);
    let seen = edge.last().headers;
    assert_eq!(
        (&seen["x-tenant"], &seen["x-trace-bin"], &seen["te"]),
        (
            &HeaderValue::from_static("t"),
            &HeaderValue::from_static("AQI="),
            &HeaderValue::from_static("trailers"),
        )
    );
    assert!(seen.contains_key("traceparent"));
    for name in ["authorization", "cookie", "grpc-status", "user-agent", "grpc-timeout"] {
        assert!(!seen.contains_key(name), "{name}");
    }
    assert_eq!(edge.send("GET /v1/books/1", &[("x-trace-bin", "@@")], "").await.status, 400);
    assert_eq!(edge.calls(), 1);
}

#[tokio::test]
async fn the_client_sees_what_is_listed_and_nothing_else() {
    let forward_response_metadata = names(&["x-public", "x-late"]);
    let edge = Edge::new(Options { forward_response_metadata, ..Options::default() });
    let mut plan = Plan::default();
    plan.headers.extend([("x-public", "1"), ("x-secret", "2"), ("grpc-encoding", "identity")]);
    plan.trailers.extend([("x-late", "3".to_owned()), ("x-secret", "4".to_owned())]);
    edge.plan(plan);
    let answer = edge.get("/v1/books/1").await;
    assert_eq!((answer.header("x-public"), answer.header("x-late")), ("1", "3"));
    for name in ["x-secret", "grpc-status", "grpc-message", "grpc-encoding"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
}

/// A rate limit's headers matter on the refusal above all.
#[tokio::test]
async fn listed_metadata_comes_with_an_error_too() {
    let forward_response_metadata =
        names(&["x-quota", "x-late", "retry-after", "www-authenticate"]);
    let edge = Edge::new(Options { forward_response_metadata, ..Options::default() });
    let initial =
        [("x-quota", "0"), ("x-secret", "1"), ("retry-after", "7"), ("www-authenticate", "Custom")];
    let mut with_trailers = Plan::default().status(16, "sign in");
    with_trailers.headers.extend(initial);
    with_trailers.trailers.push(("x-late", "2".to_owned()));
    with_trailers.messages.clear();
    let mut trailers_only = Plan { messages: Vec::new(), trailers: Vec::new(), ..Plan::default() };
    trailers_only.headers.extend(initial);
    trailers_only.headers.extend([("grpc-status", "16"), ("x-late", "2")]);
    // A proxy before the upstream, which knows no gRPC.
    let mut proxy = Plan { http_status: StatusCode::UNAUTHORIZED, ..Plan::default() };
    proxy.headers.extend(initial);
    proxy.headers.push(("x-late", "2"));
    for (what, plan) in
        [("trailers", with_trailers), ("trailers only", trailers_only), ("proxy", proxy)]
    {
        edge.plan(plan);
        let answer = edge.get("/v1/books/1").await;
        assert_eq!(answer.status, 401, "{what}: {answer:?}");
        for (name, value) in [
            ("x-quota", "0"),
            ("x-late", "2"),
            ("retry-after", "7"),
            ("www-authenticate", "Custom"),
            ("content-type", "application/json"),
        ] {
            let values: Vec<_> = answer.headers.get_all(name).iter().collect();
            assert_eq!(values, [value], "{what}: {name}");
        }
        for name in ["x-secret", "grpc-status", "grpc-message"] {
            assert!(!answer.headers.contains_key(name), "{what}: {name}");
        }
    }
}

#[tokio::test]
async fn callers_of_the_library_add_their_own_metadata() {
    #[derive(Clone)]
    struct Principal(&'static str);

    let edge =
        Edge::new(Options { forward_request_headers: names(&["x-user"]), ..Options::default() });
    let seen = Arc::new(std::sync::Mutex::new(None));
    let (upstream, saw) = (edge.upstream.clone(), seen.clone());
    let service = tower::service_fn(move |request: http::Request<tonic::body::Body>| {
        *saw.lock().unwrap() = request.extensions().get::<Principal>().map(|p| p.0);
        let upstream = upstream.clone();
        async move { Ok::<_, std::convert::Infallible>(upstream.answer(request).await) }
    });
    let metadata: HeaderMap =
        [("x-user".parse().unwrap(), HeaderValue::from_static("verified"))].into_iter().collect();
    let mut extensions = Extensions::new();
    extensions.insert(Principal("p"));
    let mut request = http::Request::get("/v1/books/1").header("x-user", "forged");
    let carried = request.extensions_mut().unwrap();
    carried.insert(UpstreamMetadata(metadata));
    carried.insert(UpstreamExtensions(extensions));
    let request = request.body(http_body_util::Empty::new()).unwrap();
    let route = edge.transcoder.route(request.method(), request.uri().path()).unwrap();
    assert_eq!(route.method().path(), "/library.v1.Library/GetBook");
    let answer = read(edge.transcoder.call(route, request, service).await).await;
    assert_eq!(answer.status, 200);
    let users: Vec<_> = edge.last().headers.get_all("x-user").iter().cloned().collect();
    assert_eq!(users, ["verified"]);
    assert_eq!(*seen.lock().unwrap(), Some("p"));
}

#[tokio::test]
async fn deadlines_are_passed_on_and_capped() {
    let cap = Some(Duration::from_secs(2));
    let edge = Edge::new(Options { max_timeout: cap, ..Options::default() });
    for (headers, most) in [
        (vec![("grpc-timeout", "250m")], 250_000),
        (vec![("x-server-timeout", "0.25")], 250_000),
        (vec![("x-server-timeout", "1"), ("grpc-timeout", "100m")], 100_000),
        (vec![("grpc-timeout", "99999999H")], 2_000_000),
        (vec![], 2_000_000),
    ] {
        assert_eq!(edge.send("GET /v1/books/1", &headers, "").await.status, 200);
        let seen = edge.last().headers["grpc-timeout"].to_str().unwrap().to_owned();
        let micros: u64 = seen.strip_suffix('u').unwrap().parse().unwrap();
        assert!(micros > 0 && micros <= most, "{headers:?}: {seen}");
    }
    for (name, value) in [("grpc-timeout", "soon"), ("x-server-timeout", "-1")] {
        let answer = edge.send("GET /v1/books/1", &[(name, value)], "").await;
        assert_eq!((answer.status, answer.fields()), (400, vec![name.to_owned()]));
    }
}

#[tokio::test]
async fn the_edge_itself_ends_a_call_that_takes_too_long() {
    let edge = Edge::new(Options::default());
    edge.plan(Plan { delay: Duration::from_secs(3600), ..Plan::default() });
    let answer = edge.send("GET /v1/books/1", &[("grpc-timeout", "20m")], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (504, "DEADLINE_EXCEEDED"));
    // Whoever notices first: an upstream that cancels at the deadline says the same.
    edge.plan(
        Plan { messages: vec![], delay: Duration::from_millis(15), ..Plan::default() }
            .status(1, "cancelled"),
    );
    let answer = edge.send("GET /v1/books/1", &[("grpc-timeout", "20m")], "").await;
    assert_eq!(answer.status, 504);
}

#[tokio::test]
async fn a_method_chooses_its_status() {
    let status = |method: &transcode::Method| match method.name() {
        "CreateBook" => StatusCode::CREATED,
        "DeleteBook" => StatusCode::NO_CONTENT,
        _ => StatusCode::OK,
    };
    let edge = Edge::new(Options { success_status: Some(Arc::new(status)), ..Options::default() });
    assert_eq!(edge.send("POST /v1/books", &[], "").await.status, 201);
    let gone = edge.send("DELETE /v1/books/1", &[], "").await;
    assert_eq!((gone.status, gone.text.as_str(), gone.header("content-type")), (204, "", ""));
    assert_eq!(edge.get("/v1/books/1").await.status, 200);
}
