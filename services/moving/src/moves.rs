//! What moving says of its own as a vertical.

use crate::{
    convert::{self, CHANGE_MESSAGE, MoveJob},
    domain::{
        Move, MoveInputs,
        price::{MoveTerms, MoveWork, sum_of},
        settlement::settle,
        state::MoveState,
        tables::MoveTables,
        waybill::SignedStage,
    },
};
use chrono::{DateTime, Duration, Utc};
use proto::quickserve::moving::v1::{MoveChange, MoveDestination, MoveDetails};
use std::sync::Arc;
use vertical::{
    ChangeInputs, Description, Error, OrderSnapshot, Phase, QuoteInputs, Side, Vertical,
    price::{ChangeQuote, GateAnswer, JobRequirements, Line, Quote},
};

/// What is missing while the delivery is not signed for.
const UNFINISHED: &str = "move.unfinished";
/// The goods are loaded: nothing changes the price any more.
const PRICE_FIXED: &str = "PRICE_FIXED";
/// The work would take longer than one move may.
const TOO_LONG: &str = "TOO_LONG";
/// The country is not served any more, so that no change can be priced.
const NOT_SERVED: &str = "NOT_SERVED";

/// Prices and follows moves, by its tables.
#[derive(Clone)]
pub struct Moves {
    pub tables: Arc<MoveTables>,
}

impl Moves {
    /// Prices by `tables`.
    pub fn new(tables: MoveTables) -> Self {
        Self { tables: Arc::new(tables) }
    }

    /// The work that a job comes to as it stands: with its goods, and to where they go by now.
    pub fn current_work(&self, job: &MoveJob) -> Result<Option<MoveWork>, Error> {
        let to = self.current_destination(job)?;
        Ok(convert::work_to(&job.own, &self.tables, job.order.place(), to.as_ref()))
    }

    fn current_destination(&self, job: &MoveJob) -> Result<Option<MoveDestination>, Error> {
        let details = convert::stored_details(&job.order.details)?;
        convert::current_destination(&details, &job.order.facts)
    }

    /// The terms of an order, whose country may not be served any more.
    fn terms_of(&self, inputs: &MoveInputs, order: &OrderSnapshot) -> Option<MoveTerms> {
        let rates = self.tables.prices.get(&order.facts.country)?;
        let metres = self.tables.drive.metres_between(&order.place?, &inputs.destination);
        Some(self.tables.terms_of(rates, inputs, metres))
    }

    /// Prices other work at the terms of the quote.
    fn price_change(&self, job: &MoveJob, change: &MoveChange) -> Result<ChangeQuote, Error> {
        if !change.inventory && change.to.is_none() {
            let problem = "must be true, or `to` must be given: a change is about one of them";
            return Err(Error::invalid("details.inventory", problem));
        }
        let (Some(terms), Some(now)) = (&job.own.terms, self.current_work(job)?) else {
            return Ok(denied(NOT_SERVED));
        };
        let to = match &change.to {
            Some(to) => Some(to.clone()),
            None => self.current_destination(job)?,
        };
        let then = convert::work_to(&job.own, &self.tables, job.order.place(), to.as_ref());
        let Some(then) = then else { return Ok(denied(NOT_SERVED)) };
        if job.own.state.is_price_fixed() {
            let is_dearer = sum_of(&terms.price(&then)) > sum_of(&terms.price(&now));
            let is_refused = change.inventory || is_dearer;
            return Ok(if is_refused { denied(PRICE_FIXED) } else { self.priced(Vec::new()) });
        }
        if terms.is_too_long(&then) {
            return Ok(denied(TOO_LONG));
        }
        Ok(self.priced(terms.change_lines(&job.order.facts, &then)))
    }

    fn priced(&self, lines: Vec<Line>) -> ChangeQuote {
        let valid_for = Some(Duration::minutes(self.tables.change_valid_minutes));
        ChangeQuote { lines: Some(lines), valid_for, denials: Vec::new() }
    }
}

fn denied(denial: &'static str) -> ChangeQuote {
    ChangeQuote { denials: vec![denial], ..ChangeQuote::default() }
}

