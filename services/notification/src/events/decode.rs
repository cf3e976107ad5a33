//! Reads the facts of other services: what of each matters to messages.

use crate::domain::{
    Error,
    catalogue::{Addressee, Circumstance, Stage},
    facts::NoticeFacts,
    message::Particulars,
};
use kit::{Event, Money, Window};
use proto::quickserve::{
    child_assistance::v1::ChildEvent,
    fulfilment::v1::OrderState,
    moving::v1::MoveEvent,
    order::v1::{OrderEvent, SeriesEvent},
    payment::v1::{PaymentEvent, PayoutEvent},
    provider::v1::{ProviderEvent, TrackEvent},
    repair::v1::RepairEvent,
    transport::v1::RideEvent,
    user::v1::UserEvent,
};
use uuid::Uuid;

/// Reads a fact, by the service that its kind names.
pub fn decode_event(event: &Event) -> Result<NoticeFacts, Error> {
    let kind = event.kind.clone();
    match event.kind.split('.').next().unwrap_or_default() {
        "child" => of_child(kind, event.decode()?),
        "moving" => of_move(kind, event.decode()?),
        "order" => of_order(kind, event.decode()?),
        "payment" => of_payment(kind, event.decode()?),
        "payout" => of_payout(kind, event.decode()?),
        "provider" => of_provider(kind, event.decode()?),
        "repair" => of_repair(kind, event.decode()?),
        "series" => of_series(kind, event.decode()?),
        "transport" => of_ride(kind, event.decode()?),
        "track" => of_track(kind, event.decode()?),
        "user" => {
            let UserEvent { user_id } = event.decode()?;
            Ok(NoticeFacts { kind, account: parse_id(&user_id)?, ..NoticeFacts::default() })
        }
        other => Err(kit::Error::internal(format!("nothing is known of {other}")).into()),
    }
}

fn of_order(kind: String, order: OrderEvent) -> Result<NoticeFacts, Error> {
    let (from, to) = (order_stage(order.from()), order_stage(order.to()));
    let window = Window::parse("window", order.window.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&order.customer_id)?,
        provider: parse_id(&order.provider_user_id)?,
        account: None,
        guardians: Vec::new(),
        adults: Vec::new(),
        addressed: match order.addressee.as_str() {
            "customer" => Some(Addressee::Customer),
            "provider" => Some(Addressee::Provider),
            "operator" => Some(Addressee::Operator),
            _ => None,
        },
        circumstance: if order.manual_acceptance {
            Circumstance::ManualAcceptance
        } else {
            Circumstance::Usual
        },
        from: Some(from),
        to: Some(to),
        order_id: parse_id(&order.order_id)?,
        order_seq: None,
        parcel: false,
        particulars: Particulars {
            starts_at: window.map(|window| window.start),
            zone: window.map(|window| window.zone),
            amount: Money::parse("total", order.total.as_ref()).ok(),
            service: (!order.vertical.is_empty()).then_some(order.vertical),
            stars: (order.stars > 0).then_some(order.stars),
            ..Particulars::default()
        },
    })
}

