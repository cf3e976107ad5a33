//! The port of a process for those who run it: whether it lives, whether it is ready, and what it has counted. It has no
//! sign-in, so it listens on the machine itself unless it is told otherwise.

use crate::program::{metrics, readiness::Readiness};
use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use listener::{Application, Content, Limits, Listener, check_request};
use std::{future::ready, net::SocketAddr, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const JSON: &str = "application/json";

/// Those who ask are few: a collector of metrics and what supervises the process.
fn admin_limits() -> Limits {
    Limits { max_connections: 64, drain: Duration::from_secs(1), ..Limits::default() }
}

/// Serves `/healthz`, `/readyz` and `/metrics` on `socket` until `stop`.
pub async fn serve_admin(socket: TcpListener, readiness: Readiness, stop: CancellationToken) {
    let listener = Listener::new(admin_limits());
    listener.serve(socket, AdminPages(readiness), stop.cancelled()).await;
}

#[derive(Clone)]
struct AdminPages(Readiness);

impl AdminPages {
    /// The status, the media type and the content of the page at `path`.
    fn page(&self, path: &str) -> (StatusCode, &'static str, String) {
        match path {
            "/healthz" => (StatusCode::OK, JSON, r#"{"status":"live"}"#.to_owned()),
            "/readyz" => match self.0.problem() {
                None => (StatusCode::OK, JSON, r#"{"status":"ready"}"#.to_owned()),
                Some(problem) => {
                    let report = serde_json::json!({ "status": problem }).to_string();
                    (StatusCode::SERVICE_UNAVAILABLE, JSON, report)
                }
            },
            "/metrics" => (StatusCode::OK, metrics::CONTENT_TYPE, metrics::encode()),
            _ => {
                let pages = r#"{"error":"the pages here are /healthz, /readyz and /metrics"}"#;
                (StatusCode::NOT_FOUND, JSON, pages.to_owned())
            }
        }
    }

    fn response(&self, request: &Request<Content>) -> Response<Full<Bytes>> {
        let (status, media, content) = match check_request(request) {
            Err(rule) => {
                let report = serde_json::json!({ "error": rule.to_string() }).to_string();
                (rule.status(), JSON, report)
            }
            Ok(()) if *request.method() != Method::GET && *request.method() != Method::HEAD => {
                let report = r#"{"error":"the method must be GET or HEAD"}"#;
                (StatusCode::METHOD_NOT_ALLOWED, JSON, report.to_owned())
            }
            Ok(()) => self.page(request.uri().path()),
        };
        let length = HeaderValue::from(content.len());
        let body = if *request.method() == Method::HEAD { Bytes::new() } else { content.into() };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
        headers.insert(header::CONTENT_LENGTH, length);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }
}

impl Application for AdminPages {
    type Body = Full<Bytes>;

    fn answer(
        self,
        request: Request<Content>,
        _: SocketAddr,
    ) -> impl Future<Output = Response<Full<Bytes>>> + Send + 'static {
        ready(self.response(&request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::{BodyExt as _, Empty};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    use tokio::sync::watch;

    #[tokio::test]
    async fn who_runs_a_process_sees_whether_it_lives_and_is_ready_and_what_it_counted() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let (started, is_started) = watch::channel(false);
        let readiness = Readiness::default().and("starting", is_started);
        let stop = CancellationToken::new();
        let serving = tokio::spawn(serve_admin(socket, readiness, stop.clone()));
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let ask = async |method: &str, path: &str| {
            let request = Request::builder().method(method).uri(format!("http://{address}{path}"));
            let answer = client.request(request.body(Empty::new()).unwrap()).await.unwrap();
            let status = answer.status().as_u16();
            let content = answer.into_body().collect().await.unwrap().to_bytes();
            (status, String::from_utf8(content.to_vec()).unwrap())
        };
        assert_eq!(ask("GET", "/healthz").await, (200, r#"{"status":"live"}"#.to_owned()));
        assert_eq!(ask("GET", "/readyz").await, (503, r#"{"status":"starting"}"#.to_owned()));
        started.send_replace(true);
        assert_eq!(ask("GET", "/readyz").await, (200, r#"{"status":"ready"}"#.to_owned()));
        assert_eq!(ask("HEAD", "/readyz").await, (200, String::new()));
        metrics::service("admin-test").shed();
        let (status, text) = ask("GET", "/metrics").await;
        assert_eq!(status, 200);
        assert!(text.contains("rpc_sheds_total{service=\"admin-test\"} 1"), "{text}");
        assert_eq!(ask("GET", "/").await.0, 404);
        assert_eq!(ask("POST", "/readyz").await.0, 405);
        stop.cancel();
        serving.await.unwrap();
    }
}
