//! The webhook of payment providers.

use super::Api;
use crate::domain::Error;
use proto::quickserve::payment::v1::{self as pb, psp_event_service_server::PspEventService};
use tonic::{Request, Response, Status};

/// The header that proves the sender.
const SIGNATURE: &str = "quickserve-psp-signature";

#[tonic::async_trait]
impl PspEventService for Api {
    async fn receive_psp_event(
        &self,
        request: Request<pb::ReceivePspEventRequest>,
    ) -> Result<Response<pb::ReceivePspEventResponse>, Status> {
        let signature = request.metadata().get(SIGNATURE).and_then(|value| value.to_str().ok());
        let signature = signature.ok_or(Error::Signature)?.to_owned();
        let pb::ReceivePspEventRequest { name, body } = request.into_inner();
        let body = body.ok_or_else(|| Error::invalid("body", "must be given"))?;
        self.payments.receive_event(&name, &signature, &body.data).await?;
        Ok(Response::new(pb::ReceivePspEventResponse {}))
    }
}
