//! What child_assistance says of its own as a vertical.

use crate::{
    convert::{self, CareJob},
    domain::{
        Care, Error,
        age::{INFANT_BELOW, months_on},
        details::AskedChild,
        price::{AgreedCare, PricedChildren},
        records::Child,
        settlement::CareCourse,
        tables::CareTables,
    },
    repository::{children, guardians},
    vault::Vault,
};
use chrono::{DateTime, NaiveDate, Utc};
use kit::{Db, Tx, Window};
use proto::quickserve::child_assistance::v1::CareDetails;
use std::sync::Arc;
use uuid::Uuid;
use vertical::{
    Description, OrderRecord, OrderSnapshot, Phase, QuoteInputs, Side, Vertical,
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
        self.age_of(&child, window, field)
    }

    /// The age of a child in months on the day of the care. `field` is named where it is not born by then.
    pub fn age_of(&self, child: &Child, window: &Window, field: &str) -> Result<i64, Error> {
        let months = months_on(self.vault.open_child(child)?.born_on, local_date(window));
        match months {
            0.. => Ok(months),
            _ => Err(Error::invalid(field, "must be a child that is born by then")),
        }
    }
}

impl Cares {
    /// The children for whom an order was booked, by the details that it was priced on. Of a child who was forgotten
    /// meanwhile only the price tells the age: without an infant in it, it was an older one.
    pub async fn find_booked(&self, tx: &Tx, order: &OrderRecord) -> Result<PricedChildren, Error> {
        let details = convert::stored_details(&order.details)?;
        let has_infant = AgreedCare::of(&order.facts).has_infant;
        let mut booked = PricedChildren { count: 0, infants: 0, has_older: false };
        for child in convert::read_details(&details)?.children {
            let months = match child {
                AskedChild::OfAge(months) => Some(months),
                AskedChild::Known(id) => match children::find_child(&**tx, id).await {
                    Ok(child) => Some(self.age_of(&child, &order.window(), "child_ids")?),
                    Err(Error::ChildNotFound) => None,
                    Err(error) => return Err(error),
                },
            };
            booked.count += 1;
            let is_infant = months.is_some_and(|months| months < INFANT_BELOW);
            booked.infants += usize::from(is_infant);
            booked.has_older |= months.map_or(!has_infant, |_| !is_infant);
        }
        Ok(booked)
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
    const LOCKS_END: bool = true;

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
