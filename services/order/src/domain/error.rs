//! What the domain refuses, and the stable reason of each.

use super::{Action, Actor, StateView};
use chrono::{DateTime, Utc};
use kit::rpc::error::{Fault, Kind};
use std::{collections::HashMap, time::Duration};
use uuid::Uuid;

/// An action that a standing does not allow to a side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Where the order stands.
    pub standing: StateView,
    /// What was tried.
    pub action: Action,
    pub by: Actor,
}

/// A failure of order. The texts say what is wrong with the object that the caller named, and never whose it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What every service can meet.
    #[error(transparent)]
    Kit(#[from] kit::Error),
    /// Absent, or not the caller's.
    #[error("the {0} does not exist")]
    NotFound(Resource),
    /// The state does not allow it.
    #[error("the order is {} and does not allow `{}` now", .0.standing.state, .0.action.name())]
    Refused(Refused, Vec<&'static str>),
    /// Another call won a race.
    #[error("the order changed meanwhile")]
    Changed,
    /// The quote can be booked no more.
    #[error("the quote has expired: ask for a new one")]
    QuoteExpired,
    /// The quote was booked.
    #[error("the quote was booked already")]
    QuoteUsed(Uuid),
    /// A called service could not answer during the booking.
    #[error("the booking was interrupted: repeat the call")]
    BookingInterrupted,
    /// Another provider was faster, or the order is not searched for any more.
    #[error("the offer was taken")]
    OfferTaken,
    /// The account has as many streams of offers open as it may.
    #[error("too many streams of offers are open: close one")]
    TooManyStreams,
    /// A customer has as many favourites as may be.
    #[error("no more than 100 providers can be favourites: remove one first")]
    FavouriteLimit,
    /// Only work that was accepted is made good.
    #[error("only work that was accepted can be recalled")]
    RecallState,
    /// A recall that is not free is not booked unseen.
    #[error("the recall costs {} {}: ask for a quote with parent_order_id, and book that", .0.minor_units, .0.currency.code())]
    RecallCosts(kit::Money),
    /// The time of the offer is over.
    #[error("the offer has expired")]
    OfferExpired,
    /// The preview is too old, or what its price follows from has changed since.
    #[error("the cancel token is no longer good: preview again")]
    CancelTokenExpired,
    /// Less than a day is left.
    #[error("the order starts too soon to be moved: cancel it instead")]
    RescheduleTooLate,
    /// It was moved too often.
    #[error("the order was moved as often as it can be: cancel it instead")]
    RescheduleLimit,
    /// Another date has another price.
    #[error(
        "at that time the order costs {} {}{}: repeat the call with this price as accepted_total",
        .total.minor_units, .total.currency.code(), at_most(*.cap)
    )]
    PriceChanged {
        total: kit::Money,
        /// The most that it costs then, in minor units; none where the price is binding.
        cap: Option<i64>,
    },
    /// Too early, or too late.
    #[error("the provider may set out from {hours} hours before the start until the end")]
    DepartureWindow {
        /// Hours before the start.
        hours: i64,
    },
    /// The code is wrong.
    #[error("the start code is wrong")]
    StartCodeWrong {
        /// Tries that are left.
        left: u32,
    },
    /// The code was wrong too often.
    #[error(
        "the start code was wrong too often: try again after {}, or have the customer or an operator reset it",
        .until.format("%FT%TZ")
    )]
    StartCodeLocked {
        /// When codes are taken again.
        until: DateTime<Utc>,
    },
    /// The provider is there already.
    #[error("the arrival is recorded already")]
    ArrivedAlready,
    /// No position shows that the provider is at the place.
    #[error(
        "no position shows that the provider is there: report the arrival again with one, or ask an operator"
    )]
    ArrivalNotProven,
    /// The attempt does not count yet.
    #[error(
        "attempts to reach the customer count from the start on and lie minutes apart: try again at {}",
        .earliest.format("%FT%TZ")
    )]
    ContactAttemptTooEarly {
        /// When the next one counts.
        earliest: DateTime<Utc>,
    },
    /// The work does not begin without the money.
    #[error("the payment is not authorised")]
    PaymentNotAuthorized,
    /// Nothing is to be paid.
    #[error("the payment needs nothing from the customer")]
    PaymentSettled,
    /// The waiting time is not over.
    #[error("the waiting time is not over")]
    NoShowTooEarly,
    /// Too few attempts.
    #[error("at least two attempts to reach the customer come first")]
    ContactAttemptsMissing,
    /// The provider may not take or render the order.
    #[error("the provider may not take this job now")]
    ProviderNotEligible(Vec<String>),
    /// The vertical says no.
    #[error("the {0} does not allow it")]
    Denied(String, Vec<String>),
    /// The vertical's gate is closed.
    #[error("something is missing before the work can be delivered")]
    GateClosed(Vec<String>),
    /// The vertical's answer to the delivery is too old to go by.
    #[error("the delivery took too long to be written: repeat the call")]
    GateAnswerExpired,
    /// The vertical prices no changes that customers ask for.
    #[error("changes of this work are proposed by the provider")]
    ChangesNotOffered,
    /// The card refused what a change costs.
    #[error("the payment was declined: the change is not approved")]
    ChangeDeclined(String),
    /// The card wants the customer to confirm what a change costs, at this address.
    #[error(
        "confirm the payment at the confirmation_url, then approve the change again with the confirmation"
    )]
    ConfirmationRequired(String),
    /// Payment does not know yet whether the card takes what a change costs.
    #[error("the payment has no answer yet: repeat the call")]
    ChangePaymentPending,
    /// No timer accepts it.
    #[error("only the customer or an operator accepts this delivery")]
    AcceptedByPeople,
    /// The time for disputes is over.
    #[error("the order ended too long ago to be disputed")]
    DisputeWindowOver,
    /// A side has opened as many disputes as it may.
    #[error("no more disputes of the order can be opened: ask an operator")]
    DisputeLimit,
    /// A side reviews once.
    #[error("the order was reviewed already")]
    ReviewedAlready,
    /// Jobs of the vertical do not recur.
    #[error("jobs of this kind do not recur")]
    NotRecurring,
    /// A customer has as many series as may be.
    #[error("no more than 50 series can go on: end one first")]
    SeriesLimit,
    /// The series has ended.
    #[error("the series has ended: make a new one")]
    SeriesState,
    /// The date was skipped, or is over.
    #[error("the visit was left out, or its time is over")]
    OccurrenceState,
    /// The visit starts too soon to be left out for nothing.
    #[error(
        "the visit starts too soon to be left out free of charge: preview and cancel its order"
    )]
    SkipCosts(Uuid),
    /// The week for reviews is over.
    #[error("the time for reviews is over")]
    ReviewWindowOver,
}

