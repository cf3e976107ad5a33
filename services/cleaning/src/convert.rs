//! Between the rows and rules of cleaning and the messages of its contract.

use crate::{
    cleaning::CleaningJob,
    domain::{
        Details,
        details::{self, CleaningType, Frequency, LastVisit, Size},
    },
};
use kit::values::time::{moment, timestamp};
use prost::Message;
use proto::quickserve::cleaning::v1 as pb;
use vertical::{
    ContactAttempt, Error,
    checklist::{Item, ItemChange},
};

/// Reads the details of an order as a whole.
pub fn read_details(message: &pb::CleaningDetails) -> Result<Details, Error> {
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

/// The message for a cleaning.
pub fn cleaning(job: &CleaningJob) -> Result<pb::Cleaning, Error> {
    let order = &job.order;
    let details = pb::CleaningDetails::decode(order.details.as_slice());
    let attempts = order.contact_attempts.0.iter().map(|attempt| pb::ContactAttempt {
        channel: attempt.channel.clone(),
        at: Some(timestamp(attempt.at)),
    });
    Ok(pb::Cleaning {
        id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        state: order.state,
        details: Some(details.map_err(kit::Error::internal)?),
        window: Some(order.window().into()),
        recleans: order.reworks,
        access_failed_at: order.access_failed_at.map(timestamp),
        contact_attempts: attempts.collect(),
        version: order.version,
        updated_at: Some(timestamp(order.updated_at)),
    })
}

/// The message for a checklist.
pub fn checklist(job: &CleaningJob) -> pb::Checklist {
    pb::Checklist {
        id: job.order.order_id.to_string(),
        items: job.own.checklist.0.iter().map(to_item).collect(),
        complete: job.own.checklist.is_complete(),
        version: job.order.version,
        updated_at: Some(timestamp(job.order.updated_at)),
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
pub fn parse_item_change(change: pb::ChecklistChange) -> ItemChange {
    let pb::ChecklistChange { code, done, note } = change;
    ItemChange { code, done, note }
}

/// Reads the tries to reach a customer.
pub fn parse_attempts(attempts: Vec<pb::ContactAttempt>) -> Result<Vec<ContactAttempt>, Error> {
    let attempts = attempts.into_iter().enumerate().map(|(index, attempt)| {
        let pb::ContactAttempt { channel, at } = attempt;
        let at = moment(&format!("contact_attempts[{index}].at"), at.as_ref())?;
        Ok(ContactAttempt { channel, at })
    });
    attempts.collect()
}
