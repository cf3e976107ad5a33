//! Decides what is served without the guard: health and reflection, and nothing else.

use crate::{program::readiness::Readiness, rpc::health::LIVENESS};
use futures::future::Either;
use http::{Request, Response};
use std::{convert::Infallible, future::Future, sync::Arc};
use tonic::body::Body;
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{Service, ServiceExt as _, util::BoxCloneSyncService};

type Open = BoxCloneSyncService<Request<Body>, Response<Body>, Infallible>;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
#[error("the descriptors for reflection: {0}")]
pub struct ServeError(#[from] tonic_reflection::server::Error);

/// The guarded stack, and the services beside it.
#[derive(Clone)]
pub(super) struct Front<S> {
    stack: S,
    /// Services without a guard, by the name that their paths begin with.
    open: Arc<[(&'static str, Open)]>,
    health: Health,
}

/// The health that a server answers.
#[derive(Clone)]
pub(super) struct Health {
    reporter: HealthReporter,
    services: Vec<String>,
}

impl Health {
    /// Says SERVING for everything while `ready` has no problem.
    async fn tell(&self, ready: &Readiness) {
        self.set(match ready.problem() {
            None => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
        })
        .await;
    }

    async fn set(&self, status: ServingStatus) {
        self.reporter.set_service_status("", status).await;
        for service in &self.services {
            self.reporter.set_service_status(service, status).await;
        }
    }

    /// Says what `ready` says, for ever.
    pub async fn follow(&self, mut ready: Readiness) -> Infallible {
        loop {
            self.tell(&ready).await;
            ready.changed().await;
        }
    }

    /// Says NOT_SERVING from now on.
    pub async fn off(&self) {
        self.set(ServingStatus::NotServing).await;
    }
}

/// Reflection of every contract. With the google.rpc types, clients print an error's details instead of its bytes.
fn configure_reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
}

impl<S> Front<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    /// Puts health and reflection beside `stack`. Health says for all `services` what `ready` says now, until it is told
    /// otherwise, and SERVING for [`LIVENESS`] to the end.
    pub async fn new(stack: S, services: &[String], ready: &Readiness) -> Result<Self, ServeError> {
        let (reporter, server) = tonic_health::server::health_reporter();
        let health = Health { reporter, services: services.to_vec() };
        health.tell(ready).await;
        health.reporter.set_service_status(LIVENESS, ServingStatus::Serving).await;
        let open = [
            ("grpc.health.v1.Health", Open::new(server)),
            ("grpc.reflection.v1.ServerReflection", Open::new(configure_reflection().build_v1()?)),
            (
                "grpc.reflection.v1alpha.ServerReflection",
                Open::new(configure_reflection().build_v1alpha()?),
            ),
        ];
        Ok(Self { stack, open: open.into(), health })
    }

    /// The health that this server answers.
    pub fn health(&self) -> Health {
        self.health.clone()
    }

    /// Answers from beside the guard if the path is there, and from the guarded stack if not.
    pub fn answer(
        &self,
        request: Request<Body>,
    ) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<S> {
        match self.unguarded(request.uri().path()) {
            Some(open) => Either::Left(open.clone().oneshot(request)),
            None => Either::Right(self.stack.clone().oneshot(request)),
        }
    }

    fn unguarded(&self, path: &str) -> Option<&Open> {
        let (service, _) = path.strip_prefix('/')?.split_once('/')?;
        self.open.iter().find(|(name, _)| *name == service).map(|(_, open)| open)
    }
}
