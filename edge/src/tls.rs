//! TLS with the certificate of the configuration, which is read again as its files change.

use crate::config::Config;
use anyhow::Context as _;
use kit::{Host, program::file_stamp::FileStamp};
use std::{
    convert::Infallible,
    future::ready,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;
use tokio_rustls::rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

/// How often the files are looked at.
const LOOK_EVERY: chrono::Duration = chrono::Duration::seconds(5);

/// The certificate of the edge and its key.
struct FollowedCertificate {
    cert: PathBuf,
    key: PathBuf,
    newest: watch::Sender<Arc<ServerConfig>>,
    seen: Mutex<FilesSeen>,
}

/// What the files were like when they were last looked at.
struct FilesSeen {
    stamps: [Option<FileStamp>; 2],
    /// What was wrong with them; none when they are in use.
    problem: Option<String>,
}

/// The newest TLS 1.2 and 1.3 with the certificate of the configuration at any time, until `host` stops; none where the
/// configuration has no certificate.
///
/// # Errors
/// When a file cannot be read, or the key does not fit the certificate.
pub fn follow_certificate(
    config: &Config,
    host: &Host,
) -> anyhow::Result<Option<watch::Receiver<Arc<ServerConfig>>>> {
    let (Some(cert), Some(key)) = (&config.tls_cert, &config.tls_key) else { return Ok(None) };
    let seen = FilesSeen { stamps: stamps_of(cert, key), problem: None };
    let newest = watch::Sender::new(Arc::new(load_config(cert, key)?));
    let receiver = newest.subscribe();
    let (cert, key) = (cert.clone(), key.clone());
    let followed = FollowedCertificate { cert, key, newest, seen: Mutex::new(seen) };
    host.every("look at the certificate of the edge", LOOK_EVERY, move || {
        followed.look();
        ready(Ok::<(), Infallible>(()))
    });
    Ok(Some(receiver))
}

impl FollowedCertificate {
    /// Takes the files into use if they have changed. Those that cannot be used are logged once, and those read before
    /// stay in use.
    fn look(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps_of(&self.cert, &self.key);
        if stamps == seen.stamps && seen.problem.is_none() {
            return;
        }
        let problem = match load_config(&self.cert, &self.key) {
            Ok(config) => {
                self.newest.send_replace(Arc::new(config));
                tracing::info!("the certificate of the edge has changed and is in use");
                None
            }
            Err(error) => Some(format!("{error:#}")),
        };
        if let Some(problem) = &problem
            && (stamps != seen.stamps || Some(problem) != seen.problem.as_ref())
        {
            tracing::error!(
                problem,
                "the new certificate of the edge cannot be used, the one before stays in use"
            );
        }
        *seen = FilesSeen { stamps, problem };
    }
}

fn stamps_of(cert: &Path, key: &Path) -> [Option<FileStamp>; 2] {
    [FileStamp::read(cert), FileStamp::read(key)]
}

fn load_config(cert: &Path, key: &Path) -> anyhow::Result<ServerConfig> {
    let chain = CertificateDer::pem_file_iter(cert)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("edge.tls_cert: {} cannot be read", cert.display()))?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("edge.tls_key: {} cannot be read", key.display()))?;
    let mut server =
        ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .context("edge.tls_cert and edge.tls_key cannot be used together")?;
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(server)
}
