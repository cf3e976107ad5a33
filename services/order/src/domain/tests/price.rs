//! What the work comes to, told without a vertical.

use super::*;

fn line(total: i64, origin: LineOrigin) -> PriceLine {
    PriceLine {
        code: "cleaning.line".to_owned(),
        quantity: 1.0,
        unit: "visit".to_owned(),
        total,
        payer: Party::Customer,
        earner: Party::Provider,
        pass_through: false,
        origin,
    }
}

fn answer(order: &Order, settlement: &[i64], due: &[i64]) -> DeliveryAnswer {
    let lines = |amounts: &[i64]| amounts.iter().map(|it| line(*it, LineOrigin::Quote)).collect();
    DeliveryAnswer {
        order_version: order.version,
        answered_at: now(),
        settlement: lines(settlement),
        due: lines(due),
    }
}

/// The order after a delivery `later` than the vertical's answer.
fn delivered(order: &Order, answer: DeliveryAnswer, later: Duration) -> Result<Order, Error> {
    let mut it = change(order.clone(), Actor::Provider, later);
    it.vertical_agreed(Some(Agreement::to(Action::Deliver, order, now()).with_gate(Some(answer))));
    it.deliver()?;
    Ok(it.close().into_inner().order)
}

/// An order over 100.00 of 120.00 at most, with approved changes of 30.00 and -10.00.
fn capped() -> Order {
    let mut it = order(State::InProgress);
    it.terms.cap = Some(12_000);
    it.terms.lines.extend([3_000, -1_000].map(|total| line(total, LineOrigin::Change)));
    it.total = 12_000;
    it
}

#[test]
fn approved_changes_lie_apart_from_the_cap() {
    let it = capped();
    assert_eq!((it.quoted_ceiling(), it.ceiling()), (12_000, 14_000));
    for (settlement, total) in
        [(2_000, Some(14_000)), (2_001, None), (-12_000, Some(0)), (-12_001, None)]
    {
        let done = delivered(&it, answer(&it, &[settlement], &[]), Duration::zero());
        assert_eq!(done.as_ref().ok().map(|it| it.total), total, "{settlement} {done:?}");
    }
    let binding = order(State::InProgress);
    assert_eq!((binding.quoted_ceiling(), binding.ceiling()), (10_000, 10_000));
}

#[test]
fn an_answer_holds_for_thirty_seconds_and_for_the_order_as_it_was() {
    let it = capped();
    let given = answer(&it, &[500], &[]);
    assert!(delivered(&it, given.clone(), Duration::seconds(30)).is_ok());
    let late = delivered(&it, given.clone(), Duration::seconds(31));
    assert!(matches!(late, Err(Error::GateAnswerExpired)), "{late:?}");
    let changed = Order { version: it.version + 1, ..it };
    let done = delivered(&changed, given, Duration::zero());
    assert!(matches!(done, Err(Error::Changed)), "{done:?}");
}

#[test]
fn what_only_passes_through_carries_no_commission() {
    let mut it = order(State::Delivered);
    it.terms.lines.push(PriceLine { pass_through: true, ..line(2_000, LineOrigin::Quote) });
    it.total = 12_000;
    assert_eq!((it.provider_gross(12_000), it.commission_base(12_000)), (11_000, 9_000));
    assert_eq!((it.provider_gross(6_000), it.commission_base(6_000)), (5_500, 4_500));
}

#[test]
fn no_timer_accepts_where_people_do() {
    let mut it = order(State::Delivered);
    it.terms.manual_acceptance = true;
    it.progress.delivered_at = Some(now());
    let mut timer = change(it.clone(), Actor::System, Duration::days(2));
    assert!(matches!(timer.accept_delivery("TIMER"), Err(Error::AcceptedByPeople)));
    timer.end_state().unwrap();
    assert_eq!(timer.order.state, State::Delivered);
    assert_eq!(it.ends_at(&Timing::default()), None);
    for who in [Actor::Customer, Actor::Operator] {
        let mut it = change(it.clone(), who, Duration::days(9));
        it.accept_delivery("").unwrap();
    }
}

#[test]
fn a_customer_who_was_right_owes_nothing_beyond_the_cap() {
    let it = capped();
    let mut it = delivered(&it, answer(&it, &[2_000], &[700]), Duration::zero()).unwrap();
    assert_eq!(it.progress.beyond_cap.len(), 1);
    it.disputed = true;
    let mut it = change(it, Actor::Operator, Duration::zero());
    it.resolve_dispute(Resolution::Customer, 0).unwrap();
    assert_eq!(it.order.progress.beyond_cap, []);
}

/// What earlier versions wrote is read as it was meant.
#[test]
fn lines_of_earlier_versions_are_quoted_ones() {
    let stored = r#"{"code":"cleaning.base","quantity":1.0,"unit":"visit","total":5,"payer":"customer","earner":"provider"}"#;
    let line: PriceLine = serde_json::from_str(stored).unwrap();
    assert_eq!((line.origin, line.pass_through), (LineOrigin::Quote, false));
    assert_eq!(serde_json::to_string(&line).unwrap(), stored);
}
