//! What child_assistance says of its own as a vertical.

use crate::{
    convert::{self, CareJob},
    domain::{
        Care, Error,
        age::months_on,
        details::AskedChild,
        price::{AgreedCare, PricedChildren},
        settlement::CareCourse,
        tables::CareTables,
    },
    repository::guardians,
    vault::Vault,
};
use chrono::{DateTime, NaiveDate, Utc};
use kit::{Db, Window};
use proto::quickserve::child_assistance::v1::CareDetails;
use std::sync::Arc;
use uuid::Uuid;
use vertical::{
    Description, OrderSnapshot, Phase, QuoteInputs, Side, Vertical,
    price::{GateAnswer, JobRequirements, Quote},
};

/// Not every child is named.
const CHILDREN_NOT_NAMED: &str = "CHILDREN_NOT_NAMED";
/// A child is with the carer.
const CHILD_CHECKED_IN: &str = "CHILD_CHECKED_IN";

/// Prices and follows care, by its tables.
#[derive(Clone)]
pub struct Cares {
    db: Db,
    tables: Arc<CareTables>,
    vault: Vault,
}

impl Cares {
    /// Prices by `tables`; the children are in `db`.
    pub const fn new(db: Db, tables: Arc<CareTables>, vault: Vault) -> Self {
        Self { db, tables, vault }
    }

    /// The ages of children in months on the day of the care. Who is known must be managed by who asks.
    async fn find_ages(
        &self,
        children: &[AskedChild],
        customer_id: Uuid,
        window: &Window,
    ) -> Result<Vec<i64>, Error> {
        let mut ages = Vec::new();
        for (index, child) in children.iter().enumerate() {
            let months = match child {
                AskedChild::OfAge(months) => *months,
                AskedChild::Known(id) => {
                    let field = format!("details.children[{index}].child_id");
                    self.find_age(*id, customer_id, window, &field).await?
                }
            };
            ages.push(months);
        }
        Ok(ages)
    }

    /// The age of a child that an account manages, in months on the day of the care.
    pub async fn find_age(
        &self,
        child_id: Uuid,
        customer_id: Uuid,
        window: &Window,
        field: &str,
    ) -> Result<i64, Error> {
        let db = self.db.connection();
        let found = guardians::find_as_guardian(db, child_id, customer_id).await;
        let child = match found {
            Ok((child, guardian)) if guardian.manages() => child,
            Ok(_) | Err(Error::ChildNotFound) => {
                return Err(Error::invalid(field, "must be a child that you manage"));
            }
            Err(error) => return Err(error),
        };
        let months = months_on(self.vault.open_child(&child)?.born_on, local_date(window));
        match months {
            0.. => Ok(months),
            _ => Err(Error::invalid(field, "must be a child that is born by then")),
        }
    }
}

/// The date of care on the clock of its place.
fn local_date(window: &Window) -> NaiveDate {
    window.start.with_timezone(&window.zone).date_naive()
}

impl Vertical for Cares {
    type Details = CareDetails;
    type Change = ();
    type Own = Care;

    const KEY: &'static str = "child_assistance";
    const DETAILS: &'static str = "quickserve.child_assistance.v1.CareDetails";

    fn base_requirements(&self) -> JobRequirements {
        self.tables.base_requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<CareDetails>) -> Result<Quote, vertical::Error> {
        let QuoteInputs { details, window, address, customer_id, .. } = inputs;
        let inputs = convert::read_details(&details)?;
        let ages = self.find_ages(&inputs.children, customer_id, &window).await?;
        let children = PricedChildren::of(&ages);
        Ok(self.tables.quote(&address.country, children, inputs.special_care, &window)?)
    }

    fn begin_job(
        &self,
        details: &CareDetails,
        order: &OrderSnapshot,
    ) -> Result<Care, vertical::Error> {
        let inputs = convert::read_details(details)?;
        let terms = self.tables.prices.get(&order.facts.country).map(|care| care.terms.clone());
        Ok(Care::begin(inputs.children.len(), inputs.named(), terms))
    }

    fn change_details(&self, _: &mut Care, _: &CareDetails) -> Result<(), vertical::Error> {
        Ok(())
    }

    fn enter_phase(&self, own: &mut Care, phase: Phase) {
        own.enter_phase(phase);
    }

    /// Nothing that people wrote is in it.
    fn forget_texts(&self, _: &mut Care) {}

    fn denials(&self, job: &CareJob, to: Phase) -> Vec<&'static str> {
        match to {
            Phase::Working if !job.own.is_named() => vec![CHILDREN_NOT_NAMED],
            Phase::Delivered => job.own.missing(),
            Phase::Ended if job.own.has_child_in() => vec![CHILD_CHECKED_IN],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        job: &CareJob,
        _: &[String],
    ) -> Result<GateAnswer, vertical::Error> {
        let missing = job.own.missing();
        let currency = job.order.facts.quoted.first().map(|line| line.total.currency);
        let (Some(terms), Some(currency), []) = (&job.own.terms, currency, missing.as_slice())
        else {
            return Ok(GateAnswer::as_agreed(missing));
        };
        let facts = &job.order.facts;
        let course = CareCourse { window: job.order.window(), started_at: facts.times.started_at };
        let bill = terms.settle(&job.own, &AgreedCare::of(facts), course, currency);
        Ok(GateAnswer { missing: Vec::new(), settlement: bill.settlement, due: bill.due })
    }

    fn describe_job(&self, job: &CareJob, side: Side, now: DateTime<Utc>) -> Description {
        let state = convert::shown_state(job, now);
        let actions = match side {
            Side::Provider => job.own.carer_actions(),
            Side::Customer if !job.own.is_named() => vec!["nameChildren"],
            Side::Operator if job.own.has_child_in() => vec!["checkOut"],
            Side::Customer | Side::Operator => Vec::new(),
        };
        Description { state: state.name().to_owned(), actions }
    }
}
