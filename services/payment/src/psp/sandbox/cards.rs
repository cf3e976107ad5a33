//! Test cards by token, as the contract of `PaymentMethodService` lists them.

use super::{
    super::{Card, Charge},
    entity::charge,
};
use chrono::{DateTime, Datelike, Duration, Utc};

/// What a card does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Authorised at once.
    Ok,
    /// Declined for a reason.
    Declined(&'static str),
    /// Asks the customer to confirm.
    Confirm,
    /// Answers after so many seconds, declining or not.
    Late {
        seconds: i64,
        declines: bool,
    },
    Never,
    /// The call times out although the card was charged.
    TimeoutCharged,
    /// The first call times out and is lost.
    TimeoutLost,
    /// A raise is declined.
    RaiseDeclined,
    /// The capture is declined.
    CaptureDeclined,
    /// The first call for each refund fails.
    RefundFailsOnce,
    /// Refunds are declined.
    RefundDeclined,
    /// The charge was cancelled before it came.
    Cancelled,
}

/// Tokens, brands, last digits and what the cards do.
const CARDS: [(&str, &str, &str, Behaviour); 16] = [
    ("tok_ok", "visa", "4242", Behaviour::Ok),
    ("tok_ok_mastercard", "mastercard", "4444", Behaviour::Ok),
    ("tok_declined", "visa", "0002", Behaviour::Declined("CARD_DECLINED")),
    ("tok_insufficient_funds", "visa", "9995", Behaviour::Declined("INSUFFICIENT_FUNDS")),
    ("tok_expired", "visa", "0069", Behaviour::Declined("CARD_EXPIRED")),
    ("tok_confirm", "visa", "3184", Behaviour::Confirm),
    ("tok_late", "visa", "0077", Behaviour::Late { seconds: 60, declines: false }),
    ("tok_very_late", "visa", "0085", Behaviour::Late { seconds: 1_200, declines: false }),
    ("tok_late_declined", "visa", "0093", Behaviour::Late { seconds: 60, declines: true }),
    ("tok_never", "visa", "0101", Behaviour::Never),
    ("tok_timeout_charged", "visa", "0119", Behaviour::TimeoutCharged),
    ("tok_timeout_lost", "visa", "0127", Behaviour::TimeoutLost),
    ("tok_raise_declined", "visa", "0135", Behaviour::RaiseDeclined),
    ("tok_capture_declined", "visa", "0143", Behaviour::CaptureDeclined),
    ("tok_refund_fails_once", "visa", "0150", Behaviour::RefundFailsOnce),
    ("tok_refund_declined", "visa", "0168", Behaviour::RefundDeclined),
];

/// The card behind a token; test cards expire three years from `now`.
pub fn card(token: &str, now: DateTime<Utc>) -> Option<Card> {
    let (_, brand, last4, _) = CARDS.iter().find(|(known, ..)| *known == token)?;
    Some(Card {
        brand: (*brand).to_owned(),
        last4: (*last4).to_owned(),
        expiry_month: 12,
        expiry_year: now.year() + 3,
    })
}

impl Behaviour {
    /// What the card behind a token does; an unknown token is declined.
    pub fn of(token: &str) -> Self {
        let card = CARDS.iter().find(|(known, ..)| *known == token);
        card.map_or(Self::Declined("CARD_UNKNOWN"), |(.., behaviour)| *behaviour)
    }

    /// Whether the first call times out.
    pub fn times_out(self) -> bool {
        self == Self::TimeoutCharged || self == Self::TimeoutLost
    }

    /// The charge as it stands after it was asked for at `now`.
    pub fn new_charge(self, asked: Charge<'_>, now: DateTime<Utc>) -> charge::Model {
        let (state, reason, settles_at) = match self {
            Self::Ok
            | Self::TimeoutCharged
            | Self::RaiseDeclined
            | Self::CaptureDeclined
            | Self::RefundFailsOnce
            | Self::RefundDeclined => (charge::AUTHORIZED, "", None),
            Self::Declined(reason) => (charge::DECLINED, reason, None),
            Self::Confirm => (charge::CONFIRM, "", None),
            Self::Late { seconds, declines } => {
                let reason = if declines { "CARD_DECLINED" } else { "" };
                (charge::PENDING, reason, Some(now + Duration::seconds(seconds)))
            }
            Self::Never => (charge::PENDING, "", None),
            Self::TimeoutLost => (charge::LOST, "", None),
            Self::Cancelled => (charge::CANCELLED, "CANCELLED", None),
        };
        charge::Model {
            reference: asked.reference.uuid(),
            token: asked.token.to_owned(),
            currency: asked.currency.to_owned(),
            amount: asked.amount,
            captured: 0,
            refunded: 0,
            state: state.to_owned(),
            reason: reason.to_owned(),
            settles_at,
        }
    }
}

/// What can be asked of a charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    Raise,
    /// Take what is reserved.
    Capture,
    /// Give back what was taken.
    Refund,
}

impl OperationKind {
    /// The kind as its row keeps it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Raise => "RAISE",
            Self::Capture => "CAPTURE",
            Self::Refund => "REFUND",
        }
    }
}

impl charge::Model {
    /// Does what is asked for, or says why the card refuses it.
    pub fn operate(&mut self, kind: OperationKind, amount: i64) -> Result<(), &'static str> {
        let behaviour = Behaviour::of(&self.token);
        match kind {
            OperationKind::Raise if behaviour == Behaviour::RaiseDeclined => Err("CARD_DECLINED"),
            OperationKind::Raise if self.state != charge::AUTHORIZED => Err("CHARGE_STATE"),
            OperationKind::Raise => {
                self.amount += amount;
                Ok(())
            }
            OperationKind::Capture if behaviour == Behaviour::CaptureDeclined => {
                Err("AUTHORIZATION_EXPIRED")
            }
            OperationKind::Capture if self.state != charge::AUTHORIZED || amount > self.amount => {
                Err("CHARGE_STATE")
            }
            OperationKind::Capture => {
                self.captured = amount;
                self.state = charge::CAPTURED.to_owned();
                Ok(())
            }
            OperationKind::Refund if behaviour == Behaviour::RefundDeclined => {
                Err("REFUND_DECLINED")
            }
            OperationKind::Refund if self.refunded + amount > self.captured => Err("CHARGE_STATE"),
            OperationKind::Refund => {
                self.refunded += amount;
                Ok(())
            }
        }
    }
}
