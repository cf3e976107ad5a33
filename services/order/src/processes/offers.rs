//! Who takes an order: waves of offers, of which the first to be accepted gets the order.

use crate::{
    app::{App, drop_refusal},
    domain::{
        AccountId, Action, Actor, Agreement, Error, OfferId, OfferState, Order, OrderId, Principal,
        RequestedProvider, State, records::offer,
    },
    peers::{final_refusal, is_refusal},
    repository::{offers, orders},
};
use chrono::Duration;
use kit::Id;

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

    /// Prepares the acceptance of an offer: the provider's time is held and confirmed, and the vertical asked. The offer
    /// ends when one of them refuses.
    pub async fn prepare_offer_acceptance(
        &self,
        offer: &offer::Model,
    ) -> Result<Option<Agreement>, Error> {
        let tx = self.db.begin().await?;
        if !offers::begin_acceptance(&tx, offer.id).await? {
            drop(tx);
            let current = offers::find_offers(self.db.connection(), offer.id).await?;
            return Err(why_not_open(current.map_or(offer.state, |offer| offer.state)));
        }
        tx.commit().await?;
        let order =
            orders::get_order(self.db.connection(), offer.order_id, &Principal::System).await?;
        let secured = self.secure_offer(&order, offer).await;
        if secured.as_ref().is_err_and(is_refusal) {
            self.free_provider(offer).await;
            self.close_offer(offer, OfferState::Expired).await?;
        }
        secured
    }

    async fn secure_offer(
        &self,
        order: &Order,
        offer: &offer::Model,
    ) -> Result<Option<Agreement>, Error> {
        if order.state != State::Searching || order.progress.round != offer.round {
            return Err(Error::OfferTaken);
        }
        let until = self.now() + Duration::seconds(self.timing.hold_s);
        self.hold_time(order, offer.provider_id, until).await?;
        self.peers.confirm(order, offer.provider_id).await?;
        let provider = Some((offer.provider_id, offer.provider_user_id));
        self.ask_before_as(order, Action::TakeOffer, Actor::Provider, provider).await
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
            OfferState::Open => self.close_offer(&offer, OfferState::Declined).await?,
            OfferState::Declined | OfferState::Expired => {}
            OfferState::Accepted | OfferState::Revoked => return Err(Error::OfferTaken),
        }
        offers::get_offer(self.db.connection(), id, account).await
    }

    /// Ends an open offer, and has the next wave go out when it was the last one.
    pub async fn close_offer(&self, offer: &offer::Model, state: OfferState) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let was_last = offers::end_offers(&tx, offer, state).await?;
        tx.commit().await?;
        if !was_last {
            return Ok(());
        }
        drop_refusal("the next wave", self.hurry_search(offer.order_id).await)
    }

    async fn hurry_search(&self, id: OrderId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, id, &Principal::System, &self.timing).await?;
        if change.order.state == State::Searching {
            change.hurry_search();
            orders::save_order(&tx, change).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Sends offers to the next wave, or ends the search when no provider is left to ask.
    pub async fn send_next_wave(&self, order: Order) -> Result<(), Error> {
        let candidates = self.next_candidates(&order).await?;
        drop_refusal("a wave of offers", self.write_wave(&order, candidates).await)
    }

    async fn next_candidates(&self, order: &Order) -> Result<Vec<RequestedProvider>, Error> {
        let progress = &order.progress;
        if progress.wave >= self.timing.waves || order.window_start <= self.now() {
            return Ok(Vec::new());
        }
        let db = self.db.connection();
        let mut excluded = offers::providers_to_exclude(db, order.id, progress.round).await?;
        excluded.extend(&progress.excluded);
        excluded.sort_unstable();
        excluded.dedup();
        let found = self.peers.candidates(order, excluded.clone(), self.timing.wave_size);
        let mut candidates = match found.await {
            Err(error) if final_refusal(&error).is_some() => {
                tracing::error!(%error, order.id = %order.id, "provider will never find candidates, the search ends");
                Vec::new()
            }
            found => found?,
        };
        candidates.retain(|candidate| !excluded.contains(&candidate.provider_id));
        Ok(candidates)
    }

    async fn write_wave(
        &self,
        seen: &Order,
        candidates: Vec<RequestedProvider>,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut change = orders::lock_order(&tx, seen.id, &Principal::System, &self.timing).await?;
        let progress = &change.order.progress;
        let is_current = change.order.state == State::Searching
            && progress.round == seen.progress.round
            && progress.wave == seen.progress.wave;
        if !is_current {
            return Ok(());
        }
        if candidates.is_empty() {
            change.exhaust()?;
        } else {
            let offered = candidates.into_iter().map(|candidate| (Id::new(tx.clock()), candidate));
            change.send_offers(offered.collect())?;
        }
        orders::save_order(&tx, change).await?;
        Ok(tx.commit().await?)
    }
}

/// Why an offer that is not open, or not any more, cannot be accepted.
const fn why_not_open(state: OfferState) -> Error {
    match state {
        OfferState::Accepted | OfferState::Revoked => Error::OfferTaken,
        OfferState::Open | OfferState::Declined | OfferState::Expired => Error::OfferExpired,
    }
}
