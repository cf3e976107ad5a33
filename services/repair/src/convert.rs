//! Between the rows and rules of repair and the messages of its contract.

use crate::domain::{
    Repair, RepairInputs,
    appliance::Model as Appliance,
    details::{Category, NamedItem, RepairedItem, Urgency},
    estimate::{AskedWork, ToldChange},
    part::{Part, PartState},
    repair::{Diagnosis, NotedPart, PartChange, TestResult},
    state::{RepairOutcome, RepairState},
};
use chrono::{DateTime, Utc};
use kit::{
    Money,
    rpc::details::decode_accepted,
    values::{
        id::{parse_optional_uuid, parse_uuid},
        time::timestamp,
    },
};
use prost::Message;
use prost_types::Struct;
use proto::quickserve::repair::v1 as pb;
use uuid::Uuid;
use vertical::{Error, OrderFacts, facts::JobChange};

/// The repair of an order, as its vertical knows it.
pub type RepairJob = vertical::Job<Repair>;

/// The full name of the message of estimates.
pub const CHANGE_MESSAGE: &str = "quickserve.repair.v1.RepairEstimate";

/// Reads the details of an order as a whole.
pub fn read_details(message: &pb::RepairDetails) -> Result<RepairInputs, Error> {
    let pb::RepairDetails { category, appliance_id, brand, model, serial, urgency, .. } = message;
    let category = Category::parse(category)?;
    let appliance_id = parse_optional_uuid("details.appliance_id", appliance_id)?;
    Ok(RepairInputs {
        category,
        item: RepairedItem::parse(category, NamedItem { appliance_id, brand, model, serial })?,
        urgency: Urgency::parse(urgency)?,
    })
}

/// Reads details as they are stored with an order; they are empty once it is erased.
pub fn stored_details(bytes: &[u8]) -> Result<pb::RepairDetails, Error> {
    Ok(pb::RepairDetails::decode(bytes).map_err(kit::Error::internal)?)
}

/// Reads what an estimate asks for.
pub fn read_estimate(estimate: &pb::RepairEstimate) -> Result<AskedWork, Error> {
    let part_ids = estimate
        .part_ids
        .iter()
        .enumerate()
        .map(|(index, id)| Ok(parse_uuid(&format!("details.part_ids[{index}]"), id)?));
    Ok(AskedWork {
        minutes: estimate.labour.iter().map(|labour| i64::from(labour.minutes)).sum(),
        part_ids: part_ids.collect::<Result<_, Error>>()?,
    })
}

/// Reads the changes of an order.
pub fn told_changes(facts: &OrderFacts) -> Result<Vec<ToldChange>, Error> {
    facts.changes.iter().map(told_change).collect()
}

fn told_change(change: &JobChange) -> Result<ToldChange, Error> {
    let work = match change.details.as_deref() {
        None => None,
        Some(bytes) => {
            let details = Struct::decode(bytes).map_err(kit::Error::internal)?;
            Some(read_estimate(&decode_accepted(CHANGE_MESSAGE, &details)?)?)
        }
    };
    Ok(ToldChange { change_id: change.change_id, state: change.state, work })
}

/// Reads what a repairer has found.
pub fn parse_diagnosis(request: pb::RecordDiagnosisRequest, now: DateTime<Utc>) -> Diagnosis {
    let pb::RecordDiagnosisRequest { order_id: _, code, findings, hazard, unrelated } = request;
    Diagnosis { code, findings, hazard, unrelated, recorded_at: now }
}

/// Reads a part that is noted.
pub fn parse_part(request: pb::AddPartRequest) -> Result<NotedPart, Error> {
    let pb::AddPartRequest { order_id: _, name, quantity, cost, on_board, replaces } = request;
    Ok(NotedPart {
        name,
        quantity,
        cost: Money::parse("cost", cost.as_ref())?,
        on_board,
        replaces: parse_optional_uuid("replaces", &replaces)?,
    })
}

/// Reads what is said of a part.
pub fn parse_part_change(request: pb::UpdatePartRequest) -> Result<PartChange, Error> {
    let state = match request.state() {
        pb::PartState::Unspecified => None,
        pb::PartState::Needed => Some(PartState::Needed),
        pb::PartState::Ordered => Some(PartState::Ordered),
        pb::PartState::Arrived => Some(PartState::Arrived),
        pb::PartState::Used => Some(PartState::Used),
        pb::PartState::Returned => Some(PartState::Returned),
    };
    if state.is_none() && request.receipt_sha256.is_empty() {
        return Err(Error::invalid("state", "or receipt_sha256 must be given"));
    }
    Ok(PartChange { state, receipt_sha256: request.receipt_sha256 })
}

