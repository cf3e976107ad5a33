//! Codes, tokens, guards of time and place, deadlines.

use super::*;

fn secret() -> CodeKey {
    CodeKey::new(vec![7; 32])
}

#[test]
fn a_start_code_opens_one_assignment_only() {
    let mut it = order(State::Arrived);
    it.progress.assignments = 1;
    let code = secret().start_code(&it);
    assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()));
    assert!(secret().opens(&it, &code) && secret().opens(&it, &format!(" {code} ")));
    assert!(!secret().opens(&it, "") && !secret().opens(&it, &code[..5]));
    assert!(!CodeKey::new(vec![8; 32]).opens(&it, &code));
    it.progress.assignments = 2;
    assert!(!secret().opens(&it, &code), "another assignment has another code");
}

#[test]
fn five_wrong_start_codes_lock_for_a_quarter_of_an_hour_or_until_a_reset() {
    let mut it = change(order(State::Arrived), Actor::Provider, Duration::days(2));
    for left in (0..5).rev() {
        let wrong = it.count_wrong_code().unwrap();
        assert!(matches!(wrong, Error::StartCodeWrong { left: it } if it == left));
    }
    assert!(matches!(it.start(true), Err(Error::StartCodeLocked { .. })));
    assert!(matches!(it.count_wrong_code(), Err(Error::StartCodeLocked { .. })));
    let locked = it.order;
    assert_eq!(locked.state, State::Arrived);

    let later = Duration::days(2) + Duration::minutes(15);
    let mut it = change(locked.clone(), Actor::Provider, later);
    assert!(matches!(it.count_wrong_code(), Ok(Error::StartCodeWrong { left: 4 })));
    for side in [Actor::Customer, Actor::Operator] {
        let mut it = change(locked.clone(), side, Duration::days(2));
        it.reset_start_code().unwrap();
        assert_ne!(secret().start_code(&it.order), secret().start_code(&locked), "another code");
        let mut it = change(it.order, Actor::Provider, Duration::days(2));
        it.vertical_agreed(Some(Agreement::to(Action::Start, &it.order, it.now)));
        it.start(true).unwrap();
    }
}

#[test]
fn work_begins_with_the_money_only() {
    for state in [PaymentState::Declined, PaymentState::MethodSaved, PaymentState::Pending] {
        let mut it = order(State::Arrived);
        it.payment.state = state;
        let mut it = change(it, Actor::Provider, Duration::days(2));
        assert!(matches!(it.start(true), Err(Error::PaymentNotAuthorized)), "{state:?}");
    }
}

#[test]
fn a_cancel_token_is_good_for_one_order_as_it_stands_for_ten_minutes() {
    let it = order(State::Assigned);
    let token = CancelToken {
        order_id: it.id,
        basis: CancelBasis::of(&it),
        actor: Actor::Customer,
        fault: LiableParty::Customer,
        fee: 5_000,
        provider_gross: 5_000,
        expires_at: now() + Duration::minutes(10),
    };
    let text = secret().write(&token);
    let read = secret().read(&text).unwrap();
    assert_eq!(read, token);
    assert_eq!(read.redeem(&it, Actor::Customer, now()).unwrap().fee, 5_000);
    let later = now() + Duration::minutes(10);
    let redeem = |order: &Order, actor, at| token.clone().redeem(order, actor, at);
    assert!(matches!(redeem(&it, Actor::Customer, later), Err(Error::CancelTokenExpired)));
    assert!(matches!(redeem(&it, Actor::Operator, now()), Err(Error::Kit(_))));
    let noted = Order { version: it.version + 1, ..it.clone() };
    assert_eq!(redeem(&noted, Actor::Customer, now()).unwrap().fee, 5_000, "the price is the same");
    let mut moved = it.clone();
    moved.progress.moves += 1;
    let sooner = Order { window_start: it.window_start - Duration::hours(1), ..it.clone() };
    let dearer = Order { total: it.total + 1, ..it.clone() };
    for changed in [moved, sooner, dearer] {
        assert!(matches!(redeem(&changed, Actor::Customer, now()), Err(Error::CancelTokenExpired)));
    }
    assert!(redeem(&order(State::Assigned), Actor::Customer, now()).is_err(), "another order");
    for (index, _) in text.char_indices().step_by(7) {
        let mut forged = text.clone();
        let other = if forged.as_bytes()[index] == b'A' { "B" } else { "A" };
        forged.replace_range(index..=index, other);
        assert!(secret().read(&forged).is_err(), "{index}");
    }
    for bad in ["", "AAAA", "%%%"] {
        assert!(secret().read(bad).is_err());
    }
}

