//! Paths, methods and what is refused when contracts are compiled.

use serde_json::json;
use transcode::{CompileError, Options, TrailingSlash, Transcoder};

use crate::support::{Edge, compile};

#[tokio::test]
async fn path_variables_fill_their_fields() {
    let edge = Edge::new(Options::default());
    for (path, want) in [
        ("/v1/shelves/a%2Fb/books/c", json!({"name": "shelves/a%2Fb/books/c"})),
        ("/v1/books/a%2Fb", json!({"id": "a/b"})),
        ("/v1/books/a:b", json!({"id": "a:b"})),
        ("/v1/files/a/b%20c", json!({"name": "a/b c"})),
        ("/v1/files/%2e%2e/x", json!({"name": "../x"})),
        ("/v1/files", json!({})),
        ("/v1/pages/12", json!({"book": {"pages": 12}})),
        ("/v1/pages/1.0", json!({"book": {"pages": 1}})),
    ] {
        let answer = edge.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        assert_eq!(edge.received(), [want], "{path}");
    }
}

#[tokio::test]
async fn values_that_do_not_fit_are_refused_before_the_call() {
    let edge = Edge::new(Options::default());
    for (path, field) in [
        ("/v1/pages/+7", "book.pages"),
        ("/v1/pages/2147483648", "book.pages"),
        ("/v1/books/%FF", "id"),
        ("/v1/books/%zz", ""),
    ] {
        let answer = edge.get(path).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, "INVALID_ARGUMENT"), "{path}");
        assert_eq!(answer.fields(), [field], "{path}");
    }
    assert_eq!(edge.calls(), 0);
}

#[tokio::test]
async fn methods_that_have_no_route_get_an_allow_list() {
    let edge = Edge::new(Options::default());
    for (line, status, allow) in [
        ("POST /v1/files/x", 405, "GET, HEAD, OPTIONS"),
        ("OPTIONS /v1/books", 204, "GET, HEAD, POST, OPTIONS"),
        ("GET /v1/books/1:lend", 405, "POST, OPTIONS"),
        ("POST /v1/books/1:Lend", 405, "GET, HEAD, PATCH, PUT, DELETE, OPTIONS"),
        ("get /v1/files/x", 405, "GET, HEAD, OPTIONS"),
    ] {
        let answer = edge.send(line, &[("x-http-method-override", "GET")], "").await;
        assert_eq!((answer.status, answer.header("allow")), (status, allow), "{line}");
    }
    let answer = edge.send("OPTIONS /v2", &[], "").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "NOT_FOUND"));
    assert_eq!(edge.get("/library.v1.Library/Hidden").await.status, 404);
    assert_eq!(edge.calls(), 0);
}

