//! Authorising the price of an order, and raising it.

use super::{
    Payments, SETTLE,
    first::{FirstAttempt, Opening, Success},
    new_intent,
};
use crate::{
    domain::{
        Error,
        attempt::{Kind, Signal, State},
        decision::{Ask, Decision, decide},
        intent,
    },
    entity::{Attempt, AttemptId, Intent, IntentId, Method, MethodId, OrderId},
    events,
    psp::Answer,
    repository::{attempts, intents, methods},
};
use kit::{Tx, messaging::timers};

/// What became of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The payment.
    pub payment: IntentId,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of an authorisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The money is authorised.
    Authorized,
    /// The method is on file.
    MethodSaved,
    /// The customer must confirm there.
    Confirm {
        /// Where.
        url: String,
    },
    /// The card was declined.
    Declined {
        /// Why, a stable code.
        reason: String,
    },
    /// Not known yet.
    Pending,
}

/// What is to be done after the request was written down.
enum Opened {
    /// Nothing: this is the answer.
    Answer(Outcome),
    /// Send an attempt that is written down.
    Send { intent: Intent, attempt: Attempt, token: String },
    /// Ask what became of an attempt.
    Query { intent: Intent, attempt: Attempt },
    /// Hand over the customer's confirmation.
    Confirm { intent: Intent, attempt: Attempt, code: String },
}

impl Payments {
    /// Authorises the price of an order, or says what became of an earlier attempt.
    pub async fn authorize(&self, order: OrderId, ask: Ask) -> Result<Outcome, Error> {
        let first = Opening { order, ask: ask.clone() };
        let opened = match self.first.openings.run(first).await? {
            Some(FirstAttempt { intent, attempt, token }) => {
                let answer = self.ask_with(&intent, &attempt, &token).await;
                if answer == Answer::plain(Signal::Succeeded) {
                    return self.authorized_first(intent, attempt).await;
                }
                return self.concluded(intent.id, attempt.id, answer).await;
            }
            None => self.open(order, ask).await?,
        };
        match opened {
            Opened::Answer(outcome) => Ok(outcome),
            Opened::Send { intent, attempt, token } => {
                let answer = self.ask_with(&intent, &attempt, &token).await;
                self.concluded(intent.id, attempt.id, answer).await
            }
            Opened::Query { intent, attempt } => {
                let answer = self.resolve(&intent, &attempt).await?;
                self.concluded(intent.id, attempt.id, answer).await
            }
            Opened::Confirm { intent, attempt, code } => {
                let answer = self.confirm(attempt.id, &code).await;
                self.concluded(intent.id, attempt.id, answer).await
            }
        }
    }

    async fn open(&self, order: OrderId, ask: Ask) -> Result<Opened, Error> {
        let patience = self.config.pending_deadline();
        self.db.write(move |tx| async move { open(&tx, order, ask, patience).await }).await
    }

    /// Puts a method on file for an order, to be charged closer to its start.
    pub async fn save_method(&self, order: OrderId, ask: Ask) -> Result<Outcome, Error> {
        let method = methods::chargeable(self.db.read(), ask.customer, ask.method).await?;
        let method = method.ok_or(Error::MethodNotFound)?.id;
        self.db
            .write(move |tx| async move {
                let mut new = new_intent(&tx, order, Some(ask.customer), &ask.currency);
                new.amount = ask.amount;
                new.state = new.state.transition(intent::Event::SaveMethod)?;
                new.method_id = Some(method);
                if intents::insert(&tx, &new).await? {
                    return Ok(Outcome { payment: new.id, verdict: Verdict::MethodSaved });
                }
                let mut found = locked(&tx, order).await?;
                match found.state.transition(intent::Event::SaveMethod) {
                    Ok(state) => {
                        found.state = state;
                        found.method_id = Some(method);
                        found.amount = ask.amount;
                        found = intents::save(&tx, found).await?;
                    }
                    // More than asked for has happened already.
                    Err(Error::State(_)) => {}
                    Err(error) => return Err(error),
                }
                Ok(Outcome { payment: found.id, verdict: Verdict::MethodSaved })
            })
            .await
    }

