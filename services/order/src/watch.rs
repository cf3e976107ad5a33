//! Offers as they come, for the providers who watch theirs.
//!
//! One task of the process looks for offers that were made or have ended, each second and after each commit of its own
//! process, and hands them to whom they are for: the database is asked the same number of times however many watch.

use crate::{
    app::App,
    convert,
    domain::{AccountId, Error, OfferId, OfferState, Order, records::offer},
    repository::offers,
};
use chrono::{DateTime, Duration, Utc};
use futures::stream::{self, BoxStream, StreamExt};
use kit::{
    Clock,
    values::time::{duration, timestamp},
};
use proto::quickserve::order::v1::{self as pb, WatchOffersResponse};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tonic::Status;

/// Streams that one account may have open in this process.
const MAX_STREAMS: usize = 8;
/// Events that wait for a slow watcher. Its stream ends when there are more: it comes back and gets what is open.
const MAX_WAITING: usize = 64;
/// How often the task looks for what other processes wrote.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(1);
/// How long an offer may take from its moment to its commit.
const OVERLAP: Duration = Duration::seconds(15);
/// How long a stream lasts. Its reader then comes back with a token that is still good.
const LONGEST: Duration = Duration::minutes(15);

/// A stream of what becomes of an account's offers.
pub type OfferStream = BoxStream<'static, Result<WatchOffersResponse, Status>>;

/// Those who watch their offers in this process.
pub struct OfferWatchers {
    senders: Mutex<HashMap<AccountId, Vec<mpsc::Sender<OfferNews>>>>,
    wake: Notify,
    stop: CancellationToken,
}

/// What has become of an offer.
#[derive(Clone, Debug)]
enum OfferNews {
    Open(Box<WatchOffersResponse>),
    Gone(OfferId),
}

impl OfferWatchers {
    /// No watchers yet; `stop` ends their streams.
    pub fn new(stop: CancellationToken) -> Self {
        Self { senders: Mutex::default(), wake: Notify::new(), stop }
    }

    /// Has the task look at once, after offers have changed.
    pub fn look_now(&self) {
        self.wake.notify_one();
    }

    fn senders(&self) -> MutexGuard<'_, HashMap<AccountId, Vec<mpsc::Sender<OfferNews>>>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, account: AccountId) -> Result<mpsc::Receiver<OfferNews>, Error> {
        let (sender, receiver) = mpsc::channel(MAX_WAITING);
        let mut senders = self.senders();
        let own = senders.entry(account).or_default();
        own.retain(|sender| !sender.is_closed());
        if own.len() >= MAX_STREAMS {
            return Err(Error::TooManyStreams);
        }
        own.push(sender);
        Ok(receiver)
    }

    /// The accounts that watch now.
    fn accounts(&self) -> BTreeSet<AccountId> {
        let mut senders = self.senders();
        senders.retain(|_, own| {
            own.retain(|sender| !sender.is_closed());
            !own.is_empty()
        });
        senders.keys().copied().collect()
    }

    /// Hands news to the streams of an account. One that is full ends.
    fn send(&self, account: AccountId, news: &OfferNews) {
        if let Some(own) = self.senders().get_mut(&account) {
            own.retain(|sender| sender.try_send(news.clone()).is_ok());
        }
    }
}

/// What the task has looked at.
struct Tail {
    /// When the last complete look began.
    looked_at: DateTime<Utc>,
    /// What was handed on since the overlap began: offers, and whether they were open.
    told: BTreeMap<(OfferId, bool), DateTime<Utc>>,
}

impl App {
    /// The offers of an account: those that are open, then what becomes of them and the new ones.
    pub async fn watch_offers(&self, account: AccountId) -> Result<OfferStream, Error> {
        // Subscribed before reading: what changes after the reading comes by the task.
        let receiver = self.offers.subscribe(account)?;
        let (db, now) = (self.db.connection(), self.now());
        let mut open = offers::all_open(db, account).await?;
        open.retain(|offer| offer.valid_till > now);
        let orders = offers::orders_of(db, &open).await?;
        let shown = open.iter().filter_map(|offer| {
            let order = orders.get(&offer.order_id)?;
            Some((offer.id, opened(offer, order)))
        });
        let watch = OfferWatch {
            ready: shown.collect(),
            open: BTreeSet::new(),
            receiver,
            ends_at: now + LONGEST,
            clock: self.db.clock().clone(),
            stop: self.offers.stop.clone(),
        };
        let events = stream::unfold(watch, |mut watch| async move {
            let event = watch.next_event().await?;
            Some((Ok(event), watch))
        });
        Ok(events.boxed())
    }

