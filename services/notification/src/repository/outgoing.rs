//! Mail on its way: what is due, what is handed over, what became of it.

use super::Repository;
use crate::{
    domain::records::{
        message::{Column, Entity},
        settings,
    },
    domain::{
        Error, Message, MessageId, Settings,
        message::{MailDecision, MessageEvent, State},
    },
};
use chrono::{DateTime, Utc};
use kit::messaging::queue::{self, Claim};
use sea_orm::{QueryOrder, UpdateMany, entity::prelude::*, sea_query::ExprTrait};
use std::collections::HashMap;

/// What became of a mail that was handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailOutcome {
    /// It was taken.
    Taken,
    /// It is tried again then.
    Later(DateTime<Utc>, &'static str),
    /// It is given up.
    Never(&'static str),
}

impl Repository {
    /// Claims mail that is due, the longest due first.
    pub async fn claim_due(&self, limit: u64) -> Result<Claim<Message>, Error> {
        let due = Entity::find().order_by_asc(Column::DueAt);
        let mut claim = queue::claim(&self.db, due, limit).await?;
        claim.rows.sort_by_key(|message| message.due_at);
        Ok(claim)
    }

    /// When the next mail falls due.
    pub async fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let waiting = Entity::find().filter(Column::DueAt.is_not_null());
        let next = waiting.order_by_asc(Column::DueAt).one(self.db.connection()).await?;
        Ok(next.and_then(|row| Ord::max(row.due_at, row.lease_until)))
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

    /// Carries out the decision not to send a claimed mail now. One that was dropped meanwhile stays dropped.
    pub async fn set_aside(
        &self,
        claim: Uuid,
        message: &Message,
        decision: MailDecision,
    ) -> Result<(), Error> {
        let (due_at, reason) = match decision {
            MailDecision::Send => return Ok(()),
            MailDecision::Hold(until) => (Some(until), ""),
            MailDecision::Cancel(reason) | MailDecision::Fail(reason) => (None, reason),
        };
        let to = message.state.transition(decision.event())?;
        settled(claim, to, due_at, reason)
            .filter(Column::Id.eq(message.id))
            .filter(Column::State.eq(message.state))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }

    /// Notes that claimed mail is being handed over, before it is. Returns it, without what was overtaken or erased
    /// meanwhile.
    pub async fn begin_sending(
        &self,
        claim: Uuid,
        ids: Vec<MessageId>,
    ) -> Result<Vec<Message>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let begun = Entity::update_many()
            .col_expr(Column::State, Expr::value(State::Sent))
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .filter(Column::Id.is_in(ids))
            .filter(Column::ClaimedBy.eq(claim))
            .filter(Column::DueAt.is_not_null())
            .filter(Column::Stale.eq(false))
            .exec_with_returning(self.db.connection())
            .await?;
        Ok(begun)
    }

    /// Notes what became of mail that was handed over; of what another worker claimed meanwhile, nothing.
    pub async fn settle(
        &self,
        claim: Uuid,
        ids: Vec<MessageId>,
        outcome: MailOutcome,
    ) -> Result<(), Error> {
        let (event, due_at, failure) = match outcome {
            MailOutcome::Taken => (MessageEvent::Confirm, None, ""),
            MailOutcome::Later(at, failure) => (MessageEvent::Retry, Some(at), failure),
            MailOutcome::Never(failure) => (MessageEvent::Fail, None, failure),
        };
        settled(claim, State::Sent.transition(event)?, due_at, failure)
            .filter(Column::Id.is_in(ids))
            .filter(Column::State.eq(State::Sent))
            .exec(self.db.connection())
            .await?;
        Ok(())
    }
}

fn settled(
    claim: Uuid,
    to: State,
    due_at: Option<DateTime<Utc>>,
    failure: &str,
) -> UpdateMany<Entity> {
    queue::settle::<Entity>(claim)
        .col_expr(Column::State, Expr::value(to))
        .col_expr(Column::DueAt, Expr::value(due_at))
        .col_expr(Column::Failure, Expr::value(failure))
}
