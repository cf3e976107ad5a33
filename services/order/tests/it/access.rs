//! A foreign order is an absent one; what each side sees of its own.

use crate::{
    acts::{PUBLIC, With},
    town::{Town, keyed},
};
use chrono::Duration;
use kit::{
    Role,
    rpc::error::reason_of,
    testing::{Backend, acting_as, somebody},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_foreign_order_answers_like_an_absent_one_in_every_call(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let absent = Uuid::new_v4().to_string();
    let own = town.ordered().await;
    let (cancel_token, _) = town.token(town.customer, &own.id).await;
    let with = With { cancel_token, start_code: "123456".to_owned(), ..With::default() };
    let stranger = somebody(&[Role::Customer, Role::Provider]);
    let mut compared = 0;
    for action in PUBLIC.iter().filter(|it| **it != "acceptOffer") {
        let foreign = town.attempt(stranger, action, &id, &with).await.unwrap_err();
        let missing = town.attempt(stranger, action, &absent, &with).await.unwrap_err();
        assert_eq!(
            (foreign.code(), foreign.message(), foreign.details()),
            (missing.code(), missing.message(), missing.details()),
            "{action}"
        );
        if foreign.code() != Code::PermissionDenied {
            assert_eq!(reason_of(&foreign), "ORDER_NOT_FOUND", "{action}");
            compared += 1;
        }
    }
    assert!(compared >= 22, "only what operators alone may call is denied by role: {compared}");
    let foreign = town.get_as(stranger, &id).await.unwrap_err();
    let missing = town.get_as(stranger, &absent).await.unwrap_err();
    assert_eq!((foreign.message(), foreign.details()), (missing.message(), missing.details()));
    let request = |order_id: &str| pb::ListTimelineRequest {
        order_id: order_id.to_owned(),
        ..Default::default()
    };
    let foreign = acting_as(stranger, town.records().list_timeline(request(&id))).await;
    assert_eq!(reason_of(&foreign.unwrap_err()), "ORDER_NOT_FOUND");
    assert_eq!(town.get(&id).await.state(), OrderState::InProgress);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_side_sees_what_concerns_it(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered().await.id;
    let customer = town.get(&id).await.address.unwrap();
    assert_eq!(customer.access_notes, "B1234");
    let asked = town.get_as(town.provider, &id).await.unwrap().address.unwrap();
    assert!(asked.lines.is_empty() && asked.access_notes.is_empty(), "only the neighbourhood");
    assert_eq!((asked.postcode.as_str(), asked.lat), ("75001", Some(48.86)));
    town.act(town.provider, "accept", &id).await;
    let assigned = town.get_as(town.provider, &id).await.unwrap();
    assert_eq!(assigned.address.unwrap().access_notes, "B1234");
    assert!(assigned.start_code.is_empty());
    let operator = town.get_as(town.operator, &id).await.unwrap();
    assert!(operator.address.unwrap().access_notes.is_empty() && operator.start_code.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn lists_hold_ones_own_orders_by_side_and_state(backend: Backend) {
    let town = Town::new(backend).await;
    let first = town.ordered_ahead(Duration::days(2)).await.id;
    town.clock.advance(Duration::seconds(1));
    let second = town.ordered_ahead(Duration::days(3)).await.id;
    town.clock.advance(Duration::seconds(1));
    let third = town.ordered_ahead(Duration::days(4)).await.id;
    town.act(town.provider, "accept", &second).await;
    let list = async |who, request: pb::ListOrdersRequest| {
        let listed = acting_as(who, town.orders().list_orders(request)).await.unwrap();
        let listed = listed.into_inner();
        let ids: Vec<_> = listed.orders.into_iter().map(|order| order.id).collect();
        (ids, listed.next_page_token)
    };
    let all = pb::ListOrdersRequest::default;
    let newest_first = vec![third.clone(), second.clone(), first.clone()];
    assert_eq!(list(town.customer, all()).await.0, newest_first);
    assert_eq!(list(town.provider, all()).await.0, newest_first);
    assert_eq!(list(town.operator, all()).await.0, newest_first);
    assert!(list(somebody(&[Role::Customer]), all()).await.0.is_empty());
    let side = |side: &str| pb::ListOrdersRequest { side: side.to_owned(), ..all() };
    assert!(list(town.customer, side("provider")).await.0.is_empty());
    assert_eq!(list(town.provider, side("provider")).await.0.len(), 3);
    let assigned = pb::ListOrdersRequest { states: vec![OrderState::Assigned.into()], ..all() };
    assert_eq!(list(town.customer, assigned).await.0, std::slice::from_ref(&second));
    let page = |page_token| pb::ListOrdersRequest { page_size: 2, page_token, ..all() };
    let (ids, token) = list(town.customer, page(String::new())).await;
    assert_eq!(ids, newest_first[..2]);
    assert_eq!(list(town.customer, page(token)).await, (vec![first], String::new()));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repeated_action_with_its_key_gets_its_first_answer(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    let accept = || keyed(pb::AcceptOrderRequest { order_id: id.clone(), version: 0 }, "a");
    let call = async || {
        let call = async { town.jobs().accept_order(accept()).await };
        acting_as(town.provider, call).await.unwrap().into_inner()
    };
    let first = call().await;
    town.act(town.provider, "depart", &id).await;
    assert_eq!(call().await, first);
    let text = || pb::PostOrderMessageRequest { order_id: id.clone(), text: "Hi".to_owned() };
    let post = async || {
        let call = async { town.records().post_order_message(keyed(text(), "m")).await };
        acting_as(town.customer, call).await.unwrap().into_inner()
    };
    assert_eq!(post().await, post().await);
}
