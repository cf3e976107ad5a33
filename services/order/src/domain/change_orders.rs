//! Change orders: more or other work than was booked. The vertical prices it; what a provider proposes the customer approves,
//! what a customer proposes is approved once it is paid for.

use super::{
    Action, Actor, ChangeId, ChangeLines, ChangeState, Error, JobDetails, KnownChange, LineOrigin,
    OrderChange, Party, PendingChange, PriceLine, PriceLines, RecordChange, Resource, SideEffect,
    price::sum_of, records::change_order, timing::seconds_of,
};
use chrono::Duration;
use uuid::Uuid;

/// The longest time for which a change can be approved, whatever the vertical says.
const LONGEST_VALIDITY: Duration = Duration::days(30);

/// What a change is about, as it was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum ChangeProposal {
    /// Lines that the provider priced: label and minor units.
    Plain(Vec<(String, i64)>),
    /// Inputs that the vertical prices.
    Details(JobDetails),
}

/// A change as the vertical priced it.
#[derive(Clone, Debug, PartialEq)]
pub struct PricedChange {
    /// The version of the order that the vertical was asked about.
    pub order_version: i64,
    pub proposal: ChangeProposal,
    /// What is added to the price.
    pub lines: Vec<PriceLine>,
    /// How long the price holds; none leaves it to order.
    pub valid_for: Option<Duration>,
}

impl ChangeProposal {
    /// The lines of the proposal that its author priced.
    pub fn plain_lines(&self) -> Vec<PriceLine> {
        match self {
            Self::Details(_) => Vec::new(),
            Self::Plain(lines) => lines.iter().map(|(_, total)| plain_line(*total)).collect(),
        }
    }
}

/// A line that a provider priced without the vertical.
fn plain_line(total: i64) -> PriceLine {
    PriceLine {
        code: "order.change".to_owned(),
        quantity: 1.0,
        unit: "change".to_owned(),
        total,
        payer: Party::Customer,
        earner: Party::Provider,
        pass_through: false,
        origin: LineOrigin::Change,
    }
}

impl PricedChange {
    /// What it adds to the price, in minor units.
    pub fn amount(&self) -> Result<i64, Error> {
        sum_of(&self.lines)
    }

    /// The lines as people read them: by the words of their author where the vertical left them as they were.
    fn labelled_lines(&self) -> ChangeLines {
        let labels = match &self.proposal {
            ChangeProposal::Plain(lines) => lines.as_slice(),
            ChangeProposal::Details(_) => &[],
        };
        let plain = self.proposal.plain_lines();
        let labelled = self.lines.iter().enumerate().map(|(index, line)| {
            let label = match (labels.get(index), plain.get(index)) {
                (Some((label, _)), Some(asked)) if asked == line => label,
                _ => &line.code,
            };
            (label.clone(), line.total)
        });
        ChangeLines(labelled.collect())
    }

    fn details(&self) -> Option<JobDetails> {
        match &self.proposal {
            ChangeProposal::Plain(_) => None,
            ChangeProposal::Details(details) => Some(details.clone()),
        }
    }
}

impl change_order::Model {
    /// The lines as they join those of the order. Changes of earlier versions are one line of the provider's.
    pub fn approved_lines(&self) -> Vec<PriceLine> {
        match &self.price_lines {
            Some(PriceLines(lines)) => lines.clone(),
            None => vec![plain_line(self.amount)],
        }
    }
}

impl OrderChange {
    /// Proposes other work. What a provider proposes waits for the customer; what a customer proposes has been paid for
    /// before, and is approved.
    pub fn propose_change(
        &mut self,
        id: ChangeId,
        priced: PricedChange,
        reason: String,
    ) -> Result<change_order::Model, Error> {
        self.act(Action::ProposeChange, "")?;
        if priced.order_version != self.order.version {
            return Err(Error::Changed);
        }
        let amount = self.check_amount(&priced)?;
        let validity = priced.valid_for.filter(|validity| *validity > Duration::zero());
        let validity = validity.unwrap_or_else(|| seconds_of(self.timing.change_s));
        let valid_till = self.now + validity.min(LONGEST_VALIDITY);
        let lines = priced.lines.iter();
        let lines = lines.map(|line| PriceLine { origin: LineOrigin::Change, ..line.clone() });
        let row = change_order::Model {
            id,
            order_id: self.order.id,
            lines: priced.labelled_lines(),
            price_lines: Some(PriceLines(lines.collect())),
            reason,
            amount,
            state: ChangeState::Proposed,
            proposed_by: self.by,
            valid_till,
            created_at: self.now,
            decided_at: None,
        };
        let known = KnownChange { id, state: ChangeState::Proposed, details: priced.details() };
        self.order.progress.changes.push(known);
        match self.by {
            Actor::Customer => self.approve_own_change(row),
            _ => Ok(self.wait_for_approval(row)),
        }
    }

