//! TLS by configuration: the same edge behind a certificate made for the test.

use crate::fixture::{Edge, whole};
use bytes::Bytes;
use edge::Config;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use kit::testing::eventually;
use std::{io, path::Path, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{ClientConfig, RootCertStore, crypto, pki_types::ServerName},
};

/// Makes a certificate and its key in `folder`, and returns what trusts it.
fn make_certificate(folder: &Path) -> RootCertStore {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    roots
}

/// An edge with TLS, and what trusts it.
async fn start() -> (Edge, RootCertStore, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let roots = make_certificate(folder.path());
    let config = Config {
        tls_cert: Some(cert),
        tls_key: Some(key),
        head_timeout_ms: 500,
        ..Config::default()
    };
    (Edge::with(config).await, roots, folder)
}

async fn connect(edge: &Edge, roots: &RootCertStore, protocol: &str) -> TlsStream<TcpStream> {
    try_connect(edge, roots, protocol).await.unwrap()
}

async fn try_connect(
    edge: &Edge,
    roots: &RootCertStore,
    protocol: &str,
) -> io::Result<TlsStream<TcpStream>> {
    let provider = Arc::new(crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let socket = TcpStream::connect(edge.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_a_bad_one_never() {
    let (edge, old, folder) = start().await;
    let shows = |roots: RootCertStore| {
        let edge = &edge;
        async move {
            edge.world.clock.advance(chrono::Duration::seconds(5));
            try_connect(edge, &roots, "h2").await.is_ok()
        }
    };
    let new = make_certificate(folder.path());
    let read = async || shows(new.clone()).await;
    eventually("the new certificate is shown", read, |shown| *shown).await;
    assert!(!shows(old).await);
    std::fs::write(folder.path().join("cert.pem"), "nonsense").unwrap();
    for _ in 0..3 {
        assert!(shows(new.clone()).await);
    }
}

#[tokio::test]
async fn both_versions_of_http_are_spoken_in_tls() {
    let (edge, roots, _folder) = start().await;
    let stream = connect(&edge, &roots, "h2").await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let io = TokioIo::new(stream);
    let (mut sender, driver) = conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(driver);
    let request = Request::get("https://localhost/healthz").body(Full::new(Bytes::new())).unwrap();
    let answer = whole(sender.send_request(request).await.unwrap()).await;
    assert_eq!(answer.status, StatusCode::OK);

    let mut stream = connect(&edge, &roots, "http/1.1").await;
    let request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(request).await.unwrap();
    let mut got = Vec::new();
    stream.read_to_end(&mut got).await.unwrap();
    assert!(got.starts_with(b"HTTP/1.1 200"));
}

#[tokio::test]
async fn a_handshake_that_does_not_come_ends() {
    let (edge, _, _folder) = start().await;
    for bytes in [&b""[..], b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n"] {
        let mut socket = TcpStream::connect(edge.address).await.unwrap();
        socket.write_all(bytes).await.unwrap();
        let mut got = Vec::new();
        let ended = timeout(Duration::from_secs(10), socket.read_to_end(&mut got)).await;
        assert!(ended.is_ok(), "{bytes:?}");
    }
}
