//! Who reads the secrets of a customer's home: the fields that a contract marks with
//! `(quickserve.options.v1.readers) = READERS_ON_ASSIGNMENT`, in every answer of every service that has them.
//!
//! The rule is [`provider_reads`] for the provider of an order; the customer and operators read them. Who answers leaves
//! them out for all others with [`hide`], and from the free-form details of an order with [`hide_in_details`].

use crate::rpc::error::Error;
use chrono::{DateTime, Duration, Utc};
use prost::Message;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value as Reflected};
use prost_types::{Struct, value::Kind as ValueKind};
use proto::quickserve::{fulfilment::v1::OrderState, options::v1::Readers};
use std::{collections::HashMap, sync::LazyLock};

/// How long after the delivery the provider still reads them, to see to what was forgotten.
pub const READ_AFTER_DELIVERY: Duration = Duration::hours(24);

/// Whether the provider of an order in `state`, last delivered at `delivered_at`, reads them: from the assignment until
/// [`READ_AFTER_DELIVERY`]. Rework opens them again. A provider who was only asked does not read them, and neither does
/// one who has nothing more to do there.
pub fn provider_reads(
    state: OrderState,
    delivered_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    match state {
        OrderState::Assigned
        | OrderState::EnRoute
        | OrderState::Arrived
        | OrderState::InProgress
        | OrderState::AwaitingApproval
        | OrderState::ChangesRequested => true,
        OrderState::Delivered | OrderState::Completed | OrderState::Closed => {
            delivered_at.is_some_and(|at| now < at + READ_AFTER_DELIVERY)
        }
        OrderState::Unspecified
        | OrderState::PendingPayment
        | OrderState::Requested
        | OrderState::Searching
        | OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => false,
    }
}

/// The message, whose full name is `name`, without its secrets.
pub fn hide<M: Message + Default>(name: &str, message: &M) -> Result<M, Error> {
    let descriptor = proto::descriptor_pool()
        .get_message_by_name(name)
        .ok_or_else(|| Error::internal(format!("no message is called {name}")))?;
    let mut dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())
        .map_err(Error::internal)?;
    clear_secrets(&mut dynamic);
    M::decode(dynamic.encode_to_vec().as_slice()).map_err(Error::internal)
}

/// The details of an order of `vertical` without their secrets. None of a vertical that no contract describes: what is
/// secret in its details is not known.
pub fn hide_in_details(vertical: &str, mut details: Struct) -> Option<Struct> {
    let message = DETAILS.get(vertical)?;
    remove_secrets(message, &mut details);
    Some(details)
}

/// Whether the contract marks the field as a secret.
pub fn is_secret(field: &FieldDescriptor) -> bool {
    let options = field.options();
    let set =
        options.extensions().find(|(it, _)| it.full_name() == "quickserve.options.v1.readers");
    let readers = set.and_then(|(_, value)| value.as_enum_number());
    readers == Some(Readers::OnAssignment.into())
}

/// The messages of the verticals' details, by the key of the vertical.
static DETAILS: LazyLock<HashMap<String, MessageDescriptor>> = LazyLock::new(|| {
    let messages = proto::descriptor_pool().all_messages();
    messages.filter_map(|message| Some((vertical_of(&message)?, message))).collect()
});

fn vertical_of(message: &MessageDescriptor) -> Option<String> {
    let options = message.options();
    let set =
        options.extensions().find(|(it, _)| it.full_name() == "quickserve.options.v1.details_of");
    set.and_then(|(_, value)| value.as_str().map(str::to_owned))
}

fn clear_secrets(message: &mut DynamicMessage) {
    let set: Vec<FieldDescriptor> = message.fields().map(|(field, _)| field).collect();
    for field in set {
        if is_secret(&field) {
            message.clear_field(&field);
        } else if matches!(field.kind(), Kind::Message(_)) {
            clear_within(message.get_field_mut(&field));
        }
    }
}

