//! The life of an order: every state, every action, and who may do what in which.

use super::{
    Error, Order,
    action::{Action, Actor},
    error::Refused,
};
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

/// Where an order stands.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The slot is held while the payment is being authorised.
    PendingPayment,
    /// The named provider has been asked.
    Requested,
    /// Offers are out to several providers.
    Searching,
    /// A provider has taken the order.
    Assigned,
    /// The provider is on the way.
    EnRoute,
    /// The provider is at the door.
    Arrived,
    /// The work has begun.
    InProgress,
    /// The work waits for the customer to decide on a change order.
    AwaitingApproval,
    /// The provider says the work is done.
    Delivered,
    /// The customer asked for rework.
    ChangesRequested,
    /// The work is accepted and paid.
    Completed,
    /// Payout and reviews are over.
    Closed,
    /// The booking or the request ran out of time.
    Expired,
    /// The named provider said no.
    Declined,
    /// No provider took the order.
    NoProvider,
    /// The customer was not there.
    NoShow,
    /// Cancelled before the work began.
    Cancelled,
    /// The work was broken off.
    Aborted,
}

impl std::fmt::Display for State {
    /// Writes the state's name in contracts, such as `IN_PROGRESS`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.to_value())
    }
}

/// Where an order stands, and whether a dispute lies over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StateView {
    pub state: State,
    /// Whether a dispute freezes it.
    pub disputed: bool,
}

impl StateView {
    /// The whole life of an order. Actors are part of it: a side that may not do a thing is refused like a state that
    /// does not allow it. A new state does not compile until its actions are decided.
    pub fn transition(self, action: Action, by: Actor) -> Result<Self, Refused> {
        let next = match self.overlay(action, by) {
            Some(overlay) => overlay,
            // Work that is broken off is settled by an operator.
            None => self
                .state
                .next(action, by)
                .map(|state| Self { state, disputed: self.disputed || action == Action::Abort }),
        };
        next.ok_or(Refused { standing: self, action, by })
    }

    /// What a dispute adds: whether it can be opened and resolved, and what it freezes.
    fn overlay(self, action: Action, by: Actor) -> Option<Option<Self>> {
        use Action::{AcceptDelivery, Close, Dispute, ResolveDispute, Sos};
        use Actor::{Customer, Operator, Payment, Provider, System};
        match (action, by, self.disputed) {
            (Dispute, Customer | Provider | Operator, false) => {
                Some(self.state.disputable().then_some(Self { disputed: true, ..self }))
            }
            (Dispute, Payment, false) => {
                Some(self.state.was_charged().then_some(Self { disputed: true, ..self }))
            }
            // A bank ends the dispute that it began.
            (ResolveDispute, Operator | Payment, true) => {
                Some(Some(Self { disputed: false, ..self }))
            }
            (Sos, Customer | Provider, _) => {
                Some(self.state.has_both_sides().then_some(Self { disputed: true, ..self }))
            }
            (Dispute | ResolveDispute, ..) | (AcceptDelivery, Customer | System, true) => {
                Some(None)
            }
            (Close, System, true) => Some(None),
            _ => None,
        }
    }
}

impl Order {
    /// Where `action` by `by` leads by the state alone. What a side asks for is checked by [`Order::check_now`].
    pub fn check(&self, action: Action, by: Actor) -> Result<StateView, Error> {
        self.standing()
            .transition(action, by)
            .map_err(|refused| Error::Refused(refused, Vec::new()))
    }
}

impl State {
    pub const ALL: [Self; 18] = [
        Self::PendingPayment,
        Self::Requested,
        Self::Searching,
        Self::Assigned,
        Self::EnRoute,
        Self::Arrived,
        Self::InProgress,
        Self::AwaitingApproval,
        Self::Delivered,
        Self::ChangesRequested,
        Self::Completed,
        Self::Closed,
        Self::Expired,
        Self::Declined,
        Self::NoProvider,
        Self::NoShow,
        Self::Cancelled,
        Self::Aborted,
    ];

