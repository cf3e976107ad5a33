//! A change of an order: what the rules decide about it, to be saved in one transaction or not at all.

use super::{
    AccountId, Action, Actor, ChangeId, ChangeState, DeliveryAnswer, DisputeState, Error,
    LastActor, OfferEnding, OfferId, OfferState, Order, ProviderId, Resource, SideEffect, State,
    Timing, Visit,
    records::{change_order, dispute, message, offer, proof, review},
};
use chrono::{DateTime, Duration, Utc};
use std::{ops::Deref, sync::Arc};

/// Who acts on an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A timer, a process or an event of another service.
    System,
    /// A signed-in account.
    User {
        /// The account's id.
        id: AccountId,
        /// Whether it runs the marketplace.
        operator: bool,
    },
}

impl Principal {
    /// The account that sent a request.
    pub fn of(caller: &kit::Caller) -> Result<Self, Error> {
        let id = AccountId::from_uuid(caller.subject()?.user_id);
        Ok(Self::User { id, operator: caller.is_operator() })
    }

    /// The account that acts.
    pub fn account(&self) -> Result<AccountId, Error> {
        match self {
            Self::System => Err(kit::Error::Unauthenticated.into()),
            Self::User { id, .. } => Ok(*id),
        }
    }
}

/// Something that happened to an order, for the other services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// Its kind, for example `order.assigned`.
    pub kind: &'static str,
    pub from: State,
    pub to: State,
    /// The provider concerned, where it is not the assigned one.
    pub provider: Option<(ProviderId, AccountId)>,
    /// Who is liable, for a cancellation or a reassignment.
    pub fault: &'static str,
    /// Stars, for a review.
    pub stars: i32,
    /// Which side is addressed or reviewed.
    pub addressee: &'static str,
    /// How the offer ended that it is about.
    pub offer_end: Option<OfferEnding>,
    /// The visit that it is about.
    pub visit: Option<Visit>,
}

/// Something that happened to an order, for its timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// What was done.
    pub action: &'static str,
    pub from: State,
    pub to: State,
    /// Which side did it.
    pub actor: Actor,
    /// More about it; never personal.
    pub note: String,
}

/// A change of a row that belongs to the order.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// Insert a proposed change order.
    ProposeChange(change_order::Model),
    /// Write what became of a change order.
    DecideChange(ChangeId, ChangeState),
    /// Insert a dispute.
    OpenDispute(dispute::Model),
    /// Move the open dispute on; with a refund it is resolved.
    MoveDispute(DisputeState, Option<i64>),
    /// Note what the customer's bank has taken for good while the open dispute goes on.
    NoteLoss(i64),
    /// Insert a review.
    Review(review::Model),
    /// Publish the order's reviews.
    PublishReviews,
    /// An offer was accepted.
    AcceptOffer(OfferId),
    /// Open offers end in this state.
    EndOffers(Vec<OfferId>, OfferState),
    /// Insert a message.
    Message(message::Model),
    /// Insert a proof.
    Proof(proof::Model),
    /// Empty what an account wrote on this side.
    ForgetWords(AccountId, Actor),
    /// Take the positions from the proofs: they were made at the customer's home.
    ForgetPositions,
    /// Delete a side effect that is done or ended.
    SideEffectDone(i64),
}

/// An order as it was read, as it will be, and all that is saved together with it.
#[derive(Clone)]
pub struct OrderChange {
    before: Order,
    /// The order as it will be.
    pub order: Order,
    pub principal: Principal,
    /// The side on which they act.
    pub by: Actor,
    /// The time of the change.
    pub now: DateTime<Utc>,
    /// How long things take.
    pub timing: Arc<Timing>,
    /// What the timeline says of it.
    pub entries: Vec<TimelineEntry>,
    /// What the other services hear of it.
    pub events: Vec<OrderEvent>,
    /// What other services have to do after it.
    pub side_effects: Vec<SideEffect>,
    /// Whether the caller runs the side effects itself once the change is committed, so that the timer only stands by.
    pub caller_runs_side_effects: bool,
    /// The rows that change with it.
    pub records: Vec<RecordChange>,
    /// The open offers of an order that is searched for.
    pub open_offers: Vec<offer::Model>,
    agreed: Option<Agreement>,
}

/// How long the vertical's agreement holds, in seconds: half of the time for which it keeps its record as it was.
const AGREEMENT_HOLDS_S: i64 = 30;

/// That the vertical agreed to an action before it is done. It holds for a while, and until the order's state changes: work
/// that went back for rework meanwhile is not what the vertical has agreed to deliver.
#[derive(Clone, Debug, PartialEq)]
pub struct Agreement {
    action: Action,
    moves: u32,
    asked_at: DateTime<Utc>,
    gate: Option<DeliveryAnswer>,
}

impl Agreement {
    /// Notes the vertical's answer about `order`, for which it was asked at `asked_at`. Only the code that asked the vertical
    /// may do so.
    pub const fn to(action: Action, order: &Order, asked_at: DateTime<Utc>) -> Self {
        Self { action, moves: order.progress.moves, asked_at, gate: None }
    }

    /// Notes what the vertical's completion gate answered as well.
    #[must_use]
    pub fn with_gate(self, gate: Option<DeliveryAnswer>) -> Self {
        Self { gate, ..self }
    }