fn clear_within(value: &mut Reflected) {
    match value {
        Reflected::Message(message) => clear_secrets(message),
        Reflected::List(items) => items.iter_mut().for_each(clear_within),
        Reflected::Map(entries) => entries.values_mut().for_each(clear_within),
        _ => {}
    }
}

/// Removes the secrets of a message from what says the same in free form. A field that the message does not have goes
/// too.
fn remove_secrets(message: &MessageDescriptor, object: &mut Struct) {
    object.fields.retain(|name, value| {
        let by_name = message.get_field_by_name(name);
        let Some(field) = by_name.or_else(|| message.get_field_by_json_name(name)) else {
            return false;
        };
        if let (Kind::Message(inner), Some(kind)) = (field.kind(), &mut value.kind) {
            remove_within(&inner, kind);
        }
        !is_secret(&field)
    });
}

fn remove_within(message: &MessageDescriptor, value: &mut ValueKind) {
    match value {
        ValueKind::StructValue(object) if !is_free_form(message) => {
            remove_secrets(message, object);
        }
        ValueKind::ListValue(list) => {
            for kind in list.values.iter_mut().filter_map(|item| item.kind.as_mut()) {
                remove_within(message, kind);
            }
        }
        _ => {}
    }
}

/// Whether the JSON of the message is not made of its fields: that of a map, and of Google's own types.
fn is_free_form(message: &MessageDescriptor) -> bool {
    message.is_map_entry() || message.package_name() == "google.protobuf"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::details::to_struct;
    use crate::testing::{at, paris};
    use proto::quickserve::{cleaning::v1 as cleaning, common::v1::Address};
    use serde_json::json;

    fn details(json: serde_json::Value) -> Struct {
        to_struct(json.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_message_keeps_what_is_no_secret() {
        let cleaning = cleaning::Cleaning {
            id: "7".to_owned(),
            details: Some(cleaning::CleaningDetails {
                rooms: Some(2),
                access: "4711".to_owned(),
                notes: "the dog bites".to_owned(),
                ..Default::default()
            }),
            ..Default::default()
        };
        let shown = hide("quickserve.cleaning.v1.Cleaning", &cleaning).unwrap();
        let details = cleaning::CleaningDetails { rooms: Some(2), ..Default::default() };
        assert_eq!(shown, cleaning::Cleaning { details: Some(details), ..cleaning });
        let address = Address { access_notes: "B12".to_owned(), ..paris() };
        let shown = hide("quickserve.common.v1.Address", &address).unwrap();
        assert_eq!(shown, Address { lines: Vec::new(), ..paris() });
        assert!(hide("quickserve.common.v1.Nothing", &address).is_err());
    }

    #[test]
    fn details_keep_what_is_no_secret() {
        let given = details(json!({
            "rooms": 2, "access": "4711", "notes": null, "extras": [{ "code": "oven" }],
            "daysSinceLastVisit": 7, "door_code": "4711",
        }));
        let left = json!({ "rooms": 2, "extras": [{ "code": "oven" }], "daysSinceLastVisit": 7 });
        assert_eq!(hide_in_details("cleaning", given.clone()), Some(details(left)));
        assert_eq!(hide_in_details("unheard_of", given), None);
    }

    #[test]
    fn the_provider_reads_while_there_is_work_and_a_day_longer() {
        let (delivered, hour) = (at("2027-05-10T12:00:00Z"), Duration::hours(1));
        let reads = |state| provider_reads(state, Some(delivered), delivered + hour * 23);
        let too_late = |state| provider_reads(state, Some(delivered), delivered + hour * 24);
        for state in [OrderState::Assigned, OrderState::InProgress, OrderState::ChangesRequested] {
            assert!(reads(state) && too_late(state), "{state:?}");
        }
        for state in [OrderState::Delivered, OrderState::Completed, OrderState::Closed] {
            assert!(reads(state) && !too_late(state), "{state:?}");
            assert!(!provider_reads(state, None, delivered), "{state:?}");
        }
        for state in [OrderState::Requested, OrderState::Declined, OrderState::Cancelled] {
            assert!(!reads(state), "{state:?}");
        }
    }
}