    /// Looks for offers that were made or have ended, for all who watch, until the process stops.
    pub async fn tail_offers(self: Arc<Self>) {
        let mut tail = Tail { looked_at: self.now(), told: BTreeMap::new() };
        loop {
            tokio::select! {
                () = self.db.clock().poll(LOOK_EVERY) => {}
                () = self.offers.wake.notified() => {}
                () = self.offers.stop.cancelled() => return,
            }
            if let Err(error) = self.look_at_offers(&mut tail).await {
                tracing::warn!(%error, "cannot look for offers, will look again in a second");
            }
        }
    }

    async fn look_at_offers(&self, tail: &mut Tail) -> Result<(), Error> {
        let began = self.now();
        let watching = self.offers.accounts();
        if !watching.is_empty() {
            let since = tail.looked_at - OVERLAP;
            let db = self.db.connection();
            let mut changed = offers::changed_since(db, since).await?;
            changed.retain(|offer| watching.contains(&offer.provider_user_id));
            changed.retain(|offer| {
                let key = (offer.id, offer.state == OfferState::Open);
                tail.told.insert(key, began).is_none()
            });
            let orders = offers::orders_of(db, &changed).await?;
            for offer in &changed {
                let news = match (offer.state, orders.get(&offer.order_id)) {
                    (OfferState::Open, Some(order)) => {
                        OfferNews::Open(Box::new(opened(offer, order)))
                    }
                    _ => OfferNews::Gone(offer.id),
                };
                self.offers.send(offer.provider_user_id, &news);
            }
            tail.told.retain(|_, told_at| *told_at >= since - OVERLAP);
        }
        tail.looked_at = began;
        Ok(())
    }
}

/// An offer, with what its provider may know of the order.
pub fn offer_message(offer: &offer::Model, order: &Order) -> pb::Offer {
    pb::Offer {
        id: offer.id.to_string(),
        order_id: offer.order_id.to_string(),
        provider_id: offer.provider_id.to_string(),
        vertical: order.vertical.clone(),
        window: Some(order.window_of_offer(offer).into()),
        postcode: order.terms.place.postcode.clone(),
        city: order.terms.place.city.clone(),
        total: Some(order.money(order.total).into()),
        provider_gross: Some(order.money(order.provider_gross(order.total)).into()),
        state: convert::offer_state(offer.state).into(),
        valid_till: Some(timestamp(offer.valid_till)),
        created_at: Some(timestamp(offer.created_at)),
        travel_time: (offer.travel_s > 0).then(|| duration(Duration::seconds(offer.travel_s))),
    }
}

fn opened(offer: &offer::Model, order: &Order) -> WatchOffersResponse {
    WatchOffersResponse {
        event: "offer".to_owned(),
        id: offer.id.to_string(),
        offer: Some(offer_message(offer, order)),
    }
}

/// One stream, as its reader has followed it so far.
struct OfferWatch {
    /// What was open when the stream began.
    ready: VecDeque<(OfferId, WatchOffersResponse)>,
    /// The offers that the reader takes for open.
    open: BTreeSet<OfferId>,
    receiver: mpsc::Receiver<OfferNews>,
    ends_at: DateTime<Utc>,
    clock: Clock,
    stop: CancellationToken,
}

impl OfferWatch {
    /// The next event; none when the stream ends.
    async fn next_event(&mut self) -> Option<WatchOffersResponse> {
        if let Some((id, event)) = self.ready.pop_front() {
            self.open.insert(id);
            return Some(event);
        }
        loop {
            let news = tokio::select! {
                news = self.receiver.recv() => news?,
                () = self.clock.sleep_until(self.ends_at) => return None,
                () = self.stop.cancelled() => return None,
            };
            match news {
                OfferNews::Open(event) => {
                    let is_new = event.id.parse().is_ok_and(|id| self.open.insert(id));
                    if is_new {
                        return Some(*event);
                    }
                }
                OfferNews::Gone(id) if self.open.remove(&id) => {
                    let (event, id) = ("gone".to_owned(), id.to_string());
                    return Some(WatchOffersResponse { event, id, offer: None });
                }
                OfferNews::Gone(_) => {}
            }
        }
    }
}
