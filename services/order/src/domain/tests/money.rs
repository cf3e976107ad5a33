//! What cancelling costs, what is captured, what goes back.

use super::*;
use kit::{Money, values::money::Currency};
use uuid::Uuid;

/// The default matrix by side, fault, state and hours before the start: the fee of 100.00.
#[test]
fn the_cancellation_matrix() {
    let cases = [
        (
            "before a provider has it",
            Actor::Customer,
            LiableParty::Customer,
            State::Requested,
            1,
            0,
        ),
        ("while searching", Actor::Customer, LiableParty::Customer, State::Searching, 1, 0),
        ("unpaid", Actor::Customer, LiableParty::Customer, State::PendingPayment, 1, 0),
        ("a day and more ahead", Actor::Customer, LiableParty::Customer, State::Assigned, 24, 0),
        ("less than a day", Actor::Customer, LiableParty::Customer, State::Assigned, 23, 5_000),
        ("on the way", Actor::Customer, LiableParty::Customer, State::EnRoute, 1, 5_000),
        ("at the door", Actor::Customer, LiableParty::Customer, State::Arrived, 0, 5_000),
        (
            "late, after the start",
            Actor::Customer,
            LiableParty::Customer,
            State::Arrived,
            -1,
            5_000,
        ),
        ("the provider's fault", Actor::Operator, LiableParty::Provider, State::EnRoute, 1, 0),
        ("nobody's fault", Actor::Operator, LiableParty::None, State::Assigned, 1, 0),
        (
            "the customer's, by an operator",
            Actor::Operator,
            LiableParty::Customer,
            State::Assigned,
            1,
            5_000,
        ),
        ("both sides'", Actor::Operator, LiableParty::Shared, State::Assigned, 1, 2_500),
        ("both sides', in time", Actor::Operator, LiableParty::Shared, State::Assigned, 48, 0),
        ("nobody there", Actor::Provider, LiableParty::Customer, State::NoShow, 0, 10_000),
        ("no row, no fee", Actor::Customer, LiableParty::Customer, State::InProgress, 1, 0),
    ];
    for (what, actor, fault, state, hours, fee) in cases {
        let it = order(state);
        let at = it.window_start - Duration::hours(hours);
        let charge = it.charge(state, actor, fault, at);
        assert_eq!((charge.fee, charge.provider_gross), (fee, fee), "{what}");
    }
}

#[test]
fn the_first_row_that_matches_decides_and_bounds_hold() {
    let rule = PolicyRule { percent: 50, flat: 100, provider_share: 80, ..PolicyRule::default() };
    let policy = |rules| Policy { version: "test".to_owned(), rules };
    let it = order(State::Assigned);
    let case = Case {
        vertical: "cleaning",
        actor: Actor::Customer,
        fault: LiableParty::Customer,
        state: State::Assigned,
        until_start: Duration::hours(1),
        since_assignment: Some(Duration::minutes(1)),
    };
    let fee = |rules| policy(rules).charge(&case, it.total);
    assert_eq!(
        (fee(vec![rule.clone()]).fee, fee(vec![rule.clone()]).provider_gross),
        (5_100, 4_080)
    );
    assert_eq!(fee(vec![PolicyRule { most: Some(900), ..rule.clone() }]).fee, 900);
    assert_eq!(fee(vec![PolicyRule { least: 7_000, ..rule.clone() }]).fee, 7_000);
    assert_eq!(
        fee(vec![PolicyRule { least: 70_000, ..rule.clone() }]).fee,
        10_000,
        "never above the price"
    );
    let grace = PolicyRule { within_minutes_of_assignment: Some(2), ..PolicyRule::default() };
    assert_eq!(fee(vec![grace.clone(), rule.clone()]).fee, 0, "the first row decides");
    let other = PolicyRule { vertical: Some("transport".to_owned()), ..grace };
    assert_eq!(fee(vec![other.clone(), rule.clone()]).fee, 5_100);
    let kept = policy(vec![other, rule]).of_vertical("cleaning");
    assert_eq!(kept.rules.len(), 1, "a quote keeps what concerns its vertical");
    assert_eq!(fee(Vec::new()), CancellationCharge::default());
}

#[test]
fn a_fee_is_captured_and_anything_else_given_back() {
    let mut it = change(order(State::Assigned), Actor::Customer, Duration::hours(30));
    let charge = it.order.charge(State::Assigned, Actor::Customer, LiableParty::Customer, it.now);
    it.cancel(charge, LiableParty::Customer, "changed plans").unwrap();
    let capture = it.side_effects.iter().find_map(|effect| match effect {
        SideEffect::Capture(CaptureTerms { amount, fee, .. }) => Some((*amount, *fee)),
        _ => None,
    });
    assert_eq!(capture, Some((5_000, true)));
    assert!(it.side_effects.contains(&SideEffect::Release { provider_id: None }));
    assert_eq!(it.order.due(), 5_000);

    let mut unpaid = order(State::Assigned);
    unpaid.payment.state = PaymentState::MethodSaved;
    let mut it = change(unpaid, Actor::Customer, Duration::hours(30));
    it.cancel(charge, LiableParty::Customer, "").unwrap();
    assert!(
        matches!(it.side_effects[0], SideEffect::Void { .. }),
        "nothing is authorised to take a fee from"
    );
    assert_eq!(it.order.due(), 0);
}

