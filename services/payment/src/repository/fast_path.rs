//! The way that nearly every payment takes, whose first attempt succeeds at once: two transactions of few statements,
//! which payments that are made at the same time share.

use super::{attempts, intents, methods};
use crate::domain::{
    Attempt, AttemptId, Error, Intent, IntentId, Method, OrderId,
    card_hold::{HOLD, SECURED_BEFORE},
    decision::AuthorizationRequest,
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Batch, Db, Tx,
    messaging::{outbox, timers},
};

/// Opens and concludes first attempts, several in a transaction.
#[derive(Clone)]
pub struct FastPath {
    openings: Batch<NewAttempt, Option<FirstAttempt>, Error>,
    successes: Batch<AttemptSucceeded, (), Error>,
}

/// The price of an order that is to be authorised.
#[derive(Clone)]
struct NewAttempt {
    order: OrderId,
    request: AuthorizationRequest,
}

/// A first attempt that is written down and is to be sent now.
#[derive(Clone)]
pub struct FirstAttempt {
    /// The payment that it begins.
    pub intent: Intent,
    pub attempt: Attempt,
    /// The card's token.
    pub token: String,
}

/// A first attempt that succeeded.
#[derive(Clone)]
struct AttemptSucceeded {
    intent: IntentId,
    attempt: AttemptId,
    /// When the hold runs out that it made, if the payment provider said so.
    expires_at: Option<DateTime<Utc>>,
    fact: outbox::Fact,
}

impl FastPath {
    /// For the payments in `db`. An attempt that stays without an outcome for `deadline` is given up.
    pub fn new(db: &Db, deadline: Duration) -> Self {
        Self {
            openings: Batch::new(db.clone(), move |db, new| open_all(db, new, deadline)),
            successes: Batch::new(db.clone(), succeed_all),
        }
    }

    /// Writes down the first attempt of a payment. None when the order has a payment already, or no card is chargeable,
    /// or nothing is to be paid.
    pub async fn open(
        &self,
        order: OrderId,
        request: AuthorizationRequest,
    ) -> Result<Option<FirstAttempt>, Error> {
        self.openings.run(NewAttempt { order, request }).await
    }

    /// Writes down that a first attempt succeeded, and the fact that says so. [`Error::Raced`] when the payment or the
    /// attempt has changed since it began.
    pub async fn succeed(
        &self,
        intent: IntentId,
        attempt: AttemptId,
        expires_at: Option<DateTime<Utc>>,
        fact: outbox::Fact,
    ) -> Result<(), Error> {
        self.successes.run(AttemptSucceeded { intent, attempt, expires_at, fact }).await
    }
}

async fn open_all(
    db: Db,
    new: Vec<NewAttempt>,
    deadline: Duration,
) -> Result<Vec<Option<FirstAttempt>>, Error> {
    let tx = db.begin().await?;
    let asked: Vec<_> = new.iter().map(|new| (new.request.customer, new.request.method)).collect();
    let methods = methods::find_chargeable_each(&*tx, &asked).await?;
    let mut opened: Vec<_> = new
        .iter()
        .zip(methods)
        .map(|(new, method)| first_attempt(&tx, new, method?, deadline))
        .collect();
    let intents = opened.iter().flatten().map(|first| &first.intent);
    let inserted = intents::insert_all(&tx, intents).await?;
    for one in &mut opened {
        one.take_if(|first| !inserted.contains(&first.intent.id));
    }
    attempts::insert_all(&tx, opened.iter().flatten().map(|first| &first.attempt)).await?;
    tx.commit().await?;
    Ok(opened)
}

fn first_attempt(
    tx: &Tx,
    new: &NewAttempt,
    method: Method,
    deadline: Duration,
) -> Option<FirstAttempt> {
    let NewAttempt { order, request } = new;
    if request.amount == 0 {
        return None;
    }
    let now = tx.now();
    let mut intent = Intent::open(IntentId::new(tx.clock()), *order, request, now);
    intent.method_id = Some(method.id);
    let attempt = intent.authorization(request, method.id, now, now + deadline);
    Some(FirstAttempt { intent, attempt, token: method.token })
}

async fn succeed_all(db: Db, done: Vec<AttemptSucceeded>) -> Result<Vec<()>, Error> {
    let tx = db.begin().await?;
    let answers = vec![(); done.len()];
    let (intents, attempts): (Vec<_>, Vec<_>) =
        done.iter().map(|success| (success.intent, (success.attempt, success.expires_at))).unzip();
    intents::authorize_first(&tx, &intents, &attempts).await?;
    let expiries = attempts.iter().filter_map(|(id, expiry)| Some((id, (*expiry)?)));
    let due = |expiry: DateTime<Utc>| expiry - SECURED_BEFORE;
    let timers = expiries.map(|(id, expiry)| (HOLD, id.uuid(), due(expiry)));
    timers::schedule_all(&tx, timers).await?;
    outbox::record_all(&tx, done.into_iter().map(|success| success.fact)).await?;
    tx.commit().await?;
    Ok(answers)
}
