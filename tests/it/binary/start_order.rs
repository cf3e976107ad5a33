//! A process a service, started in any order: before PostgreSQL, and before its tables are new enough.

use super::program::{Home, Program};
use kit::testing::Backend;
use std::net::SocketAddr;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
};
use yare::parameterized;

/// An address that hangs up on everybody until it is told to lead to `server`.
async fn door_to(server: String) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (open, is_open) = watch::channel(false);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            if *is_open.borrow() {
                let server = server.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(server).await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                });
            }
        }
    });
    (address, open)
}

/// What `quickserve healthcheck` says about the user service of `program`.
async fn health(home: &Home, program: &Program, service: &str) -> (Option<i32>, String) {
    let address = program.grpc["user"].to_string();
    let asked = home.run(&["healthcheck", "--grpc", &address, "--service", service]).await;
    (asked.status.code(), asked.stdout.trim_end().replace(&address, "it") + &asked.stderr)
}

async fn until_it_serves(home: &Home, program: &Program) {
    program.says("the database is ready").await;
    let read = async || program.client.get("/readyz").await.unwrap().status.as_u16();
    kit::testing::eventually("the service serves", read, |status| *status == 200).await;
    assert_eq!(health(home, program, "").await, (Some(0), "it answers SERVING".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_starts_before_postgresql_waits_for_it() {
    let store = Backend::Postgres.store().await;
    let url = store.database_url().unwrap();
    let (_, rest) = url.split_once('@').unwrap();
    let server = rest.split('/').next().unwrap().to_owned();
    let (door, open) = door_to(server.clone()).await;
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_service("user", &url.replace(&server, &door.to_string())).await;
    program.says("the service does not serve yet, and tries again").await;

    let not_serving = (Some(1), "it answers NOT_SERVING".to_owned());
    assert_eq!(health(&home, &program, "").await, not_serving);
    let live = (Some(0), "it answers SERVING".to_owned());
    assert_eq!(health(&home, &program, "liveness").await, live);
    let ready = program.client.get("/readyz").await.unwrap();
    assert_eq!((ready.status.as_u16(), &ready.body["status"]), (503, &"starting".into()));
    assert_eq!(program.client.get("/healthz").await.unwrap().status, 200);
    assert_eq!(program.client.get("/metrics").await.unwrap().status, 200);

    home.run(&["migrate", "user", "--database-url", &url]).await.ok();
    open.send_replace(true);
    until_it_serves(&home, &program).await;
    let (status, log) = program.stop().await;
    assert!(status.success(), "{log}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_service_waits_for_tables_that_are_too_old_and_serves_newer_ones(backend: Backend) {
    let home = Home::new(backend).await;
    let config = home.database("user");
    migrations::migrate_first(&config.url, &config.schema, "user", 1).await.unwrap();
    let url = home.database_url().unwrap_or_default();
    let program = home.start_service("user", &url).await;
    program.says("its tables are older than this program").await;
    let not_serving = (Some(1), "it answers NOT_SERVING".to_owned());
    assert_eq!(health(&home, &program, "").await, not_serving);
    home.run(&["migrate", "user"]).await.ok();
    until_it_serves(&home, &program).await;
    program.stop().await;

    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    home.rows("user", newer).await;
    let program = home.start_service("user", &url).await;
    let read = async || program.client.get("/readyz").await.unwrap().status.as_u16();
    kit::testing::eventually("the service serves", read, |status| *status == 200).await;
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_waits_ends_when_it_is_told() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_service("user", "").await;
    program.says("its tables are older than this program").await;
    let (status, log) = program.stop().await;
    assert!(status.success(), "{log}");
}