#[test]
fn a_provider_sets_out_inside_the_window() {
    let hours = |hours| Duration::days(2) + Duration::hours(hours);
    for (at, allowed) in
        [(hours(-4), false), (hours(-3), true), (hours(3), true), (hours(4), false)]
    {
        let mut it = change(order(State::Assigned), Actor::Provider, at);
        it.vertical_agreed(Some(Agreement::to(Action::Depart, &it.order, it.now)));
        assert_eq!(it.depart().is_ok(), allowed, "{at}");
    }
}

#[test]
fn an_arrival_is_flagged_unless_it_is_near() {
    let cases = [
        (Some((48.8566, 2.3522)), false),
        (Some((48.8578, 2.3522)), false),
        (Some((48.8581, 2.3522)), true),
        (Some((48.8566, 2.3541)), false),
        (Some((48.8566, 2.3546)), true),
        (None, true),
    ];
    for (position, flagged) in cases {
        let mut it = change(order(State::EnRoute), Actor::Provider, Duration::days(2));
        it.vertical_agreed(Some(Agreement::to(Action::Arrive, &it.order, it.now)));
        it.arrive(position).unwrap();
        assert_eq!(it.order.progress.arrival_flagged, flagged, "{position:?}");
    }
}

#[test]
fn nobody_is_absent_before_two_attempts_and_the_waiting_time_after_the_start() {
    let start = Duration::days(2);
    let mut it = order(State::Arrived);
    it.progress.arrived_at = Some(now());
    let mut early = change(it.clone(), Actor::Provider, start + Duration::minutes(20));
    assert!(matches!(early.no_show(), Err(Error::ContactAttemptsMissing)));
    it.progress.contact_attempts = 2;
    for minutes in [-60, 0, 14] {
        let mut early = change(it.clone(), Actor::Provider, start + Duration::minutes(minutes));
        assert!(matches!(early.no_show(), Err(Error::NoShowTooEarly)), "{minutes}");
    }
    // Who comes late waits as long.
    let mut late = it.clone();
    late.progress.arrived_at = Some(now() + start + Duration::minutes(10));
    let mut early = change(late, Actor::Provider, start + Duration::minutes(24));
    assert!(matches!(early.no_show(), Err(Error::NoShowTooEarly)));
    let mut late = change(it, Actor::Provider, start + Duration::minutes(15));
    assert!(matches!(late.no_show(), Err(Error::Changed)), "the vertical was not asked");
    late.vertical_agreed(Some(Agreement::to(Action::NoShow, &late.order, late.now)));
    late.no_show().unwrap();
    assert!(matches!(
        late.side_effects[0],
        SideEffect::Capture(CaptureTerms { amount: 10_000, fee: true, .. })
    ));
}

#[test]
fn an_arrival_that_no_position_shows_makes_no_fee_by_itself() {
    let start = Duration::days(2);
    let mut it = order(State::Arrived);
    it.progress.arrived_at = Some(now() + start);
    it.progress.arrival_flagged = true;
    it.progress.contact_attempts = 2;
    let timing = Timing::default();
    let abandoned = it.window_end + Duration::days(1);
    assert_eq!(it.deadline(&timing), Some(abandoned), "no timer counts the customer as absent");
    for side in [Actor::Provider, Actor::System] {
        let refused = change(it.clone(), side, start + Duration::hours(1)).no_show();
        assert!(matches!(refused, Err(Error::ArrivalNotProven)), "{side:?}");
    }
    let mut decided = change(it.clone(), Actor::Operator, start + Duration::hours(1));
    decided.vertical_agreed(Some(Agreement::to(Action::NoShow, &decided.order, decided.now)));
    decided.no_show().unwrap();

    // With a position the arrival counts from then.
    let mut shown = change(it, Actor::Provider, start + Duration::minutes(20));
    shown.vertical_agreed(Some(Agreement::to(Action::Arrive, &shown.order, shown.now)));
    shown.arrive(Some((48.8566, 2.3522))).unwrap();
    assert!(shown.events.is_empty(), "the customer was told before");
    assert!(matches!(shown.arrive(None), Err(Error::ArrivedAlready)));
    let it = shown.order;
    let minutes = |count| start + Duration::minutes(count);
    let early = change(it.clone(), Actor::Provider, minutes(34)).no_show();
    assert!(matches!(early, Err(Error::NoShowTooEarly)));
    assert_eq!(it.deadline(&timing), Some(now() + minutes(50)));
    let mut waited = change(it.clone(), Actor::System, minutes(50));
    assert!(matches!(waited.end_state(), Err(Error::Changed)), "the vertical was not asked");
    waited.vertical_agreed(Some(Agreement::to(Action::NoShow, &waited.order, waited.now)));
    waited.end_state().unwrap();
    assert_eq!(waited.order.state, State::NoShow);
    // The vertical denied it until the day was over.
    let mut abandoned = change(it, Actor::System, start + Duration::days(2));
    abandoned.end_state().unwrap();
    assert_eq!(abandoned.order.state, State::Cancelled);
}

