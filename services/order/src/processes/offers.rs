//! Who takes an order: waves of offers, of which the first to be accepted gets the order.

use crate::{
    app::{App, drop_refusal},
    domain::{
        AccountId, Action, Actor, Agreement, Error, FoundProvider, OfferEnding, OfferId,
        OfferState, Order, OrderId, Principal, ProviderId, SearchPlan, State, records::offer,
    },
    peers::{CandidateSearch, final_refusal, is_refusal},
    repository::{favourites, offers, orders},
};
use chrono::Duration;
use kit::{Id, program::crash, storage::version};

/// How many times as many providers as a live wave asks are looked at, since some of them have another offer.
const LIVE_SURPLUS: i32 = 4;
/// Most providers that are looked at for a wave.
const MAX_FOUND: i32 = 50;

const ACCEPTANCE: &str = "acceptance";

/// The points at which tests kill the program while an offer is accepted: `acceptance.begin` and `acceptance.hold`.
pub fn crash_points() -> impl Iterator<Item = String> {
    ["begin", "hold"].iter().map(|step| format!("{ACCEPTANCE}.{step}"))
}

impl App {
    /// Prepares the requested provider's acceptance: their time is confirmed, and the vertical asked. Should the order
    /// change before the acceptance is written, what changes it frees the time.
    pub async fn prepare_acceptance(
        &self,
        id: OrderId,
        principal: &Principal,
    ) -> Result<Option<Agreement>, Error> {
        let order = orders::get_order(self.db.connection(), id, principal).await?;
        let Some(by) = order.side(principal) else { return Ok(None) };
        let allowed = order.check(Action::Accept, by).is_ok();
        let Some(provider) = order.provider_id.filter(|_| allowed) else { return Ok(None) };
        self.peers.confirm(&order, provider).await?;
        let provider = order.provider();
        self.ask_before_as(&order, Action::Accept, by, provider).await
    }

    /// Prepares a departure: the vertical is asked, and where the job is exclusive, provider begins it, so that its provider
    /// sets out for no other one. An order of another version is left alone.
    pub async fn prepare_departure(
        &self,
        id: OrderId,
        principal: &Principal,
        version: i64,
    ) -> Result<Option<Agreement>, Error> {
        let agreed = self.ask_before(id, principal, Action::Depart).await?;
        if agreed.is_none() {
            return Ok(None);
        }
        let order = orders::get_order(self.db.connection(), id, principal).await?;
        version::expect_version(version, order.version)?;
        if let Some(provider) = order.provider_id.filter(|_| order.runs_from_departure()) {
            self.peers.begin(&order, provider).await?;
        }
        Ok(agreed)
    }

