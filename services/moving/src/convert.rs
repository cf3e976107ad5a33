//! Between the rows and rules of moving and the messages of its contract.

use crate::domain::{
    Move, MoveInputs,
    claim::{ClaimKind, ClaimState, Model as DamageClaim},
    details::{GivenItem, HomeAccess, Packing, PriceBasis},
    inventory::{GoodsLoad, InventoryLine, LineChange},
    price::MoveWork,
    state::MoveState,
    tables::MoveTables,
    waybill::{GoodsReserve, MOST_FOR_GOODS, SignatureRequest, SignedStage, Signer},
};
use kit::{Money, rpc::details::decode_accepted, values::time::timestamp};
use prost::Message;
use prost_types::Struct;
use proto::quickserve::moving::v1 as pb;
use vertical::{Error, OrderFacts, Place, facts::JobChangeState};

/// The move of an order, as its vertical knows it.
pub type MoveJob = vertical::Job<Move>;

/// The full name of the message of changes.
pub const CHANGE_MESSAGE: &str = "quickserve.moving.v1.MoveChange";

/// Reads the details of a move as a whole; what is declared is in the currency of `country`, if that is served.
pub fn read_details(
    tables: &MoveTables,
    country: &str,
    message: &pb::MoveDetails,
) -> Result<MoveInputs, Error> {
    let mut lines = Vec::with_capacity(message.items.len());
    for (item, n) in message.items.iter().zip(1_u32..) {
        let field = format!("details.items[{}]", n - 1);
        lines.push(tables.read_item(&field, n, &given_item(item))?);
    }
    let declared_value = read_declared_value(tables, country, message)?;
    Ok(MoveInputs { lines, declared_value, ..inputs_but_goods(message)? })
}

/// Reads details that were accepted before, of an order for example.
pub fn accept_details(tables: &MoveTables, message: &pb::MoveDetails) -> Result<MoveInputs, Error> {
    let items = message.items.iter().zip(1_u32..);
    let lines = items.map(|(item, n)| tables.accept_item(n, &given_item(item))).collect();
    let declared_value = message.declared_value.as_ref().map_or(0, |money| money.minor_units);
    Ok(MoveInputs { lines, declared_value, ..inputs_but_goods(message)? })
}

fn inputs_but_goods(message: &pb::MoveDetails) -> Result<MoveInputs, Error> {
    let to = message.to.as_ref().ok_or_else(|| Error::invalid("details.to", "must be given"))?;
    Ok(MoveInputs {
        lines: Vec::new(),
        basis: PriceBasis::parse(&message.basis)?,
        from: read_access(message.from.as_ref()),
        to: read_access(to.access.as_ref()),
        destination: read_place(to),
        packing: Packing::parse(&message.packing)?,
        declared_value: 0,
    })
}

fn given_item(item: &pb::DeclaredItem) -> GivenItem<'_> {
    let pb::DeclaredItem {
        code,
        quantity,
        volume_l,
        weight_kg,
        stackable,
        fragile,
        packed_by,
        label,
    } = item;
    GivenItem {
        code,
        quantity: *quantity,
        volume_l: *volume_l,
        weight_kg: *weight_kg,
        stackable: *stackable,
        fragile: *fragile,
        packed_by,
        label,
    }
}

fn read_declared_value(
    tables: &MoveTables,
    country: &str,
    message: &pb::MoveDetails,
) -> Result<i64, Error> {
    let Some(money) = &message.declared_value else { return Ok(0) };
    let value = Money::parse("details.declared_value", Some(money))?;
    if let Some(rates) = tables.prices.get(country).filter(|it| it.currency != value.currency) {
        let problem = format!("must be {} in this country", rates.currency);
        return Err(Error::invalid("details.declared_value.currency", problem));
    }
    if !(0..=MOST_FOR_GOODS).contains(&value.minor_units) {
        let problem = format!("must be 0 to {MOST_FOR_GOODS}");
        return Err(Error::invalid("details.declared_value.minor_units", problem));
    }
    Ok(value.minor_units)
}

/// How goods get in or out; absent means on the ground floor, beside the truck.
pub fn read_access(access: Option<&pb::HomeAccess>) -> HomeAccess {
    access.map_or_else(HomeAccess::default, |access| HomeAccess {
        floor: access.floor.into(),
        lift: access.lift,
        carry_m: access.carry_m.into(),
        permit: access.permit,
    })
}

