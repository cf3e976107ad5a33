//! What an order that was restored needs, and what becomes of it where that is lost.

use super::*;

/// An order that ended in `state` at the start, with this fee.
fn ended(state: State, fee: i64) -> Order {
    let mut order = order(state);
    order.progress.assigned_at = Some(now() - Duration::days(1));
    order.progress.cancellation = Some(Cancellation {
        actor: Actor::Customer,
        reason: "CHANGED_MIND".to_owned(),
        fault: LiableParty::Customer,
        fee,
        at: order.window_start - Duration::hours(1),
    });
    order
}

fn effects(order: Order) -> Option<Vec<SideEffect>> {
    let mut change = change(order, Actor::System, Duration::days(3));
    change.settle_end_again().then_some(change.side_effects)
}

fn captured(effects: &[SideEffect]) -> (i64, i64, bool) {
    let [SideEffect::Capture(terms), ..] = effects else { panic!("{effects:?}") };
    (terms.amount, terms.provider_gross, terms.fee)
}

#[test]
fn the_end_of_an_order_is_settled_again_as_it_was() {
    let mut completed = order(State::Completed);
    completed.progress.completed_at = Some(now());
    assert_eq!(captured(&effects(completed.clone()).unwrap()), (10_000, 9_000, false));
    // What a dispute took off is not taken.
    completed.progress.reduction = 4_000;
    assert_eq!(captured(&effects(completed.clone()).unwrap()), (6_000, 5_400, false));
    completed.disputed = true;
    assert_eq!(effects(completed).unwrap()[1], SideEffect::Freeze { frozen: true });
    let fee = |state, fee| captured(&effects(ended(state, fee)).unwrap());
    assert_eq!(fee(State::Cancelled, 5_000), (5_000, 5_000, true));
    assert_eq!(fee(State::NoShow, 10_000), (10_000, 10_000, true));
    assert_eq!(fee(State::Aborted, 4_000), (4_000, 3_600, true));
    // The terms do not come to this fee: what the provider earns of it is an operator's to say.
    assert_eq!(effects(ended(State::Cancelled, 4_999)), None);
    for order in [ended(State::Cancelled, 0), order(State::Expired), order(State::NoProvider)] {
        let reason = RESTORED.to_owned();
        assert_eq!(effects(order), Some(vec![SideEffect::Void { reason }]));
    }
}

#[test]
fn time_is_needed_until_the_work_is_done_and_kept_after_it() {
    for state in State::ALL {
        let order = order(state);
        let provider = order.provider_id.unwrap();
        let needed = order.needed_time().map(|(_, needed)| needed);
        let expected = match state {
            State::PendingPayment | State::Requested => Some(NeededTime::Held),
            State::Delivered | State::Completed | State::Searching => None,
            _ if state.is_final() => None,
            _ => Some(NeededTime::Confirmed),
        };
        assert_eq!(needed, expected, "{state}");
        let keeps = !state.is_final() || state == State::Closed;
        assert_eq!(order.keeps_time(provider, 0), keeps, "{state}");
        assert!(!order.keeps_time(Id::derived(order.id.uuid(), "another"), 0), "{state}");
        assert!(!order.keeps_time(provider, 1), "of another round: {state}");
    }
}

#[test]
fn money_that_cannot_be_had_again_is_asked_of_the_customer() {
    let mut lost = change(order(State::Assigned), Actor::System, Duration::zero());
    lost.lose_authorization(&Authorization::declined("CARD_DECLINED".to_owned())).unwrap();
    assert_eq!(lost.order.payment.state, PaymentState::Declined);
    assert_eq!(lost.order.state, State::Assigned);
    assert_eq!(lost.events[0].kind, "order.payment_failed");
    // The timer asks again, and ends the order at last.
    assert!(lost.order.authorize_at(&lost.timing).is_some());
}
