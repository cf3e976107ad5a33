//! One connection of the pool: TCP, TLS where the URL says so, and HTTP/2 on it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::Uri;
use http::uri::{Authority, Scheme};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto};

use crate::body::BoxError;

/// How long connecting may take, the handshake of TLS included.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a silent connection is trusted, and how long the upstream may take to answer a ping.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
const WINDOW: u32 = 1 << 20;

/// Where the upstream is, and how to speak to it.
pub struct Target {
    pub scheme: Scheme,
    pub authority: Authority,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// The upstream that a URL names.
    ///
    /// # Errors
    /// When the URL is not of an upstream, or `ca` holds no certificate.
    pub fn new(upstream: &Uri, ca: Option<&[u8]>) -> Result<Self, BoxError> {
        if upstream.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            // Without the URL: there may be a password in it.
            return Err("upstream: a user in the URL is not supported".into());
        }
        let (mut target, name) = Self::read_url(upstream, ca.is_some())
            .map_err(|problem| format!("upstream {upstream}: {problem}"))?;
        if let Some(name) = name {
            target.tls = Some((tls_connector(ca)?, name));
        }
        Ok(target)
    }

    /// The target without its TLS, and the name that its certificate must have; `None` for plain HTTP.
    fn read_url(
        upstream: &Uri,
        has_authorities: bool,
    ) -> Result<(Self, Option<ServerName<'static>>), &'static str> {
        let secure = match upstream.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("the URL must begin with http:// or https://"),
        };
        let authority = upstream.authority().cloned().ok_or("there is no host")?;
        let is_root = upstream.path_and_query().is_none_or(|path| path.as_str() == "/");
        if !is_root {
            return Err(
                "the URL must end behind the host and port: gRPC has no path before the service",
            );
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("there is no host");
        }
        let port = match (authority.port(), authority.port_u16()) {
            (None, _) if authority.as_str().ends_with(authority.host()) => {
                if secure {
                    443
                } else {
                    80
                }
            }
            (Some(_), Some(port)) if port != 0 => port,
            _ => return Err("the port must be a number from 1 to 65535"),
        };
        let name = match (secure, has_authorities) {
            (true, _) => {
                let name = ServerName::try_from(host.clone());
                Some(name.map_err(|_| "the host is no name that a certificate can have")?)
            }
            (false, false) => None,
            (false, true) => {
                return Err("a certificate authority is given, and the URL is not https://");
            }
        };
        let scheme = if secure { Scheme::HTTPS } else { Scheme::HTTP };
        Ok((Self { scheme, authority, host, port, tls: None }, name))
    }
}

/// TLS that trusts the authorities in `ca`, or those that browsers trust.
fn tls_connector(ca: Option<&[u8]>) -> Result<TlsConnector, BoxError> {
    let mut roots = RootCertStore::empty();
    match ca {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate.map_err(unusable_authority)?;
                roots.add(certificate).map_err(unusable_authority)?;
            }
            if roots.is_empty() {
                return Err(unusable_authority("there is no certificate in the file").into());
            }
        }
    }
    let provider = Arc::new(crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn unusable_authority(problem: impl std::fmt::Display) -> String {
    format!("the certificate authority of the upstream: {problem}")
}

/// A connection of the pool, open or not.
#[derive(Default)]
pub struct Connection {
    open: Mutex<Option<SendRequest<Bytes>>>,
    /// Held while a call connects, so that the others wait for it and do not connect too.
    connecting: tokio::sync::Mutex<()>,
}

impl Connection {
    /// What sends on the connection, which is opened if it is not.
    pub async fn sender(&self, target: &Target) -> Result<SendRequest<Bytes>, BoxError> {
        match self.ready().await {
            Some(sender) => Ok(sender),
            None => self.connect(target).await,
        }
    }

    /// The open connection, if it still takes calls.
    async fn ready(&self) -> Option<SendRequest<Bytes>> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open?.ready().await.ok()
    }

    async fn connect(&self, target: &Target) -> Result<SendRequest<Bytes>, BoxError> {
        let _one = self.connecting.lock().await;
        // Another call may have connected meanwhile.
        if let Some(sender) = self.ready().await {
            return Ok(sender);
        }
        let sender = timeout(CONNECT_LIMIT, open_connection(target)).await??;
        *self.open.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        Ok(sender)
    }
}