    /// Whether a dispute may be opened by a side of the order.
    const fn disputable(self) -> bool {
        match self {
            Self::InProgress
            | Self::AwaitingApproval
            | Self::Delivered
            | Self::ChangesRequested
            | Self::Completed
            | Self::NoShow
            | Self::Cancelled => true,
            // Aborted work is disputed from the start; once that is resolved, it is.
            Self::Aborted
            | Self::PendingPayment
            | Self::Requested
            | Self::Searching
            | Self::Assigned
            | Self::EnRoute
            | Self::Arrived
            | Self::Closed
            | Self::Expired
            | Self::Declined
            | Self::NoProvider => false,
        }
    }

    /// Whether a customer and a provider have to do with one another.
    const fn has_both_sides(self) -> bool {
        matches!(
            self,
            Self::Assigned
                | Self::EnRoute
                | Self::Arrived
                | Self::InProgress
                | Self::AwaitingApproval
                | Self::Delivered
                | Self::ChangesRequested
                | Self::Completed
        )
    }

    /// Whether money may have moved that a bank can take back.
    const fn was_charged(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Closed | Self::NoShow | Self::Cancelled | Self::Aborted
        )
    }

    /// Whether nothing but a dispute can follow.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Closed
                | Self::Expired
                | Self::Declined
                | Self::NoProvider
                | Self::NoShow
                | Self::Cancelled
                | Self::Aborted
        )
    }

    /// Whether the work has not begun, so that the order can be cancelled.
    pub const fn is_before_work(self) -> bool {
        matches!(
            self,
            Self::PendingPayment
                | Self::Requested
                | Self::Searching
                | Self::Assigned
                | Self::EnRoute
                | Self::Arrived
        )
    }

    /// The state after `action` by `by`; none when it is refused.
    fn next(self, action: Action, by: Actor) -> Option<Self> {
        match self {
            Self::PendingPayment => pending_payment(action, by),
            Self::Requested => next_of_requested(action, by),
            Self::Searching => next_of_searching(action, by),
            Self::Assigned => next_of_assigned(action, by),
            Self::EnRoute => en_route(action, by),
            Self::Arrived => next_of_arrived(action, by),
            Self::InProgress => in_progress(action, by),
            Self::AwaitingApproval => awaiting_approval(action, by),
            Self::Delivered => next_of_delivered(action, by),
            Self::ChangesRequested => changes_requested(action, by),
            Self::Completed => next_of_completed(action, by),
            Self::NoShow | Self::Cancelled | Self::Aborted => allows_evidence(self, action, by),
            Self::Closed | Self::Expired | Self::Declined | Self::NoProvider => None,
        }
    }
}

fn pending_payment(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Authorize { search: false }, Actor::Payment) => Some(State::Requested),
        (Action::Authorize { search: true }, Actor::Payment) => Some(State::Searching),
        (Action::ConfirmPayment, Actor::Customer) => Some(State::PendingPayment),
        (Action::Expire, Actor::System) => Some(State::Expired),
        _ => next_of_cancel(State::PendingPayment, action, by),
    }
}

fn next_of_requested(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        // The system accepts for a provider who takes every visit of a series.
        (Action::Accept, Actor::Provider | Actor::Operator | Actor::System) => {
            Some(State::Assigned)
        }
        // The system declines for a provider who may not take the order any more.
        (Action::Decline { search: false }, Actor::Provider | Actor::Operator | Actor::System) => {
            Some(State::Declined)
        }
        (Action::Decline { search: true }, Actor::Provider | Actor::Operator | Actor::System) => {
            Some(State::Searching)
        }
        (Action::Expire, Actor::System) => Some(State::Expired),
        (Action::ConfirmPayment | Action::Reschedule, Actor::Customer)
        | (Action::PostMessage, Actor::Customer | Actor::Provider) => Some(State::Requested),
        _ => next_of_cancel(State::Requested, action, by),
    }
}

fn next_of_searching(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::SendOffers, Actor::System) | (Action::ConfirmPayment, Actor::Customer) => {
            Some(State::Searching)
        }
        (Action::TakeOffer, Actor::Provider) => Some(State::Assigned),
        (Action::Exhaust, Actor::System) => Some(State::NoProvider),
        _ => next_of_cancel(State::Searching, action, by),
    }
}

