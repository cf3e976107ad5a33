//! What the RPCs, the timers and the consumers of events share.

use crate::{
    domain::{CodeKey, Error, Policy, Timing},
    peers::Peers,
    repository::bookings::Bookings,
    vertical::Verticals,
    watch::OfferWatchers,
};
use chrono::{DateTime, Utc};
use kit::{
    Db,
    storage::idempotency::{Key, Running, Turn},
};
use std::{sync::Arc, time::Duration};

/// How long a call waits for the same one that is still running, before it is answered that it does.
const MAX_TURN_WAIT: Duration = Duration::from_millis(1_250);

/// Orders with all they need.
pub struct App {
    /// The tables of order.
    pub db: Db,
    /// Begins and finishes bookings.
    pub bookings: Bookings,
    /// The bookings that are being carried through, by the keys of their calls.
    pub running: Running,
    /// The verticals, each under its own key.
    pub verticals: Verticals,
    /// Provider and payment.
    pub peers: Peers,
    /// Those who watch their offers.
    pub offers: OfferWatchers,
    /// The key of start codes and cancel tokens.
    pub secret: CodeKey,
    /// What cancelling costs, for new quotes.
    pub policy: Policy,
    /// How long things take.
    pub timing: Arc<Timing>,
}

impl App {
    pub fn now(&self) -> DateTime<Utc> {
        self.db.clock().now()
    }

    /// Waits for the same call, should it be running.
    pub async fn take_turn(&self, key: Option<&Key>) -> Result<Option<Turn>, Error> {
        let Some(key) = key else { return Ok(None) };
        Ok(Some(self.running.take_turn(key, MAX_TURN_WAIT).await?))
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
