//! What cleaning says of its own as a vertical.

use crate::{
    convert,
    domain::{Details, checklist::checklist_codes, details::Frequency, gap, table::Tables},
};
use chrono::NaiveDate;
use kit::{Db, Window};
use proto::quickserve::cleaning::v1::CleaningDetails;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use vertical::{
    Error, OrderSnapshot, Phase, Place, QuoteInputs, Vertical,
    checklist::{self, Checklist, missing_proofs},
    price::{GateAnswer, JobRequirements, Quote},
    repository,
};

/// How far apart two positions of one home may lie: addresses are not always found at the same point.
const SAME_PLACE_METRES: f64 = 100.0;
/// How many visits to look back for one to the same place.
const MAX_VISITS_BACK: u64 = 20;
/// The photos that a delivery takes.
const PHOTOS: [&str; 2] = ["photo.before", "photo.after"];

/// A cleaning, as its orders' parties know it.
pub type CleaningJob = vertical::Job<Own>;

/// What cleaning keeps of its own about an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Own {
    /// What is to be done.
    pub checklist: Checklist,
}

/// Prices cleanings by its tables.
pub struct Cleaning {
    db: Db,
    tables: Tables,
}

impl Cleaning {
    /// Prices by `tables`; the visits before are in `db`.
    pub const fn new(db: Db, tables: Tables) -> Self {
        Self { db, tables }
    }

    /// The days since the visit before, at that place. Only a regular visit has a price that depends on it.
    async fn days_since_last_visit(
        &self,
        details: &Details,
        customer_id: Uuid,
        place: &Place,
        window: &Window,
    ) -> Result<Option<i64>, Error> {
        let recorded = match details.frequency {
            Frequency::Once => None,
            Frequency::Weekly | Frequency::Biweekly | Frequency::Monthly => {
                self.last_visit(details, customer_id, place, window).await?
            }
        };
        gap::days_between(details.last_visit, recorded, local_date(window))
    }

    /// The date of the customer's last visit at a place before the one of `window`. Visits of old do not say where they
    /// were: there the size tells a flat from a house.
    async fn last_visit(
        &self,
        details: &Details,
        customer_id: Uuid,
        place: &Place,
        window: &Window,
    ) -> Result<Option<NaiveDate>, Error> {
        let visits = repository::delivered_around(
            self.db.connection(),
            customer_id,
            place,
            SAME_PLACE_METRES,
            window.start,
            MAX_VISITS_BACK,
        );
        let last = visits.await?.into_iter().find(|visit| {
            let is_there = match visit.place() {
                Some(other) => place.metres_to(&other) <= SAME_PLACE_METRES,
                None => convert::stored_size(&visit.details) == Some(details.size),
            };
            is_there && local_date(&visit.window()) < local_date(window)
        });
        Ok(last.map(|visit| local_date(&visit.window())))
    }
}

impl Vertical for Cleaning {
    type Details = CleaningDetails;
    type Change = ();
    type Own = Own;

    const KEY: &'static str = "cleaning";
    const DETAILS: &'static str = "quickserve.cleaning.v1.CleaningDetails";
    const RECURS: bool = true;

    fn base_requirements(&self) -> JobRequirements {
        self.tables.base_requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<CleaningDetails>) -> Result<Quote, Error> {
        let QuoteInputs { details, window, address, place, customer_id, series, .. } = inputs;
        let details = convert::read_details(&details)?;
        // A visit of a series follows the one before it in the series, which may still be to come.
        let previous = series.and_then(|series| series.previous_on);
        let gap = match previous.filter(|_| details.frequency != Frequency::Once) {
            Some(previous) => Some((local_date(&window) - previous).num_days().max(0)),
            None => self.days_since_last_visit(&details, customer_id, &place, &window).await?,
        };
        self.tables.quote(&address.country, &details, gap)
    }

    fn begin_job(&self, details: &CleaningDetails, _: &OrderSnapshot) -> Result<Own, Error> {
        let details = convert::read_details(details)?;
        Ok(Own { checklist: Checklist::of(checklist_codes(&details)) })
    }

    fn change_details(&self, own: &mut Own, details: &CleaningDetails) -> Result<(), Error> {
        let details = convert::read_details(details)?;
        own.checklist.replace(checklist_codes(&details));
        Ok(())
    }

    fn enter_phase(&self, own: &mut Own, phase: Phase) {
        if phase == Phase::Rework {
            own.checklist.reopen();
        }
    }

    fn forget_texts(&self, own: &mut Own) {
        own.checklist.forget_notes();
    }

    fn denials(&self, job: &CleaningJob, to: Phase) -> Vec<&'static str> {
        match to {
            Phase::Delivered if !job.own.checklist.is_complete() => vec![checklist::INCOMPLETE],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        job: &CleaningJob,
        proof_kinds: &[String],
    ) -> Result<GateAnswer, Error> {
        let undone = self.denials(job, Phase::Delivered).into_iter();
        Ok(GateAnswer::as_agreed(undone.chain(missing_proofs(&PHOTOS, proof_kinds))))
    }
}

/// The date of a visit on the clock of its place.
fn local_date(window: &Window) -> NaiveDate {
    window.start.with_timezone(&window.zone).date_naive()
}