/// Where goods go. The contract demands the position.
pub fn read_place(to: &pb::MoveDestination) -> Place {
    Place { lat: to.lat.unwrap_or_default(), lng: to.lng.unwrap_or_default() }
}

/// Reads details as they are stored with an order.
pub fn stored_details(bytes: &[u8]) -> Result<pb::MoveDetails, Error> {
    Ok(pb::MoveDetails::decode(bytes).map_err(kit::Error::internal)?)
}

/// Where the goods go by now: by the last change that was approved and says so, or else as it was booked. None once the
/// order is erased.
pub fn current_destination(
    details: &pb::MoveDetails,
    facts: &OrderFacts,
) -> Result<Option<pb::MoveDestination>, Error> {
    let approved = facts.changes.iter().rev().filter(|it| it.state == JobChangeState::Approved);
    for bytes in approved.filter_map(|change| change.details.as_deref()) {
        let details = Struct::decode(bytes).map_err(kit::Error::internal)?;
        let change: pb::MoveChange = decode_accepted(CHANGE_MESSAGE, &details)?;
        if change.to.is_some() {
            return Ok(change.to);
        }
    }
    Ok(details.to.clone())
}

/// The work that was booked, with other goods and another destination.
pub fn work_to(
    own: &Move,
    tables: &MoveTables,
    from: Option<Place>,
    to: Option<&pb::MoveDestination>,
) -> Option<MoveWork> {
    let booked = own.terms.as_ref()?.booked.clone();
    let volume_l = GoodsLoad::of(&own.lines).volume_l();
    let Some((from, to)) = from.zip(to) else { return Some(MoveWork { volume_l, ..booked }) };
    let metres = tables.drive.metres_between(&from, &read_place(to));
    let hectometres = MoveWork::hectometres_of(metres);
    Some(MoveWork { volume_l, hectometres, to: read_access(to.access.as_ref()), ..booked })
}

/// Reads a change of a line.
pub fn line_change(change: pb::InventoryChange) -> LineChange {
    let pb::InventoryChange {
        line,
        code,
        quantity,
        volume_l,
        weight_kg,
        stackable,
        fragile,
        packed_by,
        condition,
        loaded,
        label,
    } = change;
    LineChange {
        n: u32::try_from(line).unwrap_or_default(),
        code,
        quantity,
        volume_l,
        weight_kg,
        stackable,
        fragile,
        packed_by,
        condition,
        loaded,
        label,
    }
}

/// Reads what the customer signs, or the provider for a delegate.
pub fn signature_request(
    request: pb::SignWaybillRequest,
    is_customer: bool,
) -> Result<SignatureRequest, Error> {
    let stage = match request.stage() {
        pb::WaybillStage::Loading => SignedStage::Loading,
        pb::WaybillStage::Delivery => SignedStage::Delivery,
        pb::WaybillStage::Unspecified => return Err(Error::invalid("stage", "must be given")),
    };
    let pb::SignWaybillRequest { signature_sha256, reserves, none, delegate_name, .. } = request;
    let signer = match (is_customer, delegate_name.is_empty()) {
        (true, true) => Signer::Customer,
        (false, false) => Signer::Delegate(delegate_name),
        (true, false) => {
            let problem = "must be left out: the customer signs in person";
            return Err(Error::invalid("delegate_name", problem));
        }
        (false, true) => {
            let problem = "must be given: the provider says who signs for the customer";
            return Err(Error::invalid("delegate_name", problem));
        }
    };
    let mut read = Vec::with_capacity(reserves.len());
    for (index, reserve) in reserves.into_iter().enumerate() {
        read.push(read_reserve(&format!("reserves[{index}]"), &reserve)?);
    }
    Ok(SignatureRequest { stage, signer, sha256: signature_sha256, reserves: read, none })
}

fn read_reserve(field: &str, reserve: &pb::Reserve) -> Result<GoodsReserve, Error> {
    Ok(GoodsReserve {
        line: u32::try_from(reserve.line).unwrap_or_default(),
        kind: ClaimKind::parse(&format!("{field}.kind"), &reserve.kind)?,
        amount: Money::parse(&format!("{field}.amount"), reserve.amount.as_ref())?,
        quantity: reserve.quantity.into(),
    })
}

