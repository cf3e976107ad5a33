//! Mail to a server: one that takes it, is busy, refuses, or is not there.

use crate::scene::{Scene, unquoted};
use kit::testing::Backend;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpSocket, TcpStream},
};
use yare::parameterized;

/// A mail server of a few lines (RFC 5321), which answers to `RCPT TO` what it is told.
#[derive(Clone, Default)]
struct Server {
    letters: Arc<Mutex<Vec<String>>>,
    /// Answers to come; then it takes everything.
    answers: Arc<Mutex<Vec<&'static str>>>,
}

impl Server {
    async fn start(answers: &[&'static str]) -> (Self, SocketAddr) {
        let server = Self::default();
        *server.answers.lock().unwrap() = answers.to_vec();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = server.clone();
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serving.clone().speak(socket));
            }
        });
        (server, address)
    }

    async fn speak(self, socket: TcpStream) {
        let mut lines = BufReader::new(socket);
        lines.write_all(b"220 test\r\n").await.unwrap();
        let (mut line, mut letter, mut in_letter) = (String::new(), String::new(), false);
        while lines.read_line(&mut line).await.unwrap_or(0) > 0 {
            let said = std::mem::take(&mut line);
            if in_letter {
                if said != ".\r\n" {
                    letter.push_str(said.strip_prefix('.').unwrap_or(&said));
                    continue;
                }
                in_letter = false;
                self.letters.lock().unwrap().push(std::mem::take(&mut letter));
            }
            let answer = match said.get(..4).unwrap_or_default() {
                "RCPT" => {
                    let mut answers = self.answers.lock().unwrap();
                    if answers.is_empty() { "250 ok" } else { answers.remove(0) }
                }
                "DATA" => {
                    in_letter = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                _ => "250 ok",
            };
            if lines.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

async fn scene(backend: Backend, address: SocketAddr) -> Scene {
    let port = address.port().to_string();
    let config = [
        ("notification.smtp_host", "127.0.0.1"),
        ("notification.smtp_port", port.as_str()),
        ("notification.smtp_security", "none"),
        ("notification.from", "\"Test <test@quickserve.example>\""),
    ];
    Scene::with_config(backend, &config).await
}

const TEMPLATE: &str = "user.password_changed.account";

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_server_takes_mail(backend: Backend) {
    let (server, address) = Server::start(&[]).await;
    let scene = scene(backend, address).await;
    scene.account("user.password_changed", scene.provider.user_id).await;
    scene.mail_is(TEMPLATE, "DELIVERED").await;
    let letters = server.letters.lock().unwrap().clone();
    let (headers, body) = letters[0].split_once("\r\n\r\n").unwrap();
    assert!(headers.contains("From: Test <test@quickserve.example>"), "{headers}");
    assert!(headers.contains("<edith@example.org>"), "{headers}");
    assert!(headers.contains("X-QuickServe-Template: user.password_changed.account"), "{headers}");
    assert!(unquoted(body).starts_with("Bonjour Édith Piaf,"), "{body}");
    assert!(!scene.mail_folder().exists());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_busy_server_is_asked_again(backend: Backend) {
    let (server, address) = Server::start(&["450 busy", "451 still busy"]).await;
    let scene = scene(backend, address).await;
    scene.account("user.password_changed", scene.customer.user_id).await;
    for attempt in [1, 2] {
        let mail = scene.mail_after(attempt).await;
        assert_eq!((mail.state.as_str(), mail.failure.as_str()), ("QUEUED", "SMTP_BUSY"));
        assert!(server.letters.lock().unwrap().is_empty());
        scene.clock.advance(chrono::Duration::minutes(5));
    }
    scene.mail_is(TEMPLATE, "DELIVERED").await;
    assert_eq!(server.letters.lock().unwrap().len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refusal_is_final(backend: Backend) {
    let (server, address) = Server::start(&["550 no such mailbox"]).await;
    let scene = scene(backend, address).await;
    scene.account("user.password_changed", scene.customer.user_id).await;
    assert_eq!(scene.mail_is(TEMPLATE, "FAILED").await, "SMTP_REFUSED");
    // The next goes through.
    scene.account("user.suspended", scene.customer.user_id).await;
    scene.mail_is("user.suspended.account", "DELIVERED").await;
    assert_eq!(server.letters.lock().unwrap().len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn mail_is_given_up_in_the_end(backend: Backend) {
    // The port is taken, so that nobody else gets it, and nobody listens there.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let scene = scene(backend, socket.local_addr().unwrap()).await;
    scene.account("user.password_changed", scene.customer.user_id).await;
    let mut attempts = 1;
    let mut mail = scene.mail_after(attempts).await;
    while mail.state == "QUEUED" {
        scene.clock.advance(chrono::Duration::hours(3));
        attempts += 1;
        mail = scene.mail_after(attempts).await;
    }
    assert_eq!((mail.state.as_str(), attempts), ("FAILED", 10));
    assert_eq!(mail.failure, "SMTP_UNREACHABLE");
}