#[test]
fn attempts_to_reach_the_customer_lie_five_minutes_apart_from_the_start_on() {
    let start = Duration::days(2);
    let mut it = order(State::Arrived);
    it.progress.arrived_at = Some(now());
    for (minutes, counts) in
        [(-10, false), (0, true), (1, false), (4, false), (5, true), (9, false), (10, true)]
    {
        let mut tried = change(it.clone(), Actor::Provider, start + Duration::minutes(minutes));
        let refused = tried.contact_attempt("bell").err();
        assert_eq!(refused.is_none(), counts, "{minutes}");
        let early = matches!(refused, None | Some(Error::ContactAttemptTooEarly { .. }));
        assert!(early, "{refused:?}");
        it = tried.order;
    }
    assert_eq!(it.progress.contact_attempts, 3);
}

#[test]
fn what_happened_decides_whose_fault_a_cancellation_is() {
    use LiableParty::{Customer, None as NoSide, Provider};
    let minutes = |count| Duration::days(2) + Duration::minutes(count);
    let fault = |it: &Order, at| it.fault_of_customer(now() + at, &Timing::default());
    let assigned = order(State::Assigned);
    assert_eq!(fault(&assigned, minutes(-60)), Customer);
    assert_eq!(fault(&assigned, minutes(30)), Customer, "the grace is not over");
    assert_eq!(fault(&assigned, minutes(31)), Provider);
    assert_eq!(fault(&order(State::EnRoute), minutes(31)), Provider);
    let mut there = order(State::Arrived);
    there.progress.arrived_at = Some(now() + minutes(10));
    assert_eq!(fault(&there, minutes(60)), Customer);
    there.progress.arrival_flagged = true;
    assert_eq!(fault(&there, minutes(60)), Provider, "nothing shows that anybody came");
    there.progress.arrival_flagged = false;
    there.progress.arrived_at = Some(now() + minutes(45));
    assert_eq!(fault(&there, minutes(50)), Provider, "too late");
    let mut again = order(State::Assigned);
    again.progress.reassigned = 1;
    assert_eq!(fault(&again, minutes(-60)), NoSide);
    again.state = State::Arrived;
    again.progress.arrived_at = Some(now() + minutes(-5));
    assert_eq!(fault(&again, minutes(0)), Customer);
}

#[test]
fn work_that_does_not_end_is_shown_to_an_operator_once() {
    let timing = Timing::default();
    let it = order(State::InProgress);
    let due = it.window_end + Duration::hours(4);
    assert_eq!((it.deadline(&timing), it.ends_at(&timing)), (Some(due), None));
    let mut shown = change(it, Actor::System, due - now());
    shown.end_state().unwrap();
    assert_eq!((shown.order.state, shown.events[0].kind), (State::InProgress, "order.overdue"));
    assert_eq!(shown.order.deadline(&timing), None);
    let mut it = shown.order;
    it.state = State::Delivered;
    it.progress.delivered_at = Some(now() + Duration::days(3));
    let mut rework = change(it, Actor::Customer, Duration::days(3));
    rework.request_changes(uuid::Uuid::nil(), "The windows".to_owned()).unwrap();
    let due = now() + Duration::days(5);
    assert_eq!(rework.order.deadline(&timing), Some(due));
}

