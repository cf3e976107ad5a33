//! Content: JSON, its media types and limits, update masks, raw bytes.

use std::pin::pin;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;
use transcode::Options;

use crate::support::{Edge, Plan};

const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn content_is_json_or_refused() {
    let edge = Edge::new(Options::default());
    for (kind, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
        ("application/json; charset=latin1", 415),
        ("application/x-ndjson", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
    ] {
        let answer = edge.send("PUT /v1/books/1", &[("content-type", kind)], "{}").await;
        assert_eq!(answer.status, status, "{kind}");
    }
    let coded = [JSON, ("content-encoding", "br")];
    assert_eq!(edge.send("PUT /v1/books/1", &coded, "{}").await.status, 415);
    let plain = [JSON, ("content-encoding", "identity")];
    assert_eq!(edge.send("PUT /v1/books/1", &plain, "{}").await.status, 200);
    // Without content nothing has to be readable.
    assert_eq!(
        edge.send("PUT /v1/books/1", &[("content-type", "text/plain")], "").await.status,
        200
    );
}

#[tokio::test]
async fn no_content_is_the_empty_message() {
    let edge = Edge::new(Options::default());
    assert_eq!(edge.send("PUT /v1/books/1", &[], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"id": "1"})]);
    assert_eq!(edge.send("POST /v1/books", &[], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"book": {}})]);
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], "  ").await.status, 400);
}

#[tokio::test]
async fn content_where_none_belongs_is_refused() {
    let edge = Edge::new(Options::default());
    for line in ["GET /v1/books", "DELETE /v1/books/1"] {
        assert_eq!(edge.send(line, &[JSON], r#"{"pages":1}"#).await.status, 400, "{line}");
    }
    assert_eq!(edge.calls(), 0);
}

#[tokio::test]
async fn mistakes_name_their_field() {
    let edge = Edge::new(Options::default());
    for (content, field) in [
        (r#"{"pages":"x"}"#, "pages"),
        (r#"{"author":{"teacher":{"name":1}}}"#, "author.teacher.name"),
        (r#"{"tags":["a",1]}"#, "tags[1]"),
        (r#"{"nope":1}"#, "nope"),
    ] {
        let answer = edge.send("PUT /v1/books/1", &[JSON], content).await;
        assert_eq!((answer.status, answer.fields()), (400, vec![field.to_owned()]), "{content}");
    }
    assert_eq!(edge.calls(), 0);
}

#[tokio::test]
async fn long_content_is_refused_whether_or_not_its_length_is_told() {
    let edge = Edge::new(Options { max_request_bytes: 16, ..Options::default() });
    let long = r#"{"title":"12345678901234567890"}"#;
    let told = edge.send("PUT /v1/books/1", &[JSON, ("content-length", "32")], long).await;
    assert_eq!((told.status, told.code().as_str()), (413, "RESOURCE_EXHAUSTED"));
    let pieces = long
        .as_bytes()
        .chunks(5)
        .map(|c| Ok::<_, std::io::Error>(http_body::Frame::data(bytes::Bytes::copy_from_slice(c))));
    let pieces: Vec<_> = pieces.collect();
    let body = http_body_util::StreamBody::new(stream::iter(pieces));
    let untold = edge.request("PUT /v1/books/1", &[JSON], body).await;
    assert_eq!(untold.status, 413);
    assert_eq!(edge.calls(), 0);
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], r#"{"title":"12"}"#).await.status, 200);
}

#[tokio::test]
async fn contents_on_their_way_share_their_room() {
    let most = 40_000;
    let options = Options { max_request_bytes: most, max_held_bytes: 0, ..Options::default() };
    let edge = Edge::new(options);
    let long = format!(r#"{{"title":"{}"}}"#, "a".repeat(most - 100));
    let (start, end) = long.split_at(long.len() - 1);
    let (more, rest) = tokio::sync::oneshot::channel();
    let start = std::future::ready(Ok(bytes::Bytes::copy_from_slice(start.as_bytes())));
    let pieces = stream::once(start).chain(stream::once(rest)).map_ok(http_body::Frame::data);
    let body = http_body_util::StreamBody::new(Box::pin(pieces));
    let mut slow = pin!(edge.request("PUT /v1/books/1", &[JSON], body));
    assert!(futures::poll!(slow.as_mut()).is_pending());
    let refused = edge.send("PUT /v1/books/1", &[JSON], &long).await;
    assert_eq!((refused.status, refused.code().as_str()), (503, "UNAVAILABLE"));
    assert_eq!(refused.header("retry-after"), "1");
    assert_eq!(edge.calls(), 0);
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], r#"{"title":"12"}"#).await.status, 200);
    more.send(bytes::Bytes::copy_from_slice(end.as_bytes())).unwrap();
    assert_eq!(slow.await.status, 200);
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], &long).await.status, 200);
}

#[tokio::test]
async fn short_contents_do_not_wait_for_long_ones() {
    let edge = Edge::new(Options::default());
    let title = |title: &str| format!(r#"{{"title":"{title}"}}"#);
    let (long, short) = (title(&"a".repeat(100_000)), title("short"));
    let send = |content| edge.send("PUT /v1/books/1", &[JSON], content);
    let (mut first, mut second) = (pin!(send(&long)), pin!(send(&long)));
    // All of it has come, but others go first.
    assert!(futures::poll!(first.as_mut()).is_pending());
    assert!(futures::poll!(second.as_mut()).is_pending());
    assert_eq!(edge.calls(), 0);
    assert_eq!(send(&short).await.status, 200);
    assert_eq!(edge.calls(), 1);
    assert_eq!((first.await.status, second.await.status), (200, 200));
}

#[tokio::test]
async fn content_that_becomes_too_long_is_refused() {
    let edge = Edge::new(Options { max_message_bytes: 50, ..Options::default() });
    let title = |length: usize| format!(r#"{{"title":"{}"}}"#, "a".repeat(length));
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], &title(20)).await.status, 200);
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], &title(60)).await.status, 400);
    assert_eq!(edge.calls(), 1);
}