async fn open_connection(target: &Target) -> Result<SendRequest<Bytes>, BoxError> {
    let socket = TcpStream::connect((target.host.as_str(), target.port)).await?;
    socket.set_nodelay(true)?;
    let Some((connector, name)) = &target.tls else { return speak_http2(socket).await };
    let stream = connector.connect(name.clone(), socket).await?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        return Err("the upstream does not speak HTTP/2: it does not choose h2 by ALPN".into());
    }
    speak_http2(stream).await
}

async fn speak_http2<T>(stream: T) -> Result<SendRequest<Bytes>, BoxError>
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(WINDOW * 4);
    let (sender, connection) = builder.enable_push(false).handshake(stream).await?;
    tokio::spawn(drive_connection(connection));
    Ok(sender.ready().await?)
}

/// Yields once before each poll, so that the frames of calls that are made at the same time go out in one write.
struct YieldingConnection<T: AsyncRead + AsyncWrite + Unpin> {
    connection: h2::client::Connection<T>,
    yielded: bool,
}

impl<T: AsyncRead + AsyncWrite + Unpin> Future for YieldingConnection<T> {
    type Output = Result<(), h2::Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.yielded = !self.yielded;
        if self.yielded {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Pin::new(&mut self.connection).poll(context)
    }
}

/// Drives a connection until it ends, or the upstream no longer answers pings.
async fn drive_connection<T: AsyncRead + AsyncWrite + Unpin>(
    mut connection: h2::client::Connection<T>,
) {
    let mut pings = connection.ping_pong();
    let silent = async {
        let Some(pings) = &mut pings else { return std::future::pending().await };
        loop {
            tokio::time::sleep(KEEP_ALIVE.0).await;
            match timeout(KEEP_ALIVE.1, pings.ping(h2::Ping::opaque())).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) => return std::future::pending().await,
                Err(_) => return,
            }
        }
    };
    tokio::select! {
        ended = YieldingConnection { connection, yielded: false } => if let Err(error) = ended {
            tracing::debug!(%error, "the connection to the upstream ended");
        },
        () = silent => tracing::warn!("the upstream does not answer pings; its connection is closed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_of_no_upstream_is_refused() {
        for (url, problem) in [
            ("/v1", "must begin with http"),
            ("127.0.0.1:1", "must begin with http"),
            ("ftp://host", "must begin with http"),
            ("http://host:0", "port"),
            ("http://host:70000", "port"),
            ("http://host:", "port"),
            ("http://user@host", "user"),
            ("http://host/v1", "end behind the host"),
            ("http://host/?a=b", "end behind the host"),
            ("https://a_b..c", "certificate"),
        ] {
            let refused = Target::new(&url.parse().unwrap(), None).err().map(|e| e.to_string());
            let refused = refused.unwrap_or_default();
            assert!(refused.contains(problem), "{url}: {refused:?}");
        }
        for (url, port) in [
            ("http://host", 80),
            ("http://host/", 80),
            ("https://host", 443),
            ("https://[::1]:5", 5),
            ("http://[::1]", 80),
            ("https://127.0.0.1:5", 5),
        ] {
            let target = Target::new(&url.parse().unwrap(), None).unwrap();
            assert_eq!(target.port, port, "{url}");
        }
    }

    #[test]
    fn an_authority_must_be_a_certificate_and_of_use() {
        let ca = rcgen::generate_simple_self_signed(vec!["a".to_owned()]).unwrap().cert.pem();
        let refused = |url: &str, ca: &[u8]| Target::new(&url.parse().unwrap(), Some(ca)).is_err();
        assert!(!refused("https://host", ca.as_bytes()));
        assert!(refused("http://host", ca.as_bytes()));
        for broken in
            ["", "not PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
        {
            assert!(refused("https://host", broken.as_bytes()), "{broken}");
        }
    }
}
