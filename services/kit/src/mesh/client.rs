//! Connects to a service of the mesh, and says why that fails.

use std::{error::Error, io, net::SocketAddr, sync::Arc};
use tokio::{net::TcpStream, sync::watch};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{self, ClientConfig, pki_types::ServerName},
};

/// Connects to one service. Each connection takes the newest certificates, and checks that the other end has one of the
/// service, whatever address it was dialled at.
#[derive(Clone)]
pub struct MeshClient {
    newest: watch::Receiver<Arc<ClientConfig>>,
    name: ServerName<'static>,
}

impl MeshClient {
    pub(super) fn new(
        newest: watch::Receiver<Arc<ClientConfig>>,
        name: ServerName<'static>,
    ) -> Self {
        Self { newest, name }
    }

    /// Opens a connection to the service at `address`.
    pub async fn connect(self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.newest.borrow()));
        connector.connect(self.name, socket).await
    }
}

/// What TLS has against a connection that failed, when it was TLS: a certificate that is not trusted here, or the word of
/// the other end that it does not trust ours.
pub fn tls_problem(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(error.to_string());
        }
        if let Some(error) = error.downcast_ref::<io::Error>()
            && error.kind() == io::ErrorKind::InvalidData
        {
            return Some(error.to_string());
        }
        // h2 keeps the text of what failed beneath it, and hides it from the chain.
        if let Some(error) = error.downcast_ref::<h2::Error>().and_then(h2::Error::get_io)
            && error.kind() == io::ErrorKind::InvalidData
        {
            return Some(error.to_string());
        }
        cause = error.source();
    }
    None
}
