//! Other work than was booked: its price, and that nothing changes the price once the goods are loaded.

use crate::fixture::{Act, Depot, count, delivery, flat, home, loading, of_line, totals};
use kit::testing::{Backend, refusal, refused_field};
use proto::quickserve::{
    fulfilment::v1::{self as pb, OrderChangeState, OrderState, Party},
    moving::v1::MoveState,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use vertical::testing::{Order, to_details};
use yare::parameterized;

async fn quote(depot: &Depot, order: &Order, change: &Json) -> pb::QuoteChangeResponse {
    depot.quote_change(order, Some(change), Party::Provider).await.unwrap()
}

async fn denials(depot: &Depot, order: &Order, change: &Json) -> Vec<String> {
    quote(depot, order, change).await.denials
}

/// A change order is made, and stands like this.
fn propose(order: &mut Order, change: &Json, state: OrderChangeState) {
    order.changes.push(pb::OrderChange {
        change_id: Uuid::new_v4().to_string(),
        state: state.into(),
        details: Some(to_details(change)),
    });
}

/// The customer agrees to a change.
async fn approve(depot: &Depot, order: &mut Order, change: &Json) -> i64 {
    let quote = quote(depot, order, change).await;
    assert_eq!(quote.denials, Vec::<String>::new());
    let sum = totals(&quote.lines).iter().map(|(_, total)| total).sum();
    order.price.changes.extend(quote.lines);
    propose(order, change, OrderChangeState::Approved);
    depot.go(order, OrderState::InProgress).await;
    sum
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn more_goods_than_declared_cost_the_difference_by_a_change_order(backend: Backend) {
    let depot = Depot::open(backend).await;
    for basis in ["binding", "estimate"] {
        let mut order = depot.begin(flat(basis)).await;
        let change = json!({ "inventory": true });
        assert_eq!(quote(&depot, &order, &change).await.lines, [], "nothing was noted");
        depot.note(&order, vec![count(1, 740)]).await.unwrap();
        let priced = quote(&depot, &order, &change).await;
        let expected = [("labour", 14_400), ("volume", 8_100), ("stairs", 2_160)];
        let expected = expected.map(|(code, total)| (format!("moving.{code}"), total));
        assert_eq!(totals(&priced.lines), expected);
        assert_eq!(priced.valid_for.unwrap().seconds, 1_800);
        assert_eq!(approve(&depot, &mut order, &change).await, 110_500 - 85_840);
        depot.bring(&order, 740).await;
        depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
        assert_eq!(depot.settlement(&order, &[]).await, (vec![], vec![]), "{basis}: all is agreed");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_new_destination_costs_the_difference_before_the_loading(backend: Backend) {
    let depot = Depot::open(backend).await;
    let mut order = depot.begin(flat("binding")).await;
    let mut there = home(22_000.0);
    there["access"] = json!({ "floor": 1 });
    let change = json!({ "to": there });
    // 10 km more, and a floor to climb; the drive stays within the half hour.
    assert_eq!(approve(&depot, &mut order, &change).await, 1_600 + 1_680 + 4_800);
    let inventory = depot.inventory(&order, order.provider).await.unwrap();
    assert_eq!((inventory.metres, inventory.to.unwrap().access.unwrap().floor), (22_000, 1));
    let far = json!({ "to": home(850_000.0) });
    assert_eq!(denials(&depot, &order, &far).await, ["TOO_LONG"]);
    for (wrong, field) in [
        (json!({}), "details.inventory"),
        (json!({ "inventory": false }), "details.inventory"),
        (json!({ "to": { "lat": 48.0 } }), "details.to.lng"),
        (json!({ "colour": "red" }), "details.colour"),
    ] {
        let answer = depot.quote_change(&order, Some(&wrong), Party::Customer).await;
        assert_eq!(refused_field(answer), field, "{wrong}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn once_loaded_the_price_is_fixed_on_every_path(backend: Backend) {
    let depot = Depot::open(backend).await;
    for basis in ["binding", "estimate"] {
        let mut order = depot.begin(flat(basis)).await;
        let plain = async |order: &Order, proposer: Party| {
            depot.quote_change(order, None, proposer).await.unwrap().denials
        };
        let inventory = json!({ "inventory": true });
        let (nearer, farther) = (json!({ "to": home(9_000.0) }), json!({ "to": home(14_000.0) }));
        // Until the loading is signed for everything can be agreed.
        for act in [None, Some(Act::Confirm), Some(Act::Load)] {
            if let Some(act) = act {
                depot.act(&order, act).await.unwrap();
            }
            for change in [&inventory, &nearer, &farther] {
                assert_eq!(denials(&depot, &order, change).await, Vec::<String>::new());
            }
            assert_eq!(plain(&order, Party::Provider).await, Vec::<String>::new());
            assert_eq!(depot.approval_denials(&order, 1_600).await, Vec::<String>::new());
        }
        depot.note(&order, vec![of_line(1, Some(560))]).await.unwrap();
        // An open change order is decided first.
        let settled = order.changes.clone();
        propose(&mut order, &farther, OrderChangeState::Proposed);
        depot.go(&mut order, OrderState::AwaitingApproval).await;
        let open = depot.sign(loading(&order), order.customer).await;
        assert_eq!(refusal(open), "CHANGE_OPEN");
        order.changes = settled;
        depot.go(&mut order, OrderState::InProgress).await;
        depot.sign(loading(&order), order.customer).await.unwrap();
        for act in [None, Some(Act::Depart), Some(Act::Unload)] {
            if let Some(act) = act {
                depot.act(&order, act).await.unwrap();
            }
            for change in [&inventory, &farther] {
                assert_eq!(denials(&depot, &order, change).await, ["PRICE_FIXED"]);
            }
            for proposer in [Party::Provider, Party::Customer] {
                assert_eq!(plain(&order, proposer).await, ["PRICE_FIXED"]);
            }
            // So is one that was priced just before the signature and is approved after it, unless it costs nothing.
            for amount in [1_600, -1_600] {
                assert_eq!(depot.approval_denials(&order, amount).await, ["PRICE_FIXED"]);
            }
            assert_eq!(depot.approval_denials(&order, 0).await, Vec::<String>::new());
            let note = depot.note(&order, vec![of_line(1, Some(1))]).await;
            assert_eq!(refusal(note), "ORDER_STATE");
        }
        // Another destination that is not dearer is taken, at the price that stands.
        assert_eq!(approve(&depot, &mut order, &nearer).await, 0);
        assert_eq!(depot.inventory(&order, order.provider).await.unwrap().metres, 9_000);
        let signed = depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
        assert_eq!(signed.state(), MoveState::Signed);
        assert_eq!(denials(&depot, &order, &inventory).await, ["PRICE_FIXED"]);
        assert_eq!(depot.settlement(&order, &[]).await, (vec![], vec![]), "{basis}");
    }
}