#[test]
fn an_assignment_is_given_up_three_times() {
    for (reassigned, to) in [(0, State::Searching), (2, State::Searching), (3, State::NoProvider)] {
        let mut it = order(State::Assigned);
        it.progress.reassigned = reassigned;
        let provider = it.provider_id.unwrap();
        let mut it = change(it, Actor::Provider, Duration::zero());
        it.reassign("ILL").unwrap();
        assert_eq!(it.order.state, to);
        let freed = SideEffect::ReleaseProvider { provider_id: provider, round: 0 };
        assert!(it.side_effects.contains(&freed));
        assert_eq!(it.order.progress.excluded, [provider]);
        assert_eq!((it.events[0].kind, it.events[0].fault), ("order.reassigned", "provider"));
        assert_eq!(it.order.total, 10_000, "the price stays");
    }
}

#[test]
fn every_state_that_can_end_by_itself_says_when() {
    let timing = Timing::default();
    let mut it = order(State::Requested);
    it.progress.requested_at = Some(now());
    assert_eq!(it.deadline(&timing), Some(it.window_end), "the end comes before six days");
    it.window_start += Duration::days(30);
    it.window_end += Duration::days(30);
    assert_eq!(it.deadline(&timing), Some(now() + Duration::days(6)));
    let mut long = order(State::Requested);
    long.window_end = long.window_start + Duration::days(3);
    assert_eq!(long.deadline(&timing), Some(long.window_start + Duration::days(1)));
    assert_eq!(order(State::PendingPayment).deadline(&timing), Some(now() + Duration::minutes(15)));
    let mut it = order(State::Delivered);
    it.progress.delivered_at = Some(now());
    assert_eq!(it.deadline(&timing), Some(now() + Duration::hours(48)));
    it.disputed = true;
    assert_eq!(it.deadline(&timing), None, "a dispute freezes the acceptance by itself");
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        assert_eq!(order(state).deadline(&timing), None, "{state:?}");
    }
}

#[test]
fn a_late_success_is_given_back_unless_money_is_kept() {
    let authorized = Authorization {
        payment_id: None,
        outcome: Outcome::Authorized,
        decline_reason: String::new(),
        confirmation_url: String::new(),
    };
    for (state, void) in [
        (State::Expired, true),
        (State::NoProvider, true),
        (State::Declined, true),
        (State::Completed, false),
        (State::InProgress, false),
    ] {
        let mut it = change(order(state), Actor::System, Duration::zero());
        it.settle(&authorized).unwrap();
        assert_eq!(!it.side_effects.is_empty(), void, "{state:?}");
    }
}

