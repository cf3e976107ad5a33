//! Change orders at other services: the vertical prices what is proposed, and payment authorises what is approved. Both are
//! asked before the change is written.

use crate::{
    app::App,
    convert,
    domain::{
        Action, Actor, ChangeId, ChangeProposal, ChangeState, Error, JobDetails, Order, OrderId,
        Outcome, PriceLine, PricedChange, Principal,
    },
    repository::{change_raises, orders},
};
use chrono::Duration;
use prost::Message;
use proto::quickserve::{
    fulfilment::v1::{Party, QuoteChangeRequest, QuoteChangeResponse},
    order::v1::ProposeChangeRequest,
};
use uuid::Uuid;

impl App {
    /// Has the vertical price what `by` proposes. None when the state refuses the proposal: what refuses it also finds the
    /// answer of an earlier call with the same key.
    pub async fn price_change(
        &self,
        order: &Order,
        by: Actor,
        proposal: ChangeProposal,
    ) -> Result<Option<PricedChange>, Error> {
        if let Err(refused) = order.check_now(Action::ProposeChange, by, self.now(), &self.timing) {
            return if order.check(Action::ProposeChange, by).is_ok() {
                Err(refused)
            } else {
                Ok(None)
            };
        }
        if by == Actor::Customer && matches!(proposal, ChangeProposal::Plain(_)) {
            let problem = "must be given: customers price no lines";
            return Err(kit::Error::invalid("details", problem).into());
        }
        let details = match &proposal {
            ChangeProposal::Plain(_) => None,
            ChangeProposal::Details(details) => convert::details(&details.0),
        };
        let request = QuoteChangeRequest {
            order: Some(self.verticals.snapshot_of(order)),
            details,
            lines: convert::lines(&proposal.plain_lines(), order.currency()),
            proposer: proposer(by).into(),
            approving: false,
        };
        let answer = self.verticals.quote_change(&order.vertical, request).await?;
        let QuoteChangeResponse { lines, valid_for, denials } = answer;
        if !denials.is_empty() {
            return Err(Error::Denied(order.vertical.clone(), denials));
        }
        Ok(Some(PricedChange {
            order_version: order.version,
            lines: convert::change_lines(order, lines)?,
            valid_for: valid_for.map(|validity| Duration::seconds(validity.seconds)),
            proposal,
        }))
    }

    /// Asks the vertical whether a change that `by` proposed at the price of `lines` may be approved still. It hears first
    /// what it has not heard of the order yet, so that from then on it knows of the change that waits.
    pub async fn ask_about_approval(
        &self,
        order: &Order,
        by: Actor,
        lines: &[PriceLine],
    ) -> Result<(), Error> {
        self.tell_vertical(order.id).await?;
        let request = QuoteChangeRequest {
            order: Some(self.verticals.snapshot_of(order)),
            details: None,
            lines: convert::lines(lines, order.currency()),
            proposer: proposer(by).into(),
            approving: true,
        };
        let answer = self.verticals.quote_change(&order.vertical, request).await?;
        match answer.denials.is_empty() {
            true => Ok(()),
            false => Err(Error::Denied(order.vertical.clone(), answer.denials)),
        }
    }

    /// As [`App::authorize_change`], before a customer's own change is written. That it is asked for is written down with a
    /// timer first, which gives it back unless the change is written soon: the process may end in between, and the customer
    /// whose call got no answer need not come again.
    pub async fn authorize_own_change(
        &self,
        order: &Order,
        amount: i64,
        change: ChangeId,
    ) -> Result<Option<Uuid>, Error> {
        if amount <= 0 {
            return Ok(None);
        }
        let tx = self.db.begin().await?;
        change_raises::begin_raise(&tx, order.id, change).await?;
        tx.commit().await?;
        self.authorize_change(order, amount, change, String::new()).await
    }

