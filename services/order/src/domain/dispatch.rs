//! How a provider is looked for: in waves of offers, as the quote's plan says or in the usual way.

use super::{
    AccountId, Action, Actor, Error, OfferId, OfferState, Order, OrderChange, ProviderId,
    RecordChange, RequestedProvider, State, Timing, records::offer, timing::seconds_of,
};
use chrono::{DateTime, Duration, Utc};
use kit::Window;

/// How long a live search rests when no provider is near, before it looks farther out.
const REST: Duration = Duration::seconds(5);
/// Most providers that are asked at a time.
const MAX_WAVE: i32 = 20;
/// Doublings of a radius after which it is as wide as any.
const MAX_DOUBLINGS: i32 = 20;

/// How providers are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchPlan {
    /// Whether only those who are online are asked, each for one order at a time.
    pub live: bool,
    /// How many are asked at a time.
    pub wave_size: i32,
    /// How long an offer can be accepted.
    answer: Duration,
    /// How far the first wave reaches, in metres; 0 for as far as the providers' own areas say.
    radius_m: i32,
    /// How far the last wave reaches, in metres.
    max_radius_m: i32,
    /// How long is searched in all; none until the start.
    search: Option<Duration>,
    /// How many waves go out; none for as many as the time allows.
    waves: Option<i32>,
    /// Whether the customer's favourites are asked alone before others.
    favourites_first: bool,
}

impl SearchPlan {
    /// How far a wave reaches, in metres: twice as far as the one before; 0 for as far as the providers' own areas say.
    pub fn radius_m(&self, wave: i32) -> i32 {
        let doublings = (wave - 1).clamp(0, MAX_DOUBLINGS);
        let reach = (i64::from(self.radius_m) << doublings).min(i64::from(self.max_radius_m));
        i32::try_from(reach).unwrap_or(self.max_radius_m).max(self.radius_m)
    }

    /// Whether a wave goes to the customer's favourites alone, while there is one who is free.
    pub const fn prefers_favourites(&self, wave: i32) -> bool {
        self.favourites_first && wave == 1
    }
}

impl Order {
    /// How providers are looked for: as the vertical wants it, or else in the usual waves.
    pub fn search_plan(&self, timing: &Timing) -> SearchPlan {
        match &self.terms.requirements.dispatch {
            None => SearchPlan {
                live: false,
                wave_size: timing.wave_size,
                answer: seconds_of(timing.offer_s),
                radius_m: 0,
                max_radius_m: 0,
                search: None,
                waves: Some(timing.waves),
                favourites_first: false,
            },
            Some(dispatch) => SearchPlan {
                live: dispatch.live,
                wave_size: dispatch.wave_size.clamp(1, MAX_WAVE),
                answer: seconds_of(dispatch.answer_s),
                radius_m: dispatch.radius_m,
                max_radius_m: dispatch.max_radius_m,
                search: Some(seconds_of(dispatch.search_s)),
                waves: None,
                favourites_first: dispatch.favourites_first,
            },
        }
    }

    /// Whether the work would have begun by now. An order as soon as possible begins when its provider is there.
    pub fn has_missed_start(&self, now: DateTime<Utc>) -> bool {
        !self.terms.asap && self.window_start <= now
    }

    /// Whether no more providers are asked in the present search.
    pub fn is_search_over(&self, now: DateTime<Utc>, timing: &Timing) -> bool {
        let plan = self.search_plan(timing);
        let waves_are_out = plan.waves.is_some_and(|waves| self.progress.wave >= waves);
        let time_is_over = self.progress.search_until.is_some_and(|until| until <= now);
        waves_are_out || time_is_over || self.has_missed_start(now)
    }

    /// When the work happens if `offer` is accepted: an order as soon as possible begins when that provider is there.
    pub fn window_of_offer(&self, offer: &offer::Model) -> Window {
        let window = self.window();
        if !self.terms.asap {
            return window;
        }
        let start = offer.tried_at.unwrap_or(offer.created_at) + seconds_of(offer.travel_s);
        Window { start, end: start + self.terms.requirements.duration(), ..window }
    }

