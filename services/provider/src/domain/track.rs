//! The track of an order: who may watch it, and what the facts of the order make of it.

use super::{Error, ProviderId, Track};
use chrono::{DateTime, Duration, Utc};
use kit::values::coordinates::Coordinates;
use sea_orm::{DeriveActiveEnum, EnumIter};
use uuid::Uuid;

/// For how long points are kept after the delivery, or after the end of a dispute.
const KEPT: Duration = Duration::hours(48);
/// Within this of the address, in metres or seconds, a provider is almost there.
const ARRIVING: (f64, i32) = (300.0, 120);

/// Where the order stands, as far as its track is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text")]
pub enum TrackState {
    /// The provider has not set off, or there is none.
    #[sea_orm(string_value = "WAITING")]
    Waiting,
    #[sea_orm(string_value = "EN_ROUTE")]
    EnRoute,
    #[sea_orm(string_value = "ARRIVED")]
    Arrived,
    #[sea_orm(string_value = "IN_PROGRESS")]
    InProgress,
    #[sea_orm(string_value = "AWAITING_APPROVAL")]
    AwaitingApproval,
    #[sea_orm(string_value = "DELIVERED")]
    Delivered,
    /// The order ended otherwise.
    #[sea_orm(string_value = "OFF")]
    Off,
}

impl TrackState {
    /// Its name in the contract, for a state that is shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "ASSIGNED",
            Self::EnRoute => "EN_ROUTE",
            Self::Arrived => "ARRIVED",
            Self::InProgress => "IN_PROGRESS",
            Self::AwaitingApproval => "AWAITING_APPROVAL",
            Self::Delivered => "DELIVERED",
            Self::Off => "OFF",
        }
    }

    /// Whether the provider is on the way or at work.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::EnRoute | Self::Arrived | Self::InProgress | Self::AwaitingApproval)
    }
}

/// What a fact of an order says to its track.
#[derive(Clone, Debug)]
pub struct OrderNews {
    /// The order whose way this is.
    pub order_id: Uuid,
    /// Number of the fact among those of the order.
    pub seq: i64,
    /// The customer's account.
    pub customer_id: Uuid,
    /// The provider and its account, while there is one.
    pub provider: Option<(ProviderId, Uuid)>,
    /// Where the order stands.
    pub state: TrackState,
    /// When that became so.
    pub at: DateTime<Utc>,
}

impl Track {
    /// The track of an order of which nothing was known.
    pub fn begin(news: &OrderNews, now: DateTime<Utc>) -> Self {
        Self {
            order_id: news.order_id,
            customer_id: news.customer_id,
            provider_id: None,
            provider_user_id: None,
            leg: 0,
            state: TrackState::Waiting,
            is_open: false,
            lat: None,
            lng: None,
            last_at_ms: 0,
            arriving_told: false,
            stale_told: false,
            order_seq: 0,
            event_seq: 0,
            departed_at: None,
            ended_at: None,
            purge_at: None,
            disputed: false,
            metres: None,
            seconds: None,
            gaps: None,
            covered_percent: None,
            created_at: now,
            updated_at: now,
        }
    }

    /// Takes in a fact of the order. Another provider begins another leg, with nothing of the one before.
    pub fn follow(&mut self, news: &OrderNews, address: Option<Coordinates>) {
        if news.seq <= self.order_seq {
            return;
        }
        self.order_seq = news.seq;
        if let Some((provider_id, user_id)) = news.provider
            && self.provider_id != Some(provider_id)
            && news.state != TrackState::Off
        {
            self.leg += 1;
            self.provider_id = Some(provider_id);
            self.provider_user_id = Some(user_id);
            self.last_at_ms = 0;
            self.departed_at = None;
            (self.arriving_told, self.stale_told) = (false, false);
        }
        if news.provider.is_none() && news.state == TrackState::Waiting {
            // The order looks for another one: the former provider is no party any more.
            (self.provider_id, self.provider_user_id) = (None, None);
        }
        // What was forgotten with the points stays so.
        if let Some(address) = address.filter(|_| self.metres.is_none()) {
            (self.lat, self.lng) = (Some(address.lat), Some(address.lng));
        }
        let was_open = self.is_open;
        self.state = news.state;
        self.is_open = news.state.is_open();
        if self.is_open && self.departed_at.is_none() {
            self.departed_at = Some(news.at);
        }
        if self.is_open {
            (self.ended_at, self.purge_at) = (None, None);
        } else if was_open || (news.state == TrackState::Off && self.ended_at.is_none()) {
            self.ended_at = Some(news.at);
            self.purge_at = (!self.disputed).then(|| news.at + KEPT);
        }
    }

    /// Keeps the points while a dispute is open, also where the work ends meanwhile: they are evidence.
    pub fn hold_points(&mut self) {
        self.disputed = true;
        self.purge_at = None;
    }

    /// Keeps the points a while longer, now that the dispute is over. Points that were deleted before it leave nothing to
    /// delete.
    pub fn release_points(&mut self, now: DateTime<Utc>) {
        self.disputed = false;
        if !self.is_open && self.ended_at.is_some() && self.metres.is_none() {
            self.purge_at = Some(now + KEPT);
        }
    }

    /// Forgets where the address is and, with its points, where the provider was.
    pub fn forget_places(&mut self) {
        (self.lat, self.lng, self.purge_at) = (None, None, None);
    }

    /// The address of the order, when it is known.
    pub fn address(&self) -> Option<Coordinates> {
        Coordinates::checked(self.lat?, self.lng?)
    }

    /// Whether the account `user_id` is a party.
    pub fn is_party(&self, user_id: Uuid) -> bool {
        self.customer_id == user_id || self.provider_user_id == Some(user_id)
    }

    /// Refuses to show a track that has not begun.
    pub fn check_begun(&self) -> Result<(), Error> {
        match self.state {
            TrackState::Waiting => Err(Error::NotDeparted),
            _ => Ok(()),
        }
    }

    /// Whether a provider `metres` and `eta_s` seconds away from the address is almost there.
    pub fn is_arriving(&self, metres: f64, eta_s: i32) -> bool {
        let near = metres <= ARRIVING.0 || eta_s <= ARRIVING.1;
        near && self.state == TrackState::EnRoute && !self.arriving_told
    }
}
