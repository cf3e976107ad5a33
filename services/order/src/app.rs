//! What the RPCs, the timers and the consumers of facts share.

use crate::{
    domain::{Error, Order, Policy, Secret, Timing},
    peers::Peers,
    repository::Orders,
};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Turns an order into a call's answer.
pub type Answer<M> = Arc<dyn Fn(&Order) -> M + Send + Sync>;

/// Orders with all they need.
pub struct App {
    /// The tables.
    pub orders: Orders,
    /// The services that order asks.
    pub peers: Peers,
    /// The key of start codes and cancel tokens.
    pub secret: Secret,
    /// What cancelling costs, for new quotes.
    pub policy: Policy,
}

impl App {
    /// How long things take.
    pub fn timing(&self) -> &Timing {
        &self.orders.timing
    }

    /// The time.
    pub fn now(&self) -> DateTime<Utc> {
        self.orders.db.clock().now()
    }
}

/// What became of a call that a timer or a worker makes: one that is refused for good is logged and not made again.
pub fn settled(what: &str, result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error @ (Error::Refused(..) | Error::NotFound(_) | Error::OfferTaken)) => {
            tracing::info!(%error, what, "nothing to do any more");
            Ok(())
        }
        result => result,
    }
}