#[tokio::test]
async fn head_is_get_without_the_content() {
    let edge = Edge::new(Options::default());
    let get = edge.get("/v1/books/1").await;
    let head = edge.send("HEAD /v1/books/1", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
    assert_eq!(head.header("content-type"), "application/json");
    let head = edge.send("HEAD /nowhere", &[], "").await;
    assert_eq!((head.status, head.text.as_str()), (404, ""));
}

#[tokio::test]
async fn a_trailing_slash_is_trimmed_only_by_option() {
    let strict = Edge::new(Options::default());
    assert_eq!(strict.get("/v1/books/").await.status, 404);
    let trailing_slash = TrailingSlash::Trim;
    let trim = Edge::new(Options { trailing_slash, ..Options::default() });
    assert_eq!(trim.get("/v1/books/").await.status, 200);
    assert_eq!(trim.get("/v1/books//").await.status, 404);
    assert_eq!(trim.get("/v1/files/a/").await.status, 200);
    assert_eq!(trim.received(), [json!({"name": "a/"})]);
}

/// A template speaks of the names in the contract, even where another field has that name in JSON.
#[tokio::test]
async fn template_variables_are_names_of_the_contract() {
    let edge = Edge::new(Options::default());
    edge.get("/v1/crossed/7").await;
    assert_eq!(edge.received(), [json!({"second": 7})]);
    // And so does the mask that is derived: what the path gives is not among the changes.
    edge.send("PATCH /v1/crossed/7", &[], r#"{"first": 1, "second": 7}"#).await;
    let crossed = json!({"first": 1, "second": 7});
    assert_eq!(edge.received(), [json!({"crossed": crossed, "updateMask": "second"})]);
}

/// Two services with the same route, as a set has them that imports the contract of another server.
const TWO_SERVICES: &str = "syntax = \"proto3\";\npackage t.v1;\n\
    import \"google/api/annotations.proto\";\nmessage M {}\n\
    service One { rpc Get(M) returns (M) { option (google.api.http) = { get: \"/a\" }; } }\n\
    service Two { rpc Get(M) returns (M) { option (google.api.http) = { get: \"/a\" }; }\n\
    rpc List(M) returns (M) { option (google.api.http) = { get: \"/b\" }; } }\n";

#[test]
fn only_the_services_that_are_chosen_are_served_and_clash() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t.proto"), TWO_SERVICES).unwrap();
    let includes = [
        folder.path().to_str().unwrap().to_owned(),
        format!("{}/../../proto", env!("CARGO_MANIFEST_DIR")),
    ];
    let set = compile(&includes, "t.proto");
    let serve = |names: &[&str]| {
        let services = names.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { services, ..Options::default() };
        Transcoder::compile(&set, options).map(|t| t.routes()).map_err(|e| e.to_string())
    };
    assert_eq!(serve(&["t.v1.One"]), Ok(1));
    assert_eq!(serve(&["t.v1.Two"]), Ok(2));
    for all in [&[][..], &["t.v1"], &["t"], &["t.v1.One", "t.v1.Two"]] {
        let clash = serve(all).unwrap_err();
        assert!(clash.contains("the same route as that of t.v1.One/Get"), "{all:?}: {clash}");
    }
    for unknown in ["t.v1.Three", "t.v", "One", ""] {
        assert_eq!(
            serve(&["t.v1.One", unknown]).unwrap_err(),
            format!("the contracts have no service and no package \"{unknown}\" to serve")
        );
    }
}

/// Compiles one rpc with one rule.
fn rule(rule: &str) -> Result<Transcoder, CompileError> {
    let folder = tempfile::tempdir().unwrap();
    let source = format!(
        "syntax = \"proto3\";\npackage t;\nimport \"google/api/annotations.proto\";\n\
         import \"google/api/httpbody.proto\";\nimport \"google/protobuf/timestamp.proto\";\n\
         message M {{ string s = 1; repeated string r = 2; map<string, string> m = 3; M sub = 4;\n\
         google.protobuf.Timestamp at = 5; google.api.HttpBody raw = 6; string other_name = 7; }}\n\
         service S {{\n  rpc First(M) returns (M) {{ option (google.api.http) = {{ get: \"/taken/{{s}}\" }}; }}\n\n\
           rpc Second(M) returns (M) {{ option (google.api.http) = {{ {rule} }}; }}\n}}\n"
    );
    std::fs::write(folder.path().join("t.proto"), source).unwrap();
    let includes = [
        folder.path().to_str().unwrap().to_owned(),
        format!("{}/../../proto", env!("CARGO_MANIFEST_DIR")),
    ];
    Transcoder::compile(&compile(&includes, "t.proto"), Options::default())
}

#[test]
fn rules_that_can_be_served_are_accepted() {
    for text in [
        "get: \"/\"",
        "get: \"/a/{at}\"",
        "get: \"/a/**/tail\"",
        "post: \"/taken/{s}\" body: \"*\"",
        "get: \"/taken/{s}:verb\"",
        "custom { kind: \"*\" path: \"/taken/{s}\" }",
        "put: \"/a/{sub.s}\" body: \"sub\" response_body: \"r\"",
        "delete: \"/a/{s}\" body: \"raw\"",
    ] {
        rule(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    }
}

#[test]
fn rules_that_cannot_are_refused_with_their_place() {
    for (text, reason) in [
        ("get: \"/taken/*\"", "same route as that of t.S/First"),
        ("get: \"/a/{x}\"", "no field x"),
        ("get: \"/a/{otherName}\"", "no field otherName"),
        ("get: \"/a/{s.t}\"", "not a single message"),
        ("get: \"/a/{r}\"", "repeated"),
        ("get: \"/a/{m}\"", "map"),
        ("get: \"/a/{sub}\"", "message"),
        ("get: \"/a/{sub.r}\"", "repeated"),
        ("get: \"/a/{s}/{s}\"", "twice"),
        ("post: \"/a\" body: \"x\"", "body \"x\""),
        ("post: \"/a\" body: \"sub.s\"", "body \"sub.s\""),
        ("post: \"/a/{s}\" body: \"s\"", "both in the path and the body"),
        ("get: \"/a\" response_body: \"x\"", "response_body \"x\""),
        ("body: \"*\"", "no pattern"),
        ("custom { kind: \"A B\" path: \"/a\" }", "no HTTP method"),
        (
            "get: \"/a\" additional_bindings { get: \"/b\" additional_bindings { get: \"/c\" } }",
            "inside",
        ),
    ] {
        let error = rule(text).unwrap_err().to_string();
        assert!(error.contains(reason), "{text}: {error}");
        assert!(error.starts_with("t.proto:11: rpc t.S/Second, template \""), "{text}: {error}");
    }
}
