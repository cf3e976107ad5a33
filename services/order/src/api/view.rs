//! What each side sees of an order.

use crate::{
    app::App,
    convert,
    domain::{
        Actor, Error, Order, OrderId, Principal, Quote, State, Visit,
        records::{change_order, dispute, message, proof, review, timeline},
    },
    repository::records::Records,
};
use chrono::{DateTime, Utc};
use kit::{
    Money,
    rpc::confidential,
    values::time::{duration, timestamp},
};
use proto::quickserve::{order::v1 as pb, provider::v1::DescribeReservationResponse};

/// The full name of the message for an order.
const ORDER: &str = "quickserve.order.v1.Order";

/// The order in an answer to what `viewer`, who is on a side of it, did with it. Such an answer is kept for the call's
/// idempotency key, so that only the customer's has the secrets of the home.
pub fn order_view(app: &App, order: &Order, viewer: &Principal) -> Result<pb::Order, Error> {
    let whole = whole_view(app, order, viewer);
    if order.side(viewer) == Some(Actor::Customer) {
        Ok(whole)
    } else {
        without_secrets(order, whole)
    }
}

/// The order as `viewer` reads it.
pub fn read_view(app: &App, order: &Order, viewer: &Principal) -> Result<pb::Order, Error> {
    let whole = whole_view(app, order, viewer);
    if reads_secrets(app, order, viewer) { Ok(whole) } else { without_secrets(order, whole) }
}

/// The order in a list: nobody has the secrets of many homes on one screen.
pub fn listed_view(app: &App, order: &Order, viewer: &Principal) -> Result<pb::Order, Error> {
    without_secrets(order, whole_view(app, order, viewer))
}

/// Whether `viewer` reads how to get into the home, and what else the contract marks as its secrets.
fn reads_secrets(app: &App, order: &Order, viewer: &Principal) -> bool {
    match order.side(viewer) {
        Some(Actor::Customer | Actor::Operator) => true,
        Some(Actor::Provider) => {
            let (state, delivered_at) = (convert::state(order.state), order.progress.delivered_at);
            confidential::provider_reads(state, delivered_at, app.now())
        }
        Some(Actor::Payment | Actor::System) | None => false,
    }
}

/// The view without the secrets of the home, and with the neighbourhood in place of the address.
fn without_secrets(order: &Order, whole: pb::Order) -> Result<pb::Order, Error> {
    let mut shown = confidential::hide(ORDER, &whole)?;
    shown.address = Some(convert::neighbourhood(&order.terms.place));
    shown.details =
        shown.details.and_then(|details| confidential::hide_in_details(&order.vertical, details));
    Ok(shown)
}

fn whole_view(app: &App, order: &Order, viewer: &Principal) -> pb::Order {
    let side = order.side(viewer).unwrap_or(Actor::System);
    let allowed = order.allowed_actions(side, app.now(), &app.timing);
    let upcoming = order.upcoming_actions(side, app.now(), &app.timing);
    let progress = &order.progress;
    let cancellation = progress.cancellation.as_ref();
    let fee = cancellation.map(|cancellation| cancellation.fee).filter(|fee| *fee > 0);
    let shows_code = side == Actor::Customer
        && matches!(order.state, State::Assigned | State::EnRoute | State::Arrived);
    let (provider, provider_user) = (order.provider_id, order.provider_user_id);
    pb::Order {
        id: order.id.to_string(),
        vertical: order.vertical.clone(),
        state: convert::state(order.state).into(),
        allowed_actions: allowed.into_iter().map(str::to_owned).collect(),
        disputed: order.disputed,
        customer_id: order.customer_id.to_string(),
        provider_id: provider.map(|id| id.to_string()).unwrap_or_default(),
        provider_user_id: provider_user.map(|id| id.to_string()).unwrap_or_default(),
        provider_name: order.provider_name.clone(),
        window: Some(order.window().into()),
        total: Some(order.money(fee.unwrap_or(order.total)).into()),
        payment: Some(payment_view(order, side)),
        version: order.version,
        created_at: Some(timestamp(order.created_at)),
        updated_at: Some(timestamp(order.updated_at)),
        quote_id: order.quote_id.to_string(),
        address: Some(convert::address(&order.terms.place)),
        details: convert::details(&order.details.0),
        lines: convert::lines(&order.terms.lines, order.currency()),
        notes: order.notes.0.clone(),
        search_if_declined: order.search_if_declined,
        start_code: if shows_code { app.secret.start_code(order) } else { String::new() },
        ends_at: order.ends_at(&app.timing).map(timestamp),
        arrival_flagged: progress.arrival_flagged,
        contact_attempts: i32::try_from(progress.contact_attempts).unwrap_or(i32::MAX),
        cancellation: cancellation.map(|it| pb::Cancellation {
            actor: it.actor.name().to_owned(),
            reason: it.reason.clone(),
            fault: it.fault.name().to_owned(),
            fee: Some(order.money(it.fee).into()),
            at: Some(timestamp(it.at)),
        }),
        upcoming_actions: upcoming.into_iter().map(upcoming_action).collect(),
        parent_order_id: order.parent_id(),
        cap: order.terms.cap.map(|cap| order.money(cap).into()),
        manual_acceptance: order.terms.manual_acceptance,
        due_lines: convert::lines(&progress.beyond_cap, order.currency()),
        asap: order.terms.asap,
        visits: progress.visits.iter().map(|visit| visit_of(order, visit)).collect(),
        crew: Vec::new(),
        vehicles: Vec::new(),
        series_id: order.terms.series.map(|it| it.series_id.to_string()).unwrap_or_default(),
        series_date: order.terms.series.map(|it| it.on.to_string()).unwrap_or_default(),
        ..pb::Order::default()
    }
}

