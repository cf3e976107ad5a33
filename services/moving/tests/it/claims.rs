//! Claims: what opens them, what becomes of them, and what order is told.

use crate::fixture::{Depot, claim_of, delivery, euros, flat, of_line, reserve};
use kit::{
    Role, Subject,
    testing::{ActingAs, Backend, EventRecorder, eventually, refusal, refused_field, somebody},
};
use proto::quickserve::{
    fulfilment::v1::{OrderState, Signal},
    moving::v1::{self as pb, ClaimState, MoveEvent},
};
use tonic::{Request, Status};
use uuid::Uuid;
use vertical::testing::Order;
use yare::parameterized;

/// A move of the first worked price that was signed for with these reserves, and delivered.
async fn delivered(depot: &Depot, reserves: Vec<pb::Reserve>) -> Order {
    let mut order = depot.begin(flat("binding")).await;
    depot.bring(&order, 560).await;
    depot.sign(delivery(&order, reserves), order.customer).await.unwrap();
    depot.go(&mut order, OrderState::Delivered).await;
    order
}

async fn accept(depot: &Depot, id: &str, by: Subject) -> Result<pb::DamageClaim, Status> {
    let request = pb::AcceptClaimRequest { claim_id: id.to_owned() };
    Ok(depot.claims().accept_claim(request).by(by).await?.into_inner().claim.unwrap())
}

async fn withdraw(depot: &Depot, id: &str, by: Subject) -> Result<pb::DamageClaim, Status> {
    let request = pb::WithdrawClaimRequest { claim_id: id.to_owned() };
    Ok(depot.claims().withdraw_claim(request).by(by).await?.into_inner().claim.unwrap())
}

