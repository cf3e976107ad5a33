//! An event as the fields of a stream's entry.

use crate::messaging::event::Event;
use bytes::Bytes;
use chrono::DateTime;
use fred::types::Value;
use std::collections::HashMap;
use uuid::Uuid;

/// Names of the fields, in the order of [`fields`].
pub(super) const NAMES: [&str; 9] =
    ["id", "kind", "aggregate", "seq", "occurred_at", "actor", "traceparent", "data", "only_for"];

/// An entry of a stream as a consumer reads it.
pub(super) struct Entry {
    /// The entry's own id, by which it is acknowledged.
    pub(super) id: String,
    /// The event, unless the entry is none or was trimmed away.
    pub(super) event: Option<Event>,
}

/// Values of the fields.
pub(super) fn fields(event: &Event) -> [Value; NAMES.len()] {
    [
        event.id.to_string().into(),
        event.kind.clone().into(),
        event.aggregate.to_string().into(),
        event.seq.to_string().into(),
        event.occurred_at.timestamp_micros().to_string().into(),
        event.actor.clone().into(),
        event.traceparent.clone().into(),
        Value::Bytes(Bytes::copy_from_slice(&event.data)),
        event.only_for.clone().unwrap_or_default().into(),
    ]
}

/// Reads an entry of the stream of `source`, as Redis answers it: the id, and the names and values in turn.
pub(super) fn read(source: &str, answer: Value) -> Option<Entry> {
    let Value::Array(parts) = answer else { return None };
    let [id, fields] = <[Value; 2]>::try_from(parts).ok()?;
    let id = id.into_string()?;
    let mut named = HashMap::new();
    if let Value::Array(fields) = fields {
        let mut fields = fields.into_iter();
        while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
            named.insert(name.into_string()?, value.into_bytes()?);
        }
    }
    Some(Entry { id, event: read_event(source, &named) })
}

fn read_event(source: &str, named: &HashMap<String, Bytes>) -> Option<Event> {
    Some(Event {
        id: Uuid::parse_str(&text(named, "id")?).ok()?,
        source: source.to_owned(),
        kind: text(named, "kind")?,
        aggregate: Uuid::parse_str(&text(named, "aggregate")?).ok()?,
        seq: text(named, "seq")?.parse().ok()?,
        occurred_at: DateTime::from_timestamp_micros(text(named, "occurred_at")?.parse().ok()?)?,
        actor: text(named, "actor")?,
        traceparent: text(named, "traceparent")?,
        data: named.get("data")?.to_vec(),
        // Earlier versions write none.
        only_for: text(named, "only_for").filter(|name| !name.is_empty()),
    })
}

fn text(named: &HashMap<String, Bytes>, name: &str) -> Option<String> {
    String::from_utf8(named.get(name)?.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_as_it_was_written() {
        let event = Event {
            id: Uuid::new_v4(),
            source: "user".to_owned(),
            kind: "user.registered".to_owned(),
            aggregate: Uuid::new_v4(),
            seq: 3,
            occurred_at: DateTime::from_timestamp_micros(1_809_939_600_123_456).unwrap(),
            actor: "user:1".to_owned(),
            traceparent: String::new(),
            data: vec![0, 0xFF, b'\n'],
            only_for: Some("notification".to_owned()),
        };
        let pairs = NAMES.into_iter().map(Value::from).zip(fields(&event));
        let fields = pairs.flat_map(|(name, value)| [name, value]).collect();
        let answer = Value::Array(vec!["1-0".into(), Value::Array(fields)]);
        let entry = read("user", answer).unwrap();
        assert_eq!(entry.id, "1-0");
        assert_eq!(entry.event, Some(event));
        // One that was trimmed away while a consumer had not acknowledged it.
        let trimmed = read("user", Value::Array(vec!["1-0".into(), Value::Null])).unwrap();
        assert_eq!(trimmed.event, None);
    }
}
