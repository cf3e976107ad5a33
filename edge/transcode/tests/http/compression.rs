//! An upstream that compresses its messages, as gRPC C-core does when it is told to.

use bytes::Bytes;
use http_body_util::Empty;
use serde_json::json;
use transcode::Options;

use crate::server::{direct, grpc};
use crate::support::{Answer, Edge, Plan, read};

/// Asks over real connections.
async fn get(edge: &Edge, path: &str) -> Answer {
    let upstream = direct(grpc(edge.upstream.clone()).await);
    let request = http::Request::get(path).body(Empty::<Bytes>::new()).unwrap();
    read(edge.transcoder.handle(request, upstream).await).await
}

#[tokio::test]
async fn compressed_messages_are_read_and_offered_to_be() {
    let edge = Edge::new(Options::default());
    let title = "long ".repeat(20_000);
    let books = [json!({"title": title}), json!({}), json!({"pages": 7})];
    for compression in ["gzip", "deflate"] {
        edge.plan(Plan::messages("library.v1.Book", &books[..1]).compressed(compression));
        let answer = get(&edge, "/v1/books/1").await;
        assert_eq!((answer.status, &answer.json()), (200, &books[0]), "{compression}");
        assert_eq!(edge.last().headers["grpc-accept-encoding"], "identity,deflate,gzip");
        edge.plan(Plan::messages("library.v1.Book", &books).compressed(compression));
        let answer = get(&edge, "/v1/watch").await;
        assert_eq!((answer.status, answer.json()), (200, json!(books)), "{compression}");
    }
}

#[tokio::test]
async fn a_message_is_measured_as_it_is_when_decompressed() {
    let edge = Edge::new(Options { max_response_bytes: 1000, ..Options::default() });
    for compression in ["gzip", "deflate"] {
        for (length, status) in [(900, 200), (1_001, 502), (10_000_000, 502)] {
            let book = json!({"title": "a".repeat(length)});
            edge.plan(Plan::messages("library.v1.Book", &[book]).compressed(compression));
            let answer = get(&edge, "/v1/books/1").await;
            assert_eq!(answer.status, status, "{compression}, {length}: {}", answer.text);
        }
    }
    assert!(get(&edge, "/v1/books/1").await.text.contains("longer than 1000 bytes"));
}

#[tokio::test]
async fn what_is_compressed_in_another_way_or_none_is_the_upstreams_mistake() {
    let edge = Edge::new(Options::default());
    let plan = Plan::messages("library.v1.Book", &[json!({"title": "a"})]);
    let mislabelled = |label| {
        let headers = vec![("content-type", "application/grpc"), ("grpc-encoding", label)];
        Plan { headers, compression: Some("gzip"), ..plan.clone() }
    };
    let unlabelled = Plan { compression: Some("gzip"), ..plan.clone() };
    for plan in [unlabelled, mislabelled("snappy"), mislabelled("identity"), mislabelled("deflate")]
    {
        edge.plan(plan);
        let answer = get(&edge, "/v1/books/1").await;
        assert_eq!((answer.status, answer.code().as_str()), (502, "INTERNAL"), "{}", answer.text);
    }
    // A message that is not compressed may come in an answer whose messages may be.
    let headers = vec![("content-type", "application/grpc"), ("grpc-encoding", "gzip")];
    edge.plan(Plan { headers, ..plan });
    assert_eq!(get(&edge, "/v1/books/1").await.status, 200);
}
