//! Who does what to an order.

use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

/// A side of an order.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Actor {
    /// The account that booked.
    Customer,
    /// The account that renders the service.
    Provider,
    /// An operator of the marketplace.
    Operator,
    /// The payment service.
    Payment,
    /// A timer, or a fact of another service.
    System,
}

impl Actor {
    /// The side's name in contracts.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Provider => "provider",
            Self::Operator => "operator",
            Self::Payment => "payment",
            Self::System => "system",
        }
    }
}

/// What can be done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Go on with a payment that wants the customer.
    ConfirmPayment,
    /// The payment is authorised or its method on file; search unless a provider is named.
    Authorize {
        /// Whether no provider is named.
        search: bool,
    },
    /// The time of the state is over.
    Expire,
    /// The named provider takes it.
    Accept,
    /// The named provider turns it down; search when the customer opted in.
    Decline {
        /// Whether others are asked.
        search: bool,
    },
    /// Offers go out to a wave of providers.
    SendOffers,
    /// A provider takes an offer.
    TakeOffer,
    /// No provider is left to ask.
    Exhaust,
    /// The provider sets out.
    Depart,
    /// The provider reaches the door.
    Arrive,
    /// The provider tries to reach the customer.
    ContactAttempt,
    /// The vertical says that the provider was not let in.
    AccessFailed,
    /// The work begins.
    Start,
    /// The provider gets new tries for the start code, and the customer another code.
    ResetStartCode,
    /// The customer is not there.
    NoShow,
    /// More work is proposed.
    ProposeChange,
    /// The customer agrees to more work.
    ApproveChange,
    /// The customer refuses more work, or the provider takes the proposal back.
    RejectChange,
    /// The work is done.
    Deliver,
    /// The work is accepted.
    AcceptDelivery,
    /// The work goes back for rework.
    RequestChanges,
    /// Everything is over.
    Close,
    /// The assignment is given up; search again, or end when that was tried too often.
    Reassign {
        /// Whether others are asked.
        again: bool,
    },
    /// Ask what cancelling costs.
    PreviewCancel,
    Cancel,
    /// Move to another window.
    Reschedule,
    /// Work that does not end is shown to an operator.
    Escalate,
    /// Break the work off.
    Abort,
    /// Open a dispute.
    Dispute,
    /// Resolve the dispute.
    ResolveDispute,
    /// Review the other side.
    Review,
    /// Write to the other side.
    PostMessage,
    AddProof,
    /// A side is in danger.
    Sos,
    /// Book time for a further visit.
    BookVisit,
}

impl Action {
    /// Whether the vertical is asked before the action is done, and may deny it: the one place that says so. Asking goes
    /// by it ([`crate::vertical`]), and so does [`super::OrderChange::act_as`], which wants the agreement.
    pub const fn asks_vertical(self) -> bool {
        match self {
            Self::Accept
            | Self::TakeOffer
            | Self::Depart
            | Self::Arrive
            | Self::Start
            | Self::NoShow
            | Self::Deliver
            | Self::Abort => true,
            Self::ConfirmPayment
            | Self::Authorize { .. }
            | Self::Expire
            | Self::Decline { .. }
            | Self::SendOffers
            | Self::Exhaust
            | Self::ContactAttempt
            | Self::AccessFailed
            | Self::ResetStartCode
            | Self::ProposeChange
            | Self::ApproveChange
            | Self::RejectChange
            | Self::AcceptDelivery
            | Self::RequestChanges
            | Self::Close
            | Self::Reassign { .. }
            | Self::PreviewCancel
            | Self::Cancel
            | Self::Reschedule
            | Self::Escalate
            | Self::Dispute
            | Self::ResolveDispute
            | Self::Review
            | Self::PostMessage
            | Self::AddProof
            | Self::Sos
            | Self::BookVisit => false,
        }
    }

    /// Whether provider is asked, before the action is done, whether the provider may take or render the order.
    pub const fn asks_eligibility(self) -> bool {
        matches!(self, Self::Accept | Self::TakeOffer | Self::Depart | Self::Start)
    }

    /// Every action, in each of its forms.
    pub const ALL: [Self; 38] = [
        Self::ConfirmPayment,
        Self::Authorize { search: false },
        Self::Authorize { search: true },
        Self::Expire,
        Self::Accept,
        Self::Decline { search: false },
        Self::Decline { search: true },
        Self::SendOffers,
        Self::TakeOffer,
        Self::Exhaust,
        Self::Depart,
        Self::Arrive,
        Self::ContactAttempt,
        Self::AccessFailed,
        Self::Start,
        Self::ResetStartCode,
        Self::NoShow,
        Self::ProposeChange,
        Self::ApproveChange,
        Self::RejectChange,
        Self::Deliver,
        Self::AcceptDelivery,
        Self::RequestChanges,
        Self::Close,
        Self::Reassign { again: true },
        Self::Reassign { again: false },
        Self::PreviewCancel,
        Self::Cancel,
        Self::Reschedule,
        Self::Escalate,
        Self::Abort,
        Self::Dispute,
        Self::ResolveDispute,
        Self::Review,
        Self::PostMessage,
        Self::AddProof,
        Self::Sos,
        Self::BookVisit,
    ];

    /// The action's name in contracts: the verb of its path where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfirmPayment => "confirmPayment",
            Self::Authorize { .. } => "authorize",
            Self::Expire => "expire",
            Self::Accept => "accept",
            Self::Decline { .. } => "decline",
            Self::SendOffers => "sendOffers",
            Self::TakeOffer => "acceptOffer",
            Self::Exhaust => "exhaust",
            Self::Depart => "depart",
            Self::Arrive => "arrive",
            Self::ContactAttempt => "contactAttempt",
            Self::AccessFailed => "accessFailed",
            Self::Start => "start",
            Self::ResetStartCode => "resetStartCode",
            Self::NoShow => "noShow",
            Self::ProposeChange => "proposeChange",
            Self::ApproveChange => "approveChange",
            Self::RejectChange => "rejectChange",
            Self::Deliver => "deliver",
            Self::AcceptDelivery => "acceptDelivery",
            Self::RequestChanges => "requestChanges",
            Self::Close => "close",
            Self::Reassign { .. } => "reassign",
            Self::PreviewCancel => "previewCancel",
            Self::Cancel => "cancel",
            Self::Reschedule => "reschedule",
            Self::Escalate => "escalate",
            Self::Abort => "abort",
            Self::Dispute => "dispute",
            Self::ResolveDispute => "resolveDispute",
            Self::Review => "review",
            Self::PostMessage => "postMessage",
            Self::AddProof => "addProof",
            Self::Sos => "sos",
            Self::BookVisit => "bookVisit",
        }
    }
}
