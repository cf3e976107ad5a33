//! How moves go: survey, loading, way, waybill, and who may see and do what.

use crate::fixture::{ACTS, Act, Depot, count, delivery, flat, loading, of_line, reserve};
use kit::{
    Role,
    testing::{ActingAs, Backend, EventRecorder, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    fulfilment::v1::{OrderState, Party},
    moving::v1::{self as pb, MoveEvent, MoveState},
};
use serde_json::json;
use vertical::testing::{Order, TO_WORK};
use yare::parameterized;

/// The states of an order after the work.
const TO_END: [OrderState; 2] = [OrderState::Delivered, OrderState::Completed];

async fn state(depot: &Depot, order: &Order) -> MoveState {
    depot.inventory(order, order.customer).await.unwrap().state()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_goes_from_the_survey_to_the_open_gate(backend: Backend) {
    let depot = Depot::open(backend).await;
    let events = EventRecorder::subscribed(&depot.world.host, &["moving."]);
    let mut order = depot.book(flat("binding")).await;
    for told in TO_WORK {
        depot.go(&mut order, told).await;
        let expected = match told {
            OrderState::InProgress => MoveState::OnSite,
            _ => MoveState::Booked,
        };
        assert_eq!(state(&depot, &order).await, expected);
        let denied = depot.ask(&order, OrderState::NoShow).await;
        assert_eq!(denied, Vec::<String>::new(), "a customer may be absent");
    }
    assert_eq!(depot.missing(&order, &[]).await, ["move.unfinished"]);
    assert_eq!(depot.ask(&order, OrderState::Delivered).await, ["move.unfinished"]);
    for (act, reached) in &ACTS[..2] {
        let moved = depot.act(&order, *act).await.unwrap();
        assert_eq!(moved.state(), *reached);
        assert_eq!(depot.act(&order, *act).await.unwrap(), moved, "repeating it changes nothing");
    }
    let open = depot.sign(loading(&order), order.customer).await;
    assert_eq!(refusal(open), "LINES_OPEN");
    let noted = depot.note(&order, vec![of_line(1, Some(560))]).await.unwrap();
    assert_eq!((noted.items[0].loaded, noted.volume_l), (Some(560), 28_000));
    let signed = depot.sign(loading(&order), order.customer).await.unwrap();
    assert_eq!((signed.state(), signed.signatures.len()), (MoveState::Loaded, 1));
    assert_eq!(depot.sign(loading(&order), order.customer).await.unwrap(), signed);
    for (act, reached) in &ACTS[2..] {
        assert_eq!(depot.act(&order, *act).await.unwrap().state(), *reached);
    }
    assert_eq!(depot.missing(&order, &[]).await, ["move.unfinished"]);
    let signed = depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
    assert_eq!((signed.state(), signed.reserves.len()), (MoveState::Signed, 0));
    let inventory = depot.inventory(&order, order.provider).await.unwrap();
    assert_eq!(inventory.items[0].delivered, Some(560));
    assert_eq!(depot.settlement(&order, &[]).await, (vec![], vec![]));
    depot.go_through(&mut order, &TO_END).await;
    assert_eq!(state(&depot, &order).await, MoveState::Signed);
    let told = async || events.kinds_of(&order.id);
    let expected = ["moving.surveyed", "moving.loaded", "moving.unloaded"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
    let loaded = &events.messages::<MoveEvent>("moving.loaded")[0];
    assert_eq!(loaded.customer_id, order.customer.user_id.to_string());
    assert_eq!(loaded.claim_id, "");
    events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_not_next_is_refused(backend: Backend) {
    let depot = Depot::open(backend).await;
    let mut order = depot.book(flat("binding")).await;
    depot.go_through(&mut order, &TO_WORK[..3]).await;
    let refused_all = async |order: &Order, acts: &[Act], when: &str| {
        for act in acts {
            assert_eq!(refusal(depot.act(order, *act).await), "ORDER_STATE", "{act:?} {when}");
        }
    };
    refused_all(&order, &ACTS.map(|it| it.0), "before the start").await;
    let early = depot.note(&order, vec![count(1, 5)]).await;
    assert_eq!(refusal(early), "ORDER_STATE");
    depot.go(&mut order, OrderState::InProgress).await;
    refused_all(&order, &[Act::Load, Act::Depart, Act::Unload], "on site").await;
    for request in [loading(&order), delivery(&order, vec![])] {
        assert_eq!(refusal(depot.sign(request, order.customer).await), "ORDER_STATE");
    }
    depot.load(&order, 560).await;
    let closed = depot.note(&order, vec![count(1, 5)]).await;
    assert_eq!(refusal(closed), "ORDER_STATE");
    refused_all(&order, &[Act::Unload], "before the way").await;
    depot.go(&mut order, OrderState::Aborted).await;
    assert_eq!(state(&depot, &order).await, MoveState::Off);
    refused_all(&order, &ACTS.map(|it| it.0), "once it is off").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn more_goods_than_declared_are_confirmed_at_the_binding_price(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("binding")).await;
    let noted = depot.note(&order, vec![count(1, 740)]).await.unwrap();
    assert_eq!((noted.volume_l, noted.state()), (37_000, MoveState::OnSite));
    depot.bring(&order, 740).await;
    depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
    assert_eq!(depot.settlement(&order, &[]).await, (vec![], vec![]));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_pays_110_percent_at_the_door_gets_the_goods_and_owes_the_rest(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("estimate")).await;
    depot.note(&order, vec![count(1, 740)]).await.unwrap();
    depot.bring(&order, 740).await;
    depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
    let measured = ("moving.measured".to_owned(), 8_584);
    let due = ("moving.beyond_estimate".to_owned(), 16_076);
    assert_eq!(depot.settlement(&order, &[]).await, (vec![measured], vec![due]));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_estimate_of_which_less_is_measured_falls_and_a_binding_price_stays(backend: Backend) {
    let depot = Depot::open(backend).await;
    for (basis, expected) in [("estimate", Some(-18_720)), ("binding", None)] {
        let order = depot.begin(flat(basis)).await;
        depot.bring(&order, 400).await;
        depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
        let expected = expected.map(|total| ("moving.measured".to_owned(), total));
        assert_eq!(depot.settlement(&order, &[]).await, (Vec::from_iter(expected), vec![]));
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_item_that_is_edited_counts_once(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("estimate")).await;
    depot.act(&order, Act::Confirm).await.unwrap();
    for _ in 0..3 {
        let noted = depot.note(&order, vec![count(1, 600)]).await.unwrap();
        assert_eq!((noted.volume_l, noted.weight_kg), (30_000, 4_800));
        assert_eq!(noted.state(), MoveState::OnSite, "it is to be confirmed again");
    }
    let sofa = pb::InventoryChange { code: "sofa".to_owned(), ..of_line(2, None) };
    for _ in 0..2 {
        let noted = depot.note(&order, vec![sofa.clone()]).await.unwrap();
        assert_eq!((noted.items.len(), noted.volume_l), (2, 31_600));
    }
    let stale = pb::UpdateInventoryRequest {
        order_id: order.id.clone(),
        items: vec![count(1, 1)],
        version: 1,
    };
    let stale = depot.people().update_inventory(stale).by(order.provider).await;
    assert_eq!(refusal(stale), "VERSION_MISMATCH");
    for (wrong, field) in [
        (count(9, 1), "items[0].line"),
        (pb::InventoryChange { code: "throne".to_owned(), ..of_line(3, None) }, "items[0].code"),
        (of_line(1, Some(5)), "items[0].loaded"),
        (of_line(0, None), "items[0].line"),
        (count(1, -1), "items[0].quantity"),
        (
            pb::InventoryChange { condition: "old".to_owned(), ..of_line(1, None) },
            "items[0].condition",
        ),
    ] {
        assert_eq!(refused_field(depot.note(&order, vec![wrong]).await), field);
    }
    assert_eq!(refused_field(depot.note(&order, vec![]).await), "items");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn goods_of_which_part_is_delivered_are_paid_pro_rata(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("binding")).await;
    depot.bring(&order, 560).await;
    let missing = vec![reserve("missing", 56, 50_000)];
    depot.sign(delivery(&order, missing), order.customer).await.unwrap();
    let inventory = depot.inventory(&order, order.customer).await.unwrap();
    assert_eq!(inventory.items[0].delivered, Some(504), "25.2 of 28 m³");
    let undelivered = ("moving.undelivered".to_owned(), 77_256 - 85_840);
    assert_eq!(depot.settlement(&order, &[]).await, (vec![undelivered], vec![]));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_delegate_signs_with_proof_and_the_customer_has_a_day_for_reserves(backend: Backend) {
    let depot = Depot::open(backend).await;
    let mut order = depot.begin(flat("binding")).await;
    depot.bring(&order, 560).await;
    let unnamed = depot.sign(delivery(&order, vec![]), order.provider).await;
    assert_eq!(refused_field(unnamed), "delegate_name");
    let named = pb::SignWaybillRequest {
        delegate_name: "Zoé Arnaud".to_owned(),
        ..delivery(&order, vec![])
    };
    let customer = depot.sign(named.clone(), order.customer).await;
    assert_eq!(refused_field(customer), "delegate_name");
    let signed = depot.sign(named, order.provider).await.unwrap();
    assert_eq!(signed.state(), MoveState::Signed);
    let signature = &signed.signatures[1];
    assert!(signature.by_delegate && signature.delegate_name == "Zoé Arnaud", "{signature:?}");
    assert!(signed.reserves_until.is_some());
    assert_eq!(
        depot.missing(&order, &["delegate.loading.photo"]).await,
        ["delegate.delivery.photo"]
    );
    let proof = ["delegate.delivery.signature"];
    assert_eq!(depot.settlement(&order, &proof).await, (vec![], vec![]));
    depot.go(&mut order, OrderState::Delivered).await;
    depot.wait(24);
    let damaged = delivery(&order, vec![reserve("damaged", 1, 9_000)]);
    let reserved = depot.sign(damaged.clone(), order.customer).await.unwrap();
    assert_eq!((reserved.reserves.len(), reserved.reserves_until), (1, None));
    assert_eq!(depot.list_claims(&order).await.len(), 1);
    // The same once more, a second late, of another move.
    let mut other = depot.begin(flat("binding")).await;
    depot.bring(&other, 560).await;
    let named = pb::SignWaybillRequest {
        delegate_name: "Zoé Arnaud".to_owned(),
        ..delivery(&other, vec![])
    };
    depot.sign(named, other.provider).await.unwrap();
    depot.go(&mut other, OrderState::Delivered).await;
    depot.wait(25);
    let late = pb::SignWaybillRequest { order_id: other.id.clone(), ..damaged };
    assert_eq!(refusal(depot.sign(late, other.customer).await), "RESERVES_CLOSED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_the_parties_see_a_move_and_only_its_provider_works(backend: Backend) {
    let depot = Depot::open(backend).await;
    let mut details = flat("binding");
    details["to"]["lines"] = json!(["4 rue du Four"]);
    details["items"][0]["label"] = json!("books");
    let mut order = depot.begin(details).await;
    for stranger in [somebody(&[Role::Customer]), somebody(&[Role::Provider])] {
        assert_eq!(refusal(depot.inventory(&order, stranger).await), "ORDER_NOT_FOUND");
        assert_eq!(refusal(depot.waybill(&order, stranger).await), "ORDER_NOT_FOUND");
        assert_eq!(refusal(depot.sign(loading(&order), stranger).await), "ORDER_NOT_FOUND");
    }
    let rival = somebody(&[Role::Provider]);
    for (act, _) in ACTS {
        assert_eq!(refusal(depot.act_as(&order, act, rival).await), "ORDER_NOT_FOUND");
    }
    for reader in [order.customer, order.provider, depot.operator] {
        let inventory = depot.inventory(&order, reader).await.unwrap();
        assert_eq!(inventory.to.unwrap().lines, ["4 rue du Four"]);
        assert_eq!(inventory.items[0].label, "books");
        assert_eq!((inventory.metres, inventory.from.unwrap().floor), (12_000, 4));
    }
    depot.bring(&order, 560).await;
    let by_delegate = pb::SignWaybillRequest {
        delegate_name: "Zoé Arnaud".to_owned(),
        ..delivery(&order, vec![])
    };
    depot.sign(by_delegate, order.provider).await.unwrap();
    depot.go_through(&mut order, &TO_END).await;
    depot.wait(24);
    let inventory = depot.inventory(&order, order.provider).await.unwrap();
    let to = inventory.to.unwrap();
    assert!(to.lines.is_empty() && inventory.items[0].label.is_empty());
    assert!(to.lat.is_some(), "where it went is no secret of the home");
    let waybill = depot.waybill(&order, order.provider).await.unwrap();
    assert_eq!(waybill.signatures[1].delegate_name, "");
    let waybill = depot.waybill(&order, order.customer).await.unwrap();
    assert_eq!(waybill.signatures[1].delegate_name, "Zoé Arnaud");
    // Once the customer is gone, so is what they wrote.
    order.enter(OrderState::Closed, depot.world.clock.now());
    depot.tell(order.erased()).await;
    let inventory = depot.inventory(&order, depot.operator).await.unwrap();
    assert_eq!((inventory.to, inventory.items[0].label.as_str()), (None, ""));
    let waybill = depot.waybill(&order, depot.operator).await.unwrap();
    assert_eq!(waybill.signatures[1].delegate_name, "");
    assert!(waybill.signatures[1].by_delegate);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_move_says_where_it_stands_and_what_is_next(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("binding")).await;
    let described = async |side: Party| {
        let said = depot.describe(&order, side).await;
        (said.state, said.allowed_actions.join(" "))
    };
    let on_site = ("ON_SITE".to_owned(), "updateInventory confirmInventory".to_owned());
    assert_eq!(described(Party::Provider).await, on_site);
    depot.act(&order, Act::Confirm).await.unwrap();
    depot.act(&order, Act::Load).await.unwrap();
    let loading = ("LOADING".to_owned(), "signWaybill".to_owned());
    assert_eq!(described(Party::Customer).await, loading);
    assert_eq!(described(Party::Platform).await, ("LOADING".to_owned(), String::new()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_signed_stays_while_its_delivery_is_written(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("binding")).await;
    depot.bring(&order, 560).await;
    let by_delegate = pb::SignWaybillRequest {
        delegate_name: "Zoé Arnaud".to_owned(),
        ..delivery(&order, vec![])
    };
    depot.sign(by_delegate, order.provider).await.unwrap();
    depot.settlement(&order, &["delegate.delivery.photo"]).await;
    let missing = delivery(&order, vec![reserve("missing", 56, 50_000)]);
    assert_eq!(refusal(depot.sign(missing, order.customer).await), "DELIVERY_BEGUN");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_crew_begins_the_move_anew(backend: Backend) {
    let depot = Depot::open(backend).await;
    let mut order = depot.book(flat("binding")).await;
    depot.go_through(&mut order, &TO_WORK[..3]).await;
    depot.go(&mut order, OrderState::Searching).await;
    order.provider = somebody(&[Role::Provider]);
    depot.go_through(&mut order, &TO_WORK).await;
    depot.bring(&order, 560).await;
    depot.sign(delivery(&order, vec![]), order.customer).await.unwrap();
    assert_eq!(depot.missing(&order, &[]).await, Vec::<String>::new());
}