async fn settle(depot: &Depot, id: &str, refund: i64) -> Result<pb::DamageClaim, Status> {
    let request = pb::SettleClaimRequest { claim_id: id.to_owned(), refund: Some(euros(refund)) };
    let answer = depot.claims().settle_claim(request).by(depot.operator).await?;
    Ok(answer.into_inner().claim.unwrap())
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn reserves_open_claims_and_each_is_decided_by_its_own(backend: Backend) {
    let depot = Depot::open(backend).await;
    let events = EventRecorder::subscribed(&depot.world.host, &["moving.claim", "fulfilment."]);
    let order = delivered(
        &depot,
        vec![
            reserve("damaged", 1, 5_000),
            reserve("damaged", 1, 3_000),
            reserve("missing", 2, 2_000),
        ],
    )
    .await;
    let claims = depot.list_claims(&order).await;
    assert_eq!(claims.len(), 3);
    assert!(claims.iter().all(|it| it.state() == ClaimState::Open && it.refund.is_none()));
    let find = |amount: i64| {
        let found = claims.iter().find(|it| it.amount == Some(euros(amount)));
        found.unwrap().id.clone()
    };
    let (first, second, third) = (find(5_000), find(3_000), find(2_000));
    let accepted = accept(&depot, &first, order.provider).await.unwrap();
    assert_eq!((accepted.state(), &accepted.refund), (ClaimState::Accepted, &Some(euros(5_000))));
    assert_eq!(accept(&depot, &first, order.provider).await.unwrap(), accepted);
    let withdrawn = withdraw(&depot, &second, order.customer).await.unwrap();
    assert_eq!((withdrawn.state(), withdrawn.refund), (ClaimState::Withdrawn, Some(euros(0))));
    assert_eq!(refused_field(settle(&depot, &third, 2_001).await), "refund.minor_units");
    let settled = settle(&depot, &third, 700).await.unwrap();
    assert_eq!((settled.state(), &settled.refund), (ClaimState::Settled, &Some(euros(700))));
    assert_eq!(settle(&depot, &third, 700).await.unwrap(), settled);
    for refused in [
        withdraw(&depot, &first, order.customer).await,
        settle(&depot, &second, 0).await,
        accept(&depot, &third, order.provider).await,
        settle(&depot, &third, 701).await,
    ] {
        assert_eq!(refusal(refused), "CLAIM_STATE");
    }
    let told = async || events.messages::<Signal>("fulfilment.claim_resolved").len();
    eventually("order is told", told, |count| *count == 3).await;
    let opened = events.messages::<Signal>("fulfilment.claim_opened");
    let amounts: Vec<i64> =
        opened.iter().map(|it| it.amount.as_ref().unwrap().minor_units).collect();
    assert_eq!(amounts, [5_000, 3_000, 2_000], "each for exactly its amount");
    let refunds = events.messages::<Signal>("fulfilment.claim_resolved");
    let refunds: Vec<(String, i64)> = refunds
        .into_iter()
        .map(|it| (it.claim_id, it.refund.map_or(0, |refund| refund.minor_units)))
        .collect();
    assert_eq!(refunds, [(first.clone(), 5_000), (second, 0), (third, 700)]);
    let facts = events.messages::<MoveEvent>("moving.claim_opened");
    assert!(facts.iter().any(|fact| fact.claim_id == first));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn damage_seen_at_loading_is_no_claim(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = depot.begin(flat("binding")).await;
    let scratched = pb::InventoryChange { condition: "damaged".to_owned(), ..of_line(1, None) };
    depot.note(&order, vec![scratched]).await.unwrap();
    depot.bring(&order, 560).await;
    let reserves = vec![reserve("damaged", 1, 5_000), reserve("missing", 1, 1_000)];
    let waybill = depot.sign(delivery(&order, reserves), order.customer).await.unwrap();
    assert_eq!(waybill.reserves.len(), 2, "it is on the waybill");
    let claims = depot.list_claims(&order).await;
    assert_eq!((claims.len(), claims[0].kind.as_str()), (1, "missing"));
    let known = depot.claim(claim_of(&order, "damaged", 5_000), order.customer).await;
    assert_eq!(refusal(known), "DAMAGE_KNOWN");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_customer_claims_for_ten_days_once_for_a_key(backend: Backend) {
    let depot = Depot::open(backend).await;
    let early = depot.begin(flat("binding")).await;
    depot.bring(&early, 560).await;
    let refused = depot.claim(claim_of(&early, "damaged", 4_000), early.customer).await;
    assert_eq!(refusal(refused), "ORDER_STATE");
    let order = delivered(&depot, vec![]).await;
    assert_eq!(depot.list_claims(&order).await, []);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut request = Request::new(claim_of(&order, "damaged", 4_000));
        request.metadata_mut().insert("idempotency-key", "once".parse().unwrap());
        let claim = depot.claims().create_claim(request).by(order.customer).await.unwrap();
        ids.push(claim.into_inner().claim.unwrap().id);
    }
    assert_eq!(ids[0], ids[1]);
    let claims = depot.list_claims(&order).await;
    assert_eq!((claims.len(), claims[0].photo_sha256.len()), (1, 1));
    for (wrong, field) in [
        (claim_of(&order, "lost", 4_000), "kind"),
        (claim_of(&order, "damaged", 0), "amount.minor_units"),
        (claim_of(&order, "damaged", 1_000_000_001), "amount.minor_units"),
        (pb::CreateClaimRequest { line: 7, ..claim_of(&order, "damaged", 4_000) }, "line"),
        (pb::CreateClaimRequest { amount: None, ..claim_of(&order, "damaged", 4_000) }, "amount"),
        (
            pb::CreateClaimRequest {
                amount: Some(proto::quickserve::common::v1::Money {
                    currency: "GBP".to_owned(),
                    minor_units: 5,
                }),
                ..claim_of(&order, "damaged", 4_000)
            },
            "amount.currency",
        ),
        (
            pb::CreateClaimRequest {
                photo_sha256: vec!["abc".to_owned()],
                ..claim_of(&order, "damaged", 4_000)
            },
            "photo_sha256[0]",
        ),
    ] {
        assert_eq!(refused_field(depot.claim(wrong, order.customer).await), field);
    }
    depot.wait(240);
    depot.claim(claim_of(&order, "missing", 1_000), order.customer).await.unwrap();
    depot.wait(1);
    let late = depot.claim(claim_of(&order, "missing", 1_000), order.customer).await;
    assert_eq!(refusal(late), "CLAIMS_CLOSED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_is_nothing_to_others(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = delivered(&depot, vec![reserve("damaged", 1, 5_000)]).await;
    let id = depot.list_claims(&order).await[0].id.clone();
    let absent = Uuid::new_v4().to_string();
    let (customer, provider) = (somebody(&[Role::Customer]), somebody(&[Role::Provider]));
    for claim in [&id, &absent] {
        assert_eq!(refusal(accept(&depot, claim, provider).await), "CLAIM_NOT_FOUND");
        assert_eq!(refusal(withdraw(&depot, claim, customer).await), "CLAIM_NOT_FOUND");
    }
    assert_eq!(refusal(settle(&depot, &absent, 0).await), "CLAIM_NOT_FOUND");
    let foreign = depot.claim(claim_of(&order, "damaged", 4_000), customer).await;
    assert_eq!(refusal(foreign), "ORDER_NOT_FOUND");
    let listed = pb::ListClaimsRequest { order_id: order.id.clone() };
    let listed = depot.claims().list_claims(listed).by(provider).await;
    assert_eq!(refusal(listed), "ORDER_NOT_FOUND");
    // Neither side decides for the other one.
    let swapped = Subject { roles: provider.roles, ..order.customer };
    assert_eq!(refusal(accept(&depot, &id, swapped).await), "CLAIM_NOT_FOUND");
    let swapped = Subject { roles: customer.roles, ..order.provider };
    assert_eq!(refusal(withdraw(&depot, &id, swapped).await), "CLAIM_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_claim_that_is_open_for_two_weeks_is_shown_to_operators(backend: Backend) {
    let depot = Depot::open(backend).await;
    let events = EventRecorder::subscribed(&depot.world.host, &["moving.claim_overdue"]);
    let order =
        delivered(&depot, vec![reserve("damaged", 1, 5_000), reserve("damaged", 1, 1_000)]).await;
    let claims = depot.list_claims(&order).await;
    let (decided, open) = (&claims[0].id, &claims[1].id);
    accept(&depot, decided, order.provider).await.unwrap();
    depot.wait(14 * 24);
    let told = async || events.messages::<MoveEvent>("moving.claim_overdue");
    let overdue = eventually("the fact", told, |facts| !facts.is_empty()).await;
    assert_eq!(overdue.len(), 1);
    assert_eq!(&overdue[0].claim_id, open);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn claims_about_an_order_are_limited_in_number(backend: Backend) {
    let depot = Depot::open(backend).await;
    let order = delivered(&depot, vec![reserve("damaged", 1, 5_000)]).await;
    for _ in 1..100 {
        depot.claim(claim_of(&order, "missing", 1_000_000_000), order.customer).await.unwrap();
    }
    let more = depot.claim(claim_of(&order, "missing", 1_000), order.customer).await;
    assert_eq!(refusal(more), "CLAIM_LIMIT");
    assert_eq!(depot.list_claims(&order).await.len(), 100);
}