/// The message for an inventory of goods that go so many hundred metres.
pub fn inventory(job: &MoveJob, hectometres: i64) -> Result<pb::Inventory, Error> {
    let (order, own) = (&job.order, &job.own);
    let details = stored_details(&order.details)?;
    let to = current_destination(&details, &order.facts)?;
    let load = GoodsLoad::of(&own.lines);
    let basis = own.terms.as_ref().map_or(PriceBasis::Binding, |terms| terms.basis);
    Ok(pb::Inventory {
        id: order.order_id.to_string(),
        customer_id: order.customer_id.to_string(),
        provider_user_id: order.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        order_state: order.state,
        state: to_state(own.state).into(),
        basis: basis.name().to_owned(),
        items: own.lines.iter().map(|line| to_line(own, line)).collect(),
        volume_l: load.volume_l(),
        weight_kg: load.weight_kg,
        from: details.from,
        to,
        metres: hectometres * 100,
        window: Some(order.window().into()),
        version: order.version,
        updated_at: Some(timestamp(order.updated_at)),
    })
}

fn to_line(own: &Move, line: &InventoryLine) -> pb::InventoryLine {
    let is_signed = own.state == MoveState::Signed;
    pb::InventoryLine {
        line: i32::try_from(line.n).unwrap_or_default(),
        code: line.code.clone(),
        quantity: to_i32(line.quantity),
        volume_l: to_i32(line.volume_l),
        weight_kg: to_i32(line.weight_kg),
        stackable: line.stackable,
        fragile: line.fragile,
        packed_by: line.packed_by.name().to_owned(),
        condition: line.condition.map(|it| it.name().to_owned()).unwrap_or_default(),
        loaded: line.loaded.map(to_i32),
        delivered: is_signed.then(|| to_i32(own.delivered(line))),
        label: line.label.clone(),
    }
}

/// The message for a waybill, to which the customer adds reserves for so many hours.
pub fn waybill(job: &MoveJob, reserve_hours: i64) -> pb::Waybill {
    let own = &job.own;
    let signatures = own.signatures.iter().map(|it| pb::WaybillSignature {
        stage: to_stage(it.stage).into(),
        signature_sha256: it.sha256.clone(),
        signed_at: Some(timestamp(it.signed_at)),
        by_delegate: it.by_delegate,
        delegate_name: it.delegate_name.clone(),
    });
    let reserves = own.reserves.iter().map(|it| pb::Reserve {
        line: i32::try_from(it.line).unwrap_or_default(),
        kind: it.kind.name().to_owned(),
        amount: Some(it.amount.into()),
        quantity: to_i32(it.quantity),
    });
    pb::Waybill {
        id: job.order.order_id.to_string(),
        state: to_state(own.state).into(),
        signatures: signatures.collect(),
        reserves: reserves.collect(),
        reserves_until: own.reserves_until(reserve_hours).map(timestamp),
        version: job.order.version,
    }
}

/// The message for a claim.
pub fn claim(claim: &DamageClaim) -> pb::DamageClaim {
    pb::DamageClaim {
        id: claim.id.to_string(),
        order_id: claim.order_id.to_string(),
        line: claim.line,
        kind: claim.kind.name().to_owned(),
        amount: Some(claim.money(claim.amount).into()),
        state: to_claim_state(claim.state).into(),
        refund: claim.refund.map(|refund| claim.money(refund).into()),
        photo_sha256: claim.photos.0.clone(),
        opened_at: Some(timestamp(claim.opened_at)),
        resolved_at: claim.resolved_at.map(timestamp),
    }
}

const fn to_state(state: MoveState) -> pb::MoveState {
    match state {
        MoveState::Booked => pb::MoveState::Booked,
        MoveState::OnSite => pb::MoveState::OnSite,
        MoveState::Surveyed => pb::MoveState::Surveyed,
        MoveState::Loading => pb::MoveState::Loading,
        MoveState::Loaded => pb::MoveState::Loaded,
        MoveState::InTransit => pb::MoveState::InTransit,
        MoveState::Unloading => pb::MoveState::Unloading,
        MoveState::Signed => pb::MoveState::Signed,
        MoveState::Off => pb::MoveState::Off,
    }
}

const fn to_stage(stage: SignedStage) -> pb::WaybillStage {
    match stage {
        SignedStage::Loading => pb::WaybillStage::Loading,
        SignedStage::Delivery => pb::WaybillStage::Delivery,
    }
}

const fn to_claim_state(state: ClaimState) -> pb::ClaimState {
    match state {
        ClaimState::Open => pb::ClaimState::Open,
        ClaimState::Accepted => pb::ClaimState::Accepted,
        ClaimState::Withdrawn => pb::ClaimState::Withdrawn,
        ClaimState::Settled => pb::ClaimState::Settled,
    }
}

fn to_i32(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
