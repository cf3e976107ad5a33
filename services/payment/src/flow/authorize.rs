//! Authorising the price of an order, and adding to what is authorised.

use super::{Payments, SETTLE, attempt::apply_answer, effects::release_holds};
use crate::{
    domain::{
        Attempt, AttemptId, Error, Intent, IntentId, Method, MethodId, OrderId, UserId,
        attempt::{AttemptKind, PspAnswer, Signal, State},
        card_hold::{current_hold, is_capture_asked},
        decision::{AttemptDecision, AuthorizationRequest, decide_attempt},
        intent,
    },
    events,
    repository::{attempts, captures, dues, fast_path::FirstAttempt, intents, methods},
};
use kit::{Tx, messaging::timers};

/// What became of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationOutcome {
    pub payment: IntentId,
    /// What became of it.
    pub status: AuthorizationStatus,
}

/// What became of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizationStatus {
    /// The money is authorised.
    Authorized,
    /// The method is on file.
    MethodSaved,
    /// The customer must confirm there.
    ConfirmationRequired {
        /// Where the customer confirms.
        url: String,
    },
    /// The card was declined.
    Declined {
        /// Why it was declined, a stable code.
        reason: String,
    },
    /// Not known yet.
    Pending,
}

/// What is to be done after the request was written down.
enum NextStep {
    /// Nothing: this is the answer.
    Answer(AuthorizationOutcome),
    /// Send an attempt that is written down.
    Send { intent: Intent, attempt: Attempt, token: String },
    /// Ask what became of an attempt.
    Query { intent: Intent, attempt: Attempt },
    /// Hand over the customer's confirmation.
    Confirm { attempt: Attempt, code: String },
}

