//! What the RPCs, the timers and the consumers of events share.

use crate::{
    domain::{Error, Policy, Secret, Timing},
    peers::Peers,
    repository::bookings::Bookings,
    vertical::Verticals,
};
use chrono::{DateTime, Utc};
use kit::Db;
use std::sync::Arc;

/// Orders with all they need.
pub struct App {
    /// The tables of order.
    pub db: Db,
    /// Begins and finishes bookings.
    pub bookings: Bookings,
    /// The verticals, each under its own key.
    pub verticals: Verticals,
    /// Provider and payment.
    pub peers: Peers,
    /// The key of start codes and cancel tokens.
    pub secret: Secret,
    /// What cancelling costs, for new quotes.
    pub policy: Policy,
    /// How long things take.
    pub timing: Arc<Timing>,
}

impl App {
    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.db.clock().now()
    }
}

/// The error as the runtime takes it from timers and consumers.
pub fn into_kit_error(error: Error) -> kit::Error {
    match error {
        Error::Kit(error) => error,
        error => kit::Error::from_fault(&error),
    }
}

/// Drops what the order's state refuses to a timer: it is logged and not tried again.
pub fn drop_refusal(what: &str, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error @ (Error::Refused(..) | Error::NotFound(_) | Error::OfferTaken)) => {
            tracing::info!(%error, what, "dropped: no longer applicable");
            Ok(())
        }
        result => result,
    }
}
