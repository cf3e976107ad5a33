//! Facts: what provider publishes, and what it learns from orders and accounts.

use crate::{
    domain::{
        Error, Provider, ProviderId,
        score::{Outcome, is_on_time},
    },
    repository::Providers,
};
use async_trait::async_trait;
use kit::{Event, Tx, messaging::bus::Consumer, messaging::outbox, values::time};
use proto::quickserve::{
    fulfilment::v1::OrderState, order::v1::OrderEvent, provider::v1 as pb, user::v1::UserEvent,
};
use uuid::Uuid;

/// Somebody applied.
pub const APPLIED: &str = "provider.applied";
/// An operator approved a profile.
pub const VERIFIED: &str = "provider.verified";
/// A profile was blocked; the reason is its code.
pub const BLOCKED: &str = "provider.blocked";
/// A verified document expires soon; the reason is its kind.
pub const DOCUMENT_EXPIRING: &str = "provider.document_expiring";

/// A fact to publish.
#[derive(Clone, Debug)]
pub struct Fact {
    /// What happened.
    pub kind: &'static str,
    /// Why.
    pub reason: String,
}

/// Writes down a fact of `provider`, which counts it.
pub async fn record(
    tx: &Tx,
    provider: &mut Provider,
    kind: &str,
    reason: &str,
) -> Result<(), Error> {
    provider.event_seq += 1;
    let data = pb::ProviderEvent {
        provider_id: provider.id.to_string(),
        user_id: provider.user_id.to_string(),
        reason: reason.to_owned(),
    };
    outbox::record(tx, kind, provider.id.uuid(), provider.event_seq, &data).await?;
    Ok(())
}

/// Follows orders, for the score, and accounts.
pub struct Follower {
    providers: Providers,
}

impl Follower {
    /// A follower that changes `providers`.
    pub const fn new(providers: Providers) -> Self {
        Self { providers }
    }

    async fn order(&self, event: &Event) -> Result<(), Error> {
        let order: OrderEvent = event.decode()?;
        let Ok(Some(id)) = ProviderId::parse_optional("provider_id", &order.provider_id) else {
            return Ok(());
        };
        match outcome(&event.kind, &order) {
            Some(outcome) => self.providers.count(event, id, outcome).await,
            None => Ok(()),
        }
    }

    async fn account(&self, event: &Event) -> Result<(), Error> {
        let UserEvent { user_id } = event.decode()?;
        let user_id: Uuid = user_id.parse().map_err(kit::Error::internal)?;
        match event.kind.as_str() {
            "user.erased" => self.providers.erase(event, user_id).await,
            _ => self.providers.suspend(event, user_id).await,
        }
    }
}

/// What a fact of an order says of its provider.
fn outcome(kind: &str, order: &OrderEvent) -> Option<Outcome> {
    let by_provider = order.fault == "provider";
    match kind {
        "order.reviewed" if order.addressee == "provider" && (1..=5).contains(&order.stars) => {
            Some(Outcome::Reviewed(order.stars))
        }
        "order.assigned" => Some(Outcome::Accepted),
        "order.declined" => Some(Outcome::Declined),
        // A request that ran out was not answered.
        "order.expired" if order.from() == OrderState::Requested => Some(Outcome::Declined),
        "order.cancelled" | "order.reassigned" if by_provider => Some(Outcome::Cancelled),
        "order.arrived" => {
            let start = order.window.as_ref().and_then(|window| window.start.as_ref());
            let start = time::moment("window.start", start).ok()?;
            let at = time::moment("at", order.at.as_ref()).ok()?;
            Some(Outcome::Arrived { on_time: is_on_time(start, at) })
        }
        "order.completed" => Some(Outcome::Completed),
        _ => None,
    }
}

#[async_trait]
impl Consumer for Follower {
    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            "order.reviewed"
                | "order.assigned"
                | "order.declined"
                | "order.expired"
                | "order.cancelled"
                | "order.reassigned"
                | "order.arrived"
                | "order.completed"
                | "user.erased"
                | "user.suspended"
        )
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let done = match event.kind.starts_with("user.") {
            true => self.account(event).await,
            false => self.order(event).await,
        };
        done.map_err(plain)
    }
}

/// The failure as workers log it.
pub fn plain(error: Error) -> kit::Error {
    match error {
        Error::Kit(error) => error,
        other => kit::Error::internal(other),
    }
}
