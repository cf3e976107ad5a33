//! What repair says of its own as a vertical.

use crate::{
    convert::{self, CHANGE_MESSAGE, RepairJob},
    domain::{
        Repair, RepairInputs,
        details::RepairedItem,
        estimate::{AskedWork, denial},
        repair::UNFINISHED,
        state::RepairState,
        tables::RepairTables,
    },
    repository, worker,
};
use chrono::{DateTime, Duration, Utc};
use kit::{Db, Tx};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    repair::v1::{RepairDetails, RepairEstimate},
};
use uuid::Uuid;
use vertical::{
    ChangeInputs, Description, Error, OrderSnapshot, Phase, QuoteInputs, RecalledOrder, Side,
    Vertical,
    price::{ChangeQuote, GateAnswer, JobRequirements, Quote},
    repository::{Reach, find_job},
};

/// The work was accepted too long ago, or something else was repaired.
const RECALL_WINDOW: &str = "RECALL_WINDOW";

/// Prices and follows repairs, by its tables.
pub struct Repairs {
    db: Db,
    tables: RepairTables,
}

impl Repairs {
    /// Prices by `tables`; appliances and what was repaired before are in `db`.
    pub const fn new(db: Db, tables: RepairTables) -> Self {
        Self { db, tables }
    }

    /// The brand of what is to be repaired, as far as the customer says it. Fails where the appliance is not the customer's.
    async fn find_brand(
        &self,
        item: &RepairedItem,
        customer_id: Uuid,
    ) -> Result<Option<String>, Error> {
        match item {
            RepairedItem::Unnamed => Ok(None),
            RepairedItem::Described { brand, .. } => Ok(Some(brand.clone())),
            RepairedItem::Owned(id) => {
                let db = self.db.connection();
                match repository::find_appliance(db, customer_id, *id).await? {
                    Some(appliance) => Ok(Some(appliance.brand)),
                    None => {
                        let problem = "is not one of your appliances";
                        Err(Error::invalid("details.appliance_id", problem))
                    }
                }
            }
        }
    }

    /// Refuses to make work good that was accepted too long ago, or on something else. A recall of a recall counts from the
    /// first order.
    async fn check_recall(
        &self,
        parent: &RecalledOrder,
        inputs: &RepairInputs,
    ) -> Result<(), Error> {
        let days = self.tables.recall_days;
        if self.db.clock().now() > parent.root_completed_at + Duration::days(days) {
            let problem = format!("the work was accepted more than {days} days ago");
            return Err(Error::Refused(RECALL_WINDOW, problem));
        }
        let repaired: RepairJob =
            find_job(self.db.connection(), parent.order_id, Reach::All).await?;
        let before = convert::read_details(&convert::stored_details(&repaired.order.details)?)?;
        match before.repairs_same_item(inputs) {
            true => Ok(()),
            false => {
                let problem = "the order repaired something else: book another repair";
                Err(Error::Refused(RECALL_WINDOW, problem.to_owned()))
            }
        }
    }

    /// Prices an estimate at the terms of the booking.
    fn price_estimate(&self, job: &RepairJob, asked: &AskedWork) -> Result<ChangeQuote, Error> {
        let valid_for = Some(Duration::hours(self.tables.estimate_hours));
        match job.own.price_estimate(asked)? {
            Some(lines) => Ok(ChangeQuote { lines: Some(lines), valid_for, denials: Vec::new() }),
            None => Ok(denied(denial::NOT_SERVED)),
        }
    }
}

fn denied(reason: &'static str) -> ChangeQuote {
    ChangeQuote { denials: vec![reason], ..ChangeQuote::default() }
}

/// Whether the order is in the course of its work, so that its estimates decide how the repair stands. In rework they do not.
fn estimates_decide(order: &OrderSnapshot) -> bool {
    let state = OrderState::try_from(order.state).unwrap_or_default();
    matches!(state, OrderState::InProgress | OrderState::AwaitingApproval)
}

