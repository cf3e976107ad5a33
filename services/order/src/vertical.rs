//! The verticals: they price the work, are asked before a provider does something, and are told of what was committed.
//!
//! Asking changes nothing at a vertical, so that an action that does not get through leaves no trace there; a vertical may
//! only lock its record for a minute where an order may end, or be delivered, as it stands. Which actions are asked about
//! stands in [`Action::asks_vertical`] alone. Before the vertical is asked, provider says whether the provider may still
//! work ([`crate::processes::eligibility`]). No service is called while a transaction is open, so that the answer is an
//! [`Agreement`] that the transaction takes along.
//!
//! Telling is a side effect of every change that concerns the vertical ([`SideEffect::TellVertical`]). It is done at once
//! after the commit, and by the timer where that fails. The vertical gets the order as it stands by then.

use crate::{
    app::App,
    convert,
    domain::{
        AccountId, Action, Actor, Agreement, Error, LastActor, Order, OrderId, Principal,
        ProviderId, Resource, SideEffect, State,
    },
    repository::{orders, side_effects},
};
use kit::{Host, rpc::client::Channel, values::time::timestamp};
use proto::quickserve::fulfilment::v1::{
    CompletionGateRequest, CompletionGateResponse, DescribeJobRequest, DescribeJobResponse,
    DescribeVerticalRequest, OnTransitionRequest, OrderActor, OrderSnapshot, OrderTimes, Party,
    Place, QuoteChangeRequest, QuoteChangeResponse, QuoteRequest, QuoteResponse, Requirements,
    TransitionMode, vertical_service_client::VerticalServiceClient,
};
use std::{collections::BTreeMap, time::Duration};

/// How long a call waits for the vertical to hear of what it has changed.
const TELL_AT_ONCE: Duration = Duration::from_millis(300);

/// How long a read waits for the vertical to say where the job stands.
const MAX_DESCRIPTION_WAIT: Duration = Duration::from_millis(500);

/// Typed clients of the verticals.
#[derive(Clone)]
pub struct Verticals(BTreeMap<String, VerticalServiceClient<Channel>>);

impl App {
    /// Asks provider and the vertical about an action that `principal` wants to do to an order. One that the state
    /// refuses is not asked about: what refuses it also finds the answer of an earlier call with the same key.
    pub async fn ask_before(
        &self,
        id: OrderId,
        principal: &Principal,
        action: Action,
    ) -> Result<Option<Agreement>, Error> {
        let order = orders::get_order(self.db.connection(), id, principal).await?;
        match order.side(principal) {
            Some(by) => self.ask_before_as(&order, action, by, order.provider()).await,
            None => Ok(None),
        }
    }

    /// As [`App::ask_before`], about an action by `by` after which the order is `provider`'s.
    pub async fn ask_before_as(
        &self,
        order: &Order,
        action: Action,
        by: Actor,
        provider: Option<(ProviderId, AccountId)>,
    ) -> Result<Option<Agreement>, Error> {
        let Ok(to) = order.check_now(action, by, self.now(), &self.timing) else { return Ok(None) };
        if !action.asks_vertical() {
            return Ok(None);
        }
        if let Some((provider, _)) = provider.filter(|_| action.asks_eligibility()) {
            self.check_eligibility(order, provider).await?;
        }
        let gate = match action {
            Action::Deliver => Some(self.ask_completion_gate(order).await?),
            _ => None,
        };
        let asked_at = self.now();
        let denials = self.verticals.ask(order, to.state, provider).await?;
        if denials.is_empty() {
            Ok(Some(Agreement::to(action, order, asked_at).with_gate(gate)))
        } else {
            Err(Error::Denied(order.vertical.clone(), denials))
        }
    }

    /// Where the job stands in the words of the vertical, for `viewer`. None while the vertical does not answer: the read
    /// goes on without it.
    pub async fn describe_job(
        &self,
        order: &Order,
        viewer: &Principal,
    ) -> Option<DescribeJobResponse> {
        let side = match order.side(viewer)? {
            Actor::Customer => Party::Customer,
            Actor::Provider => Party::Provider,
            Actor::Operator | Actor::Payment | Actor::System => Party::Platform,
        };
        let described = self.verticals.describe_job(order, side);
        match tokio::time::timeout(MAX_DESCRIPTION_WAIT, described).await {
            Ok(Ok(job)) => Some(job),
            Ok(Err(error)) => {
                tracing::warn!(%error, order.id = %order.id, "the order is shown without its vertical's state");
                None
            }
            Err(_) => {
                tracing::warn!(order.id = %order.id, "the vertical is slow, the order is shown without its state");
                None
            }
        }
    }

