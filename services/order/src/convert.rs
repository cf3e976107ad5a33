//! Between the domain and the messages of the contracts.

use crate::domain::{
    Actor, Address, ChangeState, DispatchPlan, DisputeState, Error, KnownChange, LineOrigin,
    OfferEnding, OfferState, Order, Party, PaymentState, Policy, PolicyRule, PriceLine,
    RequiredAsset, RequiredCrew, Requirements, State, check_cap,
};
use chrono::Duration;
use kit::{
    values::money::{Currency, Money},
    values::time::duration,
};
use prost::Message;
use prost_types::Struct;
use proto::quickserve::{
    common::v1 as common, fulfilment::v1 as fulfilment, order::v1 as pb, payment::v1 as payment,
};

/// The state in contracts.
pub const fn state(state: State) -> fulfilment::OrderState {
    use fulfilment::OrderState as Pb;
    match state {
        State::PendingPayment => Pb::PendingPayment,
        State::Requested => Pb::Requested,
        State::Searching => Pb::Searching,
        State::Assigned => Pb::Assigned,
        State::EnRoute => Pb::EnRoute,
        State::Arrived => Pb::Arrived,
        State::InProgress => Pb::InProgress,
        State::AwaitingApproval => Pb::AwaitingApproval,
        State::Delivered => Pb::Delivered,
        State::ChangesRequested => Pb::ChangesRequested,
        State::Completed => Pb::Completed,
        State::Closed => Pb::Closed,
        State::Expired => Pb::Expired,
        State::Declined => Pb::Declined,
        State::NoProvider => Pb::NoProvider,
        State::NoShow => Pb::NoShow,
        State::Cancelled => Pb::Cancelled,
        State::Aborted => Pb::Aborted,
    }
}

/// The state that a contract's number names.
pub fn state_of(number: i32) -> Option<State> {
    State::ALL.into_iter().find(|it| state(*it) as i32 == number)
}

/// The payment's state in contracts.
pub const fn payment_state(state: PaymentState) -> pb::PaymentState {
    match state {
        PaymentState::None => pb::PaymentState::Unspecified,
        PaymentState::Pending => pb::PaymentState::Pending,
        PaymentState::ConfirmationRequired => pb::PaymentState::ConfirmationRequired,
        PaymentState::Declined => pb::PaymentState::Declined,
        PaymentState::MethodSaved => pb::PaymentState::MethodSaved,
        PaymentState::Authorized => pb::PaymentState::Authorized,
        PaymentState::Captured => pb::PaymentState::Captured,
        PaymentState::Due => pb::PaymentState::Due,
        PaymentState::Released => pb::PaymentState::Released,
    }
}

/// The offer's state in contracts.
pub const fn offer_state(state: OfferState) -> pb::OfferState {
    match state {
        OfferState::Open => pb::OfferState::Open,
        OfferState::Accepted => pb::OfferState::Accepted,
        OfferState::Declined => pb::OfferState::Declined,
        OfferState::Expired => pb::OfferState::Expired,
        OfferState::Revoked => pb::OfferState::Revoked,
    }
}

/// How an offer ended, in contracts.
pub const fn offer_end(end: OfferEnding) -> pb::OfferEnd {
    match end {
        OfferEnding::Declined => pb::OfferEnd::Declined,
        OfferEnding::Ignored => pb::OfferEnd::Ignored,
        OfferEnding::Revoked => pb::OfferEnd::Revoked,
        OfferEnding::Refused => pb::OfferEnd::Refused,
    }
}

/// The change order's state in contracts.
pub const fn change_state(state: ChangeState) -> pb::ChangeOrderState {
    match state {
        ChangeState::Proposed => pb::ChangeOrderState::Proposed,
        ChangeState::Approved => pb::ChangeOrderState::Approved,
        ChangeState::Rejected => pb::ChangeOrderState::Rejected,
        ChangeState::Expired => pb::ChangeOrderState::Expired,
    }
}

/// The dispute's state in contracts.
pub const fn dispute_state(state: DisputeState) -> pb::DisputeState {
    match state {
        DisputeState::Open => pb::DisputeState::Open,
        DisputeState::Evidence => pb::DisputeState::Evidence,
        DisputeState::ResolvedCustomer => pb::DisputeState::ResolvedCustomer,
        DisputeState::ResolvedProvider => pb::DisputeState::ResolvedProvider,
        DisputeState::ResolvedSplit => pb::DisputeState::ResolvedSplit,
    }
}

/// Reads the address in `field` of a request.
pub fn parse_place(field: &str, address: common::Address) -> Result<Address, Error> {
    let common::Address { lines, postcode, city, country, lat, lng, access_notes } = address;
    let (Some(lat), Some(lng)) = (lat, lng) else {
        let missing = if lat.is_none() { "lat" } else { "lng" };
        return Err(kit::Error::invalid(format!("{field}.{missing}"), "must be given").into());
    };
    Ok(Address { lines, postcode, city, country, lat, lng, access_notes })
}