/// A further visit.
pub fn visit_of(order: &Order, visit: &Visit) -> pb::Visit {
    let window = Some(order.window_of_visit(visit).into());
    pb::Visit { id: visit.id.to_string(), window }
}

fn upcoming_action((action, at): (&'static str, DateTime<Utc>)) -> pb::UpcomingAction {
    pb::UpcomingAction { action: action.to_owned(), at: Some(timestamp(at)) }
}

/// The members who come for an order.
pub fn crew_of(described: &DescribeReservationResponse) -> Vec<pb::AssignedMember> {
    let members = described.members.iter();
    members.map(|it| pb::AssignedMember { name: it.name.clone(), role: it.role.clone() }).collect()
}

/// The vehicles that come for an order.
pub fn vehicles_of(described: &DescribeReservationResponse) -> Vec<pb::AssignedVehicle> {
    let vehicles = described.assets.iter();
    vehicles
        .map(|it| pb::AssignedVehicle { kind: it.kind.clone(), plate: it.plate.clone() })
        .collect()
}

/// The order with all that is kept about it.
pub fn full_view(
    app: &App,
    it: &Order,
    viewer: &Principal,
    records: Records,
) -> Result<pb::Order, Error> {
    let side = it.side(viewer).unwrap_or(Actor::System);
    let Records { timeline, proofs, change_orders, reviews, disputes } = records;
    let seen = |review: &review::Model| {
        review.published_at.is_some() || review.side == side || side == Actor::Operator
    };
    Ok(pb::Order {
        timeline: timeline.into_iter().map(timeline_entry).collect(),
        proofs: proofs.into_iter().map(proof_of).collect(),
        change_orders: change_orders.into_iter().map(|row| change_order_of(it, row)).collect(),
        reviews: reviews.into_iter().filter(seen).map(|row| review_of(row, true)).collect(),
        disputes: disputes.into_iter().map(|row| dispute_of(it, row)).collect(),
        ..read_view(app, it, viewer)?
    })
}

/// Decline reasons and confirmation are the customer's business.
fn payment_view(order: &Order, side: Actor) -> pb::Payment {
    let payment = &order.payment;
    let customer = matches!(side, Actor::Customer | Actor::Operator);
    let own = |text: &String| if customer { text.clone() } else { String::new() };
    pb::Payment {
        payment_id: payment.payment_id.map(|id| id.to_string()).unwrap_or_default(),
        state: convert::payment_state(payment.state).into(),
        decline_reason: own(&payment.decline_reason),
        confirmation_url: if side == Actor::Customer {
            payment.confirmation_url.clone()
        } else {
            String::new()
        },
        captured: Some(order.money(payment.amounts.captured).into()),
        refunded: Some(order.money(payment.amounts.refunded).into()),
        charged_back: Some(order.money(payment.amounts.charged_back).into()),
        due_id: payment.due_id.filter(|_| customer).map(|id| id.to_string()).unwrap_or_default(),
        beyond_cap_due_id: payment
            .beyond_cap_due_id
            .filter(|_| customer)
            .map(|id| id.to_string())
            .unwrap_or_default(),
    }
}

/// A quote, and the order that was made of it.
pub fn quote_view(quote: Quote, order: Option<OrderId>) -> pb::Quote {
    let currency = kit::values::money::Currency::parse("currency", &quote.currency)
        .unwrap_or(kit::values::money::Currency::EUR);
    let hash = quote.inputs_hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let parent_id = quote.terms.parent.map(|parent| parent.order_id.to_string());
    pb::Quote {
        id: quote.id.to_string(),
        window: Some(quote.window().into()),
        vertical: quote.vertical,
        details: convert::details(&quote.details.0),
        address: Some(convert::address(&quote.terms.place)),
        provider_id: quote.provider_id.map(|id| id.to_string()).unwrap_or_default(),
        lines: convert::lines(&quote.terms.lines, currency),
        total: Some(Money::new(currency, quote.total).into()),
        binding: quote.terms.cap.is_none(),
        cap: quote.terms.cap.map(|cap| Money::new(currency, cap).into()),
        manual_acceptance: quote.terms.manual_acceptance,
        duration: Some(duration(quote.terms.requirements.duration())),
        expires_at: Some(timestamp(quote.expires_at)),
        inputs_hash: hash,
        cancellation_policy: Some(convert::policy(&quote.terms.policy)),
        order_id: order.map(|id| id.to_string()).unwrap_or_default(),
        // Being booked is the one change of a quote.
        version: quote.version + i64::from(order.is_some()),
        created_at: Some(timestamp(quote.created_at)),
        updated_at: Some(timestamp(quote.updated_at)),
        asap: quote.terms.asap,
        parent_order_id: parent_id.unwrap_or_default(),
    }
}

/// A timeline entry.
pub fn timeline_entry(row: timeline::Model) -> pb::TimelineEntry {
    pb::TimelineEntry {
        id: row.id.to_string(),
        action: row.action,
        from: convert::state(row.from_state).into(),
        to: convert::state(row.to_state).into(),
        actor: row.actor.name().to_owned(),
        note: row.note,
        at: Some(timestamp(row.at)),
    }
}

pub fn message_of(row: message::Model) -> pb::OrderMessage {
    pb::OrderMessage {
        id: row.id.to_string(),
        author_id: row.author_id.to_string(),
        author_side: row.side.name().to_owned(),
        text: row.body.0,
        created_at: Some(timestamp(row.created_at)),
    }
}

pub fn proof_of(row: proof::Model) -> pb::Proof {
    let position =
        row.lat.zip(row.lng).map(|(lat, lng)| pb::Position { lat: Some(lat), lng: Some(lng) });
    pb::Proof {
        id: row.id.to_string(),
        kind: row.kind,
        sha256: row.sha256,
        position,
        taken_at: Some(timestamp(row.taken_at)),
        added_by: row.added_by.to_string(),
        created_at: Some(timestamp(row.created_at)),
    }
}

/// A change order.
pub fn change_order_of(order: &Order, row: change_order::Model) -> pb::ChangeOrder {
    let line = |(label, minor_units)| pb::ChangeLine { label, minor_units };
    pb::ChangeOrder {
        id: row.id.to_string(),
        lines: row.lines.0.into_iter().map(line).collect(),
        reason: row.reason,
        amount: Some(order.money(row.amount).into()),
        state: convert::change_state(row.state).into(),
        valid_till: Some(timestamp(row.valid_till)),
        created_at: Some(timestamp(row.created_at)),
        decided_at: row.decided_at.map(timestamp),
        price_lines: row
            .price_lines
            .map(|lines| convert::lines(&lines.0, order.currency()))
            .unwrap_or_default(),
        proposed_by: row.proposed_by.name().to_owned(),
    }
}

/// A review; a public one does not tell which order it is about.
pub fn review_of(row: review::Model, to_party: bool) -> pb::Review {
    pb::Review {
        id: row.id.to_string(),
        order_id: if to_party { row.order_id.to_string() } else { String::new() },
        author_side: row.side.name().to_owned(),
        stars: row.stars,
        text: row.body,
        created_at: Some(timestamp(row.created_at)),
        published_at: row.published_at.map(timestamp),
    }
}

fn dispute_of(order: &Order, row: dispute::Model) -> pb::Dispute {
    pb::Dispute {
        id: row.id.to_string(),
        opened_by: row.opened_by.name().to_owned(),
        reason: row.reason,
        text: row.body.0,
        state: convert::dispute_state(row.state).into(),
        refund: row.refund.map(|units| order.money(units).into()),
        created_at: Some(timestamp(row.created_at)),
        resolved_at: row.resolved_at.map(timestamp),
    }
}
