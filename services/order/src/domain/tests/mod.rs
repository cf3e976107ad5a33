//! The rules of orders, told as tables.

mod life;
mod money;
mod price;
mod restored;
mod rules;
mod series;
mod visits;

use super::*;
use chrono::{DateTime, Duration, Utc};
use kit::{Clock, Id};
use std::sync::Arc;

/// Monday, 9 o'clock UTC.
fn now() -> DateTime<Utc> {
    kit::testing::start()
}

/// An order over 100.00 EUR, of which the provider earns 90.00, two days ahead, named provider, authorised.
fn order(state: State) -> Order {
    let clock = Clock::manual(now());
    let line = |code: &str, total, earner| PriceLine {
        code: code.to_owned(),
        quantity: 1.0,
        unit: "visit".to_owned(),
        total,
        payer: Party::Customer,
        earner,
        pass_through: false,
        origin: LineOrigin::Quote,
    };
    Order {
        id: Id::new(&clock),
        customer_id: Id::new(&clock),
        quote_id: Id::new(&clock),
        request_id: None,
        vertical: "cleaning".to_owned(),
        state,
        disputed: false,
        booking: false,
        joined: false,
        given_up: false,
        provider_id: Some(Id::new(&clock)),
        provider_user_id: Some(Id::new(&clock)),
        provider_name: "Ana".to_owned(),
        window_start: now() + Duration::days(2),
        window_end: now() + Duration::days(2) + Duration::hours(3),
        time_zone: "Europe/Paris".to_owned(),
        details: JobDetails::default(),
        terms: Terms {
            place: Address {
                lines: vec!["1 rue de Rivoli".to_owned()],
                postcode: "75001".to_owned(),
                city: "Paris".to_owned(),
                country: "FR".to_owned(),
                lat: 48.8566,
                lng: 2.3522,
                access_notes: "B1234".to_owned(),
            },
            lines: vec![
                line("cleaning.base", 9_000, Party::Provider),
                line("platform.fee", 1_000, Party::Platform),
            ],
            requirements: Requirements::default(),
            policy: Policy::default(),
            asap: false,
            parent: None,
            series: None,
            cap: None,
            manual_acceptance: false,
            customer_changes: false,
        },
        notes: Private::default(),
        search_if_declined: false,
        total: 10_000,
        currency: "EUR".to_owned(),
        payment: Payment { state: PaymentState::Authorized, ..Payment::default() },
        progress: Progress::default(),
        hold_expires_at: now() + Duration::minutes(15),
        version: 3,
        event_seq: 0,
        created_at: now(),
        updated_at: now(),
    }
}

/// A change of `order` by its `side`, `later` than the beginning.
fn change(order: Order, side: Actor, later: Duration) -> OrderChange {
    let user = |id| Principal::User { id, operator: false };
    let who = match side {
        Actor::Customer => user(order.customer_id),
        Actor::Provider => user(order.provider_user_id.unwrap()),
        Actor::Operator => {
            Principal::User { id: Id::derived(order.id.uuid(), "operator"), operator: true }
        }
        Actor::Payment | Actor::System => Principal::System,
    };
    let timing = Arc::new(Timing::default());
    let mut change = OrderChange::new(order, who, now() + later, timing).unwrap();
    if side == Actor::Payment {
        change.by = Actor::Payment;
    }
    change
}
