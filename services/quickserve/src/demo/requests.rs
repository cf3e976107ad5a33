//! What the customers of a demo city ask for.

use super::{CENTRE, ZONE};
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

/// What to send for the price of a two-hour cleaning by a provider.
pub fn quote_request(provider_id: &str, start: DateTime<Utc>) -> Value {
    json!({
        "vertical": "cleaning",
        "provider_id": provider_id,
        "details": { "type": "standard", "rooms": 2, "bathrooms": 1, "frequency": "once" },
        "window": {
            "start": start.to_rfc3339(),
            "end": (start + Duration::hours(2)).to_rfc3339(),
            "time_zone": ZONE,
        },
        "address": address(),
    })
}

/// What to send for a weekly cleaning by a provider at nine, from a local date on.
pub fn series_request(provider_id: &str, from_on: &str) -> Value {
    json!({
        "vertical": "cleaning",
        "provider_id": provider_id,
        "mode": "PROVIDER_MODE_PREFERRED",
        "details": { "type": "standard", "rooms": 2, "bathrooms": 1, "frequency": "weekly" },
        "address": address(),
        "from_on": from_on,
        "rrule": "FREQ=WEEKLY",
        "start_local": "09:00",
        "minutes": 120,
    })
}

/// What to send for the price of a ride by a provider: 8.2 km to the north.
pub fn ride_request(provider_id: &str, start: DateTime<Utc>) -> Value {
    json!({
        "vertical": "transport",
        "provider_id": provider_id,
        "details": {
            "kind": "ride", "passengers": 1,
            "stops": [{ "lat": CENTRE.0 + 0.056_726, "lng": CENTRE.1, "lines": ["4 rue du Four"] }],
        },
        "window": {
            "start": start.to_rfc3339(),
            "end": (start + Duration::minutes(30)).to_rfc3339(),
            "time_zone": ZONE,
        },
        "address": address(),
    })
}

/// What to send for the price of a move by a provider: 28 cubic metres from the fourth floor to the ground floor of a home
/// that is 12 km to the north, insured for 10,000 euros.
pub fn move_request(provider_id: &str, start: DateTime<Utc>) -> Value {
    json!({
        "vertical": "moving",
        "provider_id": provider_id,
        "details": {
            "items": [{ "code": "box", "quantity": 560 }],
            "basis": "binding",
            "from": { "floor": 4 },
            "to": { "lat": CENTRE.0 + 0.083_014, "lng": CENTRE.1, "lines": ["4 rue du Four"] },
            "declared_value": { "currency": "EUR", "minor_units": 1_000_000 },
        },
        "window": {
            "start": start.to_rfc3339(),
            "end": (start + Duration::hours(5)).to_rfc3339(),
            "time_zone": ZONE,
        },
        "address": address(),
    })
}

/// What to send for the price of a ride as soon as possible.
pub fn taxi_request() -> Value {
    let mut request = ride_request("", DateTime::UNIX_EPOCH);
    if let Some(fields) = request.as_object_mut() {
        fields.remove("window");
        fields.remove("provider_id");
        fields.insert("asap".to_owned(), json!(true));
    }
    request
}

/// What to send for the price of a repairer's visit to a washing machine.
pub fn repair_request(provider_id: &str, start: DateTime<Utc>) -> Value {
    json!({
        "vertical": "repair",
        "provider_id": provider_id,
        "details": {
            "category": "appliance", "brand": "Bosch", "model": "WAN28",
            "symptoms": "It does not drain.",
        },
        "window": {
            "start": start.to_rfc3339(),
            "end": (start + Duration::minutes(90)).to_rfc3339(),
            "time_zone": ZONE,
        },
        "address": address(),
    })
}

/// An address in the middle of the city.
fn address() -> Value {
    json!({
        "lines": ["1 rue de la Paix"], "postcode": "75002", "city": "Paris", "country": "FR",
        "lat": CENTRE.0, "lng": CENTRE.1,
    })
}

/// What to send for the price of care of some children by a provider.
pub fn care_request(
    provider_id: &str,
    children: &[&str],
    start: DateTime<Utc>,
    minutes: i64,
) -> Value {
    let children: Vec<_> = children.iter().map(|id| json!({ "child_id": id })).collect();
    json!({
        "vertical": "child_assistance",
        "provider_id": provider_id,
        "details": { "children": children, "languages": ["fr"] },
        "window": {
            "start": start.to_rfc3339(),
            "end": (start + Duration::minutes(minutes)).to_rfc3339(),
            "time_zone": ZONE,
        },
        "address": address(),
    })
}
