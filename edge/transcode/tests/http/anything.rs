//! Whatever a client sends, the answer is a success or the client's mistake.

use proptest::prelude::*;
use transcode::Options;

use crate::support::Edge;

/// Pieces of paths and queries that mean something, in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("author"),
        Just("teacher"),
        Just("name"),
        Just("labels"),
        Just("since"),
        Just("genres"),
        Just("book"),
        Just("lost"),
        Just("page_size"),
        Just("$fields"),
        Just("id"),
        Just("["),
        Just("]"),
        Just("."),
        Just("="),
        Just("&"),
        Just("+"),
        Just("%41"),
        Just("%zz"),
        Just("%"),
        Just("%FF"),
        Just("/"),
        Just(":"),
        Just("*"),
        Just("1"),
        Just("GENRE_POETRY"),
        Just("2024-02-29T00:00:00Z"),
        Just(","),
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn documents() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"id\""),
        Just("\"pages\""),
        Just("\"author\""),
        Just("\"name\""),
        Just("\"tags\""),
        Just("\"copies\""),
        Just("\"version\""),
        Just("\"printedAt\""),
        Just("null"),
        Just("1"),
        Just("-"),
        Just("1e9"),
        Just("true"),
        Just("\"\\ud800\""),
        Just("\"x\""),
        Just(" "),
        Just("\n"),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_request_is_an_error_of_ours(
        path in prop_oneof![
            pieces().prop_map(|p| format!("/v1/{p}")),
            pieces().prop_map(|q| format!("/v1/books?{q}")),
            pieces().prop_map(|q| format!("/v1/books/1?{q}")),
            pieces().prop_map(|q| format!("/v1/chat?{q}")),
        ],
        method in prop_oneof![Just("GET"), Just("POST"), Just("PUT"), Just("PATCH"), Just("DELETE"), Just("BREW")],
        kind in prop_oneof![Just("application/json"), Just("application/x-ndjson"), Just("text/plain")],
        document in documents(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let options = Options { etag_field: Some("version".to_owned()), ..Options::default() };
            let edge = Edge::new(options);
            let Ok(_) = path.parse::<http::Uri>() else { return Ok(()) };
            let headers = [("content-type", kind), ("if-match", "\"1\"")];
            let answer = edge.send(&format!("{method} {path}"), &headers, &document).await;
            prop_assert!(answer.status < 500, "{}: {}", answer.status, answer.text);
            // Of a client stream the first message is checked before the call, the others in it; what is read is compared
            // with If-Match after it.
            let is_called_before = path.starts_with("/v1/chat") || answer.status == 412;
            if answer.status >= 400 && !is_called_before {
                prop_assert_eq!(edge.calls(), 0, "{}", answer.text);
            }
            Ok(())
        })?;
    }
}