    /// Raises the authorised amount of an order, and returns the payment.
    pub async fn raise(
        &self,
        order: OrderId,
        currency: String,
        amount: i64,
        key: String,
    ) -> Result<Intent, Error> {
        let opened = self.db.write(move |tx| async move {
            let intent = locked(&tx, order).await?;
            if intent.currency != currency {
                return Err(Error::invalid("amount.currency", "is not the payment's currency"));
            }
            let known = attempts::of_intent(&*tx, intent.id).await?;
            if let Some(same) = known.iter().find(|it| it.kind == Kind::Raise && it.key == key) {
                if same.amount != amount {
                    return Err(kit::Error::KeyReused.into());
                }
                return Ok((intent, same.clone()));
            }
            intent.state.transition(intent::Event::Raise)?;
            let attempt = super::capture::step(&tx, &intent, Kind::Raise, &key, amount).await?;
            Ok((intent, attempt))
        });
        let (intent, attempt) = opened.await?;
        let (intent, attempt) = match attempt.state.is_open() {
            true => {
                let answer = self.resolve_or_ask(&intent, &attempt).await?;
                self.apply(intent.id, attempt.id, answer).await?
            }
            false => (intent, attempt),
        };
        match attempt.state {
            State::Succeeded => Ok(intent),
            State::Failed => Err(Error::Declined(attempt.reason)),
            _ => Err(Error::Pending),
        }
    }

    /// Sends an attempt that was just written down; for an older one asks first what became of it.
    pub(super) async fn resolve_or_ask(
        &self,
        intent: &Intent,
        attempt: &Attempt,
    ) -> Result<Answer, Error> {
        if attempt.tries == 0 {
            self.ask(intent, attempt).await
        } else {
            self.resolve(intent, attempt).await
        }
    }

    async fn authorized_first(&self, intent: Intent, attempt: Attempt) -> Result<Outcome, Error> {
        let (payment, charge) = (intent.id, attempt.id);
        let success = Success { fact: events::authorized_first(&intent), intent, attempt: charge };
        match self.first.successes.run(success).await {
            Ok(()) => Ok(Outcome { payment, verdict: Verdict::Authorized }),
            Err(Error::Raced) => {
                self.concluded(payment, charge, Answer::plain(Signal::Succeeded)).await
            }
            Err(error) => Err(error),
        }
    }

    async fn concluded(
        &self,
        intent: IntentId,
        attempt: AttemptId,
        answer: Answer,
    ) -> Result<Outcome, Error> {
        let (intent, attempt) = self.apply(intent, attempt, answer).await?;
        if intent.state == intent::State::Closed {
            return Err(Error::Closed);
        }
        Ok(outcome(&attempt))
    }
}

/// Writes down what a request means that is not the first, or for which there is no card.
async fn open(
    tx: &Tx,
    order: OrderId,
    ask: Ask,
    patience: chrono::Duration,
) -> Result<Opened, Error> {
    let new =
        Intent { amount: ask.amount, ..new_intent(tx, order, Some(ask.customer), &ask.currency) };
    if intents::insert(tx, &new).await? {
        match ask.amount {
            0 => return authorize_nothing(tx, new).await,
            _ => return Err(Error::MethodNotFound),
        }
    }
    let intent = locked(tx, order).await?;
    let known = attempts::of_intent(&**tx, intent.id).await?;
    let attempt = |id| {
        let found = known.iter().find(|attempt| attempt.id == id).cloned();
        found.ok_or_else(|| Error::from(kit::Error::internal("an attempt is missing")))
    };
    match decide(&intent, &known, &ask)? {
        Decision::Authorized => {
            Ok(Opened::Answer(Outcome { payment: intent.id, verdict: Verdict::Authorized }))
        }
        Decision::Answer(id) => Ok(Opened::Answer(outcome(&attempt(id)?))),
        Decision::Query(id) => Ok(Opened::Query { attempt: attempt(id)?, intent }),
        Decision::Confirm(id) => {
            let mut attempt = attempt(id)?;
            if attempt.key != ask.key {
                attempt.confirm_key = ask.key;
                attempt = attempts::save(tx, attempt).await?;
            }
            Ok(Opened::Confirm { intent, attempt, code: ask.confirmation })
        }
        Decision::Begin { .. } if ask.amount == 0 => authorize_nothing(tx, intent).await,
        Decision::Begin { instead_of } => {
            if let Some(id) = instead_of {
                give_up(tx, attempt(id)?).await?;
            }
            let method = method_for(tx, &intent, &ask).await?;
            let attempt = begin(tx, &intent, &ask, method.id, patience).await?;
            Ok(Opened::Send { intent, attempt, token: method.token })
        }
    }
}

