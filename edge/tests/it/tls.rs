//! TLS by configuration: the same edge behind a certificate made for the test.

use crate::fixture::{Edge, whole};
use bytes::Bytes;
use edge::Config;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{sync::Arc, time::Duration};
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

/// An edge with TLS, and what trusts it.
async fn start() -> (Edge, RootCertStore, tempfile::TempDir) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let config = Config {
        tls_cert: Some(cert),
        tls_key: Some(key),
        head_timeout_ms: 500,
        ..Config::default()
    };
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    (Edge::with(config).await, roots, folder)
}

async fn connect(edge: &Edge, roots: &RootCertStore, protocol: &str) -> TlsStream<TcpStream> {
    let provider = Arc::new(crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots.clone())
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    let socket = TcpStream::connect(edge.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
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
