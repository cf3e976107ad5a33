//! What a request to authorise means for a payment that exists already.

use super::{Attempt, AttemptId, Error, Intent, MethodId, UserId, attempt, intent};

/// A request to authorise.
#[derive(Clone, Debug)]
pub struct AuthorizationRequest {
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
pub enum AttemptDecision {
    /// Answer with the state of this attempt.
    Answer(AttemptId),
    /// Answer that the money is authorised.
    Authorized,
    /// Ask the payment provider what became of this attempt.
    Query(AttemptId),
    /// Confirm this attempt.
    Confirm(AttemptId),
    /// Begin a new attempt, and give up this one if there is one.
    Begin {
        /// An attempt that waits for a confirmation which will not come.
        instead_of: Option<AttemptId>,
    },
}

/// The attempts to charge the customer, refunds and captures left out.
fn charges_of(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    attempts.iter().filter(|attempt| attempt.kind == attempt::AttemptKind::Authorize)
}

/// Decides what a request means, so that no order is ever charged under two keys.
pub fn decide_attempt(
    intent: &Intent,
    attempts: &[Attempt],
    request: &AuthorizationRequest,
) -> Result<AttemptDecision, Error> {
    if intent.customer_id.is_some_and(|customer| customer != request.customer) {
        return Err(Error::State("another customer's"));
    }
    let mut charges = charges_of(attempts);
    if let Some(same) = charges.find(|it| it.answers_to_key(&request.key)) {
        return repeated_attempt(intent, same, request);
    }
    match intent.state.transition(intent::IntentEvent::Authorize) {
        Ok(_) => {}
        Err(_) if intent.covers(request.amount) => return Ok(AttemptDecision::Authorized),
        Err(error) => return Err(error),
    }
    if intent.currency != request.currency {
        return Err(Error::invalid("amount.currency", "is not the payment's currency"));
    }
    if intent.pays_due() && intent.amount != request.amount {
        // The due was lowered since it was read.
        return Err(Error::Raced);
    }
    let Some(open) = charges_of(attempts).find(|attempt| attempt.state.is_open()) else {
        return Ok(AttemptDecision::Begin { instead_of: None });
    };
    let waits = open.state == attempt::State::ConfirmationRequired;
    let other_method = request.method.is_some_and(|method| open.method_id != Some(method));
    Ok(match (waits, request.confirmation.is_empty()) {
        (false, _) => AttemptDecision::Query(open.id),
        (true, false) => AttemptDecision::Confirm(open.id),
        (true, true) if other_method => AttemptDecision::Begin { instead_of: Some(open.id) },
        (true, true) => AttemptDecision::Answer(open.id),
    })
}

/// The same request came before.
fn repeated_attempt(
    intent: &Intent,
    same: &Attempt,
    request: &AuthorizationRequest,
) -> Result<AttemptDecision, Error> {
    if same.amount != request.amount || intent.currency != request.currency {
        return Err(kit::Error::KeyReused.into());
    }
    if intent.state == intent::State::Closed {
        return Err(Error::Closed);
    }
    if same.was_renewed() {
        // Another hold reserves the money since.
        return Ok(AttemptDecision::Authorized);
    }
    Ok(match same.state {
        attempt::State::Unknown | attempt::State::Pending => AttemptDecision::Query(same.id),
        attempt::State::ConfirmationRequired if !request.confirmation.is_empty() => {
            AttemptDecision::Confirm(same.id)
        }
        attempt::State::ConfirmationRequired
        | attempt::State::Succeeded
        | attempt::State::Failed
        | attempt::State::Abandoned
        | attempt::State::Returning
        | attempt::State::Returned
        | attempt::State::Releasing
        | attempt::State::Released
        | attempt::State::Reversed => AttemptDecision::Answer(same.id),
    })
}

#[cfg(test)]
mod tests {
    use super::{AttemptDecision as D, *};
    use attempt::State as A;
    use intent::State as I;
    use kit::Id;
    use uuid::Uuid;

    const CARD: MethodId = Id::from_uuid(Uuid::from_u128(7));
    const OTHER: MethodId = Id::from_uuid(Uuid::from_u128(8));
    const FIRST: AttemptId = Id::from_uuid(Uuid::from_u128(1));

    fn intent(state: I) -> Intent {
        let now = kit::testing::start();
        Intent {
            id: Id::from_uuid(Uuid::from_u128(2)),
            order_id: Id::from_uuid(Uuid::from_u128(3)),
            customer_id: Some(Id::from_uuid(Uuid::from_u128(4))),
            currency: "EUR".into(),
            amount: 100,
            authorized: 0,
            captured: 0,
            refunded: 0,
            state,
            method_id: None,
            frozen: false,
            purpose: intent::IntentPurpose::Order,
            for_order: None,
            charged_back: 0,
            closed_reason: String::new(),
            version: 1,
            event_seq: 0,
            created_at: now,
            updated_at: now,
        }
    }

