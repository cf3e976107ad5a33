//! Text that no database takes: every string of every request from outside, as the contracts have them.

use crate::mesh::Mesh;
use kit::testing::Backend;
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use proto::rpc::{Caller, Route, Rpc};
use quickserve::{client::Answer, demo::Person};
use serde_json::{Value, json};
use uuid::Uuid;
use yare::parameterized;

/// What no text may have.
const NUL: &str = "a\u{0}b";

/// One string of a request with a NUL in it.
struct Planted {
    /// The fields that lead to it, from the request.
    fields: Vec<FieldDescriptor>,
    /// The request in JSON, with nothing but the string.
    request: Value,
    /// What the refusal calls it.
    name: String,
}

/// Plants a NUL in each string of a message in turn.
fn plant(message: &MessageDescriptor, above: &[FieldDescriptor]) -> Vec<Planted> {
    let mut planted = Vec::new();
    for field in message.fields() {
        let mut fields = above.to_vec();
        fields.push(field.clone());
        let name = field.name();
        let at = |value: Value, rest: &str| Planted {
            fields: fields.clone(),
            request: json!({ name: value }),
            name: format!("{name}{rest}"),
        };
        match field.kind() {
            Kind::String if field.is_list() => planted.push(at(json!([NUL]), "[0]")),
            Kind::String => planted.push(at(json!(NUL), "")),
            Kind::Message(inner) => match inner.full_name() {
                "google.protobuf.Struct" => {
                    planted.push(at(json!({ "key": NUL }), ".key"));
                    planted.push(at(json!({ "key": [{ "inner": NUL }] }), ".key[0].inner"));
                    planted.push(at(json!({ NUL: 1 }), &format!("[{NUL:?}]")));
                }
                // Raw content is the service's to read, and the rest of Google's types have no text that comes as it is.
                name if name.starts_with("google.") => {}
                _ if field.is_map() => panic!("{} is a map: plant a NUL in it", field.full_name()),
                _ if above.iter().any(|it| it.kind() == field.kind()) => {}
                _ => {
                    for inner in plant(&inner, &fields) {
                        let list = field.is_list();
                        let value = if list { json!([inner.request]) } else { inner.request };
                        let index = if list { "[0]" } else { "" };
                        let rest = format!("{index}.{}", inner.name);
                        planted.push(Planted { fields: inner.fields, ..at(value, &rest) });
                    }
                }
            },
            _ => {}
        }
    }
    planted
}

/// The request over one of its routes: the path with its query, and the content.
fn over(route: &Route, planted: &Planted) -> (String, Option<Value>) {
    let Planted { fields, request, name } = planted;
    let names: Vec<&str> = fields.iter().map(FieldDescriptor::name).collect();
    let (first, dotted) = (names[0], names.join("."));
    let variable = format!("{{{dotted}}}");
    let in_path = route.template.contains(&variable);
    let mut path = route.template.replace(&variable, "a%00b");
    while let (Some(from), Some(to)) = (path.find('{'), path.find('}')) {
        let field = fields[0].parent_message().get_field_by_name(&path[from + 1..to]);
        let is_text = field.is_none_or(|field| field.kind() == Kind::String);
        let value = if is_text { Uuid::new_v4().to_string() } else { "1".to_owned() };
        path.replace_range(from..=to, &value);
    }
    let empty = (!route.body.is_empty()).then(|| json!({}));
    if in_path {
        return (path, empty);
    }
    if route.body == "*" {
        return (path, Some(request.clone()));
    }
    if route.body == first {
        return (path, Some(request[first].clone()));
    }
    // A query has lists of texts, but neither lists of messages nor free objects.
    let leads = fields.iter().rev().skip(1).all(|field| !field.is_list());
    let is_text = fields.last().is_some_and(|field| field.kind() == Kind::String);
    assert!(leads && is_text, "{name} is in no query: see how {} is called", route.template);
    (format!("{path}?{dotted}=a%00b"), empty)
}

/// Whether the answer is a refusal that names the string for its characters.
fn refuses(answer: &Answer, route: &Route, name: &str) -> bool {
    // Where the content is one field of the request, its client has never seen that field's name.
    let sent = name.strip_prefix(route.body).map_or(name, |rest| rest.trim_start_matches('.'));
    let violations = answer.body["violations"].as_array().cloned().unwrap_or_default();
    answer.status == 400
        && violations.iter().any(|violation| {
            let field = violation["field"].as_str().unwrap_or_default();
            let described = violation["description"].as_str().unwrap_or_default();
            (field == name || field == sent) && described.contains("control characters")
        })
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_nul_is_refused_by_name_in_every_string_of_every_public_request(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let operator = mesh.operator().await;
    let customer = mesh.customer("alice").await;
    let provider = mesh.cleaner(&operator, "bob").await.person;
    let caller = |rpc: &Rpc| -> Option<&Person> {
        let by = [
            (Caller::Operator, Some(&operator)),
            (Caller::Provider, Some(&provider)),
            (Caller::Customer, Some(&customer)),
            (Caller::User, Some(&customer)),
        ];
        by.into_iter().find(|(listed, _)| rpc.callers.contains(*listed)).and_then(|(_, it)| it)
    };
    let pool = proto::descriptor_pool();
    let (mut tried, mut faults) = (0, Vec::new());
    for rpc in proto::all_rpcs().iter().filter(|rpc| !rpc.routes.is_empty()) {
        let service = pool.get_service_by_name(rpc.service).unwrap();
        let method = service.methods().find(|method| method.name() == rpc.method).unwrap();
        let client = caller(rpc).map_or(&mesh.client, |person| &person.client);
        for planted in plant(&method.input(), &[]) {
            for route in rpc.routes {
                let (path, body) = over(route, &planted);
                let key = format!("nul-{tried}");
                let verb = route.verb.parse().unwrap();
                let headers = [("idempotency-key", key.as_str()), ("operator-reason", "a test")];
                let sent = client.send(verb, &path, body, &headers).await;
                let answer = sent.unwrap();
                tried += 1;
                if !refuses(&answer, route, &planted.name) {
                    let (status, body) = (answer.status, &answer.body);
                    faults.push(format!("{} {path} {}: {status} {body}", route.verb, planted.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{} of {tried}:\n{}", faults.len(), faults.join("\n"));
    assert!(tried > 200, "only {tried} were tried");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn several_lines_are_kept_where_a_text_has_them(backend: Backend) {
    let mesh = Mesh::start(backend).await;
    let person = mesh.customer("alice").await;
    let note = "3rd floor\n\tcode: on the phone\r\nring twice";
    let address = |lines: &str, access_notes: &str| {
        json!({ "label": "home", "address": {
            "lines": [lines], "postcode": "75001", "city": "Paris", "country": "FR",
            "lat": 48.85, "lng": 2.35, "access_notes": access_notes,
        }})
    };
    let kept = person.client.post("/v1/me/addresses", address("1 rue X", note)).await.unwrap();
    assert_eq!(kept.ok().unwrap()["address"]["access_notes"], note);
    for (lines, notes, field) in [
        ("1 rue X\n2 rue Y", note, "address.lines[0]"),
        ("1 rue X", "\u{1b}[31mred", "address.access_notes"),
    ] {
        let answer = person.client.post("/v1/me/addresses", address(lines, notes)).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.reason()), (400, "INVALID_ARGUMENT"));
        assert_eq!(answer.body["violations"][0]["field"], field, "{}", answer.body);
    }
    // Without signing in, as anybody finds it first.
    let answer = mesh.client.get("/v1/providers?city=%00").await.unwrap();
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert_eq!(answer.body["violations"][0]["field"], "city");
}