#[test]
fn nothing_personal_is_printed() {
    let mut it = order(State::Assigned);
    it.notes = Private("my notes".to_owned());
    it.details = JobDetails(b"my details".to_vec());
    let printed = format!("{it:?}");
    for secret in ["my notes", "my details", "Rivoli", "B1234"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

#[test]
fn a_price_is_in_one_currency_and_not_negative() {
    let eur = kit::values::money::Currency::EUR;
    let usd = kit::values::money::Currency::parse("currency", "USD").unwrap();
    let line = |total| PriceLine {
        code: "x".to_owned(),
        quantity: 1.0,
        unit: "visit".to_owned(),
        total,
        payer: Party::Customer,
        earner: Party::Provider,
        pass_through: false,
        origin: LineOrigin::Quote,
    };
    assert_eq!(total_price(&[(line(10), eur), (line(-3), eur)]).unwrap(), (7, eur));
    assert!(total_price(&[(line(10), eur), (line(3), usd)]).is_err());
    assert!(total_price(&[(line(1), eur), (line(-3), eur)]).is_err());
    assert!(total_price(&[(line(i64::MAX), eur), (line(1), eur)]).is_err());
}

#[test]
fn what_the_vertical_has_not_agreed_to_does_not_happen() {
    let assigned = order(State::Assigned);
    for agreed in [None, Some(Agreement::to(Action::Arrive, &assigned, now()))] {
        let mut it = change(assigned.clone(), Actor::Provider, Duration::days(2));
        it.vertical_agreed(agreed.clone());
        assert!(matches!(it.depart(), Err(Error::Changed)), "{agreed:?}");
    }
}

#[test]
fn an_agreement_ends_when_the_state_changes() {
    let reworked = order(State::ChangesRequested);
    let gate = DeliveryAnswer {
        order_version: reworked.version,
        answered_at: now(),
        settlement: Vec::new(),
        due: Vec::new(),
    };
    let agreed = Agreement::to(Action::Deliver, &reworked, now()).with_gate(Some(gate));
    // Meanwhile the rework was delivered, and sent back once more.
    let mut again = reworked.clone();
    again.progress.moves += 2;
    for (found, delivered) in [(reworked, true), (again, false)] {
        let mut it = change(found, Actor::Provider, Duration::zero());
        it.vertical_agreed(Some(agreed.clone()));
        assert_eq!(it.deliver().is_ok(), delivered);
    }
}

#[test]
fn an_agreement_holds_for_half_a_minute() {
    let working = order(State::InProgress);
    for (seconds, aborted) in [(30, true), (31, false)] {
        let agreed = Agreement::to(Action::Abort, &working, now());
        let mut it = change(working.clone(), Actor::Operator, Duration::seconds(seconds));
        it.vertical_agreed(Some(agreed));
        assert_eq!(it.abort(uuid::Uuid::nil(), "SAFETY").is_ok(), aborted, "after {seconds} s");
    }
}

#[test]
fn the_vertical_is_told_of_whatever_it_knows_of_an_order_once_it_was_assigned() {
    for action in Action::ALL {
        for state in State::ALL {
            for by in [Actor::Customer, Actor::Provider, Actor::Operator, Actor::System] {
                let mut it = order(state);
                let Ok(to) = it.check(action, by) else { continue };
                for assignments in [0, 1] {
                    it.progress.assignments = assignments;
                    let mut it = change(it.clone(), by, Duration::zero());
                    it.vertical_agreed(Some(Agreement::to(action, &it.order, it.now)));
                    it.act_as(action, by, "").unwrap();
                    let told = it.close().side_effects == [SideEffect::TellVertical];
                    let expected = to.state != state && assignments > 0;
                    assert_eq!(told, expected, "{action:?} in {state:?} by {by:?}");
                }
            }
        }
    }
    let mut moved = change(order(State::Assigned), Actor::Customer, Duration::zero());
    moved.order.progress.assignments = 1;
    moved.order.window_start += Duration::days(1);
    assert_eq!(moved.close().side_effects, [SideEffect::TellVertical], "another window");
}

#[test]
fn a_message_or_a_proof_leaves_the_version_and_anything_else_counts_it_up() {
    let begin = || change(order(State::Arrived), Actor::Provider, Duration::zero());
    let counted = |it: OrderChange| {
        let closed = it.close();
        (closed.order.version - closed.before().version, closed.order.event_seq)
    };
    let id = uuid::Uuid::nil();
    assert_eq!(counted(begin()), (0, 0));
    let mut it = begin();
    it.post_message(id, "Hello".to_owned()).unwrap();
    assert_eq!(counted(it), (0, 1));
    let mut it = begin();
    it.add_proof(id, "photo".to_owned(), "ab".repeat(32), None, now()).unwrap();
    assert_eq!(counted(it), (0, 0));
    let mut it = change(order(State::Arrived), Actor::Provider, Duration::days(2));
    it.contact_attempt("bell").unwrap();
    assert_eq!(counted(it), (1, 0));
    let mut it = begin();
    it.enqueue(SideEffect::Release { provider_id: None });
    assert_eq!(counted(it), (1, 0));
}

#[test]
fn side_effects_are_stored_as_before() {
    let stored = serde_json::json!([
        { "kind": "void", "reason": "DECLINED" },
        {
            "kind": "capture", "amount": 5, "provider_gross": 4, "fee": false, "provider_id": null,
            "provider_user_id": null, "payout_due_at": "2026-01-01T00:00:00Z",
        },
        { "kind": "release", "provider_id": null },
        { "kind": "tell" },
    ]);
    let read: Vec<SideEffect> = serde_json::from_value(stored.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
    // What a row of an earlier version says of the transition is not needed any more.
    let earlier = serde_json::json!(
        { "kind": "tell", "from": "ASSIGNED", "to": "CANCELLED", "provider_user_id": null }
    );
    assert_eq!(serde_json::from_value::<SideEffect>(earlier).unwrap(), SideEffect::TellVertical);
}