    /// The order as it would be if `offer` were accepted.
    #[must_use]
    pub fn with_window_of(&self, offer: &offer::Model) -> Self {
        let Window { start, end, .. } = self.window_of_offer(offer);
        Self { window_start: start, window_end: end, ..self.clone() }
    }

    fn is_searched_live(&self) -> bool {
        self.terms.requirements.dispatch.as_ref().is_some_and(|dispatch| dispatch.live)
    }

    /// Whether its provider does no other job from the departure on. One who was found by a live search sets out with the
    /// acceptance.
    pub fn runs_from_departure(&self) -> bool {
        self.terms.requirements.exclusive && !self.is_searched_live()
    }

    /// Whether a provider whose time is held for it now is at work for it at once, and does no other job.
    pub fn runs_from_hold(&self) -> bool {
        let is_running = match self.state {
            State::Searching | State::Assigned => self.is_searched_live(),
            State::EnRoute | State::Arrived | State::InProgress | State::AwaitingApproval => true,
            State::PendingPayment
            | State::Requested
            | State::Delivered
            | State::ChangesRequested
            | State::Completed
            | State::Closed
            | State::Expired
            | State::Declined
            | State::NoProvider
            | State::NoShow
            | State::Cancelled
            | State::Aborted => false,
        };
        is_running && self.terms.requirements.exclusive
    }
}

impl OrderChange {
    /// When the offers of a wave that goes out now lapse: after the time to answer, and with the search.
    fn offers_lapse_at(&self) -> DateTime<Utc> {
        let order = &self.order;
        let answered = self.now + order.search_plan(&self.timing).answer;
        let start = (!order.terms.asap).then_some(order.window_start);
        [order.progress.search_until, start].into_iter().flatten().fold(answered, DateTime::min)
    }

    /// The offers of the next wave, under these ids.
    pub fn offers_to(&self, candidates: Vec<(OfferId, FoundProvider)>) -> Vec<offer::Model> {
        let (order, valid_till) = (&self.order, self.offers_lapse_at());
        let live = order.search_plan(&self.timing).live;
        let to_offer = |(id, FoundProvider { provider, travel_s })| {
            let RequestedProvider { provider_id, provider_user_id, name } = provider;
            offer::Model {
                id,
                order_id: order.id,
                provider_id,
                provider_user_id,
                provider_name: name,
                round: order.progress.round,
                wave: order.progress.wave + 1,
                state: OfferState::Open,
                tried: false,
                live,
                travel_s,
                valid_till,
                created_at: self.now,
                tried_at: None,
                ended_at: None,
            }
        };
        candidates.into_iter().map(to_offer).collect()
    }

    /// A wave of offers has gone out, and those of the wave before end.
    pub fn send_offers(&mut self, offers: &[offer::Model]) -> Result<(), Error> {
        let (wave, lapse_at) = (self.order.progress.wave + 1, self.offers_lapse_at());
        self.act(Action::SendOffers, format!("wave {wave}"))?;
        self.end_offers(OfferState::Expired);
        self.order.progress.wave = wave;
        self.order.progress.wave_until = Some(lapse_at);
        for offer in offers {
            let event = self.publish("order.offered");
            event.provider = Some(recipient_of(offer));
            event.addressee = "provider";
        }
        Ok(())
    }

    /// Begins another search.
    pub(super) fn begin_search(&mut self) {
        let search = self.order.search_plan(&self.timing).search;
        let progress = &mut self.order.progress;
        progress.round += 1;
        progress.wave = 0;
        progress.wave_until = Some(self.now);
        progress.search_until = search.map(|search| self.now + search);
    }

