//! The queries of the sandbox. They never run in a transaction of payment.

use super::{
    super::{Cancelled, FollowUpRequest, Unanswered},
    cards::OperationKind,
    entity::{charge, event, operation},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Batch, Db,
    messaging::queue::{self, Backoff, Claim},
};
use sea_orm::{
    ActiveValue::Set, IntoActiveModel, QueryOrder, QuerySelect, entity::prelude::*,
    sea_query::OnConflict,
};
use serde_json::{Value, json};
use std::collections::HashSet;

/// Charges or events taken up at a time.
const BATCH: u64 = 50;
/// How long an event rests that the webhook refused.
const POST_AGAIN: Backoff = Backoff { first: Duration::seconds(1), longest: Duration::minutes(15) };

impl From<DbErr> for Unanswered {
    fn from(error: DbErr) -> Self {
        Self(error.to_string())
    }
}

impl From<kit::Error> for Unanswered {
    fn from(error: kit::Error) -> Self {
        Self(error.to_string())
    }
}

/// The sandbox's tables.
#[derive(Clone)]
pub struct Store {
    pub db: Db,
    new_charges: Batch<charge::Model, bool, kit::Error>,
}

impl Store {
    pub fn new(db: Db) -> Self {
        let new_charges = Batch::new(db.clone(), insert_all);
        Self { db, new_charges }
    }

    pub async fn charge(&self, reference: Uuid) -> Result<Option<charge::Model>, DbErr> {
        charge::Entity::find_by_id(reference).one(self.db.connection()).await
    }

    pub async fn operation(&self, reference: Uuid) -> Result<Option<operation::Model>, DbErr> {
        operation::Entity::find_by_id(reference).one(self.db.connection()).await
    }

    /// Remembers a charge; false when its reference is known already.
    pub async fn insert(&self, charge: charge::Model) -> Result<bool, kit::Error> {
        self.new_charges.run(charge).await
    }

    /// Moves a charge from one state to another; false when it is not in the first.
    pub async fn decide(
        &self,
        reference: Uuid,
        from: &str,
        to: &str,
        reason: &str,
    ) -> Result<bool, DbErr> {
        let moved = move_charge(reference, from, to, reason).exec(self.db.connection()).await?;
        Ok(moved.rows_affected > 0)
    }

    /// Cancels a charge. What it reserves is decided under its lock: a late answer comes before or after.
    pub async fn cancel(self, reference: Uuid) -> Result<Cancelled, Unanswered> {
        let tx = self.db.begin().await?;
        let charge = charge::Entity::find_by_id(reference).lock_exclusive().one(&*tx).await?;
        let charge = charge.ok_or_else(|| Unanswered("the charge is not known".to_owned()))?;
        let (state, outcome) = match charge.state.as_str() {
            charge::AUTHORIZED => (charge::VOIDED, Cancelled::Held),
            charge::VOIDED => return Ok(Cancelled::Held),
            charge::CAPTURED => return Ok(Cancelled::NotYet),
            charge::PENDING if charge.settles_at.is_some() => return Ok(Cancelled::NotYet),
            charge::LOST | charge::CONFIRM | charge::PENDING => {
                (charge::CANCELLED, Cancelled::Empty)
            }
            _ => return Ok(Cancelled::Empty),
        };
        move_charge(reference, &charge.state, state, "CANCELLED").exec(&*tx).await?;
        tx.commit().await?;
        Ok(outcome)
    }

    /// Whether this is the first call of a step that fails once.
    pub async fn first_call(&self, step: FollowUpRequest) -> Result<bool, DbErr> {
        let row = operation::ActiveModel {
            reference: Set(step.reference.uuid()),
            kind: Set(OperationKind::Refund.name().to_owned()),
            payee: Set(None),
            currency: Set(String::new()),
            amount: Set(step.amount),
            state: Set(operation::FAILED_ONCE.to_owned()),
            reason: Set(String::new()),
        };
        Ok(insert_operation(row).exec_without_returning(self.db.connection()).await? > 0)
    }

