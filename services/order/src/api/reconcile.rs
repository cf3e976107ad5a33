//! What an operator's `reconcile` asks after a restore.

use super::Api;
use crate::processes::reconcile::Finding;
use kit::storage::page::Page;
use proto::quickserve::order::v1::{self as pb, reconcile_service_server::ReconcileService};
use tonic::{Request, Response, Status};

#[tonic::async_trait]
impl ReconcileService for Api {
    async fn reconcile_orders(
        &self,
        request: Request<pb::ReconcileOrdersRequest>,
    ) -> Result<Response<pb::ReconcileOrdersResponse>, Status> {
        let pb::ReconcileOrdersRequest { page_size, page_token } = request.into_inner();
        let page = Page::parse(page_size, &page_token)?;
        let (findings, next_page_token) = self.app.reconcile_orders(&page).await?;
        let findings = findings.into_iter().map(to_finding).collect();
        Ok(Response::new(pb::ReconcileOrdersResponse { findings, next_page_token }))
    }

    async fn reconcile_reservations(
        &self,
        request: Request<pb::ReconcileReservationsRequest>,
    ) -> Result<Response<pb::ReconcileReservationsResponse>, Status> {
        let pb::ReconcileReservationsRequest { page_size, page_token } = request.into_inner();
        let (findings, next_page_token) =
            self.app.reconcile_reservations(page_size, page_token).await?;
        let findings = findings.into_iter().map(to_finding).collect();
        Ok(Response::new(pb::ReconcileReservationsResponse { findings, next_page_token }))
    }

    async fn reconcile_payments(
        &self,
        request: Request<pb::ReconcilePaymentsRequest>,
    ) -> Result<Response<pb::ReconcilePaymentsResponse>, Status> {
        let pb::ReconcilePaymentsRequest { page_size, page_token } = request.into_inner();
        let (findings, next_page_token) =
            self.app.reconcile_payments(page_size, page_token).await?;
        let findings = findings.into_iter().map(to_finding).collect();
        Ok(Response::new(pb::ReconcilePaymentsResponse { findings, next_page_token }))
    }
}

fn to_finding(finding: Finding) -> pb::Finding {
    let Finding { order, kind, detail, mended } = finding;
    pb::Finding { order_id: order.to_string(), kind: kind.to_owned(), detail, mended }
}