#[test]
fn a_provider_earns_their_lines_and_their_part_of_less() {
    let it = order(State::Delivered);
    assert_eq!(it.provider_gross(10_000), 9_000);
    assert_eq!(it.provider_gross(5_000), 4_500);
    assert_eq!(it.provider_gross(0), 0);
    let mut it = change(it, Actor::Customer, Duration::zero());
    it.order.progress.reduction = 2_000;
    it.accept_delivery("").unwrap();
    assert!(matches!(
        it.side_effects[0],
        SideEffect::Capture(CaptureTerms { amount: 8_000, provider_gross: 7_200, fee: false, .. })
    ));
}

#[test]
fn breaking_off_charges_pro_rata_and_opens_a_dispute() {
    let mut it = order(State::InProgress);
    it.progress.started_at = Some(now());
    let mut it = change(it, Actor::Operator, Duration::hours(1));
    it.vertical_agreed(Some(Agreement::to(Action::Abort, &it.order, it.now)));
    it.abort(Uuid::nil(), "SAFETY").unwrap();
    assert!(
        matches!(it.side_effects[0], SideEffect::Capture(CaptureTerms { amount: 3_333, .. })),
        "{:?}",
        it.side_effects
    );
    assert!(it.side_effects.contains(&SideEffect::Freeze { frozen: true }));
    assert!(it.order.disputed && it.order.state == State::Aborted);
    let kinds: Vec<_> = it.events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["order.aborted", "order.disputed"]);
}

#[test]
fn disputes_are_resolved_before_and_after_the_capture() {
    let resolved = |state, resolution| {
        let mut it = order(state);
        it.disputed = true;
        let mut it = change(it, Actor::Operator, Duration::zero());
        it.resolve_dispute(resolution, 0).map(|()| it)
    };
    let refunded = |it: &OrderChange| {
        it.side_effects.iter().find_map(|effect| match effect {
            SideEffect::Refund { amount, .. } => Some(*amount),
            _ => None,
        })
    };
    let thawed = SideEffect::Freeze { frozen: false };
    let it =
        resolved(State::Completed, Resolution::Split(Money::new(Currency::EUR, 4_000))).unwrap();
    assert_eq!(refunded(&it), Some(4_000));
    assert!(it.side_effects.contains(&thawed));
    let it = resolved(State::Completed, Resolution::Customer).unwrap();
    assert_eq!(refunded(&it), Some(10_000));
    assert!(it.order.progress.paid_out, "nothing is left to pay out");
    let it = resolved(State::Completed, Resolution::Provider).unwrap();
    assert_eq!((refunded(&it), it.side_effects.contains(&thawed)), (None, true));
    let it =
        resolved(State::Delivered, Resolution::Split(Money::new(Currency::EUR, 4_000))).unwrap();
    assert_eq!((refunded(&it), it.order.progress.reduction), (None, 4_000));
    for split in [0, -1, 10_000, 10_001] {
        assert!(
            resolved(State::Completed, Resolution::Split(Money::new(Currency::EUR, split)))
                .is_err(),
            "{split}"
        );
    }
}

#[test]
fn what_disputes_decide_adds_up() {
    let resolve = |it: Order, resolution, pending| {
        let mut it = change(Order { disputed: true, ..it }, Actor::Operator, Duration::zero());
        it.resolve_dispute(resolution, pending).map(|()| it)
    };
    let split = |units| Resolution::Split(Money::new(Currency::EUR, units));
    let mut it = order(State::Delivered);
    for (resolution, reduction) in [
        (split(2_000), 2_000),
        (Resolution::Provider, 2_000),
        (split(7_999), 9_999),
        (Resolution::Customer, 10_000),
        (Resolution::Customer, 10_000),
    ] {
        it = resolve(it, resolution, 0).unwrap().order.clone();
        assert_eq!(it.progress.reduction, reduction, "{resolution:?}");
    }

    let refund = |it: &OrderChange| {
        it.side_effects.iter().find_map(|effect| match effect {
            SideEffect::Refund { amount, .. } => Some(*amount),
            _ => None,
        })
    };
    let mut it = order(State::Completed);
    it.payment.amounts = Amounts { captured: 10_000, refunded: 1_000, charged_back: 500 };
    assert!(resolve(it.clone(), split(6_500), 2_000).is_err());
    assert_eq!(refund(&resolve(it.clone(), split(6_499), 2_000).unwrap()), Some(6_499));
    let all = resolve(it.clone(), Resolution::Customer, 2_000).unwrap();
    assert_eq!((refund(&all), all.order.progress.paid_out), (Some(6_500), false));
    it.payment.amounts.charged_back = 0;
    let all = resolve(it, Resolution::Customer, 2_000).unwrap();
    assert_eq!((refund(&all), all.order.progress.paid_out), (Some(7_000), true));

    // What is owed is lowered, at payment as well.
    let mut it = order(State::Completed);
    it.payment.state = PaymentState::Due;
    let it = resolve(it, split(2_000), 0).unwrap();
    assert_eq!((refund(&it), it.order.progress.reduction), (Some(2_000), 2_000));
    let it = resolve(it.order.clone(), Resolution::Customer, 2_000).unwrap();
    assert_eq!((refund(&it), it.order.progress.reduction), (Some(8_000), 10_000));
}

#[test]
fn work_that_is_broken_off_costs_its_part_of_the_reduced_price() {
    let mut it = order(State::InProgress);
    it.progress.started_at = Some(now());
    it.progress.reduction = 4_000;
    let mut it = change(it, Actor::Operator, Duration::hours(1));
    it.vertical_agreed(Some(Agreement::to(Action::Abort, &it.order, it.now)));
    it.abort(Uuid::nil(), "SAFETY").unwrap();
    assert_eq!(it.order.due(), 2_000);
}
