//! Between rows and messages.

use crate::domain::{
    Attempt, Due, Error, Hold, Intent, MAX_AMOUNT, Method, Payout,
    attempt::{AttemptKind, State},
    due, intent, payout,
};
use kit::values::time::timestamp;
use proto::quickserve::{
    common::v1::Money,
    payment::v1::{self as pb, PaymentState, PayoutState, RefundState},
};

/// Reads an amount that is not negative.
pub fn parse_amount(field: &str, money: Option<&Money>) -> Result<(i64, String), Error> {
    let money = kit::Money::parse(field, money)?;
    if !(0..=MAX_AMOUNT).contains(&money.minor_units) {
        let field = format!("{field}.minor_units");
        return Err(Error::invalid(&field, "must be between zero and 100000000000"));
    }
    Ok((money.minor_units, money.currency.code().to_owned()))
}

/// Reads an amount that is more than zero.
pub fn parse_positive(field: &str, money: Option<&Money>) -> Result<(i64, String), Error> {
    match parse_amount(field, money)? {
        (0, _) => Err(Error::invalid(&format!("{field}.minor_units"), "must be more than zero")),
        found => Ok(found),
    }
}

/// The message for an amount.
#[expect(clippy::unnecessary_wraps, reason = "message fields are optional")]
pub fn to_money(currency: &str, minor_units: i64) -> Option<Money> {
    Some(Money { currency: currency.to_owned(), minor_units })
}

/// A payment in a list, without its refunds.
pub fn to_summary(intent: Intent, attempts: &[Attempt]) -> pb::Payment {
    pb::Payment { refunds: Vec::new(), ..to_payment(intent, attempts) }
}

/// A payment as its customer sees it.
pub fn to_payment(intent: Intent, attempts: &[Attempt]) -> pb::Payment {
    let last = attempts.iter().rfind(|attempt| attempt.kind == AttemptKind::Authorize);
    let refunds = attempts.iter().filter(|attempt| attempt.kind == AttemptKind::Refund);
    let failed = attempts.last().filter(|attempt| attempt.state == State::Failed);
    let state = payment_state(&intent, last);
    let confirms = state == PaymentState::ConfirmationRequired;
    let currency = &intent.currency;
    pb::Payment {
        id: intent.id.to_string(),
        order_id: intent.order().to_string(),
        customer_id: intent.customer_id.map(|id| id.to_string()).unwrap_or_default(),
        state: state.into(),
        amount: to_money(currency, intent.amount),
        authorized: to_money(currency, intent.authorized),
        captured: to_money(currency, intent.captured),
        refunded: to_money(currency, intent.refunded),
        charged_back: to_money(currency, intent.charged_back),
        payment_method_id: intent.method_id.map(|id| id.to_string()).unwrap_or_default(),
        decline_reason: failed.map(|attempt| attempt.reason.clone()).unwrap_or_default(),
        confirmation_url: last
            .filter(|_| confirms)
            .map(|attempt| attempt.confirmation_url.clone())
            .unwrap_or_default(),
        refunds: refunds.map(|attempt| to_refund(&intent, attempt)).collect(),
        version: intent.version,
        created_at: Some(timestamp(intent.created_at)),
        updated_at: Some(timestamp(intent.updated_at)),
    }
}

fn payment_state(intent: &Intent, last: Option<&Attempt>) -> PaymentState {
    match intent.state {
        intent::State::Open | intent::State::MethodSaved => match last.map(|last| last.state) {
            Some(State::Unknown | State::Pending) => PaymentState::Pending,
            Some(State::ConfirmationRequired) => PaymentState::ConfirmationRequired,
            _ if intent.state == intent::State::MethodSaved => PaymentState::MethodSaved,
            _ => PaymentState::Open,
        },
        intent::State::Authorized => PaymentState::Authorized,
        intent::State::Captured => PaymentState::Captured,
        intent::State::Closed => PaymentState::Closed,
        intent::State::Due => PaymentState::Due,
    }
}