    /// What the change adds, if the order still costs something afterwards.
    fn check_amount(&self, priced: &PricedChange) -> Result<i64, Error> {
        let amount = priced.amount()?;
        match self.order.total.checked_add(amount) {
            Some(total) if total >= 0 => Ok(amount),
            Some(_) => {
                Err(kit::Error::internal("a change would take more off than the order costs")
                    .into())
            }
            None => Err(kit::Error::invalid("lines", "add up to too much").into()),
        }
    }

    fn wait_for_approval(&mut self, row: change_order::Model) -> change_order::Model {
        let change_order::Model { id, amount, valid_till, .. } = row;
        self.order.progress.change = Some(PendingChange { id, amount, valid_till });
        self.records.push(RecordChange::ProposeChange(row.clone()));
        self.publish("order.change_proposed").addressee = "customer";
        row
    }

    fn approve_own_change(
        &mut self,
        mut row: change_order::Model,
    ) -> Result<change_order::Model, Error> {
        row.state = ChangeState::Approved;
        row.decided_at = Some(self.now);
        self.add_lines(&row)?;
        self.note_change(row.id, ChangeState::Approved);
        self.records.push(RecordChange::ProposeChange(row.clone()));
        self.publish("order.changed").addressee = "provider";
        Ok(row)
    }

    /// The customer agrees to other work, and the money for it is authorised, with `payment` where there was none before.
    pub fn approve_change(
        &mut self,
        row: &change_order::Model,
        payment: Option<Uuid>,
    ) -> Result<(), Error> {
        self.pending_change(row.id, Action::ApproveChange)?;
        self.act(Action::ApproveChange, "")?;
        self.note_authorized_change(payment);
        self.add_lines(row)?;
        self.decide_change(row.id, ChangeState::Approved, "provider");
        Ok(())
    }

    /// Notes the payment that was begun for a change of an order that cost nothing before.
    pub const fn note_authorized_change(&mut self, payment: Option<Uuid>) {
        if payment.is_some() {
            self.order.payment.payment_id = payment;
        }
    }

    fn add_lines(&mut self, row: &change_order::Model) -> Result<(), Error> {
        self.order.terms.lines.extend(row.approved_lines());
        self.order.total = sum_of(&self.order.terms.lines)?;
        Ok(())
    }

    /// The customer refuses other work, or the provider takes the proposal back.
    pub fn reject_change(&mut self, id: ChangeId) -> Result<(), Error> {
        self.pending_change(id, Action::RejectChange)?;
        self.act(Action::RejectChange, "")?;
        let addressee = if self.by == Actor::Customer { "provider" } else { "customer" };
        self.release_raise(id);
        self.decide_change(id, ChangeState::Rejected, addressee);
        Ok(())
    }

    /// Gives back what was authorised for a change that did not come to be: its approval was refused, or never written.
    pub fn release_raise(&mut self, id: ChangeId) {
        self.enqueue(SideEffect::ReleaseRaise { change: id.uuid() });
    }

    /// The customer did not decide in time.
    pub fn expire_change(&mut self) -> Result<(), Error> {
        let pending = self.order.progress.change.clone();
        self.act_as(Action::Expire, Actor::System, "CHANGE_EXPIRED")?;
        if let Some(change) = pending {
            self.release_raise(change.id);
            self.decide_change(change.id, ChangeState::Expired, "provider");
        }
        Ok(())
    }

    /// Ends the change order that waits, since the work is broken off.
    pub(super) fn drop_change(&mut self) {
        if let Some(change) = self.order.progress.change.take() {
            self.note_change(change.id, ChangeState::Expired);
            self.records.push(RecordChange::DecideChange(change.id, ChangeState::Expired));
        }
    }

    /// The change order that waits, if it is this one. A decided one is refused for the order's state.
    pub fn pending_change(&self, id: ChangeId, action: Action) -> Result<PendingChange, Error> {
        self.check(action)?;
        let pending = self.order.progress.change.clone().filter(|change| change.id == id);
        pending.ok_or(Error::NotFound(Resource::ChangeOrder))
    }

    fn decide_change(&mut self, id: ChangeId, state: ChangeState, addressee: &'static str) {
        self.order.progress.change = None;
        self.note_change(id, state);
        self.records.push(RecordChange::DecideChange(id, state));
        self.publish("order.change_decided").addressee = addressee;
    }

    /// Notes how a change stands, as the vertical is told.
    fn note_change(&mut self, id: ChangeId, state: ChangeState) {
        for known in self.order.progress.changes.iter_mut().filter(|known| known.id == id) {
            known.state = state;
        }
    }
}
