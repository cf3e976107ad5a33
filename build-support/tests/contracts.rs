//! Tiny contracts, each with one fault, and the line that the build must name.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A contract without a fault, in the form of which the cases below change one place.
const GOOD: &str = r#"// Things that are kept.
syntax = "proto3";
package quickserve.shelf.v1;
import "buf/validate/validate.proto";
import "google/api/annotations.proto";
import "google/api/httpbody.proto";
import "google/protobuf/timestamp.proto";
import "quickserve/options/v1/options.proto";
// Keeps things.
service ShelfService {
  // Gets a thing.
  rpc GetThing(GetThingRequest) returns (GetThingResponse) {
    option (google.api.http) = {get: "/v1/things/{thing_id}" response_body: "thing"};
    option (quickserve.options.v1.rpc) = {callers: [CALLER_CUSTOMER, CALLER_OPERATOR] scope: SCOPE_SELF};
    option idempotency_level = NO_SIDE_EFFECTS;
  }
  // Puts a thing.
  rpc PutThing(PutThingRequest) returns (PutThingResponse) {
    option (google.api.http) = {post: "/v1/things" body: "thing" additional_bindings {put: "/v1/things/{thing.id}" body: "*"}};
    option (quickserve.options.v1.rpc) = {callers: [CALLER_PROVIDER] idempotency_key: IDEMPOTENCY_KEY_REQUIRED success_status: 201};
  }
  // Counts things.
  rpc CountThings(CountThingsRequest) returns (CountThingsResponse) {
    option (quickserve.options.v1.rpc) = {callers: [CALLER_SERVICE] services: ["edge", "shelf"]};
    option idempotency_level = IDEMPOTENT;
  }
  // Prints things.
  rpc PrintThings(PrintThingsRequest) returns (google.api.HttpBody) {
    option (google.api.http) = {get: "/v1/things:print"};
    option (quickserve.options.v1.rpc) = {callers: [CALLER_PUBLIC]};
    option idempotency_level = NO_SIDE_EFFECTS;
  }
}
// A thing.
message Thing {
  // Its id.
  string id = 1 [(buf.validate.field).string.uuid = true];
  // Its state.
  State state = 2 [(buf.validate.field).enum.defined_only = true];
  // Its words.
  map<string, int32> words = 3;
  // Its weight.
  double weight = 4 [(buf.validate.field).double = {gte: 0 lt: 10}];
  // Its tags.
  repeated string tags = 5 [(buf.validate.field).repeated = {min_items: 1 items: {string: {min_len: 2}}}];
  // Since when it is kept.
  google.protobuf.Timestamp since = 6;
  // Where it is.
  oneof place {
    option (buf.validate.oneof).required = true;
    // On a shelf.
    int32 shelf = 7;
    // In a box.
    string box = 8 [(buf.validate.field).string.pattern = "^\\d+$"];
  }
}
// A state.
enum State {
  // Is not known.
  STATE_UNSPECIFIED = 0;
  // Is there.
  STATE_THERE = 1;
}
// Asks for a thing.
message GetThingRequest {
  // Which.
  string thing_id = 1;
}
// A thing.
message GetThingResponse {
  // It.
  Thing thing = 1;
}
// Brings a thing.
message PutThingRequest {
  // It.
  Thing thing = 1;
}
// Nothing.
message PutThingResponse {}
// Asks.
message CountThingsRequest {}
// How many.
message CountThingsResponse {
  // So many.
  int32 count = 1;
}
// Asks.
message PrintThingsRequest {}
"#;

