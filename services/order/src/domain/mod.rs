//! Every rule of orders: synchronous, with time and ids as arguments.

mod action;
mod after;
mod before;
mod code;
mod draft;
mod error;
mod order;
mod policy;
mod quote;
mod state;
#[cfg(test)]
mod tests;
mod timing;
mod values;
mod work;

pub use crate::entity::order::Model as Order;
pub use crate::entity::quote::Model as Quote;
pub use action::{Action, Actor};
pub use after::Resolution;
pub use before::{Authorization, Named, Outcome};
pub use code::{CancelToken, Secret};
pub use draft::{Draft, Entry, Fact, Row, Who};
pub use error::{Error, Refused, Thing};
pub use policy::{Case, Charge, Fault, Policy, Rule};
pub use quote::{inputs_hash, price};
pub use state::{Standing, State};
pub use timing::Timing;
pub use values::{
    AccountId, Cancellation, ChangeId, ChangeLines, ChangeState, Details, DisputeState, Effect,
    Line, Moving, OfferId, OfferState, OrderId, Party, Payment, PaymentState, PendingChange, Place,
    Private, Progress, ProviderId, QuoteId, Requirements, Terms,
};