/// A price of zero needs no card.
async fn authorize_nothing(tx: &Tx, mut intent: Intent) -> Result<Opened, Error> {
    intent.state = intent.state.transition(intent::Event::Authorize)?;
    intent.amount = 0;
    events::payment(tx, &mut intent, events::AUTHORIZED, 0, "").await?;
    let intent = intents::save(tx, intent).await?;
    Ok(Opened::Answer(Outcome { payment: intent.id, verdict: Verdict::Authorized }))
}

/// The method that is named, or on file for the order, or the customer's default.
async fn method_for(tx: &Tx, intent: &Intent, ask: &Ask) -> Result<Method, Error> {
    let on_file: Option<MethodId> = ask.method.or(intent.method_id);
    let mut found = methods::chargeable(&**tx, ask.customer, on_file).await?;
    if found.is_none() && ask.method.is_none() {
        found = methods::chargeable(&**tx, ask.customer, None).await?;
    }
    found.ok_or(Error::MethodNotFound)
}

async fn begin(
    tx: &Tx,
    intent: &Intent,
    ask: &Ask,
    method: MethodId,
    patience: chrono::Duration,
) -> Result<Attempt, Error> {
    let attempt = attempt_of(tx, intent, ask, method, patience);
    attempts::insert(tx, &attempt).await?;
    Ok(attempt)
}

/// An attempt to authorise what is asked for.
pub(super) fn attempt_of(
    tx: &Tx,
    intent: &Intent,
    ask: &Ask,
    method: MethodId,
    patience: chrono::Duration,
) -> Attempt {
    let id = AttemptId::derived(intent.order_id.uuid(), &format!("authorize:{}", ask.key));
    Attempt {
        method_id: Some(method),
        deadline_at: tx.now() + patience,
        ..new_attempt(tx, id, intent.id, ask.key.clone(), ask.amount)
    }
}

/// Gives up an attempt that waits for a confirmation which will not come.
async fn give_up(tx: &Tx, mut attempt: Attempt) -> Result<(), Error> {
    attempt.state = attempt.state.next(Signal::GiveUp);
    attempt.reason = "REPLACED".to_owned();
    timers::schedule(tx, SETTLE, attempt.intent_id.uuid(), tx.now()).await?;
    attempts::save(tx, attempt).await.map(drop)
}

/// An attempt to authorise that is written down now.
pub(super) fn new_attempt(
    tx: &Tx,
    id: AttemptId,
    intent: IntentId,
    key: String,
    amount: i64,
) -> Attempt {
    let now = tx.now();
    Attempt {
        id,
        intent_id: intent,
        kind: Kind::Authorize,
        key,
        confirm_key: String::new(),
        charge_id: None,
        method_id: None,
        amount,
        state: State::Unknown,
        reason: String::new(),
        note: String::new(),
        confirmation_url: String::new(),
        fee: 0,
        tries: 0,
        deadline_at: now,
        created_at: now,
        updated_at: now,
    }
}

/// The payment of an order, locked until the transaction ends.
pub(super) async fn locked(tx: &Tx, order: OrderId) -> Result<Intent, Error> {
    intents::lock_order(tx, order).await?.ok_or(Error::PaymentNotFound)
}

fn outcome(attempt: &Attempt) -> Outcome {
    let verdict = match attempt.state {
        State::Succeeded => Verdict::Authorized,
        State::ConfirmationRequired => Verdict::Confirm { url: attempt.confirmation_url.clone() },
        State::Unknown | State::Pending => Verdict::Pending,
        State::Failed
        | State::Abandoned
        | State::Returning
        | State::Returned
        | State::Releasing
        | State::Released => Verdict::Declined { reason: attempt.reason.clone() },
    };
    Outcome { payment: attempt.intent_id, verdict }
}