/// What can be absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    Order,
    Quote,
    Offer,
    /// A change order.
    ChangeOrder,
    Vertical,
    Favourite,
    Series,
    /// A date of a series.
    Occurrence,
    /// A secret link to a calendar.
    Calendar,
}

impl std::fmt::Display for Resource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Order => "order",
            Self::Quote => "quote",
            Self::Offer => "offer",
            Self::ChangeOrder => "change order",
            Self::Vertical => "vertical",
            Self::Favourite => "favourite",
            Self::Series => "series",
            Self::Occurrence => "occurrence",
            Self::Calendar => "calendar",
        })
    }
}

impl Resource {
    const fn reason(self) -> &'static str {
        match self {
            Self::Order => "ORDER_NOT_FOUND",
            Self::Quote => "QUOTE_NOT_FOUND",
            Self::Offer => "OFFER_NOT_FOUND",
            Self::ChangeOrder => "CHANGE_ORDER_NOT_FOUND",
            Self::Vertical => "VERTICAL_NOT_FOUND",
            Self::Favourite => "FAVOURITE_NOT_FOUND",
            Self::Series => "SERIES_NOT_FOUND",
            Self::Occurrence => "OCCURRENCE_NOT_FOUND",
            Self::Calendar => "CALENDAR_NOT_FOUND",
        }
    }
}

kit::service_error!(Error);

