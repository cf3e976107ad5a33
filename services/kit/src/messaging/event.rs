//! Events: what one service publishes and others act on.

use crate::rpc::error::Error;
use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Something that has happened to an aggregate. Its attributes are those of a CloudEvent 1.0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Identifies the event; a consumer meets it again when it is delivered again.
    pub id: Uuid,
    /// The service that published it.
    pub source: String,
    /// What happened, for example `order.created`.
    pub kind: String,
    /// What it happened to.
    pub aggregate: Uuid,
    /// Counts the events of the aggregate from 1, without a gap.
    pub seq: i64,
    /// When it happened.
    pub occurred_at: DateTime<Utc>,
    /// Who made it happen: `user:{id}`, `service:{name}`, `anonymous` or empty for a worker.
    pub actor: String,
    /// W3C trace context of the request that made it happen, or empty.
    pub traceparent: String,
    /// The event's protobuf message, named by `kind` in the publishing service's contract.
    pub data: Vec<u8>,
    /// The only consumer that the event is delivered to, when it is published again for one: its name, or that of its
    /// service.
    pub only_for: Option<String>,
}

impl Event {
    /// Reads the event's message.
    pub fn decode<M: prost::Message + Default>(&self) -> Result<M, Error> {
        M::decode(self.data.as_slice()).map_err(Error::internal)
    }

    /// Whether the consumer of this name is meant.
    pub fn is_for(&self, consumer: &str) -> bool {
        let service = consumer.split('.').next();
        match self.only_for.as_deref() {
            None => true,
            Some(name) => name == consumer || Some(name) == service,
        }
    }
}
