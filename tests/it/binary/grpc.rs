//! What gRPC clients meet: the real grpcurl at a service and at the edge, gRPC-Web, and the inbox as a stream.

use super::{
    people::People,
    program::{Finished, Home, Program, run},
    wire,
};
use http_body_util::BodyExt;
use kit::testing::Backend;
use prost::Message;
use proto::quickserve::user::v1::GetMeResponse;
use serde_json::Value;
use std::{net::SocketAddr, path::Path, process::Command};

const GET_ME: &str = "quickserve.user.v1.UserService/GetMe";
const CREATE_ORDER: &str = "quickserve.order.v1.OrderService/CreateOrder";

/// Runs the real grpcurl. Options come before the address, what to do behind it.
pub async fn grpcurl(options: &[&str], address: SocketAddr, what: &[&str]) -> Finished {
    let program = std::env::var("QS_TEST_GRPCURL")
        .expect("QS_TEST_GRPCURL names no grpcurl: use the README's test command");
    let mut command = Command::new(program);
    command.arg("-plaintext").args(options).arg(address.to_string()).args(what);
    run(command).await
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

async fn started() -> (Home, Program, People) {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    (home, program, people)
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_finds_and_calls_a_service() {
    let (_home, program, people) = started().await;
    let (user, order) = (program.grpc["user"], program.grpc["order"]);

    let listed = grpcurl(&[], user, &["list"]).await.ok();
    for service in ["quickserve.user.v1.UserService", "grpc.health.v1.Health"] {
        assert!(listed.lines().any(|line| line == service), "{service} is not in {listed}");
    }
    let described =
        grpcurl(&[], order, &["describe", "quickserve.order.v1.OrderService"]).await.ok();
    for part in [
        "rpc CreateOrder ( .quickserve.order.v1.CreateOrderRequest )",
        "option (.google.api.http) = { post:\"/v1/orders\" body:\"*\"",
        "option (.quickserve.options.v1.rpc) = { callers:CALLER_CUSTOMER scope:SCOPE_SELF",
        "// Books a quote: holds the provider's time",
    ] {
        assert!(described.contains(part), "{part} is not in {described}");
    }
    let rules = ["describe", "quickserve.order.v1.CreateOrderRequest"];
    let rules = grpcurl(&[], order, &rules).await.ok();
    assert!(rules.contains("(.buf.validate.field)"), "{rules}");

    let sign = bearer(people.customer.client.token().unwrap());
    let me = grpcurl(&["-H", &sign], user, &[GET_ME]).await.ok();
    let me: Value = serde_json::from_str(&me).unwrap();
    assert_eq!(me["user"]["id"], people.customer.user_id.as_str());

    for service in program.grpc.values() {
        let health = grpcurl(&[], *service, &["grpc.health.v1.Health/Check"]).await.ok();
        assert!(health.contains("\"SERVING\""), "{health}");
    }
    let whole = ["-d", r#"{"service": "quickserve.order.v1.OrderService"}"#];
    let health = grpcurl(&whole, order, &["grpc.health.v1.Health/Check"]).await.ok();
    assert!(health.contains("\"SERVING\""), "{health}");
    let unknown = ["-d", r#"{"service": "quickserve.nothing.v1.Nothing"}"#];
    let health = grpcurl(&unknown, order, &["grpc.health.v1.Health/Check"]).await;
    assert!(health.stderr.contains("NotFound"), "{}", health.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_is_refused_what_it_may_not_do() {
    let (_home, program, people) = started().await;
    let (user, order, payment) =
        (program.grpc["user"], program.grpc["order"], program.grpc["payment"]);
    let nobody = grpcurl(&[], user, &[GET_ME]).await;
    refused(&nobody, "Unauthenticated", "UNAUTHENTICATED");
    let forged = bearer("eyJhbGciOiJub25lIn0.e30.");
    refused(&grpcurl(&["-H", &forged], user, &[GET_ME]).await, "Unauthenticated", "");

    let (customer, provider) = (&people.customer.client, &people.provider.person.client);
    let customer = bearer(customer.token().unwrap());
    let body = ["-H", &customer, "-d", r#"{"order_id": "018f0000-0000-7000-8000-000000000000"}"#];
    let void = grpcurl(&body, payment, &["quickserve.payment.v1.ChargeService/VoidPayment"]).await;
    refused(&void, "PermissionDenied", "PERMISSION_DENIED");
    let provider = bearer(provider.token().unwrap());
    let quote = ["-H", &provider, "-d", r#"{"quote_id": "018f0000-0000-7000-8000-000000000000"}"#];
    refused(&grpcurl(&quote, order, &[CREATE_ORDER]).await, "PermissionDenied", "");

    let wrong = ["-H", &customer, "-d", r#"{"quote_id": "x"}"#];
    let wrong = grpcurl(&wrong, order, &[CREATE_ORDER]).await;
    refused(&wrong, "InvalidArgument", "INVALID_ARGUMENT");
    assert!(wrong.stderr.contains(r#""field":"quote_id""#), "{}", wrong.stderr);
}

/// The edge gives the same answers, to clients that bring the contracts along.
#[tokio::test(flavor = "multi_thread")]
async fn grpcurl_calls_through_the_edge() {
    let (home, program, people) = started().await;
    let sign = bearer(people.customer.client.token().unwrap());
    let contracts = contracts(home.path());
    let call = async |options: &[&str], rpc: &str| {
        let options = [&["-protoset", contracts.as_str()], options].concat();
        grpcurl(&options, program.edge, &[rpc]).await
    };
    let me = call(&["-H", &sign], GET_ME).await.ok();
    assert!(me.contains(&people.customer.user_id), "{me}");
    refused(&call(&[], GET_ME).await, "Unauthenticated", "sign in first");
    let wrong = call(&["-H", &sign, "-d", r#"{"quote_id": "x"}"#], CREATE_ORDER).await;
    refused(&wrong, "InvalidArgument", "quote_id");
    let order = r#"{"order_id": "018f0000-0000-7000-8000-000000000000"}"#;
    let void = "quickserve.payment.v1.ChargeService/VoidPayment";
    let void = call(&["-H", &sign, "-d", order], void).await;
    refused(&void, "Unimplemented", "");
}

fn refused(call: &Finished, code: &str, reason: &str) {
    assert!(!call.status.success(), "{}", call.stdout);
    assert!(call.stderr.contains(&format!("Code: {code}")), "{code}: {}", call.stderr);
    assert!(call.stderr.contains(reason), "{reason}: {}", call.stderr);
}

/// The contracts as a file that grpcurl reads.
fn contracts(folder: &Path) -> String {
    let path = folder.join("contracts.binpb");
    std::fs::write(&path, proto::DESCRIPTORS).unwrap();
    path.to_string_lossy().into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn grpc_web_calls_through_the_edge() {
    let (_home, program, people) = started().await;
    let url = format!("{}/{GET_ME}", program.url());
    let kind = ("content-type", "application/grpc-web+proto");
    let sign = format!("Bearer {}", people.customer.client.token().unwrap());

    let headers = [kind, ("authorization", &sign), ("x-grpc-web", "1")];
    let answer = wire::post(false, &url, &headers, wire::frame(&[])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/grpc-web+proto");
    let frames = wire::frames(&answer.body);
    assert_eq!(frames.iter().map(|(flag, _)| *flag).collect::<Vec<_>>(), [0, 0x80]);
    let me = GetMeResponse::decode(frames[0].1.as_slice()).unwrap().user.unwrap();
    assert_eq!(me.id, people.customer.user_id);
    assert!(trailers(&frames[1].1).contains("grpc-status:0"), "{}", trailers(&frames[1].1));

    let answer = wire::post(false, &url, &[kind], wire::frame(&[])).await;
    let frames = wire::frames(&answer.body);
    let status = answer.headers.get("grpc-status").and_then(|status| status.to_str().ok());
    let told = frames.last().map(|(_, text)| trailers(text)).unwrap_or_default();
    assert!(status == Some("16") || told.contains("grpc-status:16"), "{status:?} {told}");
}

fn trailers(frame: &[u8]) -> String {
    String::from_utf8_lossy(frame).replace(": ", ":")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inbox_streams_what_comes() {
    let (_home, program, people) = started().await;
    let sign = format!("Bearer {}", people.customer.client.token().unwrap());
    let headers = [("authorization", sign.as_str()), ("accept", "text/event-stream")];
    let url = format!("{}/v1/me/inbox", program.url());
    let response = wire::open(false, &url, &headers, None).await;
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut stream = response.into_body();
    let before = until(&mut stream, "\"user.registered.account\"").await;
    assert!(!before.contains("order."), "{before}");

    let booked = people.book(&people.quote(48).await).await.unwrap().ok().unwrap();
    let told = until(&mut stream, booked["id"].as_str().unwrap()).await;
    let event = told.lines().find(|line| line.contains("order_id")).unwrap();
    let event: Value = serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    assert_eq!(event["message"]["order_id"], booked["id"]);

    assert_eq!(wire::open(false, &url, &headers[1..], None).await.status(), 401);
}

/// What a stream says until `text` comes.
async fn until(stream: &mut hyper::body::Incoming, text: &str) -> String {
    let mut said = String::new();
    let reading = async {
        while !(said.contains(text) && said.ends_with("\n\n")) {
            let frame = stream.frame().await.expect("the stream goes on").unwrap();
            said.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap());
        }
    };
    let limit = std::time::Duration::from_secs(15);
    tokio::time::timeout(limit, reading).await.unwrap_or_else(|_| panic!("{text} did not come"));
    said
}
