//! The certificate of a process and the authorities that it trusts, read again as the files change.

use super::{
    client::MeshClient,
    files::{MeshError, MeshFiles},
    keys::MeshKeys,
    name::{MeshPeer, ServiceName, dns_name_of},
};
use crate::program::{clock::Clock, file_stamp::FileStamp};
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::watch;
use tokio_rustls::rustls::{
    self, ClientConfig, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::{NoServerSessionStorage, WebPkiClientVerifier},
    version::TLS13,
};

/// How often the files are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The one protocol that is spoken in TLS here.
const ALPN: &[u8] = b"h2";

/// The certificate of this process and the authorities of its mesh. Clones share them: all follow the files.
#[derive(Clone)]
pub struct Certificates {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Certificates {
    /// Whose they are, and nothing of a key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Certificates").field(&self.shared.name).finish()
    }
}

struct Shared {
    files: MeshFiles,
    name: ServiceName,
    server: watch::Sender<Arc<ServerConfig>>,
    client: watch::Sender<Arc<ClientConfig>>,
    seen: Mutex<Seen>,
}

/// What the files were like when they were last looked at.
struct Seen {
    stamps: [Option<FileStamp>; 3],
    /// What was wrong with them; none when they are in use.
    problem: Option<String>,
}

/// What one set of the files gives.
struct Loaded {
    name: ServiceName,
    server: ServerConfig,
    client: ClientConfig,
}

impl Certificates {
    /// Reads the files. The process then has to call [`Certificates::look`] from time to time.
    pub fn load(files: MeshFiles) -> Result<Self, MeshError> {
        let seen = Seen { stamps: stamps_of(&files), problem: None };
        let Loaded { name, server, client } = load(&files)?;
        let (server, client) =
            (watch::Sender::new(Arc::new(server)), watch::Sender::new(Arc::new(client)));
        let shared = Shared { files, name, server, client, seen: Mutex::new(seen) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Refuses the certificate of another service than the one that this process is.
    pub fn require_service(&self, wanted: &str) -> Result<(), MeshError> {
        let found = self.service();
        if **found == *wanted {
            return Ok(());
        }
        Err(MeshError::OtherService { found: found.to_string(), wanted: wanted.to_owned() })
    }

    /// The service that the certificate names.
    pub fn service(&self) -> &Arc<str> {
        &self.shared.name.service
    }

    /// The keyring of the service and the public keys of the others.
    pub fn open_keys(&self, clock: Clock) -> Result<MeshKeys, MeshError> {
        MeshKeys::open(&self.shared.files.keys, self.service(), clock)
    }

    /// The configuration for connections that come in; the newest one at any time.
    pub fn server(&self) -> watch::Receiver<Arc<ServerConfig>> {
        self.shared.server.subscribe()
    }

    /// What connects to `service`, and checks that it is reached.
    pub fn client(&self, service: &str) -> Result<MeshClient, MeshError> {
        let name = ServerName::try_from(dns_name_of(service))
            .map_err(|_| MeshError::NoServerName(service.to_owned()))?;
        Ok(MeshClient::new(self.shared.client.subscribe(), name))
    }

    /// The service that a peer's certificate names, when it is one of this installation.
    pub fn name_peer(&self, certificate: &CertificateDer<'_>) -> Result<MeshPeer, MeshError> {
        let name = ServiceName::of(certificate)?;
        if name.namespace != self.shared.name.namespace {
            let (found, wanted) = (name.uri(), self.shared.name.namespace.to_string());
            return Err(MeshError::OtherService { found, wanted });
        }
        Ok(MeshPeer(name.service))
    }

    /// Takes the files into use if they have changed. Those that cannot be used are logged, once, and the last good ones
    /// stay in use.
    pub fn look(&self) {
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = stamps_of(&self.shared.files);
        if stamps == seen.stamps && seen.problem.is_none() {
            return;
        }
        let problem = self.reload().err().map(|error| error.to_string());
        match &problem {
            None => tracing::info!("the certificates of the mesh have changed and are in use"),
            Some(problem) if stamps != seen.stamps || Some(problem) != seen.problem.as_ref() => {
                tracing::error!(
                    problem,
                    "the new certificates of the mesh cannot be used, those read before stay in use"
                );
            }
            Some(_) => {}
        }
        *seen = Seen { stamps, problem };
    }

    fn reload(&self) -> Result<(), MeshError> {
        let Loaded { name, server, client } = load(&self.shared.files)?;
        if name != self.shared.name {
            let (found, wanted) = (name.uri(), self.shared.name.uri());
            return Err(MeshError::OtherService { found, wanted });
        }
        self.shared.server.send_replace(Arc::new(server));
        self.shared.client.send_replace(Arc::new(client));
        Ok(())
    }
}

fn stamps_of(files: &MeshFiles) -> [Option<FileStamp>; 3] {
    [&files.cert, &files.key, &files.ca].map(|path| FileStamp::read(path))
}

fn load(files: &MeshFiles) -> Result<Loaded, MeshError> {
    let chain = read_certificates("cert", &files.cert)?;
    let leaf = chain.first().ok_or_else(|| file_error("cert", &files.cert, "it is empty"))?;
    let name = ServiceName::of(leaf)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| file_error("key", &files.key, error))?;
    let mut roots = RootCertStore::empty();
    for authority in read_certificates("ca", &files.ca)? {
        roots.add(authority).map_err(|error| file_error("ca", &files.ca, error))?;
    }
    let roots = Arc::new(roots);
    let provider = Arc::new(ring::default_provider());
    let server = server_config(provider.clone(), roots.clone(), chain.clone(), key.clone_key());
    let client = client_config(provider, roots, chain, key);
    let unfit = |error: rustls::Error| MeshError::Mismatch(error.to_string());
    Ok(Loaded { name, server: server.map_err(unfit)?, client: client.map_err(unfit)? })
}

/// Certificates of a peer are checked at each handshake and never remembered: one that was withdrawn opens no connection.
fn server_config(
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let clients = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
        .build()
        .map_err(|error| rustls::Error::General(error.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

fn client_config(
    provider: Arc<CryptoProvider>,
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ClientConfig, rustls::Error> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

fn read_certificates(
    setting: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, MeshError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<_, _>>);
    let found: Vec<_> = read.map_err(|error| file_error(setting, path, error))?;
    match found.is_empty() {
        true => Err(file_error(setting, path, "there is no certificate in it")),
        false => Ok(found),
    }
}

fn file_error(setting: &'static str, path: &Path, problem: impl std::fmt::Display) -> MeshError {
    MeshError::File { setting, path: path.display().to_string(), problem: problem.to_string() }
}
