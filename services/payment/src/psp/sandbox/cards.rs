//! Test cards by token, as the contract of `PaymentMethodService` lists them.

use super::{
    super::{AuthorizeRequest, Card, FollowUpRequest},
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
    /// A raise makes a second hold, of which the capture is declined or not.
    SecondHold {
        declines: bool,
    },
    /// A raise makes a second hold, which the customer has to confirm.
    RaiseConfirm,
    /// What is reserved is not reserved again without the customer.
    RenewalDeclined,
    /// The capture is declined.
    CaptureDeclined,
    /// The first call for each refund fails.
    RefundFailsOnce,
    /// Refunds are declined.
    RefundDeclined,
    /// Refunds succeed and come back later.
    RefundComesBack,
    /// The bank disputes the charge after the capture, and maybe decides later.
    Disputed {
        outcome: Option<&'static str>,
    },
    /// The charge was cancelled before it came.
    Cancelled,
}

/// The event of a dispute that the bank decides for QuickServe.
const DISPUTE_WON: &str = "charge.dispute_won";
/// The event of a dispute that the bank decides for the customer.
const DISPUTE_LOST: &str = "charge.dispute_lost";
/// How long after the capture or the refund a bank disputes it or sends it back.
const BANK_ACTS_AFTER: Duration = Duration::seconds(60);
/// How long after the capture a bank decides a dispute.
const BANK_DECIDES_AFTER: Duration = Duration::seconds(660);

/// How long a hold lives.
pub const HOLD_LIVES: Duration = Duration::days(7);
/// The token of a charge whose capture is declined.
const CAPTURE_DECLINED: &str = "tok_capture_declined";

/// Tokens, brands, last digits and what the cards do.
const CARDS: [(&str, &str, &str, Behaviour); 24] = [
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
    (CAPTURE_DECLINED, "visa", "0143", Behaviour::CaptureDeclined),
    ("tok_refund_fails_once", "visa", "0150", Behaviour::RefundFailsOnce),
    ("tok_refund_declined", "visa", "0168", Behaviour::RefundDeclined),
    ("tok_refund_comes_back", "visa", "0176", Behaviour::RefundComesBack),
    ("tok_disputed", "visa", "0184", Behaviour::Disputed { outcome: None }),
    ("tok_dispute_won", "visa", "0192", Behaviour::Disputed { outcome: Some(DISPUTE_WON) }),
    ("tok_dispute_lost", "visa", "0200", Behaviour::Disputed { outcome: Some(DISPUTE_LOST) }),
    ("tok_second_hold", "visa", "0218", Behaviour::SecondHold { declines: false }),
    ("tok_second_capture_declined", "visa", "0226", Behaviour::SecondHold { declines: true }),
    ("tok_renewal_declined", "visa", "0234", Behaviour::RenewalDeclined),
    ("tok_raise_confirm", "visa", "0242", Behaviour::RaiseConfirm),
];

/// The card behind a token; test cards expire three years from `now`.
pub fn card_of_token(token: &str, now: DateTime<Utc>) -> Option<Card> {
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
    pub fn new_charge(self, asked: AuthorizeRequest<'_>, now: DateTime<Utc>) -> charge::Model {
        let (state, reason, settles_at) = match self {
            Self::RenewalDeclined if asked.off_session => (charge::DECLINED, "CARD_DECLINED", None),
            Self::Ok
            | Self::TimeoutCharged
            | Self::RaiseDeclined
            | Self::SecondHold { .. }
            | Self::RaiseConfirm
            | Self::RenewalDeclined
            | Self::CaptureDeclined
            | Self::RefundFailsOnce
            | Self::RefundDeclined
            | Self::RefundComesBack
            | Self::Disputed { .. } => (charge::AUTHORIZED, "", None),
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
            expires_at: Some(now + HOLD_LIVES),
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
    /// The events that follow later from an operation that was done, each with how long it takes.
    pub fn later_events(&self, kind: OperationKind) -> Vec<(&'static str, Duration)> {
        match (Behaviour::of(&self.token), kind) {
            (Behaviour::RefundComesBack, OperationKind::Refund) => {
                vec![("refund.failed", BANK_ACTS_AFTER)]
            }
            (Behaviour::Disputed { outcome }, OperationKind::Capture) => {
                let decided = outcome.map(|event| (event, BANK_DECIDES_AFTER));
                [("charge.disputed", BANK_ACTS_AFTER)].into_iter().chain(decided).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The second hold that a raise asked for at `now` makes; none when it raises this one or is refused.
    pub fn second_hold(&self, raise: FollowUpRequest, now: DateTime<Utc>) -> Option<Self> {
        let behaviour = Behaviour::of(&self.token);
        let token = match (behaviour, self.state.as_str()) {
            (Behaviour::SecondHold { declines: true }, charge::AUTHORIZED) => CAPTURE_DECLINED,
            (
                Behaviour::SecondHold { declines: false } | Behaviour::RaiseConfirm,
                charge::AUTHORIZED,
            ) => &self.token,
            (Behaviour::RaiseDeclined, _) => return None,
            // What is taken cannot be raised.
            (_, charge::CAPTURED) => &self.token,
            _ => return None,
        };
        let asked = AuthorizeRequest {
            reference: raise.reference,
            token,
            amount: raise.amount,
            currency: &self.currency,
            off_session: true,
        };
        let made = match behaviour {
            Behaviour::RaiseConfirm => Behaviour::Confirm,
            _ => Behaviour::Ok,
        };
        Some(made.new_charge(asked, now))
    }

    /// Does what is asked for at `now`, or says why the card refuses it.
    pub fn operate(
        &mut self,
        kind: OperationKind,
        amount: i64,
        now: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let behaviour = Behaviour::of(&self.token);
        let has_run_out = self.expires_at.is_some_and(|expiry| expiry <= now);
        match kind {
            OperationKind::Raise | OperationKind::Capture
                if has_run_out && self.state == charge::AUTHORIZED =>
            {
                Err("AUTHORIZATION_EXPIRED")
            }
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
            // It comes back, so that the amount may be refunded again.
            OperationKind::Refund if behaviour == Behaviour::RefundComesBack => Ok(()),
            OperationKind::Refund => {
                self.refunded += amount;
                Ok(())
            }
        }
    }
}
