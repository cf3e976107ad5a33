//! Every rule of orders: synchronous, with time and ids as arguments.

mod action;
mod assignment;
mod booking;
mod change;
mod change_orders;
mod claims;
mod code;
mod dispatch;
mod dispute;
mod erasure;
mod error;
mod fulfilment;
mod guard;
mod order;
mod payment;
mod place;
mod policy;
mod price;
mod quote;
pub mod records;
pub mod recurrence;
mod requirements;
mod reschedule;
mod restored;
mod series;
pub mod series_records;
mod settlement;
mod side_effect;
mod state;
#[cfg(test)]
mod tests;
mod timing;
mod values;
mod visit;

pub use action::{Action, Actor};
pub use assignment::RequestedProvider;
pub use booking::{Authorization, NewOrder, Outcome};
pub use change::{Agreement, ClosedChange, OrderChange, OrderEvent, Principal, RecordChange};
pub use change_orders::{ChangeProposal, PricedChange};
pub use code::{CancelBasis, CancelToken, CodeKey};
pub use dispatch::{FoundProvider, OfferEnding, SearchPlan};
pub use dispute::Resolution;
pub use erasure::FORMER_PROVIDER;
pub use error::{Error, Resource};
pub use payment::{Amounts, CaptureTerms, Payment, PaymentState};
pub use policy::{CancellationCharge, Case, LiableParty, Policy, PolicyRule};
pub use price::{DeliveryAnswer, LineOrigin, check_cap};
pub use quote::{ParentOrder, PriceInputs, inputs_hash, total_price};
pub use records::order::Model as Order;
pub use records::quote::Model as Quote;
pub use requirements::{DispatchPlan, RequiredAsset, RequiredCrew, Requirements};
pub use reschedule::MovePrice;
pub use restored::{NeededTime, RESTORED};
pub use series::{
    DueVisit, LOOK_BACK_DAYS, Occurrence, OccurrenceState, PlannedVisit, ProviderMode, Revision,
    Series, SeriesChange, SeriesEdit, SeriesEvent, SeriesId, SeriesLink, SeriesPlan, SeriesState,
    at_minute, minute_of, quote_of,
};
pub use side_effect::SideEffect;
pub use state::{State, StateView};
pub use timing::Timing;
pub use values::{
    AccountId, Address, Cancellation, ChangeId, ChangeLines, ChangeState, DisputeState, JobDetails,
    KnownChange, LastActor, Moving, OfferId, OfferState, OrderId, Party, PendingChange, PriceLine,
    PriceLines, Private, Progress, ProviderId, QuoteId, Terms, VisitId,
};
pub use visit::Visit;