/// Reads what was tested.
pub fn parse_tests(tests: Vec<pb::RepairTest>) -> Vec<TestResult> {
    let tests = tests.into_iter();
    tests.map(|pb::RepairTest { code, passed }| TestResult { code, passed }).collect()
}

/// The message for a repair; `appliance` is the customer's own one that its details name.
pub fn repair(job: &RepairJob, appliance: Option<Appliance>) -> Result<pb::Repair, Error> {
    let (order, own) = (&job.order, &job.own);
    let owed = own.parts_owed();
    let owed = own.terms.as_ref().filter(|_| owed > 0).map(|it| Money::new(it.currency, owed));
    Ok(pb::Repair {
        id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: id_text(order.provider_user_id),
        order_state: order.state,
        state: to_state(own.state).into(),
        details: Some(stored_details(&order.details)?),
        appliance: appliance.map(to_appliance),
        window: Some(order.window().into()),
        diagnosis: own.diagnosis.as_ref().map(to_diagnosis),
        outcome: own.outcome.map(RepairOutcome::code).unwrap_or_default().to_owned(),
        tests: own.tests.iter().map(to_test).collect(),
        parts: parts(own),
        sla_due_at: own.sla_due_at.map(timestamp),
        sla_missed_at: own.sla_missed_at.map(timestamp),
        parent_order_id: id_text(order.facts.parent_order_id),
        parts_owed: owed.map(Into::into),
        version: order.version,
        updated_at: Some(timestamp(order.updated_at)),
    })
}

fn id_text(id: Option<Uuid>) -> String {
    id.map(|id| id.to_string()).unwrap_or_default()
}

fn to_diagnosis(diagnosis: &Diagnosis) -> pb::Diagnosis {
    pb::Diagnosis {
        code: diagnosis.code.clone(),
        findings: diagnosis.findings.clone(),
        hazard: diagnosis.hazard,
        unrelated: diagnosis.unrelated,
        recorded_at: Some(timestamp(diagnosis.recorded_at)),
    }
}

fn to_test(test: &TestResult) -> pb::RepairTest {
    pb::RepairTest { code: test.code.clone(), passed: test.passed }
}

/// The messages for the parts of a repair.
pub fn parts(own: &Repair) -> Vec<pb::Part> {
    own.parts.iter().map(|it| part(own, it)).collect()
}

/// The message for a part.
pub fn part(own: &Repair, part: &Part) -> pb::Part {
    let estimate = own.estimate_of(part.id);
    let terms = own.terms.as_ref().filter(|_| !own.is_free());
    let price = terms.map_or(0, |terms| terms.part_price(part.total_cost()));
    pb::Part {
        id: part.id.to_string(),
        name: part.name.clone(),
        quantity: part.quantity,
        cost: Some(part.cost.into()),
        price: Some(Money::new(part.cost.currency, price).into()),
        state: to_part_state(part.state).into(),
        change_order_id: id_text(estimate.map(|estimate| estimate.change_id)),
        approved: own.is_approved(part.id),
        replaces: id_text(part.replaces),
        receipt_sha256: part.receipt_sha256.clone(),
        created_at: Some(timestamp(part.created_at)),
    }
}

/// The message for an appliance.
pub fn to_appliance(appliance: Appliance) -> pb::Appliance {
    let Appliance { id, customer_id: _, brand, model, serial, warranty_until, created_at } =
        appliance;
    pb::Appliance {
        id: id.to_string(),
        brand,
        model,
        serial,
        warranty_until: warranty_until.map(|date| date.to_string()).unwrap_or_default(),
        created_at: Some(timestamp(created_at)),
    }
}

const fn to_part_state(state: PartState) -> pb::PartState {
    match state {
        PartState::Needed => pb::PartState::Needed,
        PartState::Ordered => pb::PartState::Ordered,
        PartState::Arrived => pb::PartState::Arrived,
        PartState::Used => pb::PartState::Used,
        PartState::Returned => pb::PartState::Returned,
    }
}

const fn to_state(state: RepairState) -> pb::RepairState {
    match state {
        RepairState::Booked => pb::RepairState::Booked,
        RepairState::OnSite => pb::RepairState::OnSite,
        RepairState::Diagnosed => pb::RepairState::Diagnosed,
        RepairState::Estimated => pb::RepairState::Estimated,
        RepairState::Declined => pb::RepairState::Declined,
        RepairState::Approved => pb::RepairState::Approved,
        RepairState::WaitingParts => pb::RepairState::WaitingParts,
        RepairState::Repaired => pb::RepairState::Repaired,
        RepairState::Unrepaired => pb::RepairState::Unrepaired,
        RepairState::Off => pb::RepairState::Off,
    }
}