    /// Tells the vertical of a change of an order that was committed just now, so that it is in step when the caller hears
    /// of the change. Where the vertical does not answer soon, the timer tells it.
    pub async fn tell_vertical_at_once(&self, id: OrderId) {
        match tokio::time::timeout(TELL_AT_ONCE, self.tell_vertical(id)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, order.id = %id, "cannot tell the vertical, will retry");
            }
            Err(_) => tracing::warn!(order.id = %id, "the vertical is slow to hear, will retry"),
        }
    }

    /// Tells the vertical of what it has not heard yet.
    pub async fn tell_vertical(&self, id: OrderId) -> Result<(), Error> {
        let db = self.db.connection();
        let mut pending = side_effects::pending_side_effects(db, id).await?;
        pending.retain(|row| row.effect == SideEffect::TellVertical);
        if pending.is_empty() {
            return Ok(());
        }
        // Read after what is pending, so that it contains the changes from which that follows.
        let order = orders::get_order(db, id, &Principal::System).await?;
        self.verticals.tell(&order).await?;
        let seqs: Vec<i64> = pending.iter().map(|row| row.seq).collect();
        side_effects::delete_side_effect(db, id, &seqs).await
    }
}

impl Verticals {
    /// The verticals of `host` with these keys; each answers under its own.
    pub fn new(host: &Host, keys: &[String]) -> Self {
        let client = |key: &String| (key.clone(), VerticalServiceClient::new(host.channel(key)));
        Self(keys.iter().map(client).collect())
    }

