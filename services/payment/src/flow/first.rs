//! The way that nearly every payment takes, whose first attempt succeeds at once: two transactions of few statements,
//! which payments that are made at the same time share.

use super::{authorize::attempt_of, new_intent};
use crate::{
    domain::{Error, decision::Ask},
    entity::{Attempt, AttemptId, Intent, OrderId},
    repository::{attempts, intents, methods},
};
use kit::{Batch, Db, Tx, messaging::outbox};

/// What first attempts share.
#[derive(Clone)]
pub(super) struct First {
    /// Writes down first attempts before they are made; none when the order has a payment already, or no card is
    /// chargeable, or nothing is to be paid.
    pub(super) openings: Batch<Opening, Option<FirstAttempt>, Error>,
    /// Writes down that first attempts succeeded, unless somebody touched them meanwhile.
    pub(super) successes: Batch<Success, (), Error>,
}

impl First {
    /// For the payments in `db`. An attempt that stays without an outcome is given up after `patience`.
    pub(super) fn new(db: &Db, patience: chrono::Duration) -> Self {
        Self {
            openings: Batch::new(db.clone(), move |db, new| async move {
                db.write(move |tx| async move { open(&tx, new, patience).await }).await
            }),
            successes: Batch::new(db.clone(), |db, done| async move {
                db.write(move |tx| async move { succeed(&tx, done).await }).await
            }),
        }
    }
}

/// An order's price that is to be authorised.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) order: OrderId,
    pub(super) ask: Ask,
}

/// An attempt that is written down.
#[derive(Clone)]
pub(super) struct FirstAttempt {
    pub(super) intent: Intent,
    pub(super) attempt: Attempt,
    /// The card's token.
    pub(super) token: String,
}

/// A first attempt that succeeded.
#[derive(Clone)]
pub(super) struct Success {
    pub(super) intent: Intent,
    pub(super) attempt: AttemptId,
    pub(super) fact: outbox::Fact,
}

async fn open(
    tx: &Tx,
    new: Vec<Opening>,
    patience: chrono::Duration,
) -> Result<Vec<Option<FirstAttempt>>, Error> {
    let asked: Vec<_> = new.iter().map(|new| (new.ask.customer, new.ask.method)).collect();
    let methods = methods::chargeable_each(&**tx, &asked).await?;
    let first = |(Opening { order, ask }, method): (&Opening, Option<_>)| {
        let method: crate::entity::Method = method.filter(|_| ask.amount > 0)?;
        let intent = Intent {
            amount: ask.amount,
            method_id: Some(method.id),
            ..new_intent(tx, *order, Some(ask.customer), &ask.currency)
        };
        let attempt = attempt_of(tx, &intent, ask, method.id, patience);
        Some(FirstAttempt { intent, attempt, token: method.token })
    };
    let mut opened: Vec<_> = new.iter().zip(methods).map(first).collect();
    let intents = opened.iter().flatten().map(|first| &first.intent);
    let inserted = intents::insert_all(tx, intents).await?;
    for one in &mut opened {
        one.take_if(|first| !inserted.contains(&first.intent.id));
    }
    attempts::insert_all(tx, opened.iter().flatten().map(|first| &first.attempt)).await?;
    Ok(opened)
}

async fn succeed(tx: &Tx, done: Vec<Success>) -> Result<Vec<()>, Error> {
    let answers = vec![(); done.len()];
    let (intents, attempts): (Vec<_>, Vec<_>) =
        done.iter().map(|success| (success.intent.id, success.attempt)).unzip();
    intents::authorize_first(tx, &intents, &attempts).await?;
    outbox::record_all(tx, done.into_iter().map(|success| success.fact)).await?;
    Ok(answers)
}
