//! `VerticalService`: how order meets cleaning.

use crate::{
    api::order_id,
    convert,
    domain::{
        Cleaning, Details, Error,
        cleaning::{Move, Phase, visit_on},
        details::{Frequency, Size},
        gap,
        table::Tables,
    },
    repository::{self, Cleanings, Reach},
};
use chrono::NaiveDate;
use kit::{Tx, Window};
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
                let visits = self.cleanings.visits_before(customer, visit).await?;
                last_of_size(&visits, details.size)
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
        let moved = moved(request)?;
        let tx = self.cleanings.db.begin().await?;
        let denials = follow_order(&tx, moved, leaves).await?;
        tx.commit().await?;
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

/// Follows an order that moves out of the phase `leaves`, none for a new one. Returns what speaks against it.
async fn follow_order(
    tx: &Tx,
    moved: Move,
    leaves: Option<Phase>,
) -> Result<Vec<&'static str>, Error> {
    // An order that leaves no phase is nearly always new: inserting it first spares a query.
    if leaves.is_none() && repository::insert(tx, Cleaning::begin(moved.clone(), tx.now())?).await?
    {
        return Ok(Vec::new());
    }
    let mut cleaning = match repository::lock(tx, moved.order_id, Reach::All).await {
        Err(Error::OrderNotFound) => {
            repository::insert(tx, Cleaning::begin(moved, tx.now())?).await?;
            return Ok(Vec::new());
        }
        found => found?,
    };
    let before = cleaning.clone();
    let denials = cleaning.follow(moved, leaves.unwrap_or(Phase::Booked));
    if denials.is_empty() && cleaning != before {
        repository::save(tx, &mut cleaning).await?;
    }
    Ok(denials)
}

/// The last of some visits, the last one first, to a home of this size. Details do not say which home they are of; the
/// size tells a flat from a house.
fn last_of_size(visits: &[(NaiveDate, Vec<u8>)], size: Size) -> Option<NaiveDate> {
    let visit = visits.iter().find(|(_, details)| convert::stored_size(details) == Some(size));
    visit.map(|(date, _)| *date)
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
    let details = details.as_ref().map(convert::accepted_details).transpose()?;
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