impl Vertical for Repairs {
    type Details = RepairDetails;
    type Change = RepairEstimate;
    type Own = Repair;

    const KEY: &'static str = "repair";
    const DETAILS: &'static str = "quickserve.repair.v1.RepairDetails";
    const CHANGE: Option<&'static str> = Some(CHANGE_MESSAGE);

    fn base_requirements(&self) -> JobRequirements {
        self.tables.base_requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<RepairDetails>) -> Result<Quote, Error> {
        let QuoteInputs { details, window, address, customer_id, parent, .. } = inputs;
        let inputs = convert::read_details(&details)?;
        if let Some(parent) = parent {
            self.check_recall(&parent, &inputs).await?;
            return self.tables.quote_recall(&address.country, &inputs);
        }
        let brand = self.find_brand(&inputs.item, customer_id).await?;
        let now = self.db.clock().now();
        self.tables.quote(&address.country, &inputs, brand.as_deref(), window, now)
    }

    fn begin_job(&self, details: &RepairDetails, order: &OrderSnapshot) -> Result<Repair, Error> {
        let inputs = convert::read_details(details)?;
        let recall = order.facts.parent_order_id.is_some();
        let terms = self.tables.terms(&order.facts.country, inputs.category, recall);
        Ok(Repair::begin(terms, recall))
    }

    fn change_details(&self, _: &mut Repair, _: &RepairDetails) -> Result<(), Error> {
        Ok(())
    }

    fn enter_phase(&self, own: &mut Repair, phase: Phase) {
        own.enter_phase(phase);
    }

    /// Until the repairer is at work the terms and the time follow the quote, which a move to another hour replaces.
    fn follow_order(&self, own: &mut Repair, order: &OrderSnapshot) -> Result<(), Error> {
        if let Some(bytes) = order.details.as_deref().filter(|_| own.state == RepairState::Booked) {
            let inputs = convert::read_details(&convert::stored_details(bytes)?)?;
            own.terms = self.tables.terms(&order.facts.country, inputs.category, own.recall);
            let booked_at = order.facts.times.booked_at;
            own.sla_due_at =
                booked_at.map(|at| self.tables.sla_due_at(inputs.urgency, at, &order.window));
        }
        own.follow_changes(convert::told_changes(&order.facts)?);
        if estimates_decide(order) {
            own.follow_estimates();
        }
        Ok(())
    }

    async fn schedule_timers(&self, tx: &Tx, job: &RepairJob) -> Result<(), Error> {
        worker::schedule_sla(tx, job).await
    }

    fn forget_texts(&self, own: &mut Repair) {
        own.forget_texts();
    }

    fn denials(&self, job: &RepairJob, to: Phase) -> Vec<&'static str> {
        match to {
            Phase::Delivered if !job.own.state.is_over() => vec![UNFINISHED],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        job: &RepairJob,
        proof_kinds: &[String],
    ) -> Result<GateAnswer, Error> {
        let missing = job.own.missing(proof_kinds);
        if !missing.is_empty() {
            return Ok(GateAnswer::as_agreed(missing));
        }
        let settlement = job.own.settle_returned_parts();
        Ok(GateAnswer { settlement, ..GateAnswer::default() })
    }

    async fn quote_change(
        &self,
        job: &RepairJob,
        change: ChangeInputs<RepairEstimate>,
    ) -> Result<ChangeQuote, Error> {
        if let Some(reason) = job.own.estimate_denial(change.proposer) {
            return Ok(denied(reason));
        }
        match change.details {
            None => Ok(denied(denial::ESTIMATE_REQUIRED)),
            Some(estimate) => self.price_estimate(job, &convert::read_estimate(&estimate)?),
        }
    }

    fn describe_job(&self, job: &RepairJob, side: Side, _: DateTime<Utc>) -> Description {
        let actions = match side {
            Side::Provider => job.own.state.provider_actions().to_vec(),
            Side::Customer | Side::Operator => Vec::new(),
        };
        Description { state: job.own.state.name().to_owned(), actions }
    }
}
