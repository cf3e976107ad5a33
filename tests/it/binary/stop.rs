//! The end of a process, and the next one on the same data.

use super::{
    people::People,
    program::{Home, Program, ended},
    wire,
};
use http_body_util::BodyExt;
use kit::testing::Backend;
use quickserve::demo::{self, text_at};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use yare::parameterized;

/// A client that sends half of its request and then waits.
async fn half_a_request(program: &Program) -> TcpStream {
    let mut stream = TcpStream::connect(program.edge).await.unwrap();
    let head = "POST /v1/users HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\n\
                content-length: 1000\r\nx-server-timeout: 30\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The program says so when it waits for the content.
    let mut word = [0; 25];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{\"name\":").await.unwrap();
    stream
}

async fn clients_do_not_keep_it_alive(signal: &str) {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_with(&[("QS_EDGE__DRAIN_MS", "1500")]).await;
    let person = demo::make_customer(&program.client, "alice", "alice@test.example").await.unwrap();
    let sign = format!("Bearer {}", person.client.token().unwrap());
    let url = format!("{}/v1/me/inbox", program.url());
    let headers = [("authorization", sign.as_str()), ("accept", "text/event-stream")];
    let mut stream = wire::open(false, &url, &headers, None).await.into_body();
    assert!(stream.frame().await.unwrap().is_ok(), "the stream has begun");
    let mut slow = half_a_request(&program).await;

    program.signal(signal);
    program.says("stopping; once more to stop at once").await;
    let (status, log) = program.ended().await;
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("panicked"), "{log}");
    // Both clients see an end.
    while let Some(Ok(_)) = stream.frame().await {}
    let mut rest = Vec::new();
    let _ = slow.read_to_end(&mut rest).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_keep_it_alive_after_sigterm() {
    clients_do_not_keep_it_alive("TERM").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_do_not_keep_it_alive_after_ctrl_c() {
    clients_do_not_keep_it_alive("INT").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_it_at_once() {
    let home = Home::new(Backend::Sqlite).await;
    // For an hour it would wait for its clients.
    let program = home.start_with(&[("QS_EDGE__DRAIN_MS", "3600000")]).await;
    let _slow = half_a_request(&program).await;
    program.signal("INT");
    program.says("stopping; once more to stop at once").await;
    program.signal("INT");
    let (status, log) = program.ended().await;
    assert_eq!(status.code(), Some(130), "{log}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_next_one_finds_everything(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start().await;
    let people = People::settle(&home, &program).await;
    let order = people.book(&people.quote(48).await).await.unwrap().ok().unwrap();
    let (status, log) = program.stop().await;
    assert_eq!(status.code(), Some(0), "{log}");

    let program = home.start().await;
    let people = people.at(&program);
    // The token of before is still good, and what was done is there.
    let found = people.customer.client.get("/v1/orders").await.unwrap().ok().unwrap();
    assert_eq!(found["orders"][0]["id"], order["id"]);
    assert_eq!(found["orders"][0]["state"], "ORDER_STATE_REQUESTED");
    let again =
        demo::sign_in(&program.client, &people.customer.email, demo::PASSWORD).await.unwrap();
    assert_eq!(again.user_id, people.customer.user_id);
    // And it goes on from there.
    let id = text_at(&order, "id").unwrap();
    let accepted = people.provider.person.client;
    let accepted =
        accepted.post(&format!("/v1/orders/{id}:accept"), serde_json::json!({})).await.unwrap();
    assert_eq!(accepted.ok().unwrap()["state"], "ORDER_STATE_ASSIGNED");
}

/// The program ends with an error: one line that contains `words`, and nothing on stdout.
async fn does_not_start(home: &Home, args: &[&str], environment: &[(&str, &str)], words: &[&str]) {
    let mut command = home.command(args);
    command.env("QS_GRPC_LISTEN", "127.0.0.1:0").envs(environment.iter().copied());
    let ended = super::program::run(command).await;
    assert_eq!(ended.status.code(), Some(1), "{args:?} {environment:?}: {}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.trim_end().lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("quickserve: "), "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word} is not in {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_said_in_a_line() {
    let home = Home::new(Backend::Sqlite).await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let words = ["edge", taken.as_str(), "in use"];
    does_not_start(&home, &["up", "--listen", &taken], &[], &words).await;

    let free = ["up", "--listen", "127.0.0.1:0"];
    let file = home.path().join("settings.toml");
    let path = file.to_str().unwrap();
    let with_file = ["up", "--listen", "127.0.0.1:0", "--config", path];
    does_not_start(&home, &with_file, &[], &[path, "No such file"]).await;
    std::fs::create_dir(&file).unwrap();
    does_not_start(&home, &with_file, &[], &[path, "directory"]).await;
    std::fs::remove_dir(&file).unwrap();
    std::fs::write(&file, "[order]\nsecret = \"hunter2\n").unwrap();
    does_not_start(&home, &with_file, &[], &[path, "line 2"]).await;
    std::fs::write(&file, "[order]\nhold_time = 5\n").unwrap();
    does_not_start(&home, &with_file, &[], &["order.hold_time", "unknown"]).await;
    std::fs::write(&file, "[oder]\nverticals = []\n").unwrap();
    does_not_start(&home, &with_file, &[], &["`oder`", "order"]).await;

    let key = [("QS_ORDER__TIMING__HOLD_S", "soon")];
    does_not_start(&home, &free, &key, &["QS_ORDER__TIMING__HOLD_S"]).await;
    let key = [("QS_EDGE__MAX_STREAMS", "0")];
    does_not_start(&home, &free, &key, &["edge.max_streams"]).await;
    let certificate = [("QS_EDGE__TLS_CERT", "nowhere.pem"), ("QS_EDGE__TLS_KEY", "nowhere.key")];
    does_not_start(&home, &free, &certificate, &["nowhere.pem"]).await;
    does_not_start(&home, &free, &[("QS_LOG", "info[")], &["log filter"]).await;
    let blocked = home.path().join("settings.toml");
    let blocked = [("QS_DATA_DIR", blocked.to_str().unwrap())];
    does_not_start(&home, &free, &blocked, &[path]).await;
    let database = [("QS_DATABASE_URL", "postgers://somebody:hunter2@db.example/market")];
    does_not_start(&home, &free, &database, &["database URL"]).await;
    // After all of that it starts.
    home.start().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_before_it_is_ready() {
    let home = Home::new(Backend::Sqlite).await;
    // A server that takes the connection and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://nobody@{}/nothing", silent.local_addr().unwrap());
    let mut command = home.command(&["up", "--listen", "127.0.0.1:0", "--database-url", &url]);
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let _connection = silent.accept().await.unwrap();
    let kill = format!("kill -TERM {}", child.id());
    assert!(std::process::Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    assert_eq!(ended(&mut child).await.code(), Some(143));
}