    /// No provider was found for a wave. A live search rests and looks farther out until its time is over; any other one
    /// looks farther out at once, and ends where it cannot.
    pub fn widen_search(&mut self) -> Result<(), Error> {
        let plan = self.order.search_plan(&self.timing);
        let wave = self.order.progress.wave + 1;
        let can_widen = plan.radius_m(wave + 1) > plan.radius_m(wave);
        let is_over = self.order.is_search_over(self.now, &self.timing);
        if is_over || !(plan.live || can_widen) {
            return self.exhaust();
        }
        self.end_offers(OfferState::Expired);
        let rest = if plan.live { REST } else { Duration::zero() };
        let progress = &mut self.order.progress;
        let until = progress.search_until.unwrap_or(self.now + rest);
        progress.wave = wave;
        progress.wave_until = Some((self.now + rest).min(until));
        Ok(())
    }

    /// Ends the open offers of the order: they run out of time, or are revoked.
    pub(super) fn end_offers(&mut self, state: OfferState) {
        let ended = std::mem::take(&mut self.open_offers);
        for offer in &ended {
            let end = match state {
                OfferState::Expired if !offer.tried => OfferEnding::Ignored,
                OfferState::Expired => OfferEnding::Refused,
                OfferState::Declined => OfferEnding::Declined,
                OfferState::Open | OfferState::Accepted | OfferState::Revoked => {
                    OfferEnding::Revoked
                }
            };
            self.publish_offer_end(offer, end);
        }
        if !ended.is_empty() {
            let ids = ended.into_iter().map(|offer| offer.id).collect();
            self.records.push(RecordChange::EndOffers(ids, state));
        }
    }

    /// Ends one open offer; the next wave is due when it was the last one. An offer that is not open any more stays as it is.
    pub fn end_offer(&mut self, offer: &offer::Model, end: OfferEnding) {
        let Some(index) = self.open_offers.iter().position(|open| open.id == offer.id) else {
            return;
        };
        let ended = self.open_offers.swap_remove(index);
        self.publish_offer_end(&ended, end);
        self.records.push(RecordChange::EndOffers(vec![ended.id], end.state()));
        if self.open_offers.is_empty() {
            self.order.progress.wave_until = Some(self.now);
        }
    }

    fn publish_offer_end(&mut self, offer: &offer::Model, end: OfferEnding) {
        let event = self.publish("order.offer_ended");
        event.provider = Some(recipient_of(offer));
        event.offer_end = Some(end);
    }

    /// A provider takes an offer; all the others end. An order as soon as possible begins when that provider is there.
    pub fn take_offer(&mut self, offer: &offer::Model) -> Result<(), Error> {
        if self.order.state != State::Searching || offer.round != self.order.progress.round {
            return Err(Error::OfferTaken);
        }
        self.act_as(Action::TakeOffer, Actor::Provider, "")?;
        let window = self.order.window_of_offer(offer);
        (self.order.window_start, self.order.window_end) = (window.start, window.end);
        self.set_provider(RequestedProvider {
            provider_id: offer.provider_id,
            provider_user_id: offer.provider_user_id,
            name: offer.provider_name.clone(),
        });
        self.records.push(RecordChange::AcceptOffer(offer.id));
        self.open_offers.retain(|open| open.id != offer.id);
        self.begin_assignment();
        self.end_offers(OfferState::Revoked);
        Ok(())
    }
}

const fn recipient_of(offer: &offer::Model) -> (ProviderId, AccountId) {
    (offer.provider_id, offer.provider_user_id)
}

/// A provider who was found for an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundProvider {
    pub provider: RequestedProvider,
    /// How long it takes to the place, in seconds, as far as known.
    pub travel_s: i64,
}

/// How an offer ends that its provider does not get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferEnding {
    /// The provider said no.
    Declined,
    /// The provider did not answer.
    Ignored,
    /// Another provider was faster, or the order is not searched for any more.
    Revoked,
    /// The provider wanted the order and may not have it.
    Refused,
}

impl OfferEnding {
    const fn state(self) -> OfferState {
        match self {
            Self::Declined => OfferState::Declined,
            Self::Ignored | Self::Refused => OfferState::Expired,
            Self::Revoked => OfferState::Revoked,
        }
    }
}
