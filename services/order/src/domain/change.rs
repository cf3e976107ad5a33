//! A change being made to an order: what is decided here is written in one transaction, or not at all.

use super::records::{change_order, dispute, message, offer, proof, review};
use super::{
    AccountId, Action, Actor, ChangeId, ChangeState, DisputeState, Error, OfferId, Order,
    ProviderId, SideEffect, State, Timing,
};
use chrono::{DateTime, Utc};
use kit::Clock;
use std::sync::Arc;
use uuid::Uuid;

/// Who acts on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// A timer, a saga or a fact of another service.
    System,
    /// An account.
    User {
        /// Which.
        id: AccountId,
        /// Whether it runs the marketplace.
        operator: bool,
    },
}

/// Something to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderEvent {
    /// What, for example `order.assigned`.
    pub kind: &'static str,
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// The provider concerned, where it is not the assigned one.
    pub provider: Option<(ProviderId, AccountId)>,
    /// Whose fault, for a cancellation or reassignment.
    pub fault: &'static str,
    /// Stars, for a review.
    pub stars: i32,
    /// Which side is addressed or reviewed.
    pub addressee: &'static str,
}

/// Something that happened, for the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimelineEntry {
    /// What.
    pub action: &'static str,
    /// State before.
    pub from: State,
    /// State after.
    pub to: State,
    /// Which side did it.
    pub actor: Actor,
    /// More about it; never personal.
    pub note: String,
}

/// A row beside the order's own.
#[derive(Clone, Debug, PartialEq)]
pub enum RecordChange {
    /// A change order is proposed.
    ProposeChange(change_order::Model),
    /// A change order is decided.
    DecideChange(ChangeId, ChangeState),
    /// A dispute is opened.
    OpenDispute(dispute::Model),
    /// The open dispute moves on.
    MoveDispute(DisputeState, Option<i64>),
    /// A review is written.
    Review(review::Model),
    /// The order's reviews are published.
    PublishReviews,
    /// Offers go out.
    Offers(Vec<offer::Model>),
    /// Offers that are open end so, but for one that was taken.
    EndOffers(super::OfferState, Option<OfferId>),
    /// A message is sent.
    Message(message::Model),
    /// A proof is added.
    Proof(proof::Model),
    /// The order's customer erased their account: what they wrote goes.
    ForgetWords(AccountId),
    /// An effect is done.
    EffectDone(i64),
}

/// A change in the making.
pub struct OrderChange {
    /// The order as it will be.
    pub order: Order,
    /// Who acts.
    pub who: Principal,
    /// Which side that is.
    pub by: Actor,
    /// When.
    pub now: DateTime<Utc>,
    /// How long things take.
    pub timing: Arc<Timing>,
    /// For new ids.
    pub clock: Clock,
    /// Whether the order itself changes, so that its version counts up.
    pub touched: bool,
    /// What happened.
    pub entries: Vec<TimelineEntry>,
    /// What to publish.
    pub facts: Vec<OrderEvent>,
    /// What is owed to other services.
    pub owed: Vec<SideEffect>,
    /// Rows beside the order's own.
    pub rows: Vec<RecordChange>,
}

impl OrderChange {
    /// Begins a change of `order` by `who`, who must be a side of it.
    pub fn new(
        order: Order,
        who: Principal,
        clock: Clock,
        timing: Arc<Timing>,
    ) -> Result<Self, Error> {
        let by = order.side(&who).ok_or(Error::NotFound(super::Resource::Order))?;
        Ok(Self {
            order,
            who,
            by,
            now: clock.now(),
            timing,
            clock,
            touched: false,
            entries: Vec::new(),
            facts: Vec::new(),
            owed: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// Refuses a caller who saw another version. 0 takes any.
    pub fn expect_version(&self, version: i64) -> Result<(), Error> {
        match version {
            0 => Ok(()),
            seen if seen == self.order.version => Ok(()),
            _ => Err(kit::Error::VersionMismatch.into()),
        }
    }

    /// Does `action` as the side that acts.
    pub fn act(&mut self, action: Action, note: impl Into<String>) -> Result<(), Error> {
        self.act_as(action, self.by, note)
    }

    /// Does `action` as `by`: the one way in which an order's state changes.
    pub fn act_as(
        &mut self,
        action: Action,
        by: Actor,
        note: impl Into<String>,
    ) -> Result<(), Error> {
        let from = self.order.state;
        let to = self.order.check(action, by)?;
        self.order.state = to.state;
        self.order.disputed = to.disputed;
        self.touched = true;
        let note = note.into();
        self.entries.push(TimelineEntry {
            action: action.name(),
            from,
            to: to.state,
            actor: by,
            note,
        });
        if from != to.state && self.order.progress.assignments > 0 && !asked_first(action) {
            let provider_user_id = self.order.provider_user_id;
            self.owe(SideEffect::Tell { from, to: to.state, provider_user_id });
        }
        if self.order.progress.erased && to.state.is_final() {
            self.forget();
        }
        Ok(())
    }

    /// Publishes a fact about what was just done.
    pub fn publish(&mut self, kind: &'static str) -> &mut OrderEvent {
        let last = self.entries.last();
        let (from, to) = last.map_or((self.order.state, self.order.state), |it| (it.from, it.to));
        self.facts.push(OrderEvent {
            kind,
            from,
            to,
            provider: None,
            fault: "",
            stars: 0,
            addressee: "",
        });
        let last = self.facts.len() - 1;
        &mut self.facts[last]
    }

    /// Whether nothing was decided that is to be written.
    pub fn is_empty(&self) -> bool {
        !self.touched
            && self.entries.is_empty()
            && self.facts.is_empty()
            && self.owed.is_empty()
            && self.rows.is_empty()
    }

    /// Notes something that is owed to another service.
    pub fn owe(&mut self, effect: SideEffect) {
        self.touched = true;
        self.owed.push(effect);
    }

    /// A new id.
    pub fn new_id<T>(&self) -> kit::Id<T> {
        kit::Id::new(&self.clock)
    }

    /// A new id of a row that only its own table knows.
    pub fn new_uuid(&self) -> Uuid {
        self.new_id::<()>().uuid()
    }

    /// The account that acts, if one does.
    pub fn account(&self) -> Option<AccountId> {
        match self.who {
            Principal::System => None,
            Principal::User { id, .. } => Some(id),
        }
    }
}

/// Transitions that the vertical is asked about before they happen, rather than told of afterwards.
const fn asked_first(action: Action) -> bool {
    matches!(
        action,
        Action::Accept
            | Action::TakeOffer
            | Action::Depart
            | Action::Arrive
            | Action::Start
            | Action::Deliver
    )
}
