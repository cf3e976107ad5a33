//! Follows orders: who is a party, whether the provider is on the way, and how long points are kept.

use crate::{
    domain::{
        Error, ProviderId, Track,
        track::{OrderNews, TrackState},
    },
    repository::{Providers, tracks},
};
use async_trait::async_trait;
use kit::{
    Event,
    messaging::{bus::Consumer, wake_ups::WakeUps},
    values::{id::parse_optional_uuid, id::parse_uuid, time},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1::OrderEvent};

const DISPUTED: &str = "order.disputed";
/// A side is in danger, which is a dispute by itself.
const SOS: &str = "order.sos";
const DISPUTE_RESOLVED: &str = "order.dispute_resolved";
/// The customer's account is erased.
const ERASED: &str = "order.erased";

/// The facts that move an order from one state to another, once there is a provider.
const MOVES: [&str; 15] = [
    "order.assigned",
    "order.reassigned",
    "order.en_route",
    "order.arrived",
    "order.started",
    "order.change_proposed",
    "order.change_decided",
    "order.delivered",
    "order.changes_requested",
    "order.completed",
    "order.closed",
    "order.cancelled",
    "order.no_provider",
    "order.no_show",
    "order.aborted",
];

/// Makes and moves tracks by the facts of orders.
pub struct TrackFollower {
    providers: Providers,
    signals: WakeUps,
}

impl TrackFollower {
    /// A follower that changes the tracks of `providers`.
    pub const fn new(providers: Providers, signals: WakeUps) -> Self {
        Self { providers, signals }
    }

    async fn follow(&self, event: &Event) -> Result<(), Error> {
        let Some(news) = read_news(event)? else { return Ok(()) };
        let tx = self.providers.db.begin().await?;
        let found = tracks::lock_track(&tx, news.order_id).await?;
        if found.is_none() {
            tracks::insert_track(&tx, &Track::begin(&news, tx.now())).await?;
        }
        let found = match found {
            Some(track) => Some(track),
            None => tracks::lock_track(&tx, news.order_id).await?,
        };
        let Some(mut track) = found.filter(|track| news.seq > track.order_seq) else {
            return Ok(tx.commit().await?);
        };
        let address = match news.provider {
            Some((provider_id, _)) => tracks::address_of(&tx, news.order_id, provider_id).await?,
            None => None,
        };
        track.follow(&news, address);
        match event.kind.as_str() {
            DISPUTED | SOS => track.hold_points(),
            DISPUTE_RESOLVED => track.release_points(tx.now()),
            ERASED => {
                tracks::delete_points(&tx, track.order_id).await?;
                track.forget_places();
            }
            _ => {}
        }
        tracks::save_track(&tx, &mut track).await?;
        tx.commit().await?;
        self.signals.wake([news.order_id]);
        Ok(())
    }
}

#[async_trait]
impl Consumer for TrackFollower {
    fn name(&self) -> &'static str {
        "tracks"
    }

    fn wants(&self, kind: &str) -> bool {
        MOVES.contains(&kind) || [DISPUTED, SOS, DISPUTE_RESOLVED, ERASED].contains(&kind)
    }

    async fn consume(&self, event: &Event) -> Result<(), kit::Error> {
        Ok(self.follow(event).await?)
    }
}

/// What a fact says; nothing when it names no customer.
fn read_news(event: &Event) -> Result<Option<OrderNews>, Error> {
    let order: OrderEvent = event.decode()?;
    let Some(customer_id) = parse_optional_uuid("customer_id", &order.customer_id)? else {
        return Ok(None);
    };
    let to = order.to();
    let has_provider = !matches!(
        to,
        OrderState::PendingPayment
            | OrderState::Requested
            | OrderState::Searching
            | OrderState::NoProvider
    );
    let profile = ProviderId::parse_optional("provider_id", &order.provider_id)?;
    let account = parse_optional_uuid("provider_user_id", &order.provider_user_id)?;
    Ok(Some(OrderNews {
        order_id: parse_uuid("order_id", &order.order_id)?,
        seq: event.seq,
        customer_id,
        provider: profile.zip(account).filter(|_| has_provider),
        state: track_state(to),
        at: time::moment("at", order.at.as_ref()).unwrap_or(event.occurred_at),
    }))
}

/// What a state of the order is to its track.
const fn track_state(state: OrderState) -> TrackState {
    match state {
        OrderState::Unspecified
        | OrderState::PendingPayment
        | OrderState::Requested
        | OrderState::Searching
        | OrderState::Assigned => TrackState::Waiting,
        OrderState::EnRoute => TrackState::EnRoute,
        OrderState::Arrived => TrackState::Arrived,
        OrderState::InProgress => TrackState::InProgress,
        OrderState::AwaitingApproval => TrackState::AwaitingApproval,
        OrderState::Delivered
        | OrderState::ChangesRequested
        | OrderState::Completed
        | OrderState::Closed => TrackState::Delivered,
        OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => TrackState::Off,
    }
}