pub fn to_refund(intent: &Intent, attempt: &Attempt) -> pb::Refund {
    let state = match attempt.state {
        State::Succeeded => RefundState::Succeeded,
        State::Failed => RefundState::Failed,
        State::Reversed => RefundState::Reversed,
        State::Unknown
        | State::ConfirmationRequired
        | State::Pending
        | State::Abandoned
        | State::Returning
        | State::Returned
        | State::Releasing
        | State::Released => RefundState::Pending,
    };
    pb::Refund {
        id: attempt.id.to_string(),
        payment_id: intent.id.to_string(),
        amount: to_money(&intent.currency, attempt.amount),
        state: state.into(),
        reason: attempt.note.clone(),
        created_at: Some(timestamp(attempt.created_at)),
        updated_at: Some(timestamp(attempt.updated_at)),
    }
}

/// A saved payment method; its token stays here.
pub fn payment_method(method: Method) -> pb::PaymentMethod {
    let Method {
        id,
        customer_id: _,
        token: _,
        brand,
        last4,
        expiry_month,
        expiry_year,
        is_default,
        version,
        created_at,
        updated_at,
        deleted_at: _,
    } = method;
    pb::PaymentMethod {
        id: id.to_string(),
        brand,
        last4,
        expiry_month,
        expiry_year,
        default: is_default,
        version,
        created_at: Some(timestamp(created_at)),
        updated_at: Some(timestamp(updated_at)),
    }
}

/// A payout; what is only planned is not shown as paid.
pub fn to_payout(payout: Payout, holds: &[Hold]) -> pb::Payout {
    let done = payout.state == payout::State::Paid;
    let (paid, recovered) = if done { (payout.paid, payout.recovered) } else { (0, 0) };
    pb::Payout {
        id: payout.id.to_string(),
        order_id: payout.order_id.to_string(),
        provider_id: payout.provider_id.to_string(),
        kind: payout.kind.clone(),
        state: payout_state(payout.state).into(),
        gross: to_money(&payout.currency, payout.gross),
        amount: to_money(&payout.currency, payout.amount),
        paid: to_money(&payout.currency, paid),
        recovered: to_money(&payout.currency, recovered),
        reason: payout.reason.clone(),
        due_at: Some(timestamp(payout.due_at)),
        paid_at: payout.paid_at.map(timestamp),
        version: payout.version,
        created_at: Some(timestamp(payout.created_at)),
        updated_at: Some(timestamp(payout.updated_at)),
        holds: match payout.state {
            payout::State::Frozen => {
                holds.iter().filter(|it| it.covers(&payout)).map(hold).collect()
            }
            _ => Vec::new(),
        },
    }
}

fn hold(hold: &Hold) -> pb::PayoutHold {
    let (reason, since) = (hold.reason.name().to_owned(), Some(timestamp(hold.held_at)));
    pb::PayoutHold { reason, since }
}

/// What a customer owes.
pub fn due(due: Due) -> pb::Due {
    let state = match due.state {
        due::State::Open => pb::DueState::Open,
        due::State::Paid => pb::DueState::Paid,
        due::State::Waived => pb::DueState::Waived,
    };
    let lines = due.beyond_cap.into_iter().flat_map(|plan| plan.lines);
    let lines = lines.map(|line| pb::DueLine {
        code: line.code,
        amount: to_money(&due.currency, line.amount),
        provider_earns: line.provider_earns,
        pass_through: line.pass_through,
    });
    pb::Due {
        id: due.id.to_string(),
        order_id: due.order_id.to_string(),
        customer_id: due.customer_id.to_string(),
        amount: to_money(&due.currency, due.amount),
        state: state.into(),
        reason: due.reason,
        due_at: Some(timestamp(due.due_at)),
        confirmation_url: String::new(),
        version: due.version,
        created_at: Some(timestamp(due.created_at)),
        updated_at: Some(timestamp(due.updated_at)),
        lines: lines.collect(),
    }
}

const fn payout_state(state: payout::State) -> PayoutState {
    match state {
        payout::State::Scheduled => PayoutState::Scheduled,
        payout::State::Frozen => PayoutState::Frozen,
        payout::State::Paying => PayoutState::Paying,
        payout::State::Paid => PayoutState::Paid,
        payout::State::Failed => PayoutState::Failed,
        payout::State::Cancelled => PayoutState::Cancelled,
    }
}