#[tokio::test]
async fn a_patch_says_which_fields_it_means() {
    let edge = Edge::new(Options::default());
    for (line, content, mask) in [
        ("PATCH /v1/books/1", r#"{"title":"t","author":{"name":"n"}}"#, json!("author.name,title")),
        (
            "PATCH /v1/books/1",
            r#"{"pages":0,"title":null,"mark":"m"}"#,
            json!("pages,shelfMark,title"),
        ),
        (
            "PATCH /v1/books/1",
            r#"{"tags":["a"],"copies":{"x":1},"author":{}}"#,
            json!("author,copies,tags"),
        ),
        ("PATCH /v1/books/1", r#"{"id":"1","title":"t"}"#, json!("title")),
        ("PATCH /v1/books/1", "{}", json!(null)),
        ("PATCH /v1/books/1?updateMask=pages", r#"{"title":"t"}"#, json!("pages")),
    ] {
        let answer = edge.send(line, &[JSON], content).await;
        assert_eq!(answer.status, 200, "{content}: {}", answer.text);
        assert_eq!(edge.received()[0]["updateMask"], mask, "{content}");
    }
    // An unknown name would be an update that silently does not happen.
    let edge = Edge::new(Options { ignore_unknown_fields: true, ..Options::default() });
    for line in ["PATCH /v1/books/1", "PATCH /v1/books/1?updateMask=title"] {
        assert_eq!(edge.send(line, &[JSON], r#"{"nope":1}"#).await.status, 400, "{line}");
    }
    assert_eq!(edge.send("PUT /v1/books/1", &[JSON], r#"{"nope":1}"#).await.status, 200);
}

#[tokio::test]
async fn raw_content_goes_up_as_it_is() {
    let edge = Edge::new(Options::default());
    let kind = [("content-type", "text/csv")];
    assert_eq!(edge.send("POST /v1/blobs/n", &kind, "a,b").await.status, 200);
    let content = json!({"contentType": "text/csv", "data": "YSxi"});
    assert_eq!(edge.received(), [json!({"name": "n", "content": content})]);
    assert_eq!(edge.send("POST /v1/blobs/n", &[JSON], r#"{"a":1}"#).await.status, 200);
    let content = json!({"contentType": "application/json", "data": "eyJhIjoxfQ=="});
    assert_eq!(edge.received(), [json!({"name": "n", "content": content})]);
    assert_eq!(edge.send("POST /v1/blobs/n", &[], "").await.status, 200);
    assert_eq!(edge.received(), [json!({"name": "n", "content": {}})]);
}

#[tokio::test]
async fn raw_content_comes_down_as_it_is() {
    let edge = Edge::new(Options::default());
    let body = |kind: &str| json!({"contentType": kind, "data": "AAEC"});
    for (kind, want) in [
        ("image/png", "image/png"),
        ("", "application/octet-stream"),
        ("text/html\r\nset-cookie: a=b", "application/octet-stream"),
    ] {
        edge.plan(Plan::messages("google.api.HttpBody", &[body(kind)]));
        let answer = edge.get("/v1/blobs/n").await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "\0\u{1}\u{2}"), "{kind}");
        assert_eq!((answer.header("content-type"), answer.header("set-cookie")), (want, ""));
    }
    edge.plan(Plan { messages: vec![], ..Plan::default() }.status(5, "gone"));
    let answer = edge.get("/v1/blobs/n").await;
    assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"));
}

#[tokio::test]
async fn a_response_body_is_one_field_or_everything() {
    let edge = Edge::new(Options::default());
    let response = json!({"book": {"id": "1"}, "warnings": ["w"]});
    edge.plan(Plan::messages("library.v1.BookResponse", std::slice::from_ref(&response)));
    assert_eq!(edge.get("/v1/books").await.json(), response);
    assert_eq!(edge.send("POST /v1/books", &[], "").await.json(), json!({"id": "1"}));
    edge.plan(Plan::default());
    assert_eq!(edge.send("POST /v1/books", &[], "").await.json(), json!({}));
}
