//! What a vertical says of its own.

use crate::domain::{
    error::Error,
    job::{Job, OrderSnapshot},
    phase::Phase,
    place::Place,
    price::{ChangeQuote, GateAnswer, JobRequirements, Quote},
};
use chrono::{DateTime, NaiveDate, Utc};
use kit::{Tx, Window};
use prost::Message;
use proto::{quickserve::common::v1::Address, validate::Validate};
use serde::{Serialize, de::DeserializeOwned};
use std::future::{Future, ready};
use uuid::Uuid;

/// A vertical: how it prices a job, what it keeps of its own about one, and what it wants before the work is delivered.
/// [`crate::Server`] does the rest. What a vertical need not say has an answer here that fits most of them.
pub trait Vertical: Send + Sync + 'static {
    /// The message that the details of its orders fit.
    type Details: Message + Default + Clone + Validate + Send + Sync;
    /// The message that the details of a change fit; `()` where changes are plain lines only.
    type Change: Message + Default + Validate + Send + Sync;
    /// What it keeps about an order beyond what every vertical keeps. It is stored as JSON: fields that are added later
    /// need a default.
    type Own: Serialize + DeserializeOwned + Send + Sync;

    /// The key of the vertical, for example `cleaning`.
    const KEY: &'static str;
    /// The full name of its details message, for example `quickserve.cleaning.v1.CleaningDetails`.
    const DETAILS: &'static str;
    /// The full name of its change message; none where changes are plain lines only.
    const CHANGE: Option<&'static str> = None;
    /// Whether its jobs may recur.
    const RECURS: bool = false;
    /// Whether what it sees when it lets an order end must hold until the order has ended: its answer locks the record, as an
    /// open gate does, and acts that would change the answer are refused meanwhile.
    const LOCKS_END: bool = false;

    /// What every job requires: documents, crew and buffers.
    fn base_requirements(&self) -> JobRequirements;

    /// Prices a job and says what it requires.
    fn quote(
        &self,
        inputs: QuoteInputs<Self::Details>,
    ) -> impl Future<Output = Result<Quote, Error>> + Send;

    /// What it keeps of its own about an order that it meets for the first time.
    fn begin_job(&self, details: &Self::Details, order: &OrderSnapshot)
    -> Result<Self::Own, Error>;

    /// The order was priced on other details.
    fn change_details(&self, own: &mut Self::Own, details: &Self::Details) -> Result<(), Error>;

    /// The order has entered a phase: what the vertical keeps of its own follows. Rework is entered anew each time that
    /// the customer asks for it.
    fn enter_phase(&self, own: &mut Self::Own, phase: Phase);

    /// The order is at another version, in whatever phase: for verticals that follow its changes, its times or its price.
    fn follow_order(&self, _own: &mut Self::Own, _order: &OrderSnapshot) -> Result<(), Error> {
        Ok(())
    }

    /// Sets the timers of a job, or takes them back, in the transaction in which the vertical is told of its order.
    fn schedule_timers(
        &self,
        _tx: &Tx,
        _job: &Job<Self::Own>,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }

    /// The order, or the account of the provider who did the work, is erased: nothing that people wrote is kept.
    fn forget_texts(&self, own: &mut Self::Own);

    /// What speaks against the order's entering a phase, as stable codes.
    fn denials(&self, job: &Job<Self::Own>, to: Phase) -> Vec<&'static str>;

    /// What is missing before the work can be delivered, given the kinds of proof on file, and what it comes to then.
    fn judge_delivery(
        &self,
        job: &Job<Self::Own>,
        proof_kinds: &[String],
    ) -> impl Future<Output = Result<GateAnswer, Error>> + Send;

    /// Prices what shall be added to an order. Plain lines cost what their author says, unless the vertical knows better.
    fn quote_change(
        &self,
        _job: &Job<Self::Own>,
        _change: ChangeInputs<Self::Change>,
    ) -> impl Future<Output = Result<ChangeQuote, Error>> + Send {
        ready(Ok(ChangeQuote::default()))
    }

    /// What speaks against a change that was proposed before and is about to be approved, as stable codes. It changes the
    /// price by `amount` minor units.
    fn approval_denials(&self, _job: &Job<Self::Own>, _amount: i64) -> Vec<&'static str> {
        Vec::new()
    }

    /// Where a job stands in the vertical's own words, and what one side may do there.
    fn describe_job(&self, job: &Job<Self::Own>, _side: Side, _now: DateTime<Utc>) -> Description {
        Description { state: job.phase().code().to_owned(), actions: Vec::new() }
    }
}

/// What a job is priced on.
#[derive(Clone, Debug)]
pub struct QuoteInputs<D> {
    /// Inputs in the vertical's own shape.
    pub details: D,
    /// When the work shall happen; for a job as soon as possible, from when the customer waits.
    pub window: Window,
    /// Where the work shall happen.
    pub address: Address,
    /// The position of that address.
    pub place: Place,
    /// The account that asks.
    pub customer_id: Uuid,
    /// The finished order whose work is to be made good.
    pub parent: Option<RecalledOrder>,
    /// The series that the job belongs to.
    pub series: Option<SeriesPlace>,
    /// Whether the work shall begin as soon as a provider can be there.
    pub asap: bool,
}

/// A finished order that a new one follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecalledOrder {
    /// The finished order that the new one follows.
    pub order_id: Uuid,
    /// The first order of the chain of recalls.
    pub root_order_id: Uuid,
    /// When the work of the first order was accepted.
    pub root_completed_at: DateTime<Utc>,
}

/// Where a job stands in a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeriesPlace {
    /// The series that the visit belongs to.
    pub series_id: Uuid,
    /// Local date of the visit before; none for the first one.
    pub previous_on: Option<NaiveDate>,
}

/// What shall be added to an order.
#[derive(Clone, Debug)]
pub struct ChangeInputs<C> {
    /// What is asked for in the vertical's own shape; none for plain lines.
    pub details: Option<C>,
    /// Who proposes it.
    pub proposer: Side,
}

/// A side of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Who ordered the work.
    Customer,
    /// Who does it.
    Provider,
    /// Who runs the platform.
    Operator,
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// State in the vertical's own words.
    pub state: String,
    /// What one side may do at the vertical now.
    pub actions: Vec<&'static str>,
}
