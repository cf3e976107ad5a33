//! `VerticalService`: how order meets cleaning.

use crate::{
    api::order_id,
    convert,
    domain::{
        Details, Error,
        cleaning::{Move, visit_on},
        details::Frequency,
        gap,
        table::Tables,
    },
    repository::{Cleanings, Reach},
};
use kit::Window;
use prost::Message;
use proto::quickserve::fulfilment::v1::{self as pb, vertical_service_server::VerticalService};
use std::sync::Arc;
use tonic::{Request, Response, Status, async_trait};
use uuid::Uuid;

/// The key of the vertical.
const VERTICAL: &str = "cleaning";

/// Serves `VerticalService`.
pub struct Vertical {
    cleanings: Cleanings,
    tables: Arc<Tables>,
}

impl Vertical {
    /// Serves `cleanings` at the prices of `tables`.
    pub fn new(cleanings: Cleanings, tables: Tables) -> Self {
        Self { cleanings, tables: Arc::new(tables) }
    }

    /// The days since the visit before. Only a regular visit has a price that depends on it.
    async fn gap(
        &self,
        details: &Details,
        customer: &str,
        window: Option<&proto::quickserve::common::v1::TimeWindow>,
    ) -> Result<Option<i64>, Error> {
        let visit = visit_on(&Window::parse("window", window)?);
        let recorded = match details.frequency {
            Frequency::Once => None,
            Frequency::Weekly | Frequency::Biweekly | Frequency::Monthly => {
                let customer = account("customer_id", customer)?;
                self.cleanings.last_visit(customer, details.size, visit).await?
            }
        };
        gap::days(details.last_visit, recorded, visit)
    }
}

#[async_trait]
impl VerticalService for Vertical {
    async fn describe_vertical(
        &self,
        _: Request<pb::DescribeVerticalRequest>,
    ) -> Result<Response<pb::DescribeVerticalResponse>, Status> {
        Ok(Response::new(pb::DescribeVerticalResponse {
            vertical: VERTICAL.to_owned(),
            details_message: convert::DETAILS.to_owned(),
        }))
    }

    async fn quote(
        &self,
        request: Request<pb::QuoteRequest>,
    ) -> Result<Response<pb::QuoteResponse>, Status> {
        let pb::QuoteRequest { details, window, address, customer_id } = request.into_inner();
        let (_, details) = convert::parse_details(details.as_ref())?;
        let address = address.ok_or_else(|| Error::invalid("address", "must be given"))?;
        let gap = self.gap(&details, &customer_id, window.as_ref()).await?;
        let quote = self.tables.quote(&address.country, &details, gap)?;
        Ok(Response::new(convert::quote(quote)))
    }

    async fn on_transition(
        &self,
        request: Request<pb::OnTransitionRequest>,
    ) -> Result<Response<pb::OnTransitionResponse>, Status> {
        let request = request.into_inner();
        let leaves = convert::phase(request.from());
        let denials = self.cleanings.follow(moved(request)?, leaves).await?;
        let denials = denials.into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::OnTransitionResponse { denials }))
    }

    async fn completion_gate(
        &self,
        request: Request<pb::CompletionGateRequest>,
    ) -> Result<Response<pb::CompletionGateResponse>, Status> {
        let pb::CompletionGateRequest { order_id: id, proof_kinds } = request.into_inner();
        let cleaning = self.cleanings.find(order_id(&id)?, Reach::All).await?;
        let missing = cleaning.missing(&proof_kinds).into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::CompletionGateResponse { missing }))
    }
}

fn moved(request: pb::OnTransitionRequest) -> Result<Move, Error> {
    let phase =
        convert::phase(request.to()).ok_or_else(|| Error::invalid("to", "must be given"))?;
    let pb::OnTransitionRequest {
        order_id: id,
        from,
        to,
        customer_id,
        provider_user_id,
        details,
        window,
    } = request;
    let details = details.map(|details| convert::parse_details(Some(&details))).transpose()?;
    Ok(Move {
        order_id: order_id(&id)?,
        from,
        state: to,
        phase,
        customer_id: optional_account("customer_id", &customer_id)?,
        provider_user_id: optional_account("provider_user_id", &provider_user_id)?,
        details: details.map(|(message, read)| (message.encode_to_vec(), read)),
        window: window.map(|window| Window::parse("window", Some(&window))).transpose()?,
    })
}

fn account(field: &str, text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

fn optional_account(field: &str, text: &str) -> Result<Option<Uuid>, Error> {
    if text.is_empty() { Ok(None) } else { account(field, text).map(Some) }
}
