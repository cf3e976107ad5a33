//! Questions for the health of a server, by gRPC's own protocol.

use crate::mesh::{MeshClient, client::tls_problem};
use http::Uri;
use hyper_util::rt::TokioIo;
use std::{net::SocketAddr, time::Duration};
use tonic::{
    Code, Status,
    transport::{Channel, Endpoint},
};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// The name that serves for as long as the process lives: also while it starts, while it drains, and while its database
/// is away. What restarts processes asks for it.
pub const LIVENESS: &str = "liveness";

/// Asks over `channel` whether `service` serves; the empty name stands for the whole server. A server that has no health
/// serves.
pub async fn ask_health(channel: Channel, service: &str, limit: Duration) -> Result<bool, Status> {
    let mut client = HealthClient::new(channel);
    let check = client.check(HealthCheckRequest { service: service.to_owned() });
    match tokio::time::timeout(limit, check).await {
        Ok(Ok(answer)) => Ok(answer.get_ref().status() == ServingStatus::Serving),
        Ok(Err(status)) if status.code() == Code::Unimplemented => Ok(true),
        Ok(Err(status)) => Err(status),
        Err(_) => Err(Status::deadline_exceeded("the server does not answer")),
    }
}

/// As [`ask_health`], of the server at `address`. With `mesh` it has to prove that it is a service.
pub async fn ask_health_at(
    address: SocketAddr,
    service: &str,
    limit: Duration,
    mesh: Option<MeshClient>,
) -> Result<bool, Status> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"))
        .map_err(|_| Status::invalid_argument("the address cannot be used"))?;
    let endpoint = endpoint.connect_timeout(limit);
    let channel = match mesh {
        None => endpoint.connect_lazy(),
        Some(mesh) => endpoint.connect_with_connector_lazy(tower::service_fn(move |_: Uri| {
            let connecting = mesh.clone().connect(address);
            async move { connecting.await.map(TokioIo::new) }
        })),
    };
    let asked = ask_health(channel, service, limit).await;
    asked.map_err(|status| match tls_problem(&status) {
        Some(problem) => Status::unavailable(problem),
        None => status,
    })
}
