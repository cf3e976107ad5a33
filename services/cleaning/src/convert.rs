//! Between the rows and rules of cleaning and the messages of its contracts.

use crate::domain::{
    Cleaning, Details, Error,
    checklist::{Item, Tick},
    cleaning::{Attempt, Phase},
    details::{self, CleaningType, Frequency, LastVisit, Size},
    price::{Line, Quote, Takes},
};
use chrono::Duration;
use kit::{
    Window,
    values::time::{duration, moment, timestamp},
};
use prost::Message;
use prost_types::Struct;
use proto::quickserve::{
    cleaning::v1 as pb,
    fulfilment::v1::{self as fulfilment, OrderState, Party, PriceLine, Requirements},
};

/// Full name of the message that details must fit.
pub const DETAILS: &str = "quickserve.cleaning.v1.CleaningDetails";

/// Reads the details of an order, field by field and as a whole.
pub fn parse_details(details: Option<&Struct>) -> Result<(pb::CleaningDetails, Details), Error> {
    let details = details.ok_or_else(|| Error::invalid("details", "must be given"))?;
    let message: pb::CleaningDetails = kit::rpc::details::decode_details(DETAILS, details)?;
    let read = read_details(&message)?;
    Ok((message, read))
}

/// As [`parse_details`], for the details that an order was accepted with.
pub fn parse_accepted_details(
    details: Option<&Struct>,
) -> Result<(pb::CleaningDetails, Details), Error> {
    let details = details.ok_or_else(|| Error::invalid("order.details", "must be given"))?;
    let message: pb::CleaningDetails = kit::rpc::details::decode_accepted(DETAILS, details)?;
    let read = read_details(&message)?;
    Ok((message, read))
}

fn read_details(message: &pb::CleaningDetails) -> Result<Details, Error> {
    let pb::CleaningDetails {
        r#type,
        area_m2,
        rooms,
        bathrooms,
        extras,
        frequency,
        last_visit_on,
        days_since_last_visit,
        bring_supplies,
        access: _,
        notes: _,
    } = message;
    let on = match last_visit_on.as_str() {
        "" => None,
        text => Some(text.parse().map_err(|_| {
            Error::invalid("details.last_visit_on", "must be a date such as 2027-05-24")
        })?),
    };
    let extras = extras.iter().map(|extra| (extra.code.clone(), extra.quantity));
    Ok(Details {
        kind: CleaningType::parse(r#type)?,
        size: Size::parse(*area_m2, *rooms, *bathrooms)?,
        extras: details::parse_extras(extras)?,
        frequency: Frequency::parse(frequency)?,
        last_visit: LastVisit { on, days_ago: days_since_last_visit.map(i64::from) },
        bring_supplies: *bring_supplies,
    })
}

/// How large the place of stored details is.
pub fn stored_size(details: &[u8]) -> Option<Size> {
    let message = pb::CleaningDetails::decode(details).ok()?;
    Size::parse(message.area_m2, message.rooms, message.bathrooms).ok()
}

/// The phase of an order's state; none for no state.
pub const fn phase(state: OrderState) -> Option<Phase> {
    match state {
        OrderState::Unspecified => None,
        OrderState::PendingPayment
        | OrderState::Requested
        | OrderState::Searching
        | OrderState::Assigned
        | OrderState::EnRoute => Some(Phase::Booked),
        OrderState::Arrived => Some(Phase::AtTheDoor),
        OrderState::InProgress | OrderState::AwaitingApproval => Some(Phase::Working),
        OrderState::ChangesRequested => Some(Phase::Rework),
        OrderState::Delivered | OrderState::Completed | OrderState::Closed => Some(Phase::Done),
        OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => Some(Phase::Off),
    }
}

/// The phase of a stored state; one that is not known is over.
pub fn stored_phase(state: i32) -> Phase {
    OrderState::try_from(state).ok().and_then(phase).unwrap_or(Phase::Off)
}

/// The message for a cleaning.
pub fn cleaning(cleaning: &Cleaning) -> Result<pb::Cleaning, Error> {
    let details = pb::CleaningDetails::decode(cleaning.details.as_slice());
    let zone = cleaning.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    let window = Window { start: cleaning.starts_at, end: cleaning.ends_at, zone };
    let attempts = cleaning.contact_attempts.0.iter().map(|attempt| pb::ContactAttempt {
        channel: attempt.channel.clone(),
        at: Some(timestamp(attempt.at)),
    });
    Ok(pb::Cleaning {
        id: cleaning.order_id.to_string(),
        customer_id: cleaning.customer_id.to_string(),
        provider_user_id: cleaning.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        state: cleaning.state,
        details: Some(details.map_err(kit::Error::internal)?),
        window: Some(window.into()),
        recleans: cleaning.recleans,
        access_failed_at: cleaning.access_failed_at.map(timestamp),
        contact_attempts: attempts.collect(),
        version: cleaning.version,
        updated_at: Some(timestamp(cleaning.updated_at)),
    })
}

/// The message for a checklist.
pub fn checklist(cleaning: &Cleaning) -> pb::Checklist {
    pb::Checklist {
        id: cleaning.order_id.to_string(),
        items: cleaning.checklist.0.iter().map(to_item).collect(),
        complete: cleaning.checklist.is_complete(),
        version: cleaning.version,
        updated_at: Some(timestamp(cleaning.updated_at)),
    }
}

fn to_item(item: &Item) -> pb::ChecklistItem {
    pb::ChecklistItem {
        code: item.code.clone(),
        done: item.done_at.is_some(),
        done_at: item.done_at.map(timestamp),
        note: item.note.clone(),
        reopened: item.reopened,
    }
}

/// Reads a change of an item.
pub fn parse_tick(change: pb::ChecklistChange) -> Tick {
    let pb::ChecklistChange { code, done, note } = change;
    Tick { code, done, note }
}

/// Reads the tries to reach a customer.
pub fn parse_attempts(attempts: Vec<pb::ContactAttempt>) -> Result<Vec<Attempt>, Error> {
    let attempts = attempts.into_iter().enumerate().map(|(index, attempt)| {
        let pb::ContactAttempt { channel, at } = attempt;
        let at = moment(&format!("contact_attempts[{index}].at"), at.as_ref())?;
        Ok(Attempt { channel, at })
    });
    attempts.collect()
}

/// The message for a price.
pub fn quote(quote: Quote) -> fulfilment::QuoteResponse {
    let Quote { lines, takes } = quote;
    let Takes { skills, documents, minutes, buffer_minutes } = takes;
    let span = |minutes| Some(duration(Duration::minutes(minutes)));
    fulfilment::QuoteResponse {
        lines: lines.into_iter().map(to_line).collect(),
        requirements: Some(Requirements {
            skills,
            documents,
            crew_size: 1,
            duration: span(minutes),
            buffer_before: span(buffer_minutes),
            buffer_after: span(buffer_minutes),
        }),
    }
}

fn to_line(line: Line) -> PriceLine {
    let Line { code, quantity, unit, total } = line;
    #[expect(clippy::cast_precision_loss, reason = "quantities are small")]
    let quantity = quantity as f64;
    PriceLine {
        code,
        quantity,
        unit: unit.to_owned(),
        total: Some(total.into()),
        payer: Party::Customer.into(),
        earner: Party::Provider.into(),
    }
}