fn compile(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("quickserve");
    for (name, text) in files {
        let path = tree.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let interfaces = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto");
    let include: Vec<PathBuf> = vec![folder.path().to_owned(), interfaces];
    match build_support::compile_contracts(&include, &tree, &folder.path().join("out")) {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// The number of the line that contains `text`.
fn line_of(contract: &str, text: &str) -> usize {
    contract.lines().position(|line| line.contains(text)).map_or(0, |index| index + 1)
}

/// Changes one place of the good contract and expects one fault: on the line of `at`, saying `message`.
fn check(replace: &str, by: &str, at: &str, message: &str) {
    assert_eq!(GOOD.matches(replace).count(), 1, "`{replace}` is not unique");
    let contract = GOOD.replace(replace, by);
    let problems = compile(&[("shelf/v1/shelf.proto", &contract)]);
    let place = format!("quickserve/shelf/v1/shelf.proto:{}: ", line_of(&contract, at));
    assert!(
        problems.iter().any(|problem| problem.starts_with(&place) && problem.contains(message)),
        "`{replace}` -> `{by}`: expected `{place}…{message}…`, got {problems:#?}"
    );
}

const PUT: &str = "rpc PutThing(";
const GET: &str = "rpc GetThing(";
const COUNT: &str = "rpc CountThings(";

#[test]
fn the_good_contract_has_no_fault() {
    assert_eq!(compile(&[("shelf/v1/shelf.proto", GOOD)]), Vec::<String>::new());
}

#[test]
fn an_empty_tree_compiles() {
    assert_eq!(compile(&[("README.md", "nothing yet")]), Vec::<String>::new());
}

#[test]
fn who_may_call() {
    let policy = "callers: [CALLER_PROVIDER] ";
    for (replace, by, at, message) in [
        (
            "    option (quickserve.options.v1.rpc) = {callers: [CALLER_PROVIDER] idempotency_key: IDEMPOTENCY_KEY_REQUIRED success_status: 201};\n",
            "",
            PUT,
            "has no `(quickserve.options.v1.rpc)`",
        ),
        (policy, "", PUT, "has no `callers`"),
        (policy, "callers: [CALLER_UNSPECIFIED] ", PUT, "never valid"),
        (policy, "callers: [CALLER_USER, CALLER_USER] ", PUT, "twice"),
        (
            policy,
            "callers: [CALLER_USER, CALLER_SERVICE] services: [\"edge\"] ",
            PUT,
            "mixes CALLER_SERVICE",
        ),
        (policy, "callers: [CALLER_USER] services: [\"edge\"] ", PUT, "but not CALLER_SERVICE"),
        (" services: [\"edge\", \"shelf\"]", "", COUNT, "but no `services`"),
        ("\"edge\", \"shelf\"", "\"cellar\"", COUNT, "`cellar`, which is no service"),
        ("\"edge\", \"shelf\"", "\"edge\", \"edge\"", COUNT, "a service twice"),
        ("success_status: 201", "success_status: 404", PUT, "no success"),
    ] {
        check(replace, by, at, message);
    }
}

#[test]
fn events_of_streams() {
    let stream = "rpc PrintThings(PrintThingsRequest) returns (google.api.HttpBody) {";
    let watch = "rpc PrintThings(PrintThingsRequest) returns (stream google.api.HttpBody) {";
    let policy = "{callers: [CALLER_PUBLIC]}";
    for (sse, message) in [
        ("id: \"isbn\"", "`sse.id` `isbn`"),
        ("id: \"data\"", "`sse.id` `data`"),
        ("event: \"extensions\"", "`sse.event` `extensions`"),
        ("resume: \"after\"", "`sse.resume` `after`"),
    ] {
        let with_sse = format!("{{callers: [CALLER_PUBLIC] sse: {{{sse}}}}}");
        let contract = GOOD.replace(stream, watch).replace(policy, &with_sse);
        let problems = compile(&[("shelf/v1/shelf.proto", &contract)]);
        assert!(problems.iter().any(|problem| problem.contains(message)), "{problems:?}");
    }
    let fits = policy.replace("]}", "] sse: {id: \"content_type\" event: \"content_type\"}}");
    check(policy, &fits, "rpc PrintThings(", "sends no stream");
    let contract = GOOD.replace(stream, watch).replace(policy, &fits);
    let problems = compile(&[("shelf/v1/shelf.proto", &contract)]);
    assert_eq!(problems, Vec::<String>::new());
}

#[test]
fn reach_over_http() {
    check(
        "    option (google.api.http) = {get: \"/v1/things:print\"};\n",
        "",
        "rpc PrintThings(",
        "has no `(google.api.http)`",
    );
    check(
        "    option idempotency_level = IDEMPOTENT;",
        "    option idempotency_level = IDEMPOTENT; option (google.api.http) = {post: \"/v1/x\"};",
        COUNT,
        "only services may call",
    );
}

#[test]
fn routes() {
    let get = "{get: \"/v1/things/{thing_id}\" response_body: \"thing\"}";
    let put = "put: \"/v1/things/{thing.id}\" body: \"*\"";
    for (replace, by, at, message) in [
        (
            put,
            "get: \"/v1/things/{thing.id}\"",
            PUT,
            "which /quickserve.shelf.v1.ShelfService/GetThing has already",
        ),
        (put, "put: \"/v1/things/{thing.name}\"", PUT, "Thing has no field `name`"),
        (put, "put: \"/v1/things/{thing}\"", PUT, "`thing` is a message"),
        (put, "put: \"/v1/things/{thing.tags}\"", PUT, "`tags` is repeated"),
        (put, "put: \"/v1/things/{thing.words}\"", PUT, "`words` is repeated"),
        (put, "put: \"/v1/things/{thing.id.x}\"", PUT, "`id` is not a message"),
        (put, "put: \"/v1/things/{thing.id\"", PUT, "is missing"),
        (
            put,
            "put: \"/v1/x\" additional_bindings {put: \"/v1/y\"}",
            PUT,
            "inside additional_bindings",
        ),
        (put, "body: \"*\"", PUT, "without verb and path"),
        (get, "{get: \"/v1/things/{thing_id}\" body: \"*\"}", GET, "GET route with a `body`"),
        (
            get,
            "{get: \"/v1/things/{thing_id}\" response_body: \"box\"}",
            GET,
            "`response_body` `box`",
        ),
        ("body: \"thing\" additional", "body: \"box\" additional", PUT, "`body` `box`"),
        (
            get,
            "{put: \"/v1/things/{thing_id}\" body: \"thing_id\"}",
            GET,
            "from the path and from the body",
        ),
    ] {
        check(replace, by, at, message);
    }
}

#[test]
fn routes_clash_across_files() {
    let other = GOOD.replace("quickserve.shelf.v1", "quickserve.cellar.v1");
    let other = other.replace(
        "CALLER_SERVICE] services: [\"edge\", \"shelf\"]",
        "CALLER_SERVICE] services: [\"edge\"]",
    );
    let other = other.replace("things/{thing_id}", "things/{thing_id=*}");
    let problems = compile(&[("shelf/v1/shelf.proto", GOOD), ("cellar/v1/cellar.proto", &other)]);
    let expected =
        format!("quickserve/shelf/v1/shelf.proto:{}: GetThing has the route", line_of(GOOD, GET));
    assert!(problems.iter().any(|problem| problem.starts_with(&expected)), "{problems:#?}");
    assert_eq!(problems.len(), 4, "{problems:#?}");
}

#[test]
fn repetition() {
    check(" idempotency_key: IDEMPOTENCY_KEY_REQUIRED", "", PUT, "says nothing of repetition");
    check(
        "SCOPE_SELF};\n    option idempotency_level = NO_SIDE_EFFECTS;",
        "SCOPE_SELF};\n    option idempotency_level = IDEMPOTENT;",
        GET,
        "must be NO_SIDE_EFFECTS",
    );
    check(
        "scope: SCOPE_SELF",
        "idempotency_key: IDEMPOTENCY_KEY_OPTIONAL",
        GET,
        "needs no `idempotency_key`",
    );
}

#[test]
fn comments() {
    for (comment, at, message) in [
        ("// Keeps things.\n", "service ShelfService", "service ShelfService has no comment"),
        ("  // Gets a thing.\n", GET, "rpc GetThing has no comment"),
        (
            "// Asks for a thing.\n",
            "message GetThingRequest",
            "message GetThingRequest has no comment",
        ),
        ("  // Its weight.\n", "double weight", "field weight has no comment"),
        ("  // Where it is.\n", "oneof place", "oneof place has no comment"),
        ("    // In a box.\n", "string box", "field box has no comment"),
        ("// A state.\n", "enum State", "enum State has no comment"),
        ("  // Is there.\n", "STATE_THERE", "enum value STATE_THERE has no comment"),
    ] {
        check(comment, "", at, message);
    }
}

#[test]
fn own_messages() {
    check(
        "CountThings(CountThingsRequest)",
        "CountThings(PrintThingsRequest)",
        COUNT,
        "its own CountThingsRequest",
    );
    check("returns (PutThingResponse)", "returns (Thing)", PUT, "its own PutThingResponse");
    let old = "syntax = \"proto2\";\npackage quickserve.shelf.v1;\n// Old.\nmessage Old {}\n";
    let problems = compile(&[("shelf/v1/old.proto", old)]);
    assert_eq!(problems, ["quickserve/shelf/v1/old.proto:1: must be `syntax = \"proto3\"`"]);
}

#[test]
fn rules() {
    let weight = "(buf.validate.field).double = {gte: 0 lt: 10}";
    let uuid = "(buf.validate.field).string.uuid = true";
    let state = "(buf.validate.field).enum.defined_only = true";
    let pattern = "\"^\\\\d+$\"";
    for (replace, by, at, message) in [
        (uuid, "(buf.validate.field).int32.gt = 1", "string id", "`int32` rules do not fit"),
        (uuid, "(buf.validate.field).string.uuid = false", "string id", "can only be true"),
        (uuid, "(buf.validate.field).string.ulid = true", "string id", "ulid"),
        (uuid, "(buf.validate.field).cel = {id: \"x\"}", "string id", "cel"),
        (
            uuid,
            "(buf.validate.field).string = {min_len: 3 max_len: 2}",
            "string id",
            "nothing fits",
        ),
        (uuid, "(buf.validate.field).string = {len: 3 max_len: 4}", "string id", "`len` says all"),
        (
            uuid,
            "(buf.validate.field) = {required: true ignore: IGNORE_IF_ZERO_VALUE}",
            "string id",
            "contradict",
        ),
        (uuid, "(buf.validate.field).repeated.min_items = 1", "string id", "do not fit"),
        (weight, "(buf.validate.field).double = {gte: 10 lt: 10}", "double weight", "no range"),
        (weight, "(buf.validate.field).double = {gt: 5 lt: 1}", "double weight", "no range"),
        (weight, "(buf.validate.field).double = {gte: inf}", "double weight", "cannot be a limit"),
        (state, "(buf.validate.field).enum.in = 7", "State state", "7 is no value"),
        (pattern, "\"(\"", "string box", "is not valid"),
        (
            "Timestamp since = 6;",
            "Timestamp since = 6 [(buf.validate.field).duration.gt = {seconds: 1}];",
            "Timestamp since",
            "do not fit",
        ),
    ] {
        check(replace, by, at, message);
    }
}

#[test]
fn rules_of_lists_and_maps() {
    let tags = "(buf.validate.field).repeated = {min_items: 1 items: {string: {min_len: 2}}}";
    for (replace, by, at, message) in [
        (
            tags,
            "(buf.validate.field).repeated = {min_items: 2 max_items: 1}",
            "repeated string tags",
            "nothing fits",
        ),
        (
            tags,
            "(buf.validate.field).repeated.items.required = true",
            "repeated string tags",
            "always there",
        ),
        (
            tags,
            "(buf.validate.field).repeated.items.bool.const = true",
            "repeated string tags",
            "do not fit",
        ),
        (
            tags,
            "(buf.validate.field).string.min_len = 1",
            "repeated string tags",
            "do not fit a repeated field",
        ),
        (
            "int32> words = 3;",
            "int32> words = 3 [(buf.validate.field).map.keys.int32.gt = 1];",
            "words = 3",
            "do not fit",
        ),
    ] {
        check(replace, by, at, message);
    }
}

#[test]
fn what_the_compiler_refuses_has_a_line_too() {
    check("  State state = 2 ", "  Stat state = 2 ", "Stat state", "Stat");
    check("  double weight = 4 ", "  double weight = ", "double weight", "expected");
}

#[test]
fn unique_needs_items_that_can_be_equal() {
    let tags = "repeated string tags = 5 [(buf.validate.field).repeated = {min_items: 1 items: {string: {min_len: 2}}}]";
    let floats = "repeated float tags = 5 [(buf.validate.field).repeated.unique = true]";
    check(tags, floats, "float tags", "equal or not");
}

#[test]
fn who_reads_details() {
    let state = "  // Its state.\n";
    let note = "  // Its note.\n  string note = 9 [(buf.validate.field).string.max_len = 20];\n";
    let of = "  option (quickserve.options.v1.details_of) = \"shelf\";\n";
    let at = "string note = 9";
    check(state, &format!("{note}{of}{state}"), at, "note is free text of details");
    let readers = "(quickserve.options.v1.readers) = READERS_ON_ASSIGNMENT";
    let shown = note.replace("= 20]", &format!("= 20, {readers}]"));
    check(state, &format!("{shown}{state}"), at, "must be `debug_redact`");
}