    fn first(state: A) -> Attempt {
        let intent = intent(I::Open);
        Attempt {
            id: FIRST,
            intent_id: intent.id,
            kind: attempt::AttemptKind::Authorize,
            key: "first".into(),
            confirm_key: String::new(),
            charge_id: None,
            method_id: Some(CARD),
            amount: 100,
            state,
            reason: String::new(),
            note: String::new(),
            confirmation_url: String::new(),
            fee: 0,
            tries: 0,
            deadline_at: intent.created_at,
            created_at: intent.created_at,
            updated_at: intent.created_at,
            position: 0,
            expires_at: None,
            separate: false,
            part_of: None,
            from_escrow: 0,
        }
    }

    fn ask(key: &str, method: Option<MethodId>, confirmation: &str) -> AuthorizationRequest {
        AuthorizationRequest {
            customer: Id::from_uuid(Uuid::from_u128(4)),
            amount: 100,
            currency: "EUR".into(),
            method,
            key: key.into(),
            confirmation: confirmation.into(),
        }
    }

    fn check(state: I, attempt: Option<A>, ask: &AuthorizationRequest, expected: Result<D, &str>) {
        let attempts: Vec<_> = attempt.map(first).into_iter().collect();
        let decision = decide_attempt(&intent(state), &attempts, ask);
        let decision = decision.map_err(|error| kit::rpc::error::reason_of(&error.into()));
        assert_eq!(decision, expected.map_err(str::to_owned), "{state:?} {attempt:?} {}", ask.key);
    }

    #[test]
    fn the_same_key_never_begins_again() {
        let again = ask("first", None, "");
        for (attempt, expected) in [
            (A::Unknown, D::Query(FIRST)),
            (A::Pending, D::Query(FIRST)),
            (A::ConfirmationRequired, D::Answer(FIRST)),
            (A::Failed, D::Answer(FIRST)),
            (A::Abandoned, D::Answer(FIRST)),
            (A::Returned, D::Answer(FIRST)),
        ] {
            check(I::Open, Some(attempt), &again, Ok(expected));
            check(I::Closed, Some(attempt), &again, Err("PAYMENT_CLOSED"));
        }
        check(I::Authorized, Some(A::Succeeded), &again, Ok(D::Answer(FIRST)));
        let mut renewed = first(A::Succeeded);
        assert!(renewed.give_way());
        let decision = decide_attempt(&intent(I::Authorized), &[renewed], &again);
        assert_eq!(decision.ok(), Some(D::Authorized));
        check(I::Captured, Some(A::Succeeded), &again, Ok(D::Answer(FIRST)));
        let confirms = ask("first", None, "code");
        check(I::Open, Some(A::ConfirmationRequired), &confirms, Ok(D::Confirm(FIRST)));
        let mut more = ask("first", None, "");
        more.amount = 101;
        check(I::Open, Some(A::Unknown), &more, Err("IDEMPOTENCY_KEY_REUSED"));
    }

    #[test]
    fn another_key_begins_only_when_nothing_is_open() {
        let other = ask("second", Some(OTHER), "");
        let begin = || D::Begin { instead_of: None };
        check(I::Open, None, &other, Ok(begin()));
        check(I::MethodSaved, None, &other, Ok(begin()));
        for over in [A::Failed, A::Abandoned, A::Returning, A::Returned] {
            check(I::Open, Some(over), &other, Ok(begin()));
        }
        for open in [A::Unknown, A::Pending] {
            check(I::Open, Some(open), &other, Ok(D::Query(FIRST)));
        }
        let waits = Some(A::ConfirmationRequired);
        check(I::Open, waits, &other, Ok(D::Begin { instead_of: Some(FIRST) }));
        check(I::Open, waits, &ask("second", Some(CARD), ""), Ok(D::Answer(FIRST)));
        check(I::Open, waits, &ask("second", None, ""), Ok(D::Answer(FIRST)));
        check(I::Open, waits, &ask("second", None, "code"), Ok(D::Confirm(FIRST)));
        check(I::Authorized, Some(A::Succeeded), &other, Ok(D::Authorized));
        check(I::Captured, Some(A::Succeeded), &other, Err("PAYMENT_STATE"));
        check(I::Closed, None, &other, Err("PAYMENT_CLOSED"));
    }

    #[test]
    fn what_contradicts_the_payment_is_refused() {
        let mut more = ask("second", None, "");
        more.amount = 101;
        check(I::Authorized, Some(A::Succeeded), &more, Err("PAYMENT_STATE"));
        let mut dollars = ask("second", None, "");
        dollars.currency = "USD".into();
        check(I::Open, None, &dollars, Err("INVALID_ARGUMENT"));
        let mut stranger = ask("first", None, "");
        stranger.customer = Id::from_uuid(Uuid::from_u128(99));
        check(I::Open, Some(A::Succeeded), &stranger, Err("PAYMENT_STATE"));
    }
}