impl Fault for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Kit(error) => error.kind(),
            Self::NotFound(thing) => Kind::NotFound(thing.reason()),
            Self::Refused(..) => Kind::Precondition("ORDER_STATE"),
            Self::Changed => Kind::Conflict("ORDER_CHANGED"),
            Self::QuoteExpired => Kind::Precondition("QUOTE_EXPIRED"),
            Self::QuoteUsed(_) => Kind::Exists("QUOTE_USED"),
            Self::BookingInterrupted => Kind::Unavailable {
                reason: "BOOKING_INTERRUPTED",
                retry_after: Duration::from_secs(1),
            },
            Self::OfferTaken => Kind::Conflict("OFFER_TAKEN"),
            Self::TooManyStreams => {
                Kind::Exhausted { reason: "TOO_MANY_STREAMS", retry_after: Duration::from_secs(30) }
            }
            Self::FavouriteLimit => Kind::Precondition("FAVOURITE_LIMIT"),
            Self::RecallState => Kind::Precondition("RECALL_STATE"),
            Self::RecallCosts(_) => Kind::Precondition("RECALL_COSTS"),
            Self::OfferExpired => Kind::Precondition("OFFER_EXPIRED"),
            Self::CancelTokenExpired => Kind::Precondition("CANCEL_TOKEN_EXPIRED"),
            Self::RescheduleTooLate => Kind::Precondition("RESCHEDULE_TOO_LATE"),
            Self::RescheduleLimit => Kind::Precondition("RESCHEDULE_LIMIT"),
            Self::PriceChanged { .. } => Kind::Precondition("PRICE_CHANGED"),
            Self::DepartureWindow { .. } => Kind::Precondition("DEPARTURE_WINDOW"),
            Self::StartCodeWrong { .. } => Kind::Precondition("START_CODE_WRONG"),
            Self::ArrivedAlready => Kind::Precondition("ARRIVED_ALREADY"),
            Self::ArrivalNotProven => Kind::Precondition("ARRIVAL_NOT_PROVEN"),
            Self::ContactAttemptTooEarly { .. } => Kind::Precondition("CONTACT_ATTEMPT_TOO_EARLY"),
            Self::StartCodeLocked { .. } => Kind::Precondition("START_CODE_LOCKED"),
            Self::PaymentNotAuthorized => Kind::Precondition("PAYMENT_NOT_AUTHORIZED"),
            Self::PaymentSettled => Kind::Precondition("PAYMENT_SETTLED"),
            Self::NoShowTooEarly => Kind::Precondition("NO_SHOW_TOO_EARLY"),
            Self::ContactAttemptsMissing => Kind::Precondition("CONTACT_ATTEMPTS_MISSING"),
            Self::ProviderNotEligible(_) => Kind::Precondition("PROVIDER_NOT_ELIGIBLE"),
            Self::Denied(..) => Kind::Precondition("TRANSITION_DENIED"),
            Self::GateClosed(_) => Kind::Precondition("COMPLETION_GATE_CLOSED"),
            Self::GateAnswerExpired => Kind::Unavailable {
                reason: "GATE_ANSWER_EXPIRED",
                retry_after: Duration::from_secs(1),
            },
            Self::ChangesNotOffered => Kind::Precondition("CHANGES_NOT_OFFERED"),
            Self::ChangeDeclined(_) => Kind::Precondition("PAYMENT_DECLINED"),
            Self::ConfirmationRequired(_) => Kind::Precondition("PAYMENT_CONFIRMATION_REQUIRED"),
            Self::ChangePaymentPending => {
                Kind::Unavailable { reason: "PAYMENT_PENDING", retry_after: Duration::from_secs(1) }
            }
            Self::AcceptedByPeople => Kind::Precondition("MANUAL_ACCEPTANCE"),
            Self::DisputeWindowOver => Kind::Precondition("DISPUTE_WINDOW_OVER"),
            Self::DisputeLimit => Kind::Precondition("DISPUTE_LIMIT"),
            Self::ReviewedAlready => Kind::Exists("REVIEWED_ALREADY"),
            Self::NotRecurring => Kind::Precondition("NOT_RECURRING"),
            Self::SeriesLimit => Kind::Precondition("SERIES_LIMIT"),
            Self::SeriesState => Kind::Precondition("SERIES_STATE"),
            Self::OccurrenceState => Kind::Precondition("OCCURRENCE_STATE"),
            Self::SkipCosts(_) => Kind::Precondition("SKIP_COSTS"),
            Self::ReviewWindowOver => Kind::Precondition("REVIEW_WINDOW_OVER"),
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Kit(error) => error.metadata(),
            Self::Refused(_, allowed) => entry("allowed_actions", allowed.join(",")),
            Self::QuoteUsed(order_id) | Self::SkipCosts(order_id) => {
                entry("order_id", order_id.to_string())
            }
            Self::StartCodeLocked { until: at } | Self::ContactAttemptTooEarly { earliest: at } => {
                entry("retry_at", at.format("%FT%TZ").to_string())
            }
            Self::RecallCosts(price) => HashMap::from([
                ("currency".to_owned(), price.currency.code().to_owned()),
                ("minor_units".to_owned(), price.minor_units.to_string()),
            ]),
            Self::PriceChanged { total, cap } => {
                let mut price = entry("currency", total.currency.code().to_owned());
                price.extend(entry("minor_units", total.minor_units.to_string()));
                if let Some(cap) = cap {
                    price.extend(entry("cap_minor_units", cap.to_string()));
                }
                price
            }
            Self::StartCodeWrong { left } => entry("tries_left", left.to_string()),
            Self::ChangeDeclined(reason) => entry("decline_reason", reason.clone()),
            Self::ConfirmationRequired(url) => entry("confirmation_url", url.clone()),
            Self::ProviderNotEligible(causes) => entry("causes", causes.join(",")),
            Self::Denied(_, denials) => entry("denials", denials.join(",")),
            Self::GateClosed(missing) => entry("missing", missing.join(",")),
            _ => HashMap::new(),
        }
    }
}

fn at_most(cap: Option<i64>) -> String {
    cap.map(|cap| format!(", and at most {cap}")).unwrap_or_default()
}

fn entry(key: &str, value: String) -> HashMap<String, String> {
    HashMap::from([(key.to_owned(), value)])
}
