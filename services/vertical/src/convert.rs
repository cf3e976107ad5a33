//! Between the rules and the messages of the contracts.

use crate::{
    domain::{
        error::Error,
        facts::{JobChange, JobChangeState, OrderFacts, PricedLine, Times},
        job::{Job, OrderSnapshot},
        phase::Phase,
        place::Place,
        price::{Asset, ChangeQuote, CrewMember, GateAnswer, JobRequirements, Line, Quote},
    },
    repository::Reach,
    vertical::{RecalledOrder, SeriesPlace, Side},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Money, Window,
    rpc::confidential,
    values::{
        id::{parse_optional_uuid, parse_uuid},
        time::{duration, moment},
    },
};
use prost::Message;
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
        facts: parse_facts(order)?,
    })
}

/// Reads what an order says of itself beside its state.
fn parse_facts(order: &pb::OrderSnapshot) -> Result<OrderFacts, Error> {
    let times = order.times.unwrap_or_default();
    let step = |field: &str, at: Option<&prost_types::Timestamp>| {
        at.map(|at| moment(&format!("order.times.{field}"), Some(at))).transpose()
    };
    let price = order.price.clone().unwrap_or_default();
    let changes = order.changes.iter().map(|change| parse_change(change, order.erased));
    Ok(OrderFacts {
        provider_id: parse_optional_uuid("order.provider_id", &order.provider_id)?,
        event_seq: order.event_seq,
        times: Times {
            booked_at: step("booked_at", times.booked_at.as_ref())?,
            assigned_at: step("assigned_at", times.assigned_at.as_ref())?,
            departed_at: step("departed_at", times.departed_at.as_ref())?,
            arrived_at: step("arrived_at", times.arrived_at.as_ref())?,
            started_at: step("started_at", times.started_at.as_ref())?,
        },
        changes: changes.collect::<Result<_, _>>()?,
        parent_order_id: parse_optional_uuid("order.parent_order_id", &order.parent_order_id)?,
        country: order.country.clone(),
        quoted: parse_lines("order.price.quoted", &price.quoted)?,
        changed: parse_lines("order.price.changes", &price.changes)?,
        cap: price.cap.map(|cap| Money::parse("order.price.cap", Some(&cap))).transpose()?,
    })
}

fn parse_change(change: &pb::OrderChange, erased: bool) -> Result<JobChange, Error> {
    let state = match change.state() {
        pb::OrderChangeState::Proposed => JobChangeState::Proposed,
        pb::OrderChangeState::Approved => JobChangeState::Approved,
        pb::OrderChangeState::Rejected => JobChangeState::Rejected,
        pb::OrderChangeState::Expired => JobChangeState::Expired,
        pb::OrderChangeState::Unspecified => {
            return Err(Error::invalid("order.changes.state", "must be given"));
        }
    };
    let details = change.details.as_ref().filter(|_| !erased);
    Ok(JobChange {
        change_id: parse_uuid("order.changes.change_id", &change.change_id)?,
        state,
        details: details.map(Message::encode_to_vec),
    })
}

fn parse_lines(field: &str, lines: &[pb::PriceLine]) -> Result<Vec<PricedLine>, Error> {
    let lines = lines.iter().map(|line| {
        let total = Money::parse(&format!("{field}.total"), line.total.as_ref())?;
        Ok(PricedLine { code: line.code.clone(), quantity: line.quantity, total })
    });
    lines.collect()
}

/// Reads the finished order that a new one follows.
pub fn parse_parent(parent: &pb::ParentOrder) -> Result<RecalledOrder, Error> {
    Ok(RecalledOrder {
        order_id: parse_uuid("parent.order_id", &parent.order_id)?,
        root_order_id: parse_uuid("parent.root_order_id", &parent.root_order_id)?,
        root_completed_at: moment("parent.root_completed_at", parent.root_completed_at.as_ref())?,
    })
}

/// Reads where a job stands in a series.
pub fn parse_series(series: &pb::SeriesPlace) -> Result<SeriesPlace, Error> {
    let previous_on = match series.previous_on.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Error::invalid("series.previous_on", "must be a date such as 2027-05-24")
        })?),
    };
    Ok(SeriesPlace { series_id: parse_uuid("series.series_id", &series.series_id)?, previous_on })
}

/// Reads a side of an order.
pub fn parse_side(field: &str, party: Party) -> Result<Side, Error> {
    match party {
        Party::Customer => Ok(Side::Customer),
        Party::Provider => Ok(Side::Provider),
        Party::Platform => Ok(Side::Operator),
        Party::Unspecified => Err(Error::invalid(field, "must be given")),
    }
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
    let Quote { lines, requirements, cap, manual_acceptance, window } = quote;
    pb::QuoteResponse {
        lines: to_price_lines(lines),
        requirements: Some(to_requirements(requirements)),
        cap: cap.map(Into::into),
        manual_acceptance,
        window: window.map(Into::into),
    }
}

/// The message for what a delivery comes to.
pub fn to_gate_response(delivery: GateAnswer) -> pb::CompletionGateResponse {
    let GateAnswer { missing, settlement, due } = delivery;
    pb::CompletionGateResponse {
        missing,
        settlement: to_price_lines(settlement),
        due: to_price_lines(due),
    }
}

/// The message for the price of a change that was proposed with `lines`.
pub fn to_change_response(
    quote: ChangeQuote,
    proposed: Vec<pb::PriceLine>,
) -> pb::QuoteChangeResponse {
    let ChangeQuote { lines, valid_for, denials } = quote;
    pb::QuoteChangeResponse {
        lines: lines.map_or(proposed, to_price_lines),
        valid_for: valid_for.map(duration),
        denials: denials.into_iter().map(str::to_owned).collect(),
    }
}

/// The message for what a job requires.
pub fn to_requirements(requirements: JobRequirements) -> pb::Requirements {
    let buffer = Some(duration(Duration::minutes(requirements.buffer_minutes)));
    let crew =
        requirements.crew.into_iter().map(|CrewMember { role, skills, documents, count }| {
            pb::CrewMember { role, skills, documents, count }
        });
    let assets = requirements.assets.into_iter().map(
        |Asset { kinds, seats, volume_l, payload_kg, count }| pb::Asset {
            kinds,
            seats,
            volume_l,
            payload_kg,
            count,
        },
    );
    let dispatch = requirements.dispatch.map(|dispatch| pb::Dispatch {
        live: dispatch.live,
        wave_size: dispatch.wave_size,
        answer: Some(duration(dispatch.answer)),
        radius_m: dispatch.radius_m,
        max_radius_m: dispatch.max_radius_m,
        search: Some(duration(dispatch.search)),
        favourites_first: dispatch.favourites_first,
    });
    pb::Requirements {
        skills: requirements.skills,
        documents: requirements.documents,
        crew_size: requirements.crew_size,
        duration: Some(duration(Duration::minutes(requirements.minutes))),
        buffer_before: buffer,
        buffer_after: buffer,
        crew: crew.collect(),
        assets: assets.collect(),
        dispatch,
        exclusive: requirements.exclusive,
        preferred_skills: requirements.preferred_skills,
    }
}

fn to_price_lines(lines: Vec<Line>) -> Vec<pb::PriceLine> {
    lines.into_iter().map(to_price_line).collect()
}

fn to_price_line(line: Line) -> pb::PriceLine {
    let Line { code, quantity, unit, total, pass_through } = line;
    pb::PriceLine {
        code,
        quantity,
        unit: unit.to_owned(),
        total: Some(total.into()),
        payer: Party::Customer.into(),
        earner: Party::Provider.into(),
        pass_through,
        ..pb::PriceLine::default()
    }
}