/// An address in contracts.
pub fn address(place: &Address) -> common::Address {
    let Address { lines, postcode, city, country, lat, lng, access_notes } = place.clone();
    let (lat, lng) = (Some(lat), Some(lng));
    common::Address { lines, postcode, city, country, lat, lng, access_notes }
}

/// What of an address a provider sees who is not assigned: the neighbourhood.
pub fn neighbourhood(place: &Address) -> common::Address {
    let (lat, lng) = place.coarse_position();
    common::Address {
        lines: Vec::new(),
        postcode: place.postcode.clone(),
        city: place.city.clone(),
        country: place.country.clone(),
        lat: Some(lat),
        lng: Some(lng),
        access_notes: String::new(),
    }
}

/// A line of a vertical's price.
pub fn line(line: fulfilment::PriceLine) -> Result<(PriceLine, Currency), Error> {
    let fulfilment::PriceLine { code, quantity, unit, total, payer, earner, pass_through, .. } =
        line;
    let total = Money::parse("lines.total", total.as_ref())
        .map_err(|error| kit::Error::internal(format!("a price line: {error}")))?;
    let line = PriceLine {
        code,
        quantity,
        unit,
        total: total.minor_units,
        payer: to_party(payer, Party::Customer),
        earner: to_party(earner, Party::Provider),
        pass_through,
        origin: LineOrigin::Quote,
    };
    Ok((line, total.currency))
}

fn to_party(number: i32, otherwise: Party) -> Party {
    match fulfilment::Party::try_from(number) {
        Ok(fulfilment::Party::Customer) => Party::Customer,
        Ok(fulfilment::Party::Provider) => Party::Provider,
        Ok(fulfilment::Party::Platform) => Party::Platform,
        Ok(fulfilment::Party::Unspecified) | Err(_) => otherwise,
    }
}

/// Lines in contracts.
pub fn lines(lines: &[PriceLine], currency: Currency) -> Vec<fulfilment::PriceLine> {
    lines.iter().map(|line| to_price_line(line, currency)).collect()
}

fn to_price_line(line: &PriceLine, currency: Currency) -> fulfilment::PriceLine {
    fulfilment::PriceLine {
        code: line.code.clone(),
        quantity: line.quantity,
        unit: line.unit.clone(),
        total: Some(Money::new(currency, line.total).into()),
        payer: party_message(line.payer).into(),
        earner: party_message(line.earner).into(),
        pass_through: line.pass_through,
        origin: match line.origin {
            LineOrigin::Quote => fulfilment::LineOrigin::Quote,
            LineOrigin::Change => fulfilment::LineOrigin::Change,
            LineOrigin::Settlement => fulfilment::LineOrigin::Settlement,
        }
        .into(),
    }
}

/// A line that the customer owes beyond the cap, as payment takes it.
pub fn due_line(line: &PriceLine, order: &Order) -> payment::DueLine {
    payment::DueLine {
        code: line.code.clone(),
        amount: Some(order.money(line.total).into()),
        provider_earns: line.earner == Party::Provider,
        pass_through: line.pass_through,
    }
}

/// What an order costs, as verticals know it: the lines that were quoted, those of approved changes, the cap.
pub fn order_price(order: &Order) -> fulfilment::OrderPrice {
    let of = |origin| {
        let lines = order.terms.lines.iter().filter(|line| line.origin == origin);
        lines.map(|line| to_price_line(line, order.currency())).collect()
    };
    fulfilment::OrderPrice {
        quoted: of(LineOrigin::Quote),
        changes: of(LineOrigin::Change),
        cap: order.terms.cap.map(|cap| order.money(cap).into()),
    }
}

/// The most that the customer pays unasked, as a vertical answers it beside the price.
pub fn parse_cap(
    cap: Option<&common::Money>,
    total: i64,
    currency: Currency,
) -> Result<Option<i64>, Error> {
    let cap = cap.map(|cap| Money::parse("cap", Some(cap))).transpose();
    let cap = cap.map_err(|error| kit::Error::internal(format!("a cap: {error}")))?;
    check_cap(cap, total, currency)
}

/// A change order as verticals know it.
pub fn known_change(change: &KnownChange) -> fulfilment::OrderChange {
    let state = match change.state {
        ChangeState::Proposed => fulfilment::OrderChangeState::Proposed,
        ChangeState::Approved => fulfilment::OrderChangeState::Approved,
        ChangeState::Rejected => fulfilment::OrderChangeState::Rejected,
        ChangeState::Expired => fulfilment::OrderChangeState::Expired,
    };
    fulfilment::OrderChange {
        change_id: change.id.to_string(),
        state: state.into(),
        details: change.details.as_ref().and_then(|details| self::details(&details.0)),
    }
}

/// Lines that a vertical answers for a change of an order.
pub fn change_lines(
    order: &Order,
    answered: Vec<fulfilment::PriceLine>,
) -> Result<Vec<PriceLine>, Error> {
    let lines = lines_of_order(order, answered)?.into_iter();
    Ok(lines.map(|line| PriceLine { origin: LineOrigin::Change, ..line }).collect())
}

