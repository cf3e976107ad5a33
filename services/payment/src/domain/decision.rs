//! What a request to authorise means for a payment that exists already.

use super::{Error, attempt, intent};
use crate::entity::{Attempt, AttemptId, Intent, MethodId, UserId};

/// A request to authorise.
pub struct Ask {
    /// Who pays.
    pub customer: UserId,
    /// How much, in minor units.
    pub amount: i64,
    /// In which currency.
    pub currency: String,
    /// With which method; none takes the one on file for the order, or else the customer's default.
    pub method: Option<MethodId>,
    /// Names the attempt.
    pub key: String,
    /// The customer's confirmation, or empty.
    pub confirmation: String,
}

/// What to do about a request to authorise.
#[derive(Debug, PartialEq, Eq)]
pub enum Decision {
    /// Answer with the state of this attempt.
    Answer(AttemptId),
    /// Answer that the money is authorised.
    Authorized,
    /// Ask the provider what became of this attempt.
    Query(AttemptId),
    /// Confirm this attempt.
    Confirm(AttemptId),
    /// Begin a new attempt, and give up this one if there is one.
    Begin {
        /// An attempt that waits for a confirmation which will not come.
        instead_of: Option<AttemptId>,
    },
}

/// Decides what a request means, so that no order is ever charged under two keys.
pub fn decide(intent: &Intent, attempts: &[Attempt], ask: &Ask) -> Result<Decision, Error> {
    if intent.customer_id.is_some_and(|customer| customer != ask.customer) {
        return Err(Error::State("another customer's"));
    }
    let charges = || attempts.iter().filter(|attempt| attempt.kind == attempt::Kind::Authorize);
    if let Some(same) = charges().find(|it| it.key == ask.key || it.confirm_key == ask.key) {
        return repeated(intent, same, ask);
    }
    match intent.state.transition(intent::Event::Authorize) {
        Ok(_) => {}
        Err(_) if intent.state == intent::State::Authorized && intent.amount == ask.amount => {
            return Ok(Decision::Authorized);
        }
        Err(error) => return Err(error),
    }
    if intent.currency != ask.currency {
        return Err(Error::invalid("amount.currency", "is not the payment's currency"));
    }
    let Some(open) = charges().find(|attempt| attempt.state.is_open()) else {
        return Ok(Decision::Begin { instead_of: None });
    };
    let waits = open.state == attempt::State::ConfirmationRequired;
    let other_method = ask.method.is_some_and(|method| open.method_id != Some(method));
    Ok(match (waits, ask.confirmation.is_empty()) {
        (false, _) => Decision::Query(open.id),
        (true, false) => Decision::Confirm(open.id),
        (true, true) if other_method => Decision::Begin { instead_of: Some(open.id) },
        (true, true) => Decision::Answer(open.id),
    })
}

/// The same request came before.
fn repeated(intent: &Intent, same: &Attempt, ask: &Ask) -> Result<Decision, Error> {
    if same.amount != ask.amount || intent.currency != ask.currency {
        return Err(kit::Error::KeyReused.into());
    }
    if intent.state == intent::State::Closed {
        return Err(Error::Closed);
    }
    Ok(match same.state {
        attempt::State::Unknown | attempt::State::Pending => Decision::Query(same.id),
        attempt::State::ConfirmationRequired if !ask.confirmation.is_empty() => {
            Decision::Confirm(same.id)
        }
        attempt::State::ConfirmationRequired
        | attempt::State::Succeeded
        | attempt::State::Failed
        | attempt::State::Abandoned
        | attempt::State::Returning
        | attempt::State::Returned
        | attempt::State::Releasing
        | attempt::State::Released => Decision::Answer(same.id),
    })
}