impl Payments {
    /// Authorises the price of an order, or says what became of an earlier attempt.
    pub async fn authorize(
        &self,
        order: OrderId,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationOutcome, Error> {
        if let Some(first) = self.fast_path.open(order, request.clone()).await? {
            return self.authorize_first(first).await;
        }
        self.authorize_further(order, request).await
    }

    /// Authorises what a payment that may exist already is to pay, or says what became of an earlier attempt.
    pub(super) async fn authorize_further(
        &self,
        order: OrderId,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationOutcome, Error> {
        let tx = self.db.begin().await?;
        let deadline = tx.now() + self.config.pending_deadline();
        let next = open_authorization(&tx, order, request, deadline).await?;
        tx.commit().await?;
        let (attempt, answer) = match next {
            NextStep::Answer(outcome) => return Ok(outcome),
            NextStep::Send { intent, attempt, token } => {
                let answer = self.send_with_token(&intent, &attempt, &token).await;
                (attempt, answer)
            }
            NextStep::Query { intent, attempt } => {
                let answer = self.resolve_attempt(&intent, &attempt).await?;
                (attempt, answer)
            }
            NextStep::Confirm { attempt, code } => {
                let answer = self.confirm_charge(attempt.id, &code).await;
                (attempt, answer)
            }
        };
        self.conclude_authorization(attempt.intent_id, attempt.id, answer).await
    }

    /// Sends the first attempt of a payment. Its success, the usual answer, shares a transaction with others.
    async fn authorize_first(&self, first: FirstAttempt) -> Result<AuthorizationOutcome, Error> {
        let FirstAttempt { intent, attempt, token } = first;
        let answer = self.send_with_token(&intent, &attempt, &token).await;
        if answer.signal == Signal::Succeeded {
            let fact = events::authorized_first(&intent);
            let expires_at = answer.hold.and_then(|hold| hold.expires_at);
            match self.fast_path.succeed(intent.id, attempt.id, expires_at, fact).await {
                // An event or a poll has written the answer down first: what it left is read below.
                Err(Error::Raced) => {}
                succeeded => {
                    let status = AuthorizationStatus::Authorized;
                    return succeeded.map(|()| AuthorizationOutcome { payment: intent.id, status });
                }
            }
        }
        self.conclude_authorization(intent.id, attempt.id, answer).await
    }

    async fn conclude_authorization(
        &self,
        intent: IntentId,
        attempt: AttemptId,
        answer: PspAnswer,
    ) -> Result<AuthorizationOutcome, Error> {
        let tx = self.db.begin().await?;
        let (intent, attempt) = apply_answer(&tx, intent, attempt, answer).await?;
        tx.commit().await?;
        if intent.is_closed() {
            return Err(Error::Closed);
        }
        Ok(outcome_of(&attempt))
    }

    /// Puts a method on file for an order, to be charged closer to its start.
    pub async fn save_method(
        &self,
        order: OrderId,
        request: AuthorizationRequest,
    ) -> Result<AuthorizationOutcome, Error> {
        let tx = self.db.begin().await?;
        let method = methods::find_chargeable(&*tx, request.customer, request.method).await?;
        let method = method.ok_or(Error::MethodNotFound)?.id;
        let mut intent = Intent::open(IntentId::new(tx.clock()), order, &request, tx.now());
        intent.save_method(method, request.amount)?;
        if intents::insert_intent(&tx, &intent).await? {
            refuse_debtor(&tx, request.customer).await?;
        } else {
            intent = intents::lock_of_order(&tx, order).await?;
            if intent.save_method(method, request.amount)? {
                intents::save_intent(&tx, &mut intent).await?;
            }
        }
        tx.commit().await?;
        Ok(AuthorizationOutcome { payment: intent.id, status: AuthorizationStatus::MethodSaved })
    }

    /// Gives back what the attempt with this key has authorised, with what raised it, and keeps its method on file. What
    /// the payment provider does not answer now, the timer asks again. While it is just being captured the call is to be
    /// repeated.
    pub async fn release_authorization(&self, order: OrderId, key: &str) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let mut intent = intents::lock_of_order(&tx, order).await?;
        let known = attempts::list_of_intent(&*tx, intent.id).await?;
        let is_captured =
            intent.captured > 0 || captures::find_capture(&tx, intent.id).await?.is_some();
        if is_captured || intent.state != intent::State::Authorized || !holds_money(&known, key) {
            return Ok(());
        }
        if is_capture_asked(&known) {
            // The answer decides whether the money was taken, so that it stays, or can be given back.
            return Err(Error::Pending);
        }
        intent.release_authorization()?;
        release_holds(&tx, &intent, &known, "POSTPONED").await?;
        intents::save_intent(&tx, &mut intent).await?;
        tx.commit().await?;
        if let Err(error) = self.settle(intent.id).await {
            tracing::warn!(%error, payment.id = %intent.id, "cannot give the authorisation back yet; the timer goes on");
        }
        Ok(())
    }
}

/// Writes down what a request means that is not the first, or for which there is no card.
async fn open_authorization(
    tx: &Tx,
    order: OrderId,
    request: AuthorizationRequest,
    deadline: chrono::DateTime<chrono::Utc>,
) -> Result<NextStep, Error> {
    let new = Intent::open(IntentId::new(tx.clock()), order, &request, tx.now());
    if intents::insert_intent(tx, &new).await? {
        refuse_debtor(tx, request.customer).await?;
        return match request.amount {
            0 => authorize_nothing(tx, new).await,
            _ => Err(Error::MethodNotFound),
        };
    }
    let intent = intents::lock_of_order(tx, order).await?;
    let known = attempts::list_of_intent(&**tx, intent.id).await?;
    match decide_attempt(&intent, &known, &request)? {
        AttemptDecision::Authorized => {
            let status = AuthorizationStatus::Authorized;
            Ok(NextStep::Answer(AuthorizationOutcome { payment: intent.id, status }))
        }
        AttemptDecision::Answer(id) => {
            Ok(NextStep::Answer(outcome_of(&select_attempt(known, id)?)))
        }
        AttemptDecision::Query(id) => {
            Ok(NextStep::Query { attempt: select_attempt(known, id)?, intent })
        }
        AttemptDecision::Confirm(id) => {
            let mut attempt = select_attempt(known, id)?;
            if attempt.key != request.key {
                attempt.confirm_key = request.key;
                attempts::save_attempt(tx, &mut attempt).await?;
            }
            Ok(NextStep::Confirm { attempt, code: request.confirmation })
        }
        AttemptDecision::Begin { .. } if request.amount == 0 => authorize_nothing(tx, intent).await,
        AttemptDecision::Begin { instead_of } => {
            if let Some(id) = instead_of {
                replace_attempt(tx, select_attempt(known, id)?).await?;
            }
            let method = select_method(tx, &intent, &request).await?;
            if method.token.is_empty() {
                // The account was erased, and its cards with it.
                let reason = "PAYMENT_METHOD_DELETED".to_owned();
                let status = AuthorizationStatus::Declined { reason };
                return Ok(NextStep::Answer(AuthorizationOutcome { payment: intent.id, status }));
            }
            let attempt = intent.authorization(&request, method.id, tx.now(), deadline);
            attempts::insert_attempt(tx, &attempt).await?;
            Ok(NextStep::Send { intent, attempt, token: method.token })
        }
    }
}

/// Whether what the attempt with this key has reserved is reserved still. When no attempt has the key, its caller was
/// answered with the hold of an earlier one.
fn holds_money(known: &[Attempt], key: &str) -> bool {
    let mut named = known.iter().filter(|it| it.kind == AttemptKind::Authorize);
    match named.find(|it| it.answers_to_key(key)) {
        Some(own) => {
            let current = current_hold(known, own.id);
            known.iter().any(|it| it.id == current && it.is_hold())
        }
        None => known.iter().any(Attempt::is_hold),
    }
}

/// Refuses to begin the payment of another order while its customer owes something.
async fn refuse_debtor(tx: &Tx, customer: UserId) -> Result<(), Error> {
    if dues::is_any_open(&**tx, customer).await? { Err(Error::DuesOpen) } else { Ok(()) }
}

fn select_attempt(known: Vec<Attempt>, id: AttemptId) -> Result<Attempt, Error> {
    let found = known.into_iter().find(|attempt| attempt.id == id);
    found.ok_or_else(|| kit::Error::internal("an attempt is missing").into())
}

/// A price of zero needs no card.
async fn authorize_nothing(tx: &Tx, mut intent: Intent) -> Result<NextStep, Error> {
    intent.authorize_nothing()?;
    events::payment_event(tx, &mut intent, events::AUTHORIZED, 0, "").await?;
    intents::save_intent(tx, &mut intent).await?;
    let status = AuthorizationStatus::Authorized;
    Ok(NextStep::Answer(AuthorizationOutcome { payment: intent.id, status }))
}

/// The method that is named, or on file for the order, or the customer's default. One on file stays chargeable for its
/// order after the customer has deleted it.
async fn select_method(
    tx: &Tx,
    intent: &Intent,
    request: &AuthorizationRequest,
) -> Result<Method, Error> {
    let named: Option<MethodId> = request.method.or(intent.method_id);
    if let Some(found) = methods::find_chargeable(&**tx, request.customer, named).await? {
        return Ok(found);
    }
    let on_file = intent.method_id.filter(|_| named == intent.method_id);
    if let Some(id) = on_file
        && let Some(deleted) = methods::find_used(&**tx, id).await?
    {
        return Ok(deleted);
    }
    match request.method {
        Some(_) => Err(Error::MethodNotFound),
        None => {
            let default = methods::find_chargeable(&**tx, request.customer, None).await?;
            default.ok_or(Error::MethodNotFound)
        }
    }
}

/// Gives up an attempt that waits for a confirmation which will not come, since another method is to pay.
async fn replace_attempt(tx: &Tx, mut attempt: Attempt) -> Result<(), Error> {
    attempt.give_up();
    attempt.reason = "REPLACED".to_owned();
    timers::schedule_timer(tx, SETTLE, attempt.intent_id.uuid(), tx.now()).await?;
    attempts::save_attempt(tx, &mut attempt).await
}

fn outcome_of(attempt: &Attempt) -> AuthorizationOutcome {
    let status = match attempt.state {
        State::Succeeded => AuthorizationStatus::Authorized,
        State::ConfirmationRequired => {
            let url = attempt.confirmation_url.clone();
            AuthorizationStatus::ConfirmationRequired { url }
        }
        State::Unknown | State::Pending => AuthorizationStatus::Pending,
        State::Failed
        | State::Abandoned
        | State::Returning
        | State::Returned
        | State::Releasing
        | State::Released
        | State::Reversed => AuthorizationStatus::Declined { reason: attempt.reason.clone() },
    };
    AuthorizationOutcome { payment: attempt.intent_id, status }
}