fn next_of_assigned(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Depart, Actor::Provider) => Some(State::EnRoute),
        (Action::ConfirmPayment, Actor::Customer) => Some(State::Assigned),
        // The provider agreed to another time, and is asked again.
        (Action::Reschedule, Actor::Customer) => Some(State::Requested),
        _ => before_work(State::Assigned, action, by),
    }
}

fn en_route(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Arrive, Actor::Provider) => Some(State::Arrived),
        _ => before_work(State::EnRoute, action, by),
    }
}

fn next_of_arrived(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Start, Actor::Provider) => Some(State::InProgress),
        (Action::Arrive | Action::ContactAttempt | Action::AddProof, Actor::Provider)
        | (Action::ResetStartCode, Actor::Customer | Actor::Operator)
        | (Action::AccessFailed, Actor::System) => Some(State::Arrived),
        (Action::NoShow, Actor::Provider | Actor::Operator | Actor::System) => Some(State::NoShow),
        _ => before_work(State::Arrived, action, by),
    }
}

/// What holds from the assignment to the start.
fn before_work(state: State, action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        // The system reassigns when the provider may not render the order any more.
        (Action::Reassign { again: true }, Actor::Provider | Actor::Operator | Actor::System) => {
            Some(State::Searching)
        }
        (Action::Reassign { again: false }, Actor::Provider | Actor::Operator | Actor::System) => {
            Some(State::NoProvider)
        }
        (Action::PostMessage, Actor::Customer | Actor::Provider) => Some(state),
        _ => next_of_cancel(state, action, by),
    }
}

/// What holds until the start.
fn next_of_cancel(state: State, action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::PreviewCancel, Actor::Customer | Actor::Operator) => Some(state),
        (Action::Cancel, Actor::Customer | Actor::Operator | Actor::System) => {
            Some(State::Cancelled)
        }
        _ => None,
    }
}

fn in_progress(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::ProposeChange, Actor::Provider) => Some(State::AwaitingApproval),
        // A customer's change is approved when it is written.
        (Action::ProposeChange, Actor::Customer) => Some(State::InProgress),
        (Action::Deliver, Actor::Provider) => Some(State::Delivered),
        (Action::Abort, Actor::Operator) => Some(State::Aborted),
        (Action::Escalate, Actor::System) | (Action::BookVisit, Actor::Provider) => {
            Some(State::InProgress)
        }
        _ => allows_messages(State::InProgress, action, by),
    }
}

fn awaiting_approval(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::ApproveChange, Actor::Customer)
        | (Action::RejectChange, Actor::Customer | Actor::Provider)
        | (Action::Expire, Actor::System) => Some(State::InProgress),
        (Action::Abort, Actor::Operator) => Some(State::Aborted),
        _ => allows_messages(State::AwaitingApproval, action, by),
    }
}

fn next_of_delivered(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::AcceptDelivery, Actor::Customer | Actor::Operator | Actor::System) => {
            Some(State::Completed)
        }
        (Action::RequestChanges, Actor::Customer) => Some(State::ChangesRequested),
        _ => allows_messages(State::Delivered, action, by),
    }
}

fn changes_requested(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Deliver, Actor::Provider) => Some(State::Delivered),
        // The customer may waive the rework that they asked for, and an operator may end a quarrel.
        (Action::AcceptDelivery, Actor::Customer | Actor::Operator) => Some(State::Completed),
        (Action::Escalate, Actor::System) => Some(State::ChangesRequested),
        _ => allows_messages(State::ChangesRequested, action, by),
    }
}

fn next_of_completed(action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::Review, Actor::Customer | Actor::Provider) => Some(State::Completed),
        (Action::Close, Actor::System) => Some(State::Closed),
        _ => allows_messages(State::Completed, action, by),
    }
}

/// Both sides write and add evidence while the work goes on and after it.
fn allows_messages(state: State, action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::PostMessage, Actor::Customer | Actor::Provider) => Some(state),
        _ => allows_evidence(state, action, by),
    }
}

fn allows_evidence(state: State, action: Action, by: Actor) -> Option<State> {
    match (action, by) {
        (Action::AddProof, Actor::Customer | Actor::Provider) => Some(state),
        _ => None,
    }
}
