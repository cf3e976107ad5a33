//! Who takes an order: the named provider's answer, waves of offers, the first to accept, moves to another window.

use crate::{
    app::{Answer, App, settled},
    domain::records::offer,
    domain::{
        AccountId, Action, Error, Moving, OfferId, OfferState, Order, OrderChange, Principal, State,
    },
    peers::is_refusal,
    repository::Call,
};
use chrono::Duration;
use kit::{Window, storage::idempotency::Key};
use prost::Message;

impl App {
    /// The named provider takes an order: their time is confirmed and the vertical agrees before the state changes.
    /// Should the change lose a race, whoever won it frees the time.
    pub async fn accept<M>(&self, call: Call, answer: Answer<M>) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let order = self.orders.get(call.id, &call.who).await?;
        let by = order.side(&call.who);
        let allowed = by.is_some_and(|by| order.check(Action::Accept, by).is_ok());
        if let Some(provider) = order.provider_id.filter(|_| allowed) {
            self.peers.confirm(&order, provider).await?;
            self.peers.allow(&order, State::Assigned, order.provider_user_id).await?;
        }
        self.orders.change_once(call, OrderChange::accept, move |order, ()| answer(order)).await
    }

    /// A provider takes an offer. Their time is held and confirmed first; the first whose change is written gets the
    /// order, and everybody else's time is freed again.
    pub async fn take_offer<M>(
        &self,
        id: OfferId,
        account: AccountId,
        key: Option<Key>,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let offer = self.orders.offer(id, account).await?;
        let call = Call { id: offer.order_id, who: Principal::System, key, version: 0 };
        if !self.orders.try_offer(id).await? {
            if offer.state == OfferState::Accepted && call.key.is_some() {
                return self.write_taken(call, offer, answer).await;
            }
            return Err(why_not(&self.orders.offer(id, account).await?));
        }
        let order = self.orders.get(offer.order_id, &Principal::System).await?;
        if let Err(error) = self.secure(&order, &offer).await {
            if is_refusal(&error) {
                self.free(&order, &offer).await;
                self.close_offer(&offer, OfferState::Expired).await?;
            }
            return Err(error);
        }
        match self.write_taken(call, offer.clone(), answer).await {
            Err(Error::OfferTaken | Error::Changed | Error::Refused(..)) => {
                self.free(&order, &offer).await;
                Err(Error::OfferTaken)
            }
            result => result,
        }
    }

    async fn write_taken<M>(
        &self,
        call: Call,
        offer: offer::Model,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let take = move |draft: &mut OrderChange| draft.take_offer(&offer);
        self.orders.change_once(call, take, move |order, ()| answer(order)).await
    }

    /// Takes the provider's time for the order and asks the vertical.
    async fn secure(&self, order: &Order, offer: &offer::Model) -> Result<(), Error> {
        if order.state != State::Searching {
            return Err(Error::OfferTaken);
        }
        let until = self.now() + Duration::seconds(self.timing().hold_s);
        self.peers.hold(order, offer.provider_id, until).await?;
        self.peers.confirm(order, offer.provider_id).await?;
        self.peers.allow(order, State::Assigned, Some(offer.provider_user_id)).await
    }

    /// Frees the time of a provider who did not get the order; should that fail, the offer's timer does it.
    async fn free(&self, order: &Order, offer: &offer::Model) {
        let freed = match self.peers.release(order, Some(offer.provider_id)).await {
            Ok(()) => self.orders.offer_settled(offer.id).await,
            Err(error) => Err(error),
        };
        if let Err(error) = freed {
            tracing::warn!(%error, offer.id = %offer.id, "time is freed later");
        }
    }

    /// Frees the time of a provider whose acceptance did not get through, for its timer.
    pub async fn settle_offer(&self, id: OfferId) -> Result<(), Error> {
        let Some(offer) = self.orders.any_offer(id).await? else { return Ok(()) };
        let order = self.orders.get(offer.order_id, &Principal::System).await?;
        if order.provider_id == Some(offer.provider_id) {
            return Ok(());
        }
        self.peers.release(&order, Some(offer.provider_id)).await
    }

    /// A provider turns an offer down.
    pub async fn decline_offer(
        &self,
        id: OfferId,
        account: AccountId,
    ) -> Result<offer::Model, Error> {
        let offer = self.orders.offer(id, account).await?;
        match offer.state {
            OfferState::Open => self.close_offer(&offer, OfferState::Declined).await?,
            OfferState::Declined | OfferState::Expired => {}
            OfferState::Accepted | OfferState::Revoked => return Err(Error::OfferTaken),
        }
        self.orders.offer(id, account).await
    }

    /// Ends an open offer, and has the next wave go out when it was the last one.
    async fn close_offer(&self, offer: &offer::Model, state: OfferState) -> Result<(), Error> {
        if !self.orders.end_offer(offer, state).await? {
            return Ok(());
        }
        let hurried = self.orders.change(offer.order_id, &Principal::System, |draft| {
            if draft.order.state == State::Searching {
                draft.hurry_search();
            }
            Ok(())
        });
        settled("the next wave", hurried.await.map(|_| ()))
    }

    /// Sends offers to the next wave, or ends the search when nobody is left to ask.
    pub async fn next_wave(&self, order: Order) -> Result<(), Error> {
        let progress = &order.progress;
        let over = progress.wave >= self.timing().waves || order.window_start <= self.now();
        let mut candidates = Vec::new();
        if !over {
            let mut excluded = self.orders.asked(order.id, progress.round).await?;
            excluded.extend(&progress.excluded);
            excluded.sort_unstable();
            excluded.dedup();
            let found = self.peers.candidates(&order, excluded.clone(), self.timing().wave_size);
            candidates = found.await?;
            candidates.retain(|it| !excluded.contains(&it.provider_id));
        }
        let (round, wave) = (progress.round, progress.wave);
        let sent = self.orders.change(order.id, &Principal::System, move |draft| {
            let progress = &draft.order.progress;
            if draft.order.state != State::Searching
                || (progress.round, progress.wave) != (round, wave)
            {
                return Ok(());
            }
            if candidates.is_empty() {
                draft.exhaust()
            } else {
                draft.send_offers(candidates.clone())
            }
        });
        settled("a wave of offers", sent.await.map(|_| ()))
    }

    /// Moves an order to another window: noted, then moved at the provider, then written.
    pub async fn reschedule<M>(
        &self,
        call: Call,
        window: Window,
        answer: Answer<M>,
    ) -> Result<M, Error>
    where
        M: Message + Default + 'static,
    {
        let version = call.version;
        let begun = self.orders.change(call.id, &call.who, move |draft| {
            draft.expect_version(version)?;
            draft.begin_move(&window)?;
            Ok(draft.order.progress.moving.clone())
        });
        let (order, moving) = match begun.await {
            Ok((order, Some(moving))) => (order, moving),
            Ok((_, None)) => return Err(Error::Changed),
            // The same call with its key may have got through already: it says so, or why not.
            Err(
                Error::Refused(..)
                | Error::RescheduleTooLate
                | Error::Kit(kit::Error::VersionMismatch),
            ) if call.key.is_some() => {
                let refuse = move |draft: &mut OrderChange| -> Result<(), Error> {
                    draft.begin_move(&window)?;
                    Err(Error::Changed)
                };
                return self.orders.change_once(call, refuse, move |it, ()| answer(it)).await;
            }
            Err(error) => return Err(error),
        };
        self.move_reservation(&order, &moving).await?;
        let call = Call { version: 0, ..call };
        let end = move |draft: &mut OrderChange| draft.end_move(&moving, true);
        self.orders.change_once(call, end, move |order, ()| answer(order)).await
    }

    async fn move_reservation(&self, order: &Order, moving: &Moving) -> Result<(), Error> {
        let Some(provider) = order.provider_id else { return Ok(()) };
        let window = window_of(moving);
        let asked = order.state == State::Requested;
        let until = asked.then(|| order.hold_until(&window, self.timing()));
        match self.peers.move_to(order, provider, window, until).await {
            Err(error) if is_refusal(&error) => {
                let moving = moving.clone();
                let end = move |draft: &mut OrderChange| draft.end_move(&moving, false);
                self.orders.change(order.id, &Principal::System, end).await?;
                Err(error)
            }
            result => result,
        }
    }

    /// Ends a move that stopped halfway, for its timer.
    pub async fn resume_move(&self, order: Order) -> Result<(), Error> {
        let Some(moving) = order.progress.moving.clone() else { return Ok(()) };
        let moved = match self.move_reservation(&order, &moving).await {
            Ok(()) => true,
            Err(error) if is_refusal(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let end = move |draft: &mut OrderChange| draft.end_move(&moving, moved);
        self.orders.change(order.id, &Principal::System, end).await.map(|_| ())
    }
}

fn window_of(moving: &Moving) -> Window {
    let zone = moving.time_zone.parse().unwrap_or(chrono_tz::Tz::UTC);
    Window { start: moving.start, end: moving.end, zone }
}

/// Why an offer that is not open, or not any more, cannot be accepted.
const fn why_not(offer: &offer::Model) -> Error {
    match offer.state {
        OfferState::Accepted | OfferState::Revoked => Error::OfferTaken,
        OfferState::Open | OfferState::Declined | OfferState::Expired => Error::OfferExpired,
    }
}