/// The proofs that a move must have: who signed for an absent customer is shown by a photo or a signature.
fn missing_proofs(own: &Move, proof_kinds: &[String]) -> Vec<String> {
    let stages = own.delegated_stages().map(SignedStage::name);
    let missing = stages.map(|stage| format!("delegate.{stage}")).filter(|place| {
        let (photo, signature) = (format!("{place}.photo"), format!("{place}.signature"));
        !proof_kinds.iter().any(|kind| [&photo, &signature].contains(&kind))
    });
    missing.map(|place| format!("{place}.photo")).collect()
}

impl Vertical for Moves {
    type Details = MoveDetails;
    type Change = MoveChange;
    type Own = Move;

    const KEY: &'static str = "moving";
    const DETAILS: &'static str = "quickserve.moving.v1.MoveDetails";
    const CHANGE: Option<&'static str> = Some(CHANGE_MESSAGE);

    fn base_requirements(&self) -> JobRequirements {
        self.tables.base_requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<MoveDetails>) -> Result<Quote, Error> {
        let QuoteInputs { details, address, place, asap, .. } = inputs;
        if asap {
            return Err(Error::invalid("asap", "is not for moves: a crew is booked for a window"));
        }
        let inputs = convert::read_details(&self.tables, &address.country, &details)?;
        let metres = self.tables.drive.metres_between(&place, &inputs.destination);
        self.tables.quote(&address.country, &inputs, metres)
    }

    fn begin_job(&self, details: &MoveDetails, order: &OrderSnapshot) -> Result<Move, Error> {
        let inputs = convert::accept_details(&self.tables, details)?;
        let terms = self.terms_of(&inputs, order);
        Ok(Move::begin(inputs.lines, terms))
    }

    /// What was booked is followed until the work begins, see [`Moves::follow_order`].
    fn change_details(&self, _: &mut Move, _: &MoveDetails) -> Result<(), Error> {
        Ok(())
    }

    fn enter_phase(&self, own: &mut Move, phase: Phase) {
        own.enter_phase(phase);
    }

    /// Until the work begins the inventory and the terms are those of the quote.
    fn follow_order(&self, own: &mut Move, order: &OrderSnapshot) -> Result<(), Error> {
        let is_to_come = own.state == MoveState::Booked;
        if let Some(bytes) = order.details.as_deref().filter(|_| is_to_come) {
            let details = convert::stored_details(bytes)?;
            *own = self.begin_job(&details, order)?;
        }
        Ok(())
    }

    fn forget_texts(&self, own: &mut Move) {
        own.forget_texts();
    }

    fn denials(&self, job: &MoveJob, to: Phase) -> Vec<&'static str> {
        match to {
            Phase::Delivered if job.own.state != MoveState::Signed => vec![UNFINISHED],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        job: &MoveJob,
        proof_kinds: &[String],
    ) -> Result<GateAnswer, Error> {
        if job.own.state != MoveState::Signed {
            return Ok(GateAnswer::as_agreed([UNFINISHED]));
        }
        let missing = missing_proofs(&job.own, proof_kinds);
        if !missing.is_empty() {
            return Ok(GateAnswer::as_agreed(missing));
        }
        let work = match &job.own.fixed_work {
            Some(work) => Some(work.clone()),
            None => self.current_work(job)?,
        };
        Ok(work.map(|work| settle(&job.own, &job.order.facts, &work)).unwrap_or_default())
    }

    async fn quote_change(
        &self,
        job: &MoveJob,
        change: ChangeInputs<MoveChange>,
    ) -> Result<ChangeQuote, Error> {
        match change.details {
            None if job.own.state.is_price_fixed() => Ok(denied(PRICE_FIXED)),
            None => Ok(ChangeQuote::default()),
            Some(change) => self.price_change(job, &change),
        }
    }

    fn approval_denials(&self, job: &MoveJob, amount: i64) -> Vec<&'static str> {
        match job.own.state.is_price_fixed() && amount != 0 {
            true => vec![PRICE_FIXED],
            false => Vec::new(),
        }
    }

    fn describe_job(&self, job: &MoveJob, side: Side, _: DateTime<Utc>) -> Description {
        let actions = match side {
            Side::Provider => job.own.state.provider_actions(),
            Side::Customer => job.own.state.customer_actions(),
            Side::Operator => &[],
        };
        Description { state: job.own.state.name().to_owned(), actions: actions.to_vec() }
    }
}
