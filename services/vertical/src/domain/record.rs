//! The table of orders as rows.

use super::{access::Attempts, facts::OrderFacts};
use sea_orm::entity::prelude::*;

/// What every vertical keeps about an order.
#[derive(Clone, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "order_records")]
pub struct Model {
    /// Which order it is.
    #[sea_orm(primary_key, auto_increment = false)]
    pub order_id: Uuid,
    /// Account of the customer.
    pub customer_id: Uuid,
    /// Account of the provider who is assigned.
    pub provider_user_id: Option<Uuid>,
    /// The version of the order that the vertical has heard of; 0 when it heard before orders told theirs.
    pub order_version: i64,
    /// Number of the order's state, as in `fulfilment.v1.OrderState`.
    pub state: i32,
    /// When the order was delivered last.
    pub delivered_at: Option<DateTimeUtc>,
    /// Whether the order was ever delivered.
    pub delivered: bool,
    /// The details message that the order was priced on, as bytes; empty once the order is erased.
    pub details: Vec<u8>,
    /// Start of the window in which the work happens.
    pub starts_at: DateTimeUtc,
    /// End of that window.
    pub ends_at: DateTimeUtc,
    /// IANA name of the zone of the place, for example `Europe/Paris`.
    pub time_zone: String,
    /// Latitude of the place in degrees north; none where the vertical was not told, and once the order is erased.
    pub lat: Option<f64>,
    /// Longitude of the place in degrees east, where there is a latitude.
    pub lng: Option<f64>,
    /// How often the customer has asked for rework.
    pub reworks: i32,
    /// When the provider reported that the door stayed closed.
    pub access_failed_at: Option<DateTimeUtc>,
    /// The attempts to reach the customer on which that report rests.
    pub contact_attempts: Attempts,
    /// What else the order says of itself.
    pub facts: OrderFacts,
    /// Until when the delivery or the end of the order may be written on what the vertical has seen; none once the vertical is
    /// told of the order.
    pub locked_until: Option<DateTimeUtc>,
    /// What the vertical keeps of its own, see [`crate::Job`].
    pub own: Json,
    /// Counts the changes of this record.
    pub version: i64,
    /// Number of the last event that was published about the order here.
    pub event_seq: i64,
    /// When the vertical first heard of the order.
    pub created_at: DateTimeUtc,
    /// When this record changed last.
    pub updated_at: DateTimeUtc,
}

/// Says which order it is, not what people wrote about their homes.
impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OrderRecord").field("order_id", &self.order_id).finish_non_exhaustive()
    }
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
