//! The life of an order: every state with every action by every side, allowed or refused.

use super::*;
use crate::domain::error::Refused;
use std::collections::HashMap;

/// What is allowed without a dispute: the state, the side, and each action with the state it leads to; `.` stays. The
/// form of an action that goes on searching is marked `+`. Whatever is not here is refused.
const ALLOWED: &str = "
PENDING_PAYMENT customer confirmPayment:. previewCancel:. cancel:CANCELLED
PENDING_PAYMENT operator previewCancel:. cancel:CANCELLED
PENDING_PAYMENT payment authorize:REQUESTED authorize+:SEARCHING
PENDING_PAYMENT system expire:EXPIRED cancel:CANCELLED
REQUESTED customer confirmPayment:. previewCancel:. cancel:CANCELLED reschedule:. postMessage:.
REQUESTED provider accept:ASSIGNED decline:DECLINED decline+:SEARCHING postMessage:.
REQUESTED operator accept:ASSIGNED decline:DECLINED decline+:SEARCHING previewCancel:. cancel:CANCELLED
REQUESTED system accept:ASSIGNED expire:EXPIRED decline:DECLINED decline+:SEARCHING cancel:CANCELLED
SEARCHING customer confirmPayment:. previewCancel:. cancel:CANCELLED
SEARCHING provider acceptOffer:ASSIGNED
SEARCHING operator previewCancel:. cancel:CANCELLED
SEARCHING system sendOffers:. exhaust:NO_PROVIDER cancel:CANCELLED
ASSIGNED customer confirmPayment:. previewCancel:. cancel:CANCELLED reschedule:REQUESTED postMessage:. sos:!
ASSIGNED provider depart:EN_ROUTE reassign+:SEARCHING reassign:NO_PROVIDER postMessage:. sos:!
ASSIGNED operator reassign+:SEARCHING reassign:NO_PROVIDER previewCancel:. cancel:CANCELLED
ASSIGNED system reassign+:SEARCHING reassign:NO_PROVIDER cancel:CANCELLED
EN_ROUTE customer previewCancel:. cancel:CANCELLED postMessage:. sos:!
EN_ROUTE provider arrive:ARRIVED reassign+:SEARCHING reassign:NO_PROVIDER postMessage:. sos:!
EN_ROUTE operator reassign+:SEARCHING reassign:NO_PROVIDER previewCancel:. cancel:CANCELLED
EN_ROUTE system reassign+:SEARCHING reassign:NO_PROVIDER cancel:CANCELLED
ARRIVED customer resetStartCode:. previewCancel:. cancel:CANCELLED postMessage:. sos:!
ARRIVED provider arrive:. start:IN_PROGRESS contactAttempt:. noShow:NO_SHOW reassign+:SEARCHING reassign:NO_PROVIDER postMessage:. addProof:. sos:!
ARRIVED operator resetStartCode:. noShow:NO_SHOW reassign+:SEARCHING reassign:NO_PROVIDER previewCancel:. cancel:CANCELLED
ARRIVED system accessFailed:. noShow:NO_SHOW reassign+:SEARCHING reassign:NO_PROVIDER cancel:CANCELLED
IN_PROGRESS customer proposeChange:. dispute:! postMessage:. addProof:. sos:!
IN_PROGRESS provider proposeChange:AWAITING_APPROVAL deliver:DELIVERED dispute:! postMessage:. addProof:. sos:! bookVisit:.
IN_PROGRESS operator abort:ABORTED! dispute:!
IN_PROGRESS system escalate:.
AWAITING_APPROVAL customer approveChange:IN_PROGRESS rejectChange:IN_PROGRESS dispute:! postMessage:. addProof:. sos:!
AWAITING_APPROVAL provider rejectChange:IN_PROGRESS dispute:! postMessage:. addProof:. sos:!
AWAITING_APPROVAL operator abort:ABORTED! dispute:!
AWAITING_APPROVAL system expire:IN_PROGRESS
DELIVERED customer acceptDelivery:COMPLETED requestChanges:CHANGES_REQUESTED dispute:! postMessage:. addProof:. sos:!
DELIVERED provider dispute:! postMessage:. addProof:. sos:!
DELIVERED operator acceptDelivery:COMPLETED dispute:!
DELIVERED system acceptDelivery:COMPLETED
CHANGES_REQUESTED customer acceptDelivery:COMPLETED dispute:! postMessage:. addProof:. sos:!
CHANGES_REQUESTED provider deliver:DELIVERED dispute:! postMessage:. addProof:. sos:!
CHANGES_REQUESTED operator acceptDelivery:COMPLETED dispute:!
CHANGES_REQUESTED system escalate:.
COMPLETED customer review:. dispute:! postMessage:. addProof:. sos:!
COMPLETED provider review:. dispute:! postMessage:. addProof:. sos:!
COMPLETED operator dispute:!
COMPLETED payment dispute:!
COMPLETED system close:CLOSED
CLOSED payment dispute:!
NO_SHOW customer dispute:! addProof:.
NO_SHOW provider dispute:! addProof:.
NO_SHOW operator dispute:!
NO_SHOW payment dispute:!
CANCELLED customer dispute:! addProof:.
CANCELLED provider dispute:! addProof:.
CANCELLED operator dispute:!
CANCELLED payment dispute:!
ABORTED customer addProof:.
ABORTED provider addProof:.
ABORTED payment dispute:!
";

const ACTORS: [Actor; 5] =
    [Actor::Customer, Actor::Provider, Actor::Operator, Actor::Payment, Actor::System];

fn name(state: State) -> String {
    serde_json::to_value(state).unwrap().as_str().unwrap().to_owned()
}

