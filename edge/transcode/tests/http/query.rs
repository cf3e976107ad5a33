//! Query strings.

use serde_json::json;
use transcode::Options;

use crate::support::Edge;

#[tokio::test]
async fn parameters_fill_fields_by_either_name() {
    let edge = Edge::new(Options::default());
    for (query, want) in [
        ("pageSize=3&page_size=", json!(null)),
        ("page_size=3", json!({"pageSize": 3})),
        (
            "author.name=a+b%2Bc&author.teacher.name=t",
            json!({"author": {"name": "a b+c", "teacher": {"name": "t"}}}),
        ),
        (
            "genres=GENRE_TRAVEL&pageSize=1&genres=1",
            json!({"genres": ["GENRE_TRAVEL", "GENRE_POETRY"], "pageSize": 1}),
        ),
        ("labels[a.b]=x&labels%5Bc%5D=", json!({"labels": {"a.b": "x", "c": ""}})),
        ("since=2024-02-29T00:00:00%2B01:00", json!({"since": "2024-02-28T23:00:00Z"})),
        ("lost=false", json!({"lost": false})),
        ("?&&lost=true&", json!(null)),
        ("&&lost=true&", json!({"lost": true})),
    ] {
        let answer = edge.get(&format!("/v1/books?{query}")).await;
        if want.is_null() {
            assert_eq!(answer.status, 400, "{query}");
            continue;
        }
        assert_eq!(answer.status, 200, "{query}: {}", answer.text);
        assert_eq!(edge.received(), [want], "{query}");
    }
}

#[tokio::test]
async fn what_binds_nothing_is_refused_and_named() {
    let edge = Edge::new(Options::default());
    let deep = format!("author.{}name", "teacher.".repeat(120));
    for name in [
        "nope",
        "author.nope",
        "author",
        "author.",
        ".author",
        "PageSize",
        "page_size.x",
        "since.seconds",
        "labels",
        "labels.a",
        "genres[]",
        "genres[0]",
        "by_id[a]",
        "books.id",
        "",
        "pageSize",
        &deep,
    ] {
        let answer = edge.get(&format!("/v1/books?{name}=x")).await;
        assert_eq!((answer.status, answer.fields()), (400, vec![name.to_owned()]), "{name}");
    }
    for query in [
        "lost",
        "pageSize=1&page_size=1",
        "labels[a]=1&labels[a]=2",
        "page_size=%zz",
        "%zz=1",
        "author.name=%FF",
    ] {
        assert_eq!(edge.get(&format!("/v1/books?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(edge.calls(), 0);
}

#[tokio::test]
async fn unknown_parameters_are_ignored_by_option_only() {
    let options = Options { ignore_unknown_query: true, ..Options::default() };
    let edge = Edge::new(options);
    assert_eq!(edge.get("/v1/books?nope=1&author.nope=2&page_size=3").await.status, 200);
    assert_eq!(edge.received(), [json!({"pageSize": 3})]);
    for query in ["page_size=x", "author=x", "labels=x"] {
        assert_eq!(edge.get(&format!("/v1/books?{query}")).await.status, 400, "{query}");
    }
    let named = vec!["key".to_owned(), "page_size".to_owned()];
    let edge = Edge::new(Options { ignored_query_parameters: named, ..Options::default() });
    assert_eq!(edge.get("/v1/books?key=1&page_size=x").await.status, 200);
    assert_eq!(edge.received(), [json!({})]);
    assert_eq!(edge.get("/v1/books?Key=1").await.status, 400);
}

#[tokio::test]
async fn the_number_of_parameters_is_bounded() {
    let edge = Edge::new(Options { max_query_parameters: 3, ..Options::default() });
    let query = |count| vec!["genres=1"; count].join("&");
    assert_eq!(edge.get(&format!("/v1/books?{}", query(3))).await.status, 200);
    assert_eq!(edge.get(&format!("/v1/books?{}", query(4))).await.status, 400);
}

#[tokio::test]
async fn a_field_has_one_owner() {
    let edge = Edge::new(Options::default());
    // The same value twice is no conflict; another one is, and so is a sibling in a oneof.
    assert_eq!(edge.get("/v1/books/1?id=1").await.status, 200);
    for (line, content) in [
        ("GET /v1/books/1?id=2", ""),
        ("PUT /v1/books/1", r#"{"id":"2"}"#),
        ("PUT /v1/books/1?title=x", r#"{"pages":1}"#),
        ("PUT /v1/books/1/borrower/b", r#"{"borrower":"c"}"#),
        ("PUT /v1/books/1/borrower/b", r#"{"lost":true}"#),
        ("POST /v1/books?book.title=x", r#"{"pages":1}"#),
        ("POST /v1/blobs/n?content.data=QQ", "x"),
    ] {
        let answer = edge.send(line, &[], content).await;
        assert_eq!((answer.status, answer.fields().len()), (400, 1), "{line} {content}");
    }
    assert_eq!(edge.calls(), 1);
    let answer = edge.send("PUT /v1/books/1", &[], r#"{"id":"1","pages":2}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(edge.received(), [json!({"id": "1", "pages": 2})]);
    let answer = edge.send("POST /v1/books?dry_run=true", &[], r#"{"pages":2}"#).await;
    assert_eq!(answer.status, 200);
    assert_eq!(edge.received(), [json!({"dryRun": true, "book": {"pages": 2}})]);
}

#[tokio::test]
async fn a_partial_response_holds_what_was_asked_for() {
    let edge = Edge::new(Options::default());
    let book = json!({"id": "1", "title": "t", "author": {"name": "n", "teacher": {"name": "m"}}});
    edge.plan(crate::support::Plan::messages("library.v1.Book", &[book]));
    let answer = edge.get("/v1/books/1?$fields=id,author.teacher").await;
    assert_eq!(answer.json(), json!({"id": "1", "author": {"teacher": {"name": "m"}}}));
    assert_eq!(edge.received(), [json!({"id": "1"})]);
    for query in ["$fields=nope", "$fields=id&$fields=id", "$fields=id.x"] {
        assert_eq!(edge.get(&format!("/v1/books/1?{query}")).await.status, 400, "{query}");
    }
    assert_eq!(edge.get("/v1/blobs/x?$fields=data").await.status, 400);
}
