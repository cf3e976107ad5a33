//! Server-sent events with `id:` and `event:`, and how a client resumes them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;
use transcode::{Options, SseFields, Transcoder};

use crate::support::{DESCRIPTORS, Edge, Plan};

const EVENTS: (&str, &str) = ("accept", "text/event-stream");

fn fields(id: &str, event: &str, resume: &str) -> SseFields {
    let given = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    SseFields { id: given(id), event: given(event), resume: given(resume) }
}

fn edge(sse: SseFields) -> Edge {
    Edge::new(Options { sse, ..Options::default() })
}

#[tokio::test]
async fn fields_of_a_message_become_the_id_and_the_type_of_its_event() {
    let books = [
        json!({"id": "b1", "title": "added", "pages": 1}),
        json!({"id": "b2", "pages": 2}),
        json!({"title": "gone"}),
        json!({"id": "b\n4", "title": "a\rb"}),
    ];
    let edge = edge(fields("id", "title", ""));
    edge.plan(Plan::messages("library.v1.Book", &books));
    let answer = edge.send("GET /v1/watch", &[EVENTS], "").await;
    assert_eq!(
        answer.text,
        "id: b1\nevent: added\ndata: {\"id\":\"b1\",\"title\":\"added\",\"pages\":1}\n\n\
         id: b2\ndata: {\"id\":\"b2\",\"pages\":2}\n\n\
         event: gone\ndata: {\"title\":\"gone\"}\n\n\
         data: {\"id\":\"b\\n4\",\"title\":\"a\\rb\"}\n\n",
        "what is absent or does not fit on a line is left out"
    );
    // Other forms of a stream have no such lines.
    let answer = edge.send("GET /v1/watch", &[("accept", "application/x-ndjson")], "").await;
    assert_eq!(answer.text.lines().count(), 4);
    assert!(answer.text.lines().all(|line| line.starts_with('{')), "{}", answer.text);
}

#[tokio::test]
async fn an_id_may_be_an_integer_and_within_a_message() {
    let books = [json!({"pages": -3, "author": {"name": "Ana"}}), json!({"author": {}})];
    let edge = edge(fields("pages", "author.name", ""));
    edge.plan(Plan::messages("library.v1.Book", &books));
    let answer = edge.send("GET /v1/watch", &[EVENTS], "").await;
    let heads = answer.text.lines().filter(|line| !line.is_empty() && !line.starts_with("data"));
    assert_eq!(heads.collect::<Vec<_>>(), ["id: -3", "event: Ana"]);
}

#[tokio::test]
async fn an_error_in_the_stream_is_an_event_of_its_own() {
    let edge = edge(fields("id", "title", ""));
    let books = [json!({"id": "b1", "title": "added"})];
    edge.plan(Plan::messages("library.v1.Book", &books).status(8, "full"));
    let answer = edge.send("GET /v1/watch", &[EVENTS], "").await;
    let error = answer.text.split("\n\n").nth(1).unwrap();
    assert!(error.starts_with("event: error\ndata: {\"error\""), "{error}");
}

#[tokio::test]
async fn the_last_event_id_says_where_to_go_on() {
    let edge = edge(fields("id", "", "id"));
    for (path, headers, want) in [
        ("/v1/watch", vec![EVENTS], json!({})),
        ("/v1/watch", vec![EVENTS, ("last-event-id", "b7")], json!({"id": "b7"})),
        ("/v1/watch", vec![EVENTS, ("last-event-id", "")], json!({})),
        ("/v1/watch?id=b3", vec![EVENTS], json!({"id": "b3"})),
        // A browser repeats the query of its first request.
        ("/v1/watch?id=b3", vec![EVENTS, ("last-event-id", "b7")], json!({"id": "b7"})),
        ("/v1/watch?version=4", vec![("last-event-id", "b7")], json!({"id": "b7", "version": "4"})),
    ] {
        let answer = edge.send(&format!("GET {path}"), &headers, "").await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(edge.received(), [want], "{path} {headers:?}");
    }
    // Calls that are no streams do not know the header.
    assert_eq!(edge.send("GET /v1/books/b1", &[("last-event-id", "b7")], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"id": "b1"})]);
}

#[tokio::test]
async fn a_last_event_id_of_another_type_is_refused_by_its_name() {
    let edge = edge(fields("", "", "version"));
    let answer = edge.send("GET /v1/watch", &[EVENTS, ("last-event-id", "b7")], "").await;
    assert_eq!((answer.status, answer.fields()), (400, vec!["last-event-id".to_owned()]));
}

#[tokio::test]
async fn a_contract_that_names_its_own_fields_is_held_to_them() {
    let own = |name: &'static str, sse: SseFields| Options {
        sse: fields("id", "", ""),
        method_sse: Some(Arc::new(move |method| (method.name() == name).then(|| sse.clone()))),
        ..Options::default()
    };
    let edge = Edge::new(own("Watch", fields("title", "", "")));
    edge.plan(Plan::messages("library.v1.Book", &[json!({"id": "b1", "title": "t1"})]));
    let answer = edge.send("GET /v1/watch", &[EVENTS], "").await;
    assert!(answer.text.starts_with("id: t1\ndata: "), "{}", answer.text);
    for (method, sse, reason) in [
        ("Watch", fields("isbn", "", ""), "isbn"),
        ("Watch", fields("author", "", ""), "author"),
        ("Watch", fields("tags", "", ""), "tags"),
        ("Watch", fields("", "pages", ""), "pages"),
        ("Watch", fields("", "", "book"), "book"),
        ("GetBook", fields("id", "", ""), "no stream"),
    ] {
        let refused = Transcoder::compile(&DESCRIPTORS, own(method, sse)).unwrap_err().to_string();
        assert!(refused.contains(method) && refused.contains(reason), "{refused}");
    }
    // Names for all methods apply where they fit.
    let everywhere = Options { sse: fields("isbn", "pages", "book"), ..Options::default() };
    assert!(Transcoder::compile(&DESCRIPTORS, everywhere).is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_head_of_events_goes_out_when_the_upstream_agrees() {
    let edge = Edge::new(Options::default());
    let plan = Plan { quiet: Duration::from_secs(40), messages: Vec::new(), ..Plan::default() };
    edge.plan(plan.clone());
    for (accept, most_ms) in [("text/event-stream", 100), ("application/x-ndjson", 1_100)] {
        let request = http::Request::get("/v1/watch").header("accept", accept);
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        let begun = Instant::now();
        let answer = edge.transcoder.handle(request, edge.upstream.clone()).await;
        assert_eq!(answer.status(), 200);
        let waited = begun.elapsed();
        assert!(waited <= Duration::from_millis(most_ms), "{accept}: {waited:?}");
    }
    // An upstream that takes its time to agree may still refuse.
    edge.plan(Plan { delay: Duration::from_millis(900), ..plan.status(5, "none") });
    edge.upstream.plan.lock().unwrap().quiet = Duration::ZERO;
    let answer = edge.send("GET /v1/watch", &[EVENTS], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
}
