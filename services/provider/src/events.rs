//! Facts: what provider publishes, and what it learns from orders and accounts.

use crate::{
    domain::{
        Error, Provider, ProviderId,
        block::ACCOUNT_SUSPENDED,
        profile::State,
        score::{OrderOutcome, is_on_time},
    },
    repository::{
        Providers, assets, documents, members, offerings, presences, profiles, reservations,
        time_off,
    },
};
use async_trait::async_trait;
use kit::{
    Event, Scope, Tx,
    messaging::{bus::Consumer, inbox, outbox},
    storage::idempotency,
    values::time,
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1::{OfferEnd, OrderEvent},
    provider::v1 as pb,
    user::v1::UserEvent,
};
use uuid::Uuid;

pub const APPLIED: &str = "provider.applied";
/// An operator approved a profile.
pub const VERIFIED: &str = "provider.verified";
/// A reason holds a profile, anew or until another moment; the reason is its code.
pub const BLOCKED: &str = "provider.blocked";
/// A reason does not hold a profile any more; others may.
pub const UNBLOCKED: &str = "provider.unblocked";
/// Something that had been verified was withdrawn; the reason is the document's kind, or `background`.
pub const RESTRICTED: &str = "provider.restricted";
/// Names the background check in [`RESTRICTED`].
pub const BACKGROUND: &str = "background";
/// What a profile offers or where has changed; the reason is the vertical.
pub const OFFERING_CHANGED: &str = "provider.offering_changed";
/// A member or a vehicle that jobs count on is gone or does less; the reason is [`MEMBER`] or [`VEHICLE`].
pub const RESOURCE_LOST: &str = "provider.resource_lost";
/// Names a member in [`RESOURCE_LOST`].
pub const MEMBER: &str = "member";
/// Names a vehicle in [`RESOURCE_LOST`].
pub const VEHICLE: &str = "vehicle";
/// Other members or vehicles of the provider come for an order than were to come before.
pub const CREW_REPLACED: &str = "provider.crew_replaced";
/// A profile has left.
pub const OFFBOARDED: &str = "provider.offboarded";
/// The last day of a verified document is over; the reason is its kind.
pub const DOCUMENT_EXPIRED: &str = "provider.document_expired";
/// A verified document expires soon; the reason is its kind.
pub const DOCUMENT_EXPIRING: &str = "provider.document_expiring";

/// Writes down a fact of `provider`, which counts it.
pub async fn record_event(
    tx: &Tx,
    provider: &mut Provider,
    kind: &str,
    reason: &str,
) -> Result<(), Error> {
    let data = pb::ProviderEvent { reason: reason.to_owned(), ..data_of(provider) };
    record_data(tx, provider, kind, &data).await
}

/// Writes down that other members or vehicles of `provider` come for an order than were to come before.
pub async fn record_crew_replaced(
    tx: &Tx,
    provider: &mut Provider,
    order_id: Uuid,
) -> Result<(), Error> {
    let data = pb::ProviderEvent { order_id: order_id.to_string(), ..data_of(provider) };
    record_data(tx, provider, CREW_REPLACED, &data).await
}

fn data_of(provider: &Provider) -> pb::ProviderEvent {
    pb::ProviderEvent {
        provider_id: provider.id.to_string(),
        user_id: provider.user_id.to_string(),
        ..pb::ProviderEvent::default()
    }
}

async fn record_data(
    tx: &Tx,
    provider: &mut Provider,
    kind: &str,
    data: &pb::ProviderEvent,
) -> Result<(), Error> {
    provider.event_seq += 1;
    outbox::record_event(tx, kind, provider.id.uuid(), provider.event_seq, data).await?;
    Ok(())
}

/// The name under which this service remembers the facts it has acted on.
const CONSUMER: &str = "provider";

/// Acts on facts of orders, which make up the score, and of accounts.
pub struct FactConsumer {
    providers: Providers,
}

impl FactConsumer {
    /// A consumer that changes `providers`.
    pub const fn new(providers: Providers) -> Self {
        Self { providers }
    }

    /// Counts what an order says of its provider.
    async fn count_outcome(&self, event: &Event) -> Result<(), Error> {
        let order: OrderEvent = event.decode()?;
        let Ok(Some(id)) = ProviderId::parse_optional("provider_id", &order.provider_id) else {
            return Ok(());
        };
        let Some(outcome) = order_outcome(&event.kind, &order) else { return Ok(()) };
        let tx = self.providers.db.begin().await?;
        if !inbox::first_time(&tx, CONSUMER, event).await? {
            return Ok(());
        }
        match profiles::lock_profile(&tx, id, Scope::All).await {
            Ok(mut provider) => {
                provider.count(outcome);
                profiles::save_score(&tx, &mut provider).await?;
            }
            Err(Error::ProviderNotFound) => {}
            Err(error) => return Err(error),
        }
        Ok(tx.commit().await?)
    }

