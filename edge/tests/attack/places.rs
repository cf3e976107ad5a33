//! More connections than one client may have.

use crate::{Memory, fixture::Edge, neighbour};
use edge::Config;
use std::net::{Ipv4Addr, SocketAddr};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

const REQUEST: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

/// A connection from another address of this machine.
async fn connect(edge: &Edge, from: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0))).unwrap();
    socket.connect(edge.address).await.unwrap()
}

/// Whether the edge answers on the connection.
async fn is_served(mut socket: TcpStream) -> bool {
    let mut answer = Vec::new();
    // Both fail on a connection that was closed.
    let _ = socket.write_all(REQUEST).await;
    let _ = socket.read_to_end(&mut answer).await;
    answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn a_client_with_too_many_connections_is_sent_away_and_others_served() {
    let _memory = Memory::alone().await;
    let config = Config {
        max_client_connections: 50,
        head_timeout_ms: 60_000,
        trusted_proxies: vec!["127.0.0.3".to_owned().try_into().unwrap()],
        ..Config::default()
    };
    let edge = Edge::with(config).await;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(connect(&edge, 2).await);
    }
    for _ in 0..200 {
        assert!(!is_served(connect(&edge, 2).await).await);
    }
    neighbour(&edge).await;
    drop(idle);
    // The places come back when the edge sees that the client has left.
    while !is_served(connect(&edge, 2).await).await {}
    // What comes through a trusted proxy is of many clients.
    let mut many = Vec::new();
    for _ in 0..100 {
        many.push(connect(&edge, 3).await);
    }
    for socket in many {
        assert!(is_served(socket).await);
    }
}