    /// Transfers money once.
    pub async fn transfer(
        &self,
        row: operation::ActiveModel,
    ) -> Result<operation::Model, Unanswered> {
        let Set(reference) = row.reference.clone() else {
            return Err(Unanswered("a transfer needs a reference".to_owned()));
        };
        insert_operation(row).exec_without_returning(self.db.connection()).await?;
        let found = self.operation(reference).await?;
        found.ok_or_else(|| Unanswered("the transfer is not known".to_owned()))
    }

    /// Reserves what a raise asks for beside its charge, where the card does that. None when the charge itself is to be
    /// raised.
    pub async fn make_second_hold(
        self,
        raise: FollowUpRequest,
    ) -> Result<Option<charge::Model>, Unanswered> {
        let tx = self.db.begin().await?;
        let charge = charge::Entity::find_by_id(raise.charge.uuid());
        let charge = charge.lock_exclusive().one(&*tx).await?;
        let before = charge::Entity::find_by_id(raise.reference.uuid()).one(&*tx).await?;
        if before.is_some() {
            return Ok(before);
        }
        let Some(second) = charge.and_then(|charge| charge.second_hold(raise, tx.now())) else {
            return Ok(None);
        };
        let row = second.clone().into_active_model();
        charge::Entity::insert(row).exec_without_returning(&*tx).await?;
        tx.commit().await?;
        Ok(Some(second))
    }

    /// Does an operation on a charge once, in the sandbox's own transaction. Also tells whether events follow later.
    pub async fn operate(
        self,
        kind: OperationKind,
        step: FollowUpRequest,
    ) -> Result<(operation::Model, bool), Unanswered> {
        let tx = self.db.begin().await?;
        let reference = step.reference.uuid();
        let charge = charge::Entity::find_by_id(step.charge.uuid());
        let charge = charge.lock_exclusive().one(&*tx).await?;
        let before = operation::Entity::find_by_id(reference).one(&*tx).await?;
        if let Some(done) = before.filter(|it| it.state != operation::FAILED_ONCE) {
            return Ok((done, false));
        }
        let mut later = Vec::new();
        let (outcome, currency) = match charge {
            None => (Err("CHARGE_UNKNOWN"), String::new()),
            Some(mut charge) => {
                let outcome = charge.operate(kind, step.amount, tx.now());
                if outcome.is_ok() {
                    later = charge.later_events(kind);
                }
                let saved = charge.into_active_model().reset_all().update(&*tx).await?;
                (outcome, saved.currency)
            }
        };
        let done = operation::Model {
            reference,
            kind: kind.name().to_owned(),
            payee: None,
            currency,
            amount: step.amount,
            state: if outcome.is_ok() { operation::DONE } else { operation::REFUSED }.to_owned(),
            reason: outcome.err().unwrap_or_default().to_owned(),
        };
        let columns = [operation::Column::State, operation::Column::Reason];
        let mut again = OnConflict::column(operation::Column::Reference);
        operation::Entity::insert(done.clone().into_active_model())
            .on_conflict(again.update_columns(columns).to_owned())
            .exec_without_returning(&*tx)
            .await?;
        let subject = match kind {
            OperationKind::Refund => reference,
            OperationKind::Raise | OperationKind::Capture => step.charge.uuid(),
        };
        let has_events = !later.is_empty();
        for (event, wait) in later {
            insert_event(&tx, event, subject, json!({}), tx.now() + wait).await?;
        }
        tx.commit().await?;
        Ok((done, has_events))
    }

