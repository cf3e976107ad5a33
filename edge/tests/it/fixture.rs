//! An edge before services that are fakes, and a client of it.

use crate::fakes::Fakes;
use bytes::Bytes;
use edge::Config;
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use kit::{
    Role, Subject,
    identity::token::{ISSUER, NewAccess, issue_access},
    testing::{Backend, World, eventually, somebody},
};
use serde_json::Value;
use std::net::SocketAddr;
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

/// An edge that runs.
pub struct Edge {
    pub world: World,
    pub fakes: Fakes,
    pub address: SocketAddr,
    pub serving: JoinHandle<()>,
    client: Client<HttpConnector, Full<Bytes>>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.body))
    }

    /// The value of a header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Edge {
    /// An edge with the default configuration.
    pub async fn start() -> Self {
        Self::with(Config::default()).await
    }

    /// An edge with this configuration, ready.
    pub async fn with(config: Config) -> Self {
        let is_plain = config.tls_cert.is_none();
        let edge = Self::alone(config).await;
        edge.fakes.install(&edge.world.host);
        // This client speaks no TLS.
        if is_plain {
            eventually(
                "readiness",
                async || edge.get("/readyz").await.status,
                |seen| *seen == StatusCode::OK,
            )
            .await;
        }
        edge
    }

    /// An edge whose services have not started.
    pub async fn alone(config: Config) -> Self {
        let world = World::new(Backend::Sqlite).await;
        let fakes = Fakes::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let host = world.host.of("edge");
        let edge = edge::Edge::new(&host, config).unwrap();
        let serving = tokio::spawn(edge.serve(listener));
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { world, fakes, address, serving, client }
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A request for a path.
    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(self.url(path))
    }

    /// Sends a request and waits for the head of the answer.
    pub async fn open(&self, request: Request<String>) -> Response<Incoming> {
        self.client.request(request.map(|body| Full::new(body.into()))).await.unwrap()
    }

    /// Sends a request with a body of bytes.
    pub async fn send_bytes(&self, request: Request<Vec<u8>>) -> Answer {
        whole(self.client.request(request.map(|body| Full::new(body.into()))).await.unwrap()).await
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, request: Request<String>) -> Answer {
        whole(self.open(request).await).await
    }

    /// GET by a stranger.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request("GET", path).body(String::new()).unwrap()).await
    }

    /// GET by `subject`.
    pub async fn get_as(&self, subject: Subject, path: &str) -> Answer {
        let token = self.bearer(subject);
        let request = self.request("GET", path).header(header::AUTHORIZATION, token);
        self.send(request.body(String::new()).unwrap()).await
    }

    /// POST of JSON by a stranger.
    pub async fn post(&self, path: &str, body: &str) -> Answer {
        let request = self.request("POST", path).header(header::CONTENT_TYPE, "application/json");
        self.send(request.body(body.to_owned()).unwrap()).await
    }

    /// A valid credential of `subject`.
    pub fn bearer(&self, subject: Subject) -> String {
        let keys = self.world.host.access_keys().expect("keys").current();
        let access =
            NewAccess { issuer: ISSUER, subject, token_version: 1, token_id: Uuid::new_v4() };
        format!("Bearer {}", issue_access(&keys, access, self.world.clock.now()).token)
    }
}

/// Reads an answer to its end.
pub async fn whole(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}

pub fn customer() -> Subject {
    somebody(&[Role::Customer])
}

/// A valid registration.
pub const REGISTRATION: &str = r#"{"name":"Ada","email":"ada@example.org","role":"customer","password":"correct horse battery"}"#;
