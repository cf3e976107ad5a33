//! The generic mode: any contracts, served over HTTP/1.1 and HTTP/2 before one upstream.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use listener::{Application, Content, Limits, Listener};
use tokio::net::TcpListener;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

pub use listener::listen;

use crate::body::{Body, BoxError};
use crate::call::Upstream;
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::transcoder::Transcoder;

/// How long an idle HTTP/2 connection is trusted to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const WINDOW: u32 = 1 << 20;

/// The limits of the generic mode: connections are as many as the process may open files.
fn limits() -> Limits {
    Limits {
        max_connections: usize::MAX,
        max_streams: 256,
        max_header_bytes: 64 * 1024,
        stream_window: WINDOW,
        connection_window: WINDOW,
        keepalive_interval: KEEP_ALIVE,
        keepalive_timeout: Duration::from_secs(20),
        drain: Duration::from_secs(30),
        ..Limits::default()
    }
}

/// The transcoder in use. A new one takes its place between two requests.
#[derive(Clone, Debug)]
pub struct Live(Arc<RwLock<Transcoder>>);

impl Live {
    /// Starts with this one.
    pub fn new(transcoder: Transcoder) -> Self {
        Self(Arc::new(RwLock::new(transcoder)))
    }

    /// The one in use now.
    pub fn load(&self) -> Transcoder {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a new one in use; calls that have begun end with the old one.
    pub fn store(&self, transcoder: Transcoder) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = transcoder;
    }
}

/// A channel to the upstream, connected when it is first used.
///
/// # Errors
/// When the URL cannot be used, or the certificate authority is malformed.
pub fn channel(upstream: Uri, ca: Option<Vec<u8>>) -> Result<Channel, BoxError> {
    let secure = upstream.scheme_str() == Some("https");
    let mut endpoint = Endpoint::from(upstream)
        .tcp_nodelay(true)
        .connect_timeout(Duration::from_secs(5))
        .http2_keep_alive_interval(KEEP_ALIVE)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW * 4);
    if secure {
        let mut tls = ClientTlsConfig::new().with_enabled_roots();
        if let Some(ca) = ca {
            tls = tls.ca_certificate(Certificate::from_pem(ca));
        }
        endpoint = endpoint.tls_config(tls)?;
    }
    Ok(endpoint.connect_lazy())
}

/// Serves on `socket` until `end`, then lets open calls finish for a while.
pub async fn serve<S: Upstream + Sync>(
    socket: TcpListener,
    live: Live,
    upstream: S,
    end: impl Future<Output = ()>,
) {
    let listener = Listener { limits: limits(), ..Listener::default() };
    listener.serve(socket, Calls { live, upstream }, end).await;
}

/// The calls of all connections.
#[derive(Clone)]
struct Calls<S> {
    live: Live,
    upstream: S,
}

impl<S: Upstream + Sync> Application for Calls<S> {
    type Body = Body;

    fn answer(
        self,
        request: Request<Content>,
        _: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let transcoder = self.live.load();
        async move {
            match listener::check_request(&request) {
                Ok(()) => transcoder.handle(request, self.upstream).await,
                Err(rule) => transcoder.fail(&ErrorContext::of(&request), &rule.into()),
            }
        }
    }

    fn answer_unreadable(&self, status: StatusCode) -> Option<Response<Bytes>> {
        let failure = Failure::unreadable(status);
        let response = self.live.load().fail(&ErrorContext::default(), &failure);
        Some(response.map(Body::into_bytes))
    }
}

/// Lets this process open as many files, which connections are, as it may; returns how many that is. Where the number
/// cannot be changed it stays.
#[cfg(unix)]
pub fn raise_file_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let most = Rlimit { current: maximum, maximum };
    if current == maximum || setrlimit(Resource::Nofile, most).is_err() { current } else { maximum }
}

/// Ready when the process gets SIGINT or SIGTERM.
pub async fn asked_to_end() {
    let interrupt = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        use tokio::signal::unix::{SignalKind, signal};
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}