    /// Ends the profile of an erased account and forgets the person.
    async fn erase(&self, event: &Event, user_id: Uuid) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        if !inbox::first_time(&tx, CONSUMER, event).await? {
            return Ok(());
        }
        idempotency::forget_account(&tx, user_id).await?;
        let Some(mut provider) = profiles::lock_of_user(&tx, user_id).await? else {
            return Ok(tx.commit().await?);
        };
        if provider.state != State::Offboarded {
            record_event(&tx, &mut provider, OFFBOARDED, "").await?;
        }
        provider.erase();
        documents::forget_person(&tx, provider.id).await?;
        members::delete_all(&tx, provider.id).await?;
        assets::delete_all(&tx, provider.id).await?;
        presences::delete_presence(&tx, provider.id).await?;
        offerings::delete_all(&tx, provider.id).await?;
        time_off::delete_all(&tx, provider.id).await?;
        profiles::save_profile(&tx, &mut provider).await?;
        tx.commit().await?;
        self.providers.forget_standing(provider.id).await;
        Ok(())
    }

    /// Forgets where the home of an erased customer is: no one has to go there any more.
    async fn forget_place(&self, event: &Event) -> Result<(), Error> {
        let OrderEvent { order_id, .. } = event.decode()?;
        let order_id = order_id.parse().map_err(kit::Error::internal)?;
        let tx = self.providers.db.begin().await?;
        if inbox::first_time(&tx, CONSUMER, event).await? {
            reservations::forget_place(&tx, order_id).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Blocks the profile of a suspended account, unless the profile has left.
    async fn block_suspended(&self, event: &Event, user_id: Uuid) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        if !inbox::first_time(&tx, CONSUMER, event).await? {
            return Ok(());
        }
        let Some(mut provider) = profiles::lock_of_user(&tx, user_id).await? else {
            return Ok(tx.commit().await?);
        };
        if provider.block(ACCOUNT_SUSPENDED, None, tx.now()).is_ok() {
            record_event(&tx, &mut provider, BLOCKED, ACCOUNT_SUSPENDED).await?;
        }
        profiles::save_profile(&tx, &mut provider).await?;
        tx.commit().await?;
        self.providers.forget_standing(provider.id).await;
        Ok(())
    }

    /// Lifts the block that a suspension set. Other reasons go on holding the profile.
    async fn lift_suspension(&self, event: &Event, user_id: Uuid) -> Result<(), Error> {
        let tx = self.providers.db.begin().await?;
        if !inbox::first_time(&tx, CONSUMER, event).await? {
            return Ok(());
        }
        let Some(mut provider) = profiles::lock_of_user(&tx, user_id).await? else {
            return Ok(tx.commit().await?);
        };
        if provider.lift_suspension()? {
            record_event(&tx, &mut provider, UNBLOCKED, ACCOUNT_SUSPENDED).await?;
            profiles::save_profile(&tx, &mut provider).await?;
        }
        tx.commit().await?;
        self.providers.forget_standing(provider.id).await;
        Ok(())
    }
}

/// What a fact of an order says of its provider.
fn order_outcome(kind: &str, order: &OrderEvent) -> Option<OrderOutcome> {
    let by_provider = order.fault == "provider";
    match kind {
        "order.reviewed" if order.addressee == "provider" && (1..=5).contains(&order.stars) => {
            Some(OrderOutcome::Reviewed(order.stars))
        }
        "order.assigned" => Some(OrderOutcome::Accepted),
        "order.declined" => Some(OrderOutcome::Declined),
        // An offer that another provider took, or that provider refused, says nothing.
        "order.offer_ended" => match order.offer_end() {
            OfferEnd::Declined | OfferEnd::Ignored => Some(OrderOutcome::Declined),
            OfferEnd::Unspecified | OfferEnd::Revoked | OfferEnd::Refused => None,
        },
        // A request that ran out was not answered.
        "order.expired" if order.from() == OrderState::Requested => Some(OrderOutcome::Declined),
        "order.cancelled" | "order.reassigned" if by_provider => Some(OrderOutcome::Cancelled),
        "order.arrived" => {
            let start = order.window.as_ref().and_then(|window| window.start.as_ref());
            let start = time::moment("window.start", start).ok()?;
            let at = time::moment("at", order.at.as_ref()).ok()?;
            Some(OrderOutcome::Arrived { on_time: is_on_time(start, at) })
        }
        "order.completed" => Some(OrderOutcome::Completed),
        _ => None,
    }
}

#[async_trait]
impl Consumer for FactConsumer {
    fn wants(&self, kind: &str) -> bool {
        matches!(
            kind,
            "order.reviewed"
                | "order.assigned"
                | "order.declined"
                | "order.offer_ended"
                | "order.expired"
                | "order.cancelled"
                | "order.reassigned"
                | "order.arrived"
                | "order.completed"
                | "order.erased"
                | "user.erased"
                | "user.suspended"
                | "user.reinstated"
        )
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        let done = match event.kind.as_str() {
            "order.erased" => self.forget_place(event).await,
            "user.erased" => self.erase(event, user_of(event)?).await,
            "user.suspended" => self.block_suspended(event, user_of(event)?).await,
            "user.reinstated" => self.lift_suspension(event, user_of(event)?).await,
            _ => self.count_outcome(event).await,
        };
        done.map_err(Into::into)
    }
}

fn user_of(event: &Event) -> Result<Uuid, kit::Error> {
    let UserEvent { user_id } = event.decode()?;
    user_id.parse().map_err(kit::Error::internal)
}