/// Lines that a vertical answers about an order, which are in the order's currency.
pub fn lines_of_order(
    order: &Order,
    answered: Vec<fulfilment::PriceLine>,
) -> Result<Vec<PriceLine>, Error> {
    let mut lines = Vec::with_capacity(answered.len());
    for answer in answered {
        let (line, currency) = line(answer)?;
        if currency != order.currency() {
            return Err(kit::Error::internal("a line is not in the order's currency").into());
        }
        lines.push(line);
    }
    Ok(lines)
}

const fn party_message(party: Party) -> fulfilment::Party {
    match party {
        Party::Customer => fulfilment::Party::Customer,
        Party::Provider => fulfilment::Party::Provider,
        Party::Platform => fulfilment::Party::Platform,
    }
}

/// Requirements as they are kept.
pub fn requirements(requirements: Option<fulfilment::Requirements>) -> Requirements {
    let requirements = requirements.unwrap_or_default();
    let crew = requirements.crew.into_iter().map(
        |fulfilment::CrewMember { role, skills, documents, count }| RequiredCrew {
            role,
            skills,
            documents,
            count,
        },
    );
    let assets = requirements.assets.into_iter().map(
        |fulfilment::Asset { kinds, seats, volume_l, payload_kg, count }| RequiredAsset {
            kinds,
            seats,
            volume_l,
            payload_kg,
            count,
        },
    );
    let dispatch = requirements.dispatch.map(|dispatch| DispatchPlan {
        live: dispatch.live,
        wave_size: dispatch.wave_size,
        answer_s: whole_seconds(dispatch.answer),
        radius_m: dispatch.radius_m,
        max_radius_m: dispatch.max_radius_m,
        search_s: whole_seconds(dispatch.search),
        favourites_first: dispatch.favourites_first,
    });
    Requirements {
        skills: requirements.skills,
        documents: requirements.documents,
        crew_size: requirements.crew_size,
        duration_s: whole_seconds(requirements.duration),
        buffer_before_s: whole_seconds(requirements.buffer_before),
        buffer_after_s: whole_seconds(requirements.buffer_after),
        crew: crew.collect(),
        assets: assets.collect(),
        dispatch,
        exclusive: requirements.exclusive,
        preferred_skills: requirements.preferred_skills,
    }
}

fn whole_seconds(span: Option<prost_types::Duration>) -> i64 {
    span.map_or(0, |span| span.seconds)
}

/// Requirements in contracts.
pub fn requirements_of(requirements: &Requirements) -> fulfilment::Requirements {
    let kept = requirements.clone();
    let crew = kept.crew.into_iter().map(|RequiredCrew { role, skills, documents, count }| {
        fulfilment::CrewMember { role, skills, documents, count }
    });
    let assets = kept.assets.into_iter().map(
        |RequiredAsset { kinds, seats, volume_l, payload_kg, count }| fulfilment::Asset {
            kinds,
            seats,
            volume_l,
            payload_kg,
            count,
        },
    );
    let dispatch = kept.dispatch.map(|dispatch| fulfilment::Dispatch {
        live: dispatch.live,
        wave_size: dispatch.wave_size,
        answer: span_message(dispatch.answer_s),
        radius_m: dispatch.radius_m,
        max_radius_m: dispatch.max_radius_m,
        search: span_message(dispatch.search_s),
        favourites_first: dispatch.favourites_first,
    });
    fulfilment::Requirements {
        skills: kept.skills,
        preferred_skills: kept.preferred_skills,
        documents: kept.documents,
        crew_size: kept.crew_size,
        duration: span_message(kept.duration_s),
        buffer_before: span_message(kept.buffer_before_s),
        buffer_after: span_message(kept.buffer_after_s),
        crew: crew.collect(),
        assets: assets.collect(),
        dispatch,
        exclusive: kept.exclusive,
    }
}

fn span_message(seconds: i64) -> Option<prost_types::Duration> {
    Some(duration(Duration::seconds(seconds)))
}

/// The details as they came.
pub fn details(bytes: &[u8]) -> Option<Struct> {
    Struct::decode(bytes).ok()
}

/// The cancellation terms in contracts.
pub fn policy(policy: &Policy) -> pb::CancellationPolicy {
    pb::CancellationPolicy {
        version: policy.version.clone(),
        rules: policy.rules.iter().map(cancellation_rule).collect(),
    }
}

fn cancellation_rule(rule: &PolicyRule) -> pb::CancellationRule {
    pb::CancellationRule {
        actor: rule.actor.map(Actor::name).unwrap_or_default().to_owned(),
        fault: rule.fault.map(|fault| fault.name()).unwrap_or_default().to_owned(),
        states: rule.states.iter().map(|it| state_name(*it)).collect(),
        within_hours: rule.within_hours,
        within_minutes_of_assignment: rule.within_minutes_of_assignment,
        percent: rule.percent,
        flat: rule.flat,
        least: rule.least,
        most: rule.most,
        provider_share: rule.provider_share,
        waivable: rule.waivable,
    }
}

fn state_name(it: State) -> String {
    state(it).as_str_name().trim_start_matches("ORDER_STATE_").to_owned()
}

impl From<tonic::Status> for Error {
    fn from(status: tonic::Status) -> Self {
        Self::Kit(status.into())
    }
}
