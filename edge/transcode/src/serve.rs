//! The generic mode: any contracts, served over HTTP/1.1 and HTTP/2 before one upstream.

use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use listener::{Application, Content, Limits, Listener, StreamEnds};
use tokio::net::TcpListener;

pub use listener::bind_listener;

use crate::body::Body;
use crate::call::Upstream;
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::transcoder::Transcoder;

/// How long an idle HTTP/2 connection is trusted to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const WINDOW: u32 = 1 << 20;

/// The limits of the generic mode: connections are as many as the process may open files.
fn connection_limits() -> Limits {
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

/// The transcoder in use, which can be replaced while requests are served.
#[derive(Clone, Debug)]
pub struct ReloadableTranscoder(Arc<RwLock<Transcoder>>);

impl ReloadableTranscoder {
    /// Starts with `transcoder`.
    pub fn new(transcoder: Transcoder) -> Self {
        Self(Arc::new(RwLock::new(transcoder)))
    }

    /// The transcoder in use now.
    pub fn load(&self) -> Transcoder {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Replaces the transcoder; calls that have begun end with the old one.
    pub fn store(&self, transcoder: Transcoder) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = transcoder;
    }
}

/// Serves on `socket` until `end`, then lets open calls finish for a while.
pub async fn serve_transcoder<S: Upstream + Sync>(
    socket: TcpListener,
    reloadable: ReloadableTranscoder,
    upstream: S,
    end: impl Future<Output = ()>,
) {
    let listener = Listener::new(connection_limits());
    let calls = Calls { reloadable, upstream, stream_ends: listener.stream_ends.clone() };
    listener.serve(socket, calls, end).await;
}

/// The calls of all connections.
#[derive(Clone)]
struct Calls<S> {
    reloadable: ReloadableTranscoder,
    upstream: S,
    stream_ends: StreamEnds,
}

impl<S: Upstream + Sync> Application for Calls<S> {
    type Body = Body;

    fn answer(
        self,
        mut request: Request<Content>,
        _: SocketAddr,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let transcoder = self.reloadable.load();
        request.extensions_mut().insert(self.stream_ends);
        async move {
            match listener::check_request(&request) {
                Ok(()) => transcoder.handle(request, self.upstream).await,
                Err(rule) => transcoder.fail(&ErrorContext::of(&request), &rule.into()),
            }
        }
    }

    fn answer_unreadable(&self, status: StatusCode) -> Option<Response<Bytes>> {
        let failure = Failure::unreadable(status);
        let response = self.reloadable.load().fail(&ErrorContext::default(), &failure);
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