    /// Prepares the acceptance of an offer: the provider's time is held and confirmed, and the vertical asked. The offer
    /// ends when one of them refuses. Returns the offer with the moment of its first acceptance.
    pub async fn prepare_offer_acceptance(
        &self,
        offer: &offer::Model,
    ) -> Result<(offer::Model, Option<Agreement>), Error> {
        let tx = self.db.begin().await?;
        let Some(offer) = offers::begin_acceptance(&tx, offer.id).await? else {
            drop(tx);
            let current = offers::find_offers(self.db.connection(), offer.id).await?;
            return Err(why_not_open(current.map_or(offer.state, |offer| offer.state)));
        };
        tx.commit().await?;
        crash::crash_step(ACCEPTANCE, "begin");
        let order =
            orders::get_order(self.db.connection(), offer.order_id, &Principal::System).await?;
        match self.secure_offer(&order, &offer).await {
            Ok(agreed) => {
                crash::crash_step(ACCEPTANCE, "hold");
                Ok((offer, agreed))
            }
            Err(error) if is_refusal(&error) => {
                self.free_provider(&offer).await;
                self.close_offer(&offer, OfferEnding::Refused).await?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks the vertical while the provider's time is held: neither depends on the other. Both come to their end, so that
    /// nothing is held after it was freed.
    async fn secure_offer(
        &self,
        order: &Order,
        offer: &offer::Model,
    ) -> Result<Option<Agreement>, Error> {
        if order.state != State::Searching || order.progress.round != offer.round {
            return Err(Error::OfferTaken);
        }
        let order = order.with_window_of(offer);
        let provider = Some((offer.provider_id, offer.provider_user_id));
        let held = self.hold_and_confirm(&order, offer.provider_id);
        let asked = self.ask_before_as(&order, Action::TakeOffer, Actor::Provider, provider);
        let (held, agreed) = tokio::join!(held, asked);
        held?;
        agreed
    }

    async fn hold_and_confirm(&self, order: &Order, provider: ProviderId) -> Result<(), Error> {
        let until = self.now() + Duration::seconds(self.timing.hold_s);
        self.hold_time(order, provider, until).await?;
        self.peers.confirm(order, provider).await
    }

    /// Frees the time of a provider who did not get the order. Should that fail, the offer's timer does it.
    pub async fn free_provider(&self, offer: &offer::Model) {
        if let Err(error) = self.try_to_free_provider(offer).await {
            tracing::warn!(%error, offer.id = %offer.id, "cannot free the provider's time, will retry");
        }
    }

    async fn try_to_free_provider(&self, offer: &offer::Model) -> Result<(), Error> {
        self.peers.release(offer.order_id, offer.provider_id, offer.round).await?;
        let tx = self.db.begin().await?;
        offers::end_acceptance(&tx, offer.id).await?;
        Ok(tx.commit().await?)
    }

    /// Frees the time of a provider whose acceptance did not get through, for its timer.
    pub async fn settle_offer(&self, id: OfferId) -> Result<(), Error> {
        let db = self.db.connection();
        let Some(offer) = offers::find_offers(db, id).await? else { return Ok(()) };
        let order = orders::get_order(db, offer.order_id, &Principal::System).await?;
        let has_order =
            order.provider_id == Some(offer.provider_id) && order.progress.round == offer.round;
        if has_order {
            return Ok(());
        }
        match self.peers.release(order.id, offer.provider_id, offer.round).await {
            Err(error) if final_refusal(&error).is_some() => {
                tracing::error!(%error, offer.id = %id, "provider will never free the time, will not be retried");
                Ok(())
            }
            released => released,
        }
    }

    /// A provider turns an offer down.
    pub async fn decline_offer(
        &self,
        id: OfferId,
        account: AccountId,
    ) -> Result<offer::Model, Error> {
        let offer = offers::get_offer(self.db.connection(), id, account).await?;
        match offer.state {
            OfferState::Open => self.close_offer(&offer, OfferEnding::Declined).await?,
            OfferState::Declined | OfferState::Expired => {}
            OfferState::Accepted | OfferState::Revoked => return Err(Error::OfferTaken),
        }
        offers::get_offer(self.db.connection(), id, account).await
    }

    /// Ends an open offer, and has the next wave go out when it was the last one.
    pub async fn close_offer(&self, offer: &offer::Model, end: OfferEnding) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut change = orders::lock_order(&tx, offer.order_id, &system, &self.timing).await?;
        change.end_offer(offer, end);
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.offers.look_now();
        Ok(())
    }

    /// Sends offers to the next wave, or ends the search when no provider is left to ask.
    pub async fn send_next_wave(&self, order: Order) -> Result<(), Error> {
        let candidates = self.next_candidates(&order).await?;
        drop_refusal("a wave of offers", self.write_wave(&order, candidates).await)
    }

    async fn next_candidates(&self, order: &Order) -> Result<Vec<FoundProvider>, Error> {
        if order.is_search_over(self.now(), &self.timing) {
            return Ok(Vec::new());
        }
        let (plan, progress) = (order.search_plan(&self.timing), &order.progress);
        let db = self.db.connection();
        let mut excluded = offers::providers_to_exclude(db, order.id, progress.round).await?;
        excluded.extend(&progress.excluded);
        excluded.sort_unstable();
        excluded.dedup();
        let limit = if plan.live { plan.wave_size * LIVE_SURPLUS } else { plan.wave_size };
        let wave = progress.wave + 1;
        let favourites = favourites::list_favourites(db, order.customer_id).await?;
        let search = CandidateSearch {
            excluded,
            preferred: favourites.into_iter().map(|favourite| favourite.provider_id).collect(),
            preferred_only: false,
            limit: limit.min(MAX_FOUND),
            radius_m: plan.radius_m(wave),
        };
        if plan.prefers_favourites(wave) && !search.preferred.is_empty() {
            let of_favourites = CandidateSearch { preferred_only: true, ..search.clone() };
            let candidates = self.find_wave(order, &plan, of_favourites).await?;
            if !candidates.is_empty() {
                return Ok(candidates);
            }
        }
        self.find_wave(order, &plan, search).await
    }

    /// Those who can be asked now of whom provider finds, no more than a wave has.
    async fn find_wave(
        &self,
        order: &Order,
        plan: &SearchPlan,
        search: CandidateSearch,
    ) -> Result<Vec<FoundProvider>, Error> {
        let excluded = search.excluded.clone();
        let mut candidates = match self.peers.candidates(order, search).await {
            Err(error) if final_refusal(&error).is_some() => {
                tracing::error!(%error, order.id = %order.id, "provider will never find candidates, the search ends");
                Vec::new()
            }
            found => found?,
        };
        candidates.retain(|found| !excluded.contains(&found.provider.provider_id));
        if plan.live {
            let ids = candidates.iter().map(|found| found.provider.provider_id).collect();
            let busy = offers::live_offered(self.db.connection(), ids).await?;
            candidates.retain(|found| !busy.contains(&found.provider.provider_id));
        }
        candidates.truncate(usize::try_from(plan.wave_size).unwrap_or_default());
        Ok(candidates)
    }

    async fn write_wave(&self, seen: &Order, candidates: Vec<FoundProvider>) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, seen.id, &Principal::System, &self.timing).await?;
        let progress = &change.order.progress;
        let is_current = change.order.state == State::Searching
            && progress.round == seen.progress.round
            && progress.wave == seen.progress.wave;
        if !is_current {
            return Ok(());
        }
        let candidates = candidates.into_iter().map(|found| (Id::new(tx.clock()), found));
        let offers = change.offers_to(candidates.collect());
        let sent = offers::insert_offers(&tx, offers).await?;
        if sent.is_empty() {
            change.widen_search()?;
        } else {
            change.send_offers(&sent)?;
        }
        orders::save_order(&tx, change).await?;
        tx.commit().await?;
        self.offers.look_now();
        Ok(())
    }
}

/// Why an offer that is not open, or not any more, cannot be accepted.
const fn why_not_open(state: OfferState) -> Error {
    match state {
        OfferState::Accepted | OfferState::Revoked => Error::OfferTaken,
        OfferState::Open | OfferState::Declined | OfferState::Expired => Error::OfferExpired,
    }
}