    /// The keys of the verticals, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    fn client(&self, key: &str) -> Result<VerticalServiceClient<Channel>, Error> {
        self.0.get(key).cloned().ok_or(Error::NotFound(Resource::Vertical))
    }

    /// The name of the message that a vertical's details must fit.
    pub async fn details_message(&self, key: &str) -> Result<String, Error> {
        let answer = self.client(key)?.describe_vertical(DescribeVerticalRequest {}).await?;
        Ok(answer.into_inner().details_message)
    }

    /// The name of the message that the details of a change must fit; empty where the vertical prices none.
    pub async fn change_message(&self, key: &str) -> Result<String, Error> {
        let answer = self.client(key)?.describe_vertical(DescribeVerticalRequest {}).await?;
        Ok(answer.into_inner().change_message)
    }

    /// Whether jobs of a vertical may recur.
    pub async fn recurs(&self, key: &str) -> Result<bool, Error> {
        let mut vertical = self.find_bookable(key)?;
        Ok(vertical.describe_vertical(DescribeVerticalRequest {}).await?.into_inner().recurs)
    }

    /// What every job of a vertical requires.
    pub async fn requirements(&self, key: &str) -> Result<Requirements, Error> {
        let mut vertical = self.find_bookable(key)?;
        let answer = vertical.describe_vertical(DescribeVerticalRequest {}).await?;
        Ok(answer.into_inner().requirements.unwrap_or_default())
    }

    /// A vertical that a request names.
    fn find_bookable(&self, key: &str) -> Result<VerticalServiceClient<Channel>, Error> {
        let unknown = |_| kit::Error::invalid("vertical", "is not one that can be booked");
        Ok(self.client(key).map_err(unknown)?)
    }

    /// What a vertical asks for a job.
    pub async fn quote(&self, key: &str, request: QuoteRequest) -> Result<QuoteResponse, Error> {
        Ok(self.find_bookable(key)?.quote(request).await?.into_inner())
    }

    async fn describe_job(&self, order: &Order, side: Party) -> Result<DescribeJobResponse, Error> {
        let order_snapshot = Some(snapshot(order, order.provider()));
        let request = DescribeJobRequest { order: order_snapshot, side: side.into() };
        Ok(self.client(&order.vertical)?.describe_job(request).await?.into_inner())
    }

    /// Asks the vertical whether the order may enter the state `to`, as `provider`'s. Returns why it may not.
    async fn ask(
        &self,
        order: &Order,
        to: State,
        provider: Option<(ProviderId, AccountId)>,
    ) -> Result<Vec<String>, Error> {
        let request = OnTransitionRequest {
            to: convert::state(to).into(),
            mode: TransitionMode::Ask.into(),
            order: Some(snapshot(order, provider)),
        };
        let answer = self.client(&order.vertical)?.on_transition(request).await?;
        Ok(answer.into_inner().denials)
    }

    /// Tells the vertical how the order stands.
    pub async fn tell(&self, order: &Order) -> Result<(), Error> {
        self.tell_in_mode(order, TransitionMode::Tell).await
    }

    /// Tells the vertical how the order stands after a restore, also when the vertical knows a later version.
    pub async fn tell_restored(&self, order: &Order) -> Result<(), Error> {
        self.tell_in_mode(order, TransitionMode::Restore).await
    }

    async fn tell_in_mode(&self, order: &Order, mode: TransitionMode) -> Result<(), Error> {
        let request = OnTransitionRequest {
            mode: mode.into(),
            order: Some(snapshot(order, order.provider())),
            ..OnTransitionRequest::default()
        };
        self.client(&order.vertical)?.on_transition(request).await?;
        Ok(())
    }

    /// The order as verticals know it, as that of its provider.
    pub fn snapshot_of(&self, order: &Order) -> OrderSnapshot {
        snapshot(order, order.provider())
    }

    /// What the vertical asks for a change.
    pub async fn quote_change(
        &self,
        key: &str,
        request: QuoteChangeRequest,
    ) -> Result<QuoteChangeResponse, Error> {
        Ok(self.client(key)?.quote_change(request).await?.into_inner())
    }

    /// What the vertical's completion gate answers about the delivery of an order.
    pub async fn completion_gate(
        &self,
        order: &Order,
        proof_kinds: Vec<String>,
    ) -> Result<CompletionGateResponse, Error> {
        let snapshot = snapshot(order, order.provider());
        let request = CompletionGateRequest { proof_kinds, order: Some(snapshot) };
        Ok(self.client(&order.vertical)?.completion_gate(request).await?.into_inner())
    }
}

/// The order as verticals know it, as `provider`'s.
fn snapshot(order: &Order, provider: Option<(ProviderId, AccountId)>) -> OrderSnapshot {
    let erased = order.is_erased();
    let (profile, account) = provider.unzip();
    let (lat, lng) = (order.terms.place.lat, order.terms.place.lng);
    OrderSnapshot {
        order_id: order.id.to_string(),
        order_version: order.version,
        state: convert::state(order.state).into(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: account.map(|id| id.to_string()).unwrap_or_default(),
        details: convert::details(&order.details.0).filter(|_| !erased),
        window: Some(order.window().into()),
        delivered_at: order.progress.delivered_at.map(timestamp),
        erased,
        place: (!erased).then_some(Place { lat, lng }),
        provider_erased: order.progress.provider_erased,
        provider_id: profile.map(|id| id.to_string()).unwrap_or_default(),
        event_seq: order.event_seq,
        times: Some(times_of(order)),
        actor: order.progress.last_actor.map(actor_message),
        parent_order_id: order.parent_id(),
        country: order.terms.place.country.clone(),
        price: Some(convert::order_price(order)),
        changes: order.progress.changes.iter().map(convert::known_change).collect(),
    }
}

fn times_of(order: &Order) -> OrderTimes {
    let progress = &order.progress;
    OrderTimes {
        booked_at: Some(timestamp(order.created_at)),
        assigned_at: progress.assigned_at.map(timestamp),
        departed_at: progress.departed_at.map(timestamp),
        arrived_at: progress.arrived_at.map(timestamp),
        started_at: progress.started_at.map(timestamp),
        delivered_at: progress.delivered_at.map(timestamp),
    }
}

fn actor_message(LastActor { side, account }: LastActor) -> OrderActor {
    let user_id = account.map(|id| id.to_string()).unwrap_or_default();
    OrderActor { side: side.name().to_owned(), user_id }
}
