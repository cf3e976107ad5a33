//! Mail on its way: what is due, who has claimed it, what became of it.

use super::Repository;
use crate::{
    domain::records::{
        message::{Column, Entity},
        settings,
    },
    domain::{
        Error, Message, MessageId, Settings,
        message::{Decision, Event, State},
    },
};
use chrono::{DateTime, Duration, Utc};
use kit::Tx;
use sea_orm::{
    QueryOrder, QuerySelect, UpdateMany,
    entity::prelude::*,
    sea_query::{ExprTrait, LockBehavior, LockType},
};
use std::collections::HashMap;

/// How long a claimed mail may take before another replica sends it.
const LEASE: Duration = Duration::minutes(10);

/// Why a mail did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setback {
    /// It is tried again then.
    Later(DateTime<Utc>, &'static str),
    /// It is given up.
    Never(&'static str),
}

impl Repository {
    /// Mail that is due, the longest due first.
    pub async fn due(&self, limit: u64) -> Result<Vec<Message>, Error> {
        let query = Entity::find()
            .filter(Column::DueAt.lte(self.clock().now()))
            .order_by_asc(Column::DueAt)
            .limit(limit);
        Ok(query.all(self.db.connection()).await?)
    }

    /// When the next mail falls due.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let query = Entity::find()
            .select_only()
            .column(Column::DueAt)
            .filter(Column::DueAt.gt(self.clock().now()))
            .order_by_asc(Column::DueAt);
        let due: Option<Option<DateTime<Utc>>> =
            query.into_tuple().one(self.db.connection()).await?;
        Ok(due.flatten())
    }

    /// The settings of these accounts; who has said nothing is left out.
    pub async fn settings_of(
        &self,
        accounts: impl IntoIterator<Item = Uuid> + Send,
    ) -> Result<HashMap<Uuid, Settings>, Error> {
        let query = settings::Entity::find().filter(settings::Column::UserId.is_in(accounts));
        let rows = query.all(self.db.connection()).await?;
        Ok(rows.into_iter().map(|row| (row.user_id, row)).collect())
    }

    /// Carries out what was decided, and claims what is to be sent for `claimant`. What has changed since it was read
    /// is left for the next look. Returns the mail to send.
    pub async fn claim(
        &self,
        decided: Vec<(Message, Decision)>,
        claimant: Uuid,
    ) -> Result<Vec<Message>, Error> {
        let tx = self.db.begin().await?;
        let mut decisions: HashMap<MessageId, (Message, Decision)> =
            decided.into_iter().map(|it| (it.0.id, it)).collect();
        let rows = Entity::find()
            .filter(Column::Id.is_in(decisions.keys().copied()))
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&*tx)
            .await?;
        let mut claimed = Vec::new();
        for row in rows {
            let Some((seen, decision)) = decisions.remove(&row.id) else { continue };
            if row != seen {
                continue;
            }
            let to = row.state.transition(decision.event())?;
            match decision {
                Decision::Send => {
                    let attempts = row.attempts + 1;
                    claimed.push(Message { state: to, attempts, ..row });
                }
                Decision::Hold(until) => move_to(&tx, &row, to, Some(until), "").await?,
                Decision::Cancel(reason) | Decision::Fail(reason) => {
                    move_to(&tx, &row, to, None, reason).await?;
                }
            }
        }
        hand_over(&tx, &claimed, claimant).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Notes what became of the mail that `claimant` sent.
    pub async fn settle(
        &self,
        taken: Vec<MessageId>,
        setbacks: Vec<(MessageId, Setback)>,
        claimant: Uuid,
    ) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        if !taken.is_empty() {
            let delivered = State::Sent.transition(Event::Confirm)?;
            done(delivered, None, "", claimant).filter(Column::Id.is_in(taken)).exec(&*tx).await?;
        }
        for (id, setback) in setbacks {
            let (event, due_at, failure) = match setback {
                Setback::Later(at, failure) => (Event::Retry, Some(at), failure),
                Setback::Never(failure) => (Event::Fail, None, failure),
            };
            done(State::Sent.transition(event)?, due_at, failure, claimant)
                .filter(Column::Id.eq(id))
                .exec(&*tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn hand_over(tx: &Tx, claimed: &[Message], claimant: Uuid) -> Result<(), Error> {
    let Some(first) = claimed.first() else { return Ok(()) };
    Entity::update_many()
        .col_expr(Column::State, Expr::value(first.state))
        .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
        .col_expr(Column::DueAt, Expr::value(tx.now() + LEASE))
        .col_expr(Column::ClaimedBy, Expr::value(claimant))
        .filter(Column::Id.is_in(claimed.iter().map(|row| row.id)))
        .exec(&**tx)
        .await?;
    Ok(())
}

async fn move_to(
    tx: &Tx,
    row: &Message,
    to: State,
    due_at: Option<DateTime<Utc>>,
    failure: &str,
) -> Result<(), Error> {
    let moved = set(to, due_at, failure).filter(Column::Id.eq(row.id));
    moved.exec(&**tx).await?;
    Ok(())
}

/// The update of what `claimant` sent; of a mail that was claimed by another meanwhile, nothing.
fn done(
    to: State,
    due_at: Option<DateTime<Utc>>,
    failure: &str,
    claimant: Uuid,
) -> UpdateMany<Entity> {
    set(to, due_at, failure)
        .filter(Column::State.eq(State::Sent))
        .filter(Column::ClaimedBy.eq(claimant))
}

fn set(to: State, due_at: Option<DateTime<Utc>>, failure: &str) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::State, Expr::value(to))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::Failure, Expr::value(failure))
        .col_expr(Column::ClaimedBy, Expr::value(Option::<Uuid>::None))
}