    /// Whether it is about `action` and the state in which `order` is, and holds still. The answer of a gate says by itself how
    /// long it holds.
    fn covers(&self, action: Action, order: &Order, now: DateTime<Utc>) -> bool {
        self.action == action
            && self.moves == order.progress.moves
            && (self.gate.is_some() || now <= self.asked_at + Duration::seconds(AGREEMENT_HOLDS_S))
    }
}

impl OrderChange {
    /// Begins a change of `order` by `principal`, who must be on a side of it.
    pub fn new(
        order: Order,
        principal: Principal,
        now: DateTime<Utc>,
        timing: Arc<Timing>,
    ) -> Result<Self, Error> {
        let by = order.side(&principal).ok_or(Error::NotFound(Resource::Order))?;
        Ok(Self {
            before: order.clone(),
            order,
            principal,
            by,
            now,
            timing,
            entries: Vec::new(),
            events: Vec::new(),
            side_effects: Vec::new(),
            caller_runs_side_effects: false,
            records: Vec::new(),
            open_offers: Vec::new(),
            agreed: None,
        })
    }

    /// Notes what the vertical agreed to before the change began.
    pub fn vertical_agreed(&mut self, agreed: Option<Agreement>) {
        self.agreed = agreed;
    }

    /// Whether the vertical has agreed to something before the change began.
    pub(super) const fn has_agreement(&self) -> bool {
        self.agreed.is_some()
    }

    /// What the vertical's completion gate answered before the change began.
    pub(super) fn gate_answer(&self) -> Option<DeliveryAnswer> {
        self.agreed.as_ref()?.gate.clone()
    }

    /// Does `action` as the side that acts, if all that the order knows allows it now.
    pub fn act(&mut self, action: Action, note: impl Into<String>) -> Result<(), Error> {
        self.check(action)?;
        self.act_as(action, self.by, note)
    }

    /// Does `action` as `by`: the one way in which an order's state changes. The vertical has agreed before where
    /// [`Action::asks_vertical`] says so.
    pub fn act_as(
        &mut self,
        action: Action,
        by: Actor,
        note: impl Into<String>,
    ) -> Result<(), Error> {
        let from = self.order.state;
        let to = self.order.check(action, by)?;
        // The state did not allow the action when the vertical was to be asked, or has changed since.
        let agreed =
            self.agreed.as_ref().is_some_and(|it| it.covers(action, &self.order, self.now));
        if action.asks_vertical() && !agreed {
            return Err(Error::Changed);
        }
        self.order.state = to.state;
        self.order.disputed = to.disputed;
        self.order.progress.moves += u32::from(from != to.state);
        let note = note.into();
        self.entries.push(TimelineEntry {
            action: action.name(),
            from,
            to: to.state,
            actor: by,
            note,
        });
        self.forget_erased();
        Ok(())
    }

    /// Adds an entry to the timeline that leaves the state as it is.
    pub fn note(&mut self, action: &'static str, actor: Actor, note: String) {
        let state = self.order.state;
        self.entries.push(TimelineEntry { action, from: state, to: state, actor, note });
    }

    /// Publishes an event about what was just done.
    pub fn publish(&mut self, kind: &'static str) -> &mut OrderEvent {
        let last = self.entries.last();
        let (from, to) = last.map_or((self.order.state, self.order.state), |it| (it.from, it.to));
        self.events.push(OrderEvent {
            kind,
            from,
            to,
            provider: None,
            fault: "",
            stars: 0,
            addressee: "",
            offer_end: None,
            visit: None,
        });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    /// Has another service do something once the change is committed.
    pub fn enqueue(&mut self, effect: SideEffect) {
        self.side_effects.push(effect);
    }

    /// Ends the rules. The order's version counts up if anything of it changes, so that a caller who saw the former one is
    /// told; rows beside it, such as messages, leave it as it is.
    pub fn close(mut self) -> ClosedChange {
        if self.concerns_vertical() {
            self.order.progress.last_actor = Some(self.last_actor());
            self.enqueue(SideEffect::TellVertical);
        }
        let changes_order =
            self.order != self.before || !self.entries.is_empty() || !self.side_effects.is_empty();
        if changes_order {
            self.order.version += 1;
            self.order.updated_at = self.now;
        }
        self.order.event_seq += i64::try_from(self.events.len()).unwrap_or_default();
        ClosedChange(self)
    }

    /// Who makes the change: the side of the last entry, and the account that acts if it acts on that side.
    fn last_actor(&self) -> LastActor {
        let side = self.entries.last().map_or(self.by, |entry| entry.actor);
        let account = self.principal.account().ok().filter(|_| side == self.by);
        LastActor { side, account }
    }

    /// Whether the vertical is to be told of the change. It follows an order from the first assignment on.
    fn concerns_vertical(&self) -> bool {
        self.order.progress.assignments > 0
            && self.order.as_told_to_vertical() != self.before.as_told_to_vertical()
    }
}

/// A change to which nothing is added any more, with the order's new version.
#[derive(Clone)]
pub struct ClosedChange(OrderChange);

impl ClosedChange {
    /// The order as it was read.
    pub const fn before(&self) -> &Order {
        &self.0.before
    }

    /// The parts of the change, to write them.
    pub fn into_inner(self) -> OrderChange {
        self.0
    }
}

impl Deref for ClosedChange {
    type Target = OrderChange;

    fn deref(&self) -> &OrderChange {
        &self.0
    }
}
