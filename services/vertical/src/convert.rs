//! Between the rules and the messages of the contracts.

use crate::{
    domain::{
        error::Error,
        job::{Job, OrderSnapshot},
        phase::Phase,
        place::Place,
        price::{JobRequirements, Line, Quote},
    },
    repository::Reach,
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Window,
    rpc::confidential,
    values::{
        id::{parse_optional_uuid, parse_uuid},
        time::{duration, moment},
    },
};
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::{self as pb, OrderState, Party},
};
use uuid::Uuid;

/// The phase of an order's state; none for no state.
pub const fn phase_of(state: OrderState) -> Option<Phase> {
    match state {
        OrderState::Unspecified => None,
        OrderState::PendingPayment
        | OrderState::Requested
        | OrderState::Searching
        | OrderState::Assigned => Some(Phase::Booked),
        OrderState::EnRoute => Some(Phase::EnRoute),
        OrderState::Arrived => Some(Phase::AtTheDoor),
        OrderState::InProgress | OrderState::AwaitingApproval => Some(Phase::Working),
        OrderState::ChangesRequested => Some(Phase::Rework),
        OrderState::Delivered | OrderState::Completed | OrderState::Closed => {
            Some(Phase::Delivered)
        }
        OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => Some(Phase::Ended),
    }
}

impl<O> Job<O> {
    /// Where the order stands, as far as the vertical has heard.
    pub fn phase(&self) -> Phase {
        stored_phase(self.order.state)
    }

    /// Whether `reader` reads the secrets of the home: the customer and operators do, and the provider while there is work
    /// to do there.
    pub fn shows_home(&self, reader: Reach, now: DateTime<Utc>) -> bool {
        let order = &self.order;
        let state = OrderState::try_from(order.state).unwrap_or_default();
        match reader {
            Reach::All => true,
            Reach::Party(id) | Reach::Provider(id) => {
                id == order.customer_id
                    || confidential::provider_reads(state, order.delivered_at, now)
            }
        }
    }
}

/// The phase of a stored state; one that is not known is over.
fn stored_phase(state: i32) -> Phase {
    OrderState::try_from(state).ok().and_then(phase_of).unwrap_or(Phase::Ended)
}

/// Reads an order at one of its versions, with the details message `details` as bytes.
pub fn parse_snapshot(
    order: &pb::OrderSnapshot,
    details: Option<Vec<u8>>,
) -> Result<OrderSnapshot, Error> {
    let phase = phase_of(order.state());
    let delivered_at = order.delivered_at.as_ref();
    Ok(OrderSnapshot {
        order_id: parse_uuid("order.order_id", &order.order_id)?,
        version: order.order_version,
        state: order.state,
        phase: phase.ok_or_else(|| Error::invalid("order.state", "must be given"))?,
        customer_id: parse_uuid("order.customer_id", &order.customer_id)?,
        provider_user_id: parse_optional_uuid("order.provider_user_id", &order.provider_user_id)?,
        details,
        window: Window::parse("order.window", order.window.as_ref())?,
        place: order.place.map(|pb::Place { lat, lng }| Place { lat, lng }),
        delivered_at: delivered_at.map(|at| moment("order.delivered_at", Some(at))).transpose()?,
        provider_erased: order.provider_erased,
    })
}

/// Reads where an address lies.
pub fn parse_position(address: &Address) -> Result<Place, Error> {
    let lat = address.lat.ok_or_else(|| Error::invalid("address.lat", "must be given"))?;
    let lng = address.lng.ok_or_else(|| Error::invalid("address.lng", "must be given"))?;
    Ok(Place { lat, lng })
}

/// Reads the id of an order.
pub fn parse_order_id(text: &str) -> Result<Uuid, Error> {
    Ok(parse_uuid("order_id", text)?)
}

/// The message for a price.
pub fn to_quote_response(quote: Quote) -> pb::QuoteResponse {
    let Quote { lines, requirements } = quote;
    let lines = lines.into_iter().map(to_price_line).collect();
    pb::QuoteResponse {
        lines,
        requirements: Some(to_requirements(requirements)),
        ..pb::QuoteResponse::default()
    }
}

/// The message for what a job requires.
pub fn to_requirements(requirements: JobRequirements) -> pb::Requirements {
    let JobRequirements { skills, documents, crew_size, minutes, buffer_minutes } = requirements;
    let buffer = Some(duration(Duration::minutes(buffer_minutes)));
    pb::Requirements {
        skills,
        documents,
        crew_size,
        duration: Some(duration(Duration::minutes(minutes))),
        buffer_before: buffer,
        buffer_after: buffer,
        ..pb::Requirements::default()
    }
}

fn to_price_line(line: Line) -> pb::PriceLine {
    let Line { code, quantity, unit, total } = line;
    #[expect(clippy::cast_precision_loss, reason = "quantities are small")]
    let quantity = quantity as f64;
    pb::PriceLine {
        code,
        quantity,
        unit: unit.to_owned(),
        total: Some(total.into()),
        payer: Party::Customer.into(),
        earner: Party::Provider.into(),
        pass_through: false,
    }
}