    /// Gives back what was authorised for a change, unless that was written meanwhile.
    pub async fn settle_raise(&self, change: ChangeId) -> Result<(), Error> {
        let order = change_raises::find_order(self.db.connection(), change).await?;
        let Some(order) = order else { return Ok(()) };
        self.try_to_release(order, change).await
    }

    /// Authorises what a change adds, once for each change order, with the customer's `confirmation` where the card asked
    /// for one before. Returns the payment that was begun for it where the order had cost nothing.
    pub async fn authorize_change(
        &self,
        order: &Order,
        amount: i64,
        change: ChangeId,
        confirmation: String,
    ) -> Result<Option<Uuid>, Error> {
        if amount <= 0 {
            return Ok(None);
        }
        if order.payment.payment_id.is_some() {
            self.peers.raise(order, amount, change, confirmation).await?;
            return Ok(None);
        }
        let mut first = order.clone();
        first.payment.key = change.to_string();
        let authorization = self.authorize_amount(&first, amount, confirmation, false).await?;
        match authorization.outcome {
            Outcome::Authorized => Ok(authorization.payment_id),
            Outcome::Pending => Err(Error::ChangePaymentPending),
            Outcome::Declined => Err(Error::ChangeDeclined(authorization.decline_reason)),
            Outcome::ConfirmationRequired => {
                Err(Error::ConfirmationRequired(authorization.confirmation_url))
            }
            Outcome::MethodSaved => {
                Err(kit::Error::internal("a change is not authorised, its method is on file")
                    .into())
            }
        }
    }
}

impl App {
    /// Gives back what was authorised for a change whose approval `refused` then. What another call has approved, or may
    /// approve still, keeps it.
    pub async fn release_unless_approved(&self, order: OrderId, change: ChangeId, refused: &Error) {
        if let Err(error) = self.try_to_release(order, change).await {
            tracing::error!(%error, %refused, order.id = %order, change.id = %change, "cannot give back what was authorised for a change that was refused: it stays reserved until the capture");
        }
    }

    async fn try_to_release(&self, order: OrderId, change: ChangeId) -> Result<(), Error> {
        let tx = self.db.begin().await?;
        let system = Principal::System;
        let mut locked = orders::lock_order(&tx, order, &system, &self.timing).await?;
        let known = locked.order.progress.changes.iter().find(|known| known.id == change);
        let is_in_use = known.is_some_and(|known| match known.state {
            ChangeState::Proposed | ChangeState::Approved => true,
            ChangeState::Rejected | ChangeState::Expired => false,
        });
        // Under the lock of the order, so that no call writes a change whose raise goes back.
        change_raises::end_raise(&tx, change).await?;
        if is_in_use {
            return Ok(tx.commit().await?);
        }
        locked.release_raise(change);
        locked.caller_runs_side_effects = true;
        orders::save_order(&tx, locked).await?;
        tx.commit().await?;
        self.run_side_effects_now(order).await;
        Ok(())
    }
}

const fn proposer(by: Actor) -> Party {
    match by {
        Actor::Customer => Party::Customer,
        Actor::Provider => Party::Provider,
        Actor::Operator | Actor::Payment | Actor::System => Party::Platform,
    }
}

/// Reads what is proposed: details that the vertical prices, or lines that a provider prices.
pub fn parse_proposal(request: &mut ProposeChangeRequest) -> Result<ChangeProposal, Error> {
    let lines = std::mem::take(&mut request.lines);
    match (request.details.take(), lines.is_empty()) {
        (Some(details), true) => Ok(ChangeProposal::Details(JobDetails(details.encode_to_vec()))),
        (Some(_), false) => {
            Err(kit::Error::invalid("lines", "must be left out where there are details").into())
        }
        (None, true) => Err(kit::Error::invalid("details", "or lines must be given").into()),
        (None, false) => {
            let lines = lines.into_iter().map(|line| (line.label, line.minor_units));
            Ok(ChangeProposal::Plain(lines.collect()))
        }
    }
}