fn label(action: Action) -> String {
    let goes_on = matches!(
        action,
        Action::Authorize { search: true }
            | Action::Decline { search: true }
            | Action::Reassign { again: true }
    );
    format!("{}{}", action.name(), if goes_on { "+" } else { "" })
}

/// The table by state, side and action: where it leads, and whether a dispute lies over it then.
fn table() -> HashMap<(String, String, String), (String, bool)> {
    let mut table = HashMap::new();
    for row in ALLOWED.lines().filter(|row| !row.is_empty()) {
        let mut words = row.split(' ');
        let (state, side) = (words.next().unwrap(), words.next().unwrap());
        for word in words {
            let (action, to) = word.split_once(':').unwrap();
            let (to, disputed) = to.strip_suffix('!').map_or((to, false), |to| (to, true));
            let to = if matches!(to, "" | ".") { state } else { to };
            let key = (state.to_owned(), side.to_owned(), action.to_owned());
            let twice = table.insert(key, (to.to_owned(), disputed));
            assert!(twice.is_none(), "{row}: {action} twice");
        }
    }
    table
}

#[test]
fn every_state_allows_what_the_table_says_and_refuses_the_rest() {
    let table = table();
    let (mut allowed, mut refused) = (0, 0);
    for state in State::ALL {
        for action in Action::ALL {
            for by in ACTORS {
                let standing = StateView { state, disputed: false };
                let expected = table.get(&(name(state), by.name().to_owned(), label(action)));
                let got = standing.transition(action, by);
                match (expected, got) {
                    (Some((to, disputed)), Ok(next)) => {
                        assert_eq!((&name(next.state), next.disputed), (to, *disputed));
                        allowed += 1;
                    }
                    (None, Err(refusal)) => {
                        assert_eq!(refusal, Refused { standing, action, by });
                        refused += 1;
                    }
                    (expected, got) => {
                        panic!("{state:?} {action:?} by {by:?}: {expected:?}, not {got:?}")
                    }
                }
            }
        }
    }
    assert_eq!(allowed, table.len(), "every row of the table was met");
    assert_eq!(allowed + refused, 18 * 38 * 5);
}

#[test]
fn a_dispute_freezes_acceptance_and_the_end_and_nothing_else() {
    let table = table();
    for state in State::ALL {
        for action in Action::ALL {
            for by in ACTORS {
                let standing = StateView { state, disputed: true };
                let got = standing.transition(action, by).ok();
                let row = table.get(&(name(state), by.name().to_owned(), label(action)));
                let expected = match (action, by) {
                    (Action::ResolveDispute, Actor::Operator | Actor::Payment) => {
                        Some((name(state), false))
                    }
                    (Action::Dispute | Action::ResolveDispute, _) => None,
                    (Action::AcceptDelivery, Actor::Customer | Actor::System) => None,
                    (Action::Close, Actor::System) => None,
                    _ => row.map(|(to, _)| (to.clone(), true)),
                };
                let got = got.map(|next| (name(next.state), next.disputed));
                assert_eq!(got, expected, "{state:?} {action:?} by {by:?}");
            }
        }
    }
}

#[test]
fn final_states_are_final() {
    for state in State::ALL.into_iter().filter(|state| state.is_final()) {
        for disputed in [false, true] {
            for action in Action::ALL {
                for by in ACTORS {
                    if let Ok(next) = (StateView { state, disputed }).transition(action, by) {
                        assert_eq!(next.state, state, "{action:?} by {by:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn allowed_actions_are_what_state_time_and_money_allow() {
    let mut it = order(State::Assigned);
    let allowed = |it: &Order, by, later| it.allowed_actions(by, now() + later, &Timing::default());
    assert_eq!(
        allowed(&it, Actor::Customer, Duration::zero()),
        ["previewCancel", "cancel", "reschedule", "postMessage", "sos"]
    );
    let late = Duration::days(1) + Duration::seconds(1);
    assert_eq!(
        allowed(&it, Actor::Customer, late),
        ["previewCancel", "cancel", "postMessage", "sos"]
    );
    it.payment.state = PaymentState::Declined;
    assert!(allowed(&it, Actor::Customer, late).contains(&"confirmPayment"));
    assert_eq!(allowed(&it, Actor::Provider, late), ["reassign", "postMessage", "sos"]);
    let soon = Duration::days(2) - Duration::hours(3);
    assert_eq!(allowed(&it, Actor::Provider, soon), ["depart", "reassign", "postMessage", "sos"]);
    let mut it = order(State::Completed);
    it.progress.stars_by_customer = Some(5);
    assert!(!allowed(&it, Actor::Customer, late).contains(&"review"));
    assert!(allowed(&it, Actor::Provider, late).contains(&"review"));
    let error = change(order(State::Closed), Actor::Customer, Duration::zero())
        .act(Action::Cancel, "")
        .unwrap_err();
    assert_eq!(kit::Fault::metadata(&error)["allowed_actions"], "");
    let error = change(order(State::Delivered), Actor::Customer, Duration::zero())
        .act(Action::Cancel, "")
        .unwrap_err();
    assert_eq!(
        kit::Fault::metadata(&error)["allowed_actions"],
        "acceptDelivery,requestChanges,dispute,postMessage,addProof,sos"
    );
}

#[test]
fn only_sides_of_an_order_act_on_it() {
    let it = order(State::Assigned);
    let stranger = Principal::User { id: Id::derived(it.id.uuid(), "stranger"), operator: false };
    assert_eq!(it.side(&stranger), None);
    let refused = OrderChange::new(it, stranger, now(), Arc::new(Timing::default()));
    assert!(matches!(refused, Err(Error::NotFound(Resource::Order))));
}