fn of_payment(kind: String, payment: PaymentEvent) -> Result<NoticeFacts, Error> {
    let PaymentEvent {
        payment_id: _,
        order_id,
        customer_id,
        amount,
        reason: _,
        answered: _,
        provider_user_id,
        due_id: _,
        captured: _,
        refunded: _,
        charged_back: _,
        beyond_cap,
        expires_at: _,
        beside_capture: _,
        still_disputed: _,
    } = payment;
    let amount = Money::parse("amount", amount.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        circumstance: if beyond_cap { Circumstance::BeyondCap } else { Circumstance::Usual },
        particulars: Particulars { amount, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_payout(kind: String, payout: PayoutEvent) -> Result<NoticeFacts, Error> {
    let PayoutEvent { payout_id: _, order_id, provider_user_id, amount, kind: _ } = payout;
    let amount = Money::parse("amount", amount.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        particulars: Particulars { amount, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_provider(kind: String, provider: ProviderEvent) -> Result<NoticeFacts, Error> {
    let ProviderEvent { provider_id: _, user_id, reason, order_id: _ } = provider;
    let subject = (!reason.is_empty()).then_some(reason);
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&user_id)?,
        particulars: Particulars { subject, ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_ride(kind: String, ride: RideEvent) -> Result<NoticeFacts, Error> {
    let RideEvent {
        order_id, customer_id, provider_user_id, stop, parcel, order_event_seq, ..
    } = ride;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        parcel,
        particulars: Particulars { stop: Some(stop), ..Particulars::default() },
        ..NoticeFacts::default()
    })
}

fn of_child(kind: String, child: ChildEvent) -> Result<NoticeFacts, Error> {
    let ChildEvent {
        order_id,
        provider_user_id,
        guardian_ids,
        adult_user_ids,
        addressee,
        order_event_seq,
        ..
    } = child;
    Ok(NoticeFacts {
        kind,
        provider: parse_id(&provider_user_id)?,
        guardians: parse_ids(&guardian_ids)?,
        adults: parse_ids(&adult_user_ids)?,
        addressed: match addressee.as_str() {
            "guardians" => Some(Addressee::Guardian),
            "adults" => Some(Addressee::Adult),
            "operator" => Some(Addressee::Operator),
            _ => None,
        },
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn of_series(kind: String, visit: SeriesEvent) -> Result<NoticeFacts, Error> {
    let window = Window::parse("window", visit.window.as_ref()).ok();
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&visit.customer_id)?,
        order_id: parse_id(&visit.order_id)?,
        particulars: Particulars {
            starts_at: window.map(|window| window.start),
            zone: window.map(|window| window.zone),
            service: Some(visit.vertical),
            ..Particulars::default()
        },
        ..NoticeFacts::default()
    })
}

fn of_move(kind: String, event: MoveEvent) -> Result<NoticeFacts, Error> {
    let MoveEvent { order_id, customer_id, provider_user_id, claim_id: _, order_event_seq } = event;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn of_repair(kind: String, repair: RepairEvent) -> Result<NoticeFacts, Error> {
    let RepairEvent { order_id, customer_id, provider_user_id, order_event_seq, .. } = repair;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        provider: parse_id(&provider_user_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_event_seq),
        ..NoticeFacts::default()
    })
}

fn parse_ids(texts: &[String]) -> Result<Vec<Uuid>, Error> {
    let ids = texts.iter().map(|text| parse_id(text));
    Ok(ids.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn of_track(kind: String, track: TrackEvent) -> Result<NoticeFacts, Error> {
    let TrackEvent { order_id, customer_id, provider_id: _, order_seq } = track;
    Ok(NoticeFacts {
        kind,
        customer: parse_id(&customer_id)?,
        order_id: parse_id(&order_id)?,
        order_seq: Some(order_seq),
        ..NoticeFacts::default()
    })
}

const fn order_stage(state: OrderState) -> Stage {
    match state {
        OrderState::PendingPayment => Stage::Unpaid,
        OrderState::Requested => Stage::Requested,
        OrderState::Searching => Stage::Searching,
        OrderState::Unspecified
        | OrderState::Assigned
        | OrderState::EnRoute
        | OrderState::Arrived
        | OrderState::InProgress
        | OrderState::AwaitingApproval
        | OrderState::Delivered
        | OrderState::ChangesRequested
        | OrderState::Completed
        | OrderState::Closed
        | OrderState::Expired
        | OrderState::Declined
        | OrderState::NoProvider
        | OrderState::NoShow
        | OrderState::Cancelled
        | OrderState::Aborted => Stage::Other,
    }
}

/// The id in a fact; an empty text means that there is none, as does the nil id of what was erased.
pub fn parse_id(text: &str) -> Result<Option<Uuid>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let id: Uuid = text.parse().map_err(kit::Error::internal)?;
    Ok(Some(id).filter(|id| !id.is_nil()))
}
