//! The generic mode: any contracts, served over HTTP/1.1 and HTTP/2 before one upstream.

use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Uri};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

use crate::body::BoxError;
use crate::call::Upstream;
use crate::transcoder::Transcoder;

/// How long open calls may take to end once the server is asked to.
const DRAIN: Duration = Duration::from_secs(30);
/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle HTTP/2 connection is trusted to be alive.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// Calls that one HTTP/2 connection may have open.
const MAX_STREAMS: u32 = 256;
const WINDOW: u32 = 1 << 20;

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

/// Serves until `end`, then lets open calls finish for a while.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve<S: Upstream + Sync>(
    listener: TcpListener,
    live: Live,
    upstream: S,
    end: impl Future<Output = ()>,
) -> std::io::Result<()> {
    let (ending, _) = watch::channel(());
    tokio::pin!(end);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut end => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = connection(stream, live.clone(), upstream.clone());
                tokio::spawn(connection(ending.subscribe()));
            }
            Err(error) => {
                // Out of file descriptors, most likely: others have to close theirs first.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
    drop(listener);
    let _ = ending.send(());
    let _ = tokio::time::timeout(DRAIN, ending.closed()).await;
    Ok(())
}

fn connection<S: Upstream + Sync>(
    stream: TcpStream,
    live: Live,
    upstream: S,
) -> impl FnOnce(watch::Receiver<()>) -> futures::future::BoxFuture<'static, ()> {
    move |mut ending| {
        Box::pin(async move {
            let _ = stream.set_nodelay(true);
            let service = service_fn(move |request: Request<Incoming>| {
                let (transcoder, upstream) = (live.load(), upstream.clone());
                async move { Ok::<_, Infallible>(transcoder.handle(request, upstream).await) }
            });
            let mut builder = Builder::new(TokioExecutor::new());
            builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
            builder
                .http2()
                .timer(TokioTimer::new())
                .keep_alive_interval(KEEP_ALIVE)
                .max_concurrent_streams(MAX_STREAMS)
                .initial_stream_window_size(WINDOW)
                .initial_connection_window_size(WINDOW);
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            tokio::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                _ = ending.changed() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection broke off");
            }
        })
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