    /// Gives late charges whose time has come their answer, each with an event to post.
    pub async fn settle_due(&self) -> Result<(), kit::Error> {
        let now = self.db.clock().now();
        let due = charge::Entity::find()
            .filter(charge::Column::SettlesAt.lte(now))
            .limit(BATCH)
            .all(self.db.connection())
            .await?;
        for charge in due {
            let tx = self.db.begin().await?;
            settle_charge(&tx, charge).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Claims events to post, the longest due first.
    pub async fn claim_events(&self) -> Result<Claim<event::Model>, kit::Error> {
        let mut claim = queue::claim(
            &self.db,
            event::Entity::find().order_by_asc(event::Column::NextAt),
            BATCH,
        )
        .await?;
        claim.rows.sort_by_key(|event| event.next_at);
        Ok(claim)
    }

    /// The webhook has taken a claimed event.
    pub async fn remove_posted(&self, claim: Uuid, id: &str) -> Result<(), DbErr> {
        event::Entity::delete_many()
            .filter(event::Column::Id.eq(id))
            .filter(event::Column::ClaimedBy.eq(claim))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    /// The webhook has not taken a claimed event.
    pub async fn post_later(
        &self,
        claim: Uuid,
        event: &event::Model,
        error: &kit::Error,
    ) -> Result<(), DbErr> {
        let tries = event.tries.saturating_add(1);
        let next_at = self.db.clock().now() + POST_AGAIN.after(tries);
        tracing::warn!(%error, event.id, %next_at, "the webhook refused an event, and gets it again");
        queue::settle::<event::Entity>(claim)
            .col_expr(event::Column::NextAt, Expr::value(next_at))
            .col_expr(event::Column::Tries, Expr::value(tries))
            .filter(event::Column::Id.eq(&event.id))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    /// When something falls due next.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, DbErr> {
        let charge = charge::Entity::find()
            .filter(charge::Column::SettlesAt.is_not_null())
            .order_by_asc(charge::Column::SettlesAt)
            .one(self.db.connection())
            .await?;
        let event = event::Entity::find()
            .order_by_asc(event::Column::NextAt)
            .one(self.db.connection())
            .await?;
        let charge = charge.and_then(|charge| charge.settles_at);
        Ok(charge.into_iter().chain(event.map(|event| event.next_at)).min())
    }
}

async fn insert_all(db: Db, charges: Vec<charge::Model>) -> Result<Vec<bool>, kit::Error> {
    let rows = charges.iter().cloned().map(IntoActiveModel::into_active_model);
    let inserted: Vec<Uuid> = charge::Entity::insert_many(rows)
        .on_conflict(OnConflict::column(charge::Column::Reference).do_nothing().to_owned())
        .exec_with_returning_keys(db.connection())
        .await?;
    let mut inserted: HashSet<Uuid> = inserted.into_iter().collect();
    // Of two equal references one was inserted, the first.
    Ok(charges.iter().map(|charge| inserted.remove(&charge.reference)).collect())
}

async fn settle_charge(tx: &kit::Tx, charge: charge::Model) -> Result<(), kit::Error> {
    let (state, kind) = match charge.reason.as_str() {
        "" => (charge::AUTHORIZED, "charge.authorized"),
        _ => (charge::DECLINED, "charge.declined"),
    };
    let moved = move_charge(charge.reference, charge::PENDING, state, &charge.reason)
        .col_expr(charge::Column::SettlesAt, Expr::value(Option::<DateTime<Utc>>::None))
        .exec(&**tx)
        .await?;
    if moved.rows_affected == 0 {
        return Ok(());
    }
    let more = json!({"reason": charge.reason, "expires_at": charge.expires_at});
    insert_event(tx, kind, charge.reference, more, tx.now()).await
}

/// Writes down an event to post at `next_at`. Its data are the reference and what `more` has.
async fn insert_event(
    tx: &kit::Tx,
    kind: &str,
    reference: Uuid,
    more: Value,
    next_at: DateTime<Utc>,
) -> Result<(), kit::Error> {
    let id = format!("evt_{}_{kind}", reference.simple());
    let mut data = more;
    data["reference"] = json!(reference);
    let body = json!({"id": id, "type": kind, "data": data});
    let row = event::Model {
        id,
        body: body.to_string(),
        next_at,
        tries: 0,
        claimed_by: None,
        lease_until: None,
    };
    event::Entity::insert(row.into_active_model()).exec_without_returning(&**tx).await?;
    Ok(())
}

fn move_charge(
    reference: Uuid,
    from: &str,
    to: &str,
    reason: &str,
) -> sea_orm::UpdateMany<charge::Entity> {
    charge::Entity::update_many()
        .col_expr(charge::Column::State, Expr::value(to))
        .col_expr(charge::Column::Reason, Expr::value(reason))
        .filter(charge::Column::Reference.eq(reference))
        .filter(charge::Column::State.eq(from))
}

fn insert_operation(row: operation::ActiveModel) -> sea_orm::Insert<operation::ActiveModel> {
    let known = OnConflict::column(operation::Column::Reference).do_nothing().to_owned();
    operation::Entity::insert(row).on_conflict(known)
}
