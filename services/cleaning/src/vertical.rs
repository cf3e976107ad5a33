//! `VerticalService`: how order meets cleaning.

use crate::{
    api::order_id,
    convert,
    domain::{
        Cleaning, Details, Error,
        cleaning::{OrderSnapshot, visit_on},
        details::{Frequency, Size},
        gap,
        table::Tables,
    },
    repository::{self, Cleanings, Reach},
};
use chrono::NaiveDate;
use kit::{Window, values::time::moment};
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
                let customer = parse_account("customer_id", customer)?;
                let visits = self.cleanings.visits_before(customer, visit).await?;
                last_of_size(&visits, details.size)
            }
        };
        gap::days_between(details.last_visit, recorded, visit)
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
        let order = parse_snapshot(request.order.as_ref())?;
        let denials = match request.mode() {
            pb::TransitionMode::Tell => {
                self.hear(order).await?;
                Vec::new()
            }
            pb::TransitionMode::Ask | pb::TransitionMode::Unspecified => {
                let to = convert::phase(request.to());
                let to = to.ok_or_else(|| Error::invalid("to", "must be given"))?;
                self.in_step_with(order).await?.denials(to)
            }
        };
        let denials = denials.into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::OnTransitionResponse { denials }))
    }

    async fn completion_gate(
        &self,
        request: Request<pb::CompletionGateRequest>,
    ) -> Result<Response<pb::CompletionGateResponse>, Status> {
        let pb::CompletionGateRequest { proof_kinds, order } = request.into_inner();
        let cleaning = self.in_step_with(parse_snapshot(order.as_ref())?).await?;
        let missing = cleaning.missing(&proof_kinds).into_iter().map(str::to_owned).collect();
        Ok(Response::new(pb::CompletionGateResponse { missing }))
    }
}

impl Vertical {
    /// The cleaning as it is once it has heard of `order`. Nothing of that is kept: the order may still lose a race.
    async fn in_step_with(&self, order: OrderSnapshot) -> Result<Cleaning, Error> {
        match self.cleanings.find(order.order_id, Reach::All).await {
            Ok(mut cleaning) => {
                let phase = convert::stored_phase(cleaning.state);
                cleaning.follow(order, phase);
                Ok(cleaning)
            }
            Err(Error::OrderNotFound) => {
                let now = self.cleanings.db.clock().now();
                Cleaning::begin(order, now).ok_or(Error::OrderNotFound)
            }
            Err(error) => Err(error),
        }
    }

    /// Follows an order.
    async fn hear(&self, order: OrderSnapshot) -> Result<(), Error> {
        let tx = self.cleanings.db.begin().await?;
        let mut cleaning = match repository::lock_cleaning(&tx, order.order_id, Reach::All).await {
            Err(Error::OrderNotFound) => {
                let Some(cleaning) = Cleaning::begin(order.clone(), tx.now()) else {
                    return Ok(());
                };
                if repository::insert_cleaning(&tx, cleaning).await? {
                    return Ok(tx.commit().await?);
                }
                // Another call has told of the order at the same time.
                repository::lock_cleaning(&tx, order.order_id, Reach::All).await?
            }
            found => found?,
        };
        let phase = convert::stored_phase(cleaning.state);
        if cleaning.follow(order, phase) {
            repository::save_cleaning(&tx, &mut cleaning).await?;
        }
        Ok(tx.commit().await?)
    }
}

/// The last of some visits, the last one first, to a home of this size. Details do not say which home they are of; the
/// size tells a flat from a house.
fn last_of_size(visits: &[(NaiveDate, Vec<u8>)], size: Size) -> Option<NaiveDate> {
    let visit = visits.iter().find(|(_, details)| convert::stored_size(details) == Some(size));
    visit.map(|(date, _)| *date)
}

fn parse_snapshot(order: Option<&pb::OrderSnapshot>) -> Result<OrderSnapshot, Error> {
    let order = order.ok_or_else(|| Error::invalid("order", "must be given"))?;
    let phase = convert::phase(order.state());
    let details = match order.erased {
        true => None,
        false => Some(convert::parse_accepted_details(order.details.as_ref())?),
    };
    let delivered_at = order.delivered_at.as_ref();
    Ok(OrderSnapshot {
        order_id: order_id(&order.order_id)?,
        version: order.order_version,
        state: order.state,
        phase: phase.ok_or_else(|| Error::invalid("order.state", "must be given"))?,
        customer_id: parse_account("order.customer_id", &order.customer_id)?,
        provider_user_id: optional_account("order.provider_user_id", &order.provider_user_id)?,
        details: details.map(|(message, read)| (message.encode_to_vec(), read)),
        window: Window::parse("order.window", order.window.as_ref())?,
        delivered_at: delivered_at.map(|at| moment("order.delivered_at", Some(at))).transpose()?,
    })
}

fn parse_account(field: &str, text: &str) -> Result<Uuid, Error> {
    text.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}

fn optional_account(field: &str, text: &str) -> Result<Option<Uuid>, Error> {
    if text.is_empty() { Ok(None) } else { parse_account(field, text).map(Some) }
}
