//! The events that order publishes, as the other services read them.

use crate::{
    convert,
    domain::{ClosedChange, Order, OrderEvent, SeriesChange, SeriesEvent},
};
use chrono::{DateTime, Utc};
use kit::{messaging::outbox, values::time::timestamp};
use proto::quickserve::order::v1 as pb;

/// The events of a change, numbered on from those of the order so far.
pub fn encode_event(change: &ClosedChange) -> Vec<outbox::Fact> {
    let first_seq = change.before().event_seq + 1;
    let mut encoded = Vec::with_capacity(change.events.len());
    for (seq, event) in (first_seq..).zip(&change.events) {
        let data = order_event(&change.order, event, change.now);
        encoded.push(outbox::Fact::new(event.kind, change.order.id.uuid(), seq, &data));
    }
    encoded
}

fn order_event(order: &Order, event: &OrderEvent, at: DateTime<Utc>) -> pb::OrderEvent {
    let provider = event.provider.or_else(|| order.provider());
    let (provider_id, provider_user_id) = provider
        .map(|(profile, account)| (profile.to_string(), account.to_string()))
        .unwrap_or_default();
    pb::OrderEvent {
        order_id: order.id.to_string(),
        vertical: order.vertical.clone(),
        customer_id: order.customer_id.to_string(),
        provider_id,
        provider_user_id,
        from: convert::state(event.from).into(),
        to: convert::state(event.to).into(),
        window: Some(event.visit.map_or(order.window(), |it| order.window_of_visit(&it)).into()),
        total: Some(order.money(order.due()).into()),
        fault: event.fault.to_owned(),
        stars: event.stars,
        addressee: event.addressee.to_owned(),
        at: Some(timestamp(at)),
        manual_acceptance: order.terms.manual_acceptance,
        offer_end: event.offer_end.map_or(pb::OfferEnd::Unspecified, convert::offer_end).into(),
    }
}

/// The events of a series, numbered on from those before.
pub fn encode_series_event(change: &SeriesChange) -> Vec<outbox::Fact> {
    let first_seq = change.before().event_seq + 1;
    let series = change.plan.series.id.uuid();
    let numbered = (first_seq..).zip(&change.events);
    numbered
        .map(|(seq, event)| {
            outbox::Fact::new(event.kind, series, seq, &series_event(change, event))
        })
        .collect()
}

fn series_event(change: &SeriesChange, event: &SeriesEvent) -> pb::SeriesEvent {
    let series = &change.plan.series;
    pb::SeriesEvent {
        series_id: series.id.to_string(),
        vertical: series.vertical.clone(),
        customer_id: series.customer_id.to_string(),
        provider_user_id: series.provider_user_id.map(|id| id.to_string()).unwrap_or_default(),
        date: event.date.to_string(),
        window: Some(event.window.into()),
        order_id: event.order_id.map(|id| id.to_string()).unwrap_or_default(),
        reason: event.reason.clone(),
    }
}
