//! Saved payment methods, and who sees which payment.

use crate::shop::Shop;
use futures::future::join_all;
use kit::{
    Role, Subject,
    testing::{Backend, acting_as, eventually, refusal, somebody},
};
use proto::quickserve::{payment::v1 as pb, user::v1::UserEvent};
use tonic::Request;
use yare::parameterized;

async fn save(
    shop: &Shop,
    who: Subject,
    token: &str,
    default: bool,
    key: Option<&str>,
) -> Result<pb::PaymentMethod, tonic::Status> {
    let mut request = Request::new(pb::CreatePaymentMethodRequest { token: token.into(), default });
    if let Some(key) = key {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    let mut client = shop.methods();
    let saved = acting_as(who, client.create_payment_method(request)).await?;
    Ok(saved.into_inner().payment_method.unwrap())
}

async fn list(shop: &Shop, who: Subject) -> Vec<pb::PaymentMethod> {
    let mut client = shop.methods();
    let request = pb::ListPaymentMethodsRequest {};
    let found = acting_as(who, client.list_payment_methods(request)).await.unwrap();
    found.into_inner().payment_methods
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_customer_keeps_methods_of_which_one_is_the_default(backend: Backend) {
    let shop = Shop::open(backend).await;
    let me = shop.customer;
    let first = save(&shop, me, "tok_ok", false, None).await.unwrap();
    assert_eq!((&*first.brand, &*first.last4, first.default), ("visa", "4242", true));
    assert!(first.expiry_year > 2027 && first.expiry_month == 12);
    let second = save(&shop, me, "tok_ok_mastercard", false, None).await.unwrap();
    assert!(!second.default);
    let third = save(&shop, me, "tok_confirm", true, None).await.unwrap();
    assert!(third.default);
    let defaults = |methods: &[pb::PaymentMethod]| -> Vec<String> {
        methods.iter().filter(|it| it.default).map(|it| it.id.clone()).collect()
    };
    assert_eq!(defaults(&list(&shop, me).await), std::slice::from_ref(&third.id));

    let mut client = shop.methods();
    for _ in 0..2 {
        let request = pb::SetDefaultPaymentMethodRequest { payment_method_id: first.id.clone() };
        acting_as(me, client.set_default_payment_method(request)).await.unwrap();
    }
    assert_eq!(defaults(&list(&shop, me).await), std::slice::from_ref(&first.id));
    let request = pb::DeletePaymentMethodRequest { payment_method_id: first.id.clone() };
    acting_as(me, client.delete_payment_method(request.clone())).await.unwrap();
    let again = acting_as(me, client.delete_payment_method(request)).await;
    assert_eq!(refusal(again), "PAYMENT_METHOD_NOT_FOUND");
    let left = list(&shop, me).await;
    assert_eq!(left.iter().map(|it| &it.id).collect::<Vec<_>>(), [&third.id, &second.id]);
    assert_eq!(defaults(&left), [third.id]);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn methods_are_saved_once_a_key_and_bounded(backend: Backend) {
    let shop = Shop::open(backend).await;
    let me = shop.customer;
    let first = save(&shop, me, "tok_ok", false, Some("k")).await.unwrap();
    assert_eq!(save(&shop, me, "tok_ok", false, Some("k")).await.unwrap(), first);
    let other = save(&shop, me, "tok_late", false, Some("k")).await;
    assert_eq!(refusal(other), "IDEMPOTENCY_KEY_REUSED");
    for token in ["tok_unknown", "", "a b", "4242424242424242!"] {
        assert_eq!(refusal(save(&shop, me, token, false, None).await), "INVALID_ARGUMENT");
    }
    for _ in 1..20 {
        save(&shop, me, "tok_ok", false, None).await.unwrap();
    }
    let more = save(&shop, me, "tok_ok", false, None).await;
    assert_eq!(refusal(more), "PAYMENT_METHOD_LIMIT");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn methods_saved_at_the_same_time_leave_one_default(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (shop, me) = (&shop, shop.customer);
    let saves = (0..10).map(|n| save(shop, me, "tok_ok", n % 2 == 0, None));
    for saved in join_all(saves).await {
        saved.unwrap();
    }
    let methods = list(shop, me).await;
    assert_eq!((methods.len(), methods.iter().filter(|it| it.default).count()), (10, 1));
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_reaches_or_charges_another_customers_method(backend: Backend) {
    let shop = Shop::open(backend).await;
    let stranger = somebody(&[Role::Customer]);
    let id = shop.card("tok_ok").await;
    let mut client = shop.methods();
    let get = pb::GetPaymentMethodRequest { payment_method_id: id.clone() };
    let own = acting_as(shop.customer, client.get_payment_method(get.clone())).await;
    assert_eq!(own.unwrap().into_inner().payment_method.unwrap().id, id);
    let foreign = acting_as(stranger, client.get_payment_method(get)).await;
    assert_eq!(refusal(foreign), "PAYMENT_METHOD_NOT_FOUND");
    let delete = pb::DeletePaymentMethodRequest { payment_method_id: id.clone() };
    let foreign = acting_as(stranger, client.delete_payment_method(delete)).await;
    assert_eq!(refusal(foreign), "PAYMENT_METHOD_NOT_FOUND");
    let default = pb::SetDefaultPaymentMethodRequest { payment_method_id: id };
    let foreign = acting_as(stranger, client.set_default_payment_method(default)).await;
    assert_eq!(refusal(foreign), "PAYMENT_METHOD_NOT_FOUND");
    assert_eq!(list(&shop, stranger).await, []);

    let mut request = shop.order("tok_ok").await;
    request.customer_id = stranger.user_id.to_string();
    assert_eq!(refusal(shop.authorize(&request).await), "PAYMENT_METHOD_NOT_FOUND");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn customers_see_their_own_payments_only(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut orders = Vec::new();
    for _ in 0..3 {
        orders.push(shop.authorized("tok_ok").await);
    }
    let stranger = somebody(&[Role::Customer]);
    let mut client = shop.payments();
    let get = pb::GetPaymentRequest { payment_id: shop.payment(&orders[0]).await.id };
    let own = acting_as(shop.customer, client.get_payment(get.clone())).await.unwrap();
    assert_eq!(own.into_inner().payment.unwrap().order_id, orders[0]);
    let foreign = acting_as(stranger, client.get_payment(get)).await;
    assert_eq!(refusal(foreign), "PAYMENT_NOT_FOUND");
    let page =
        |page_token| pb::ListPaymentsRequest { page_size: 2, page_token, ..Default::default() };
    let first = acting_as(shop.customer, client.list_payments(page(String::new()))).await;
    let first = first.unwrap().into_inner();
    let second = acting_as(shop.customer, client.list_payments(page(first.next_page_token)));
    let second = second.await.unwrap().into_inner();
    let seen = first.payments.iter().chain(&second.payments).map(|it| it.order_id.clone());
    let expected: Vec<_> = orders.into_iter().rev().collect();
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    let none = acting_as(stranger, client.list_payments(page(String::new()))).await.unwrap();
    assert_eq!(none.into_inner().payments, []);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_cards_of_an_erased_account_are_forgotten(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let user = shop.customer.user_id;
    shop.publish("user.erased", user, 1, &UserEvent { user_id: user.to_string() }).await;
    eventually(
        "the cards are forgotten",
        async || list(&shop, shop.customer).await,
        |seen| seen.is_empty(),
    )
    .await;
    // What was authorised is still captured.
    shop.charges().capture_payment(shop.settlement(&order, 12_000)).await.unwrap();
    shop.check_books().await;
}

/// What is on file for an order is charged although its customer has deleted the card since.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_goes_on_with_a_card_that_was_deleted(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_ok").await;
    request.save_method_only = true;
    assert_eq!(shop.authorize(&request).await.unwrap().0, pb::Outcome::MethodSaved);
    let mut client = shop.methods();
    let delete =
        pb::DeletePaymentMethodRequest { payment_method_id: request.payment_method_id.clone() };
    acting_as(shop.customer, client.delete_payment_method(delete)).await.unwrap();
    request.save_method_only = false;
    request.attempt_key = "late".into();
    assert_eq!(shop.authorize(&request).await.unwrap().0, pb::Outcome::Authorized);

    // A new order cannot be booked with it.
    let mut other = shop.order("tok_ok").await;
    other.payment_method_id = request.payment_method_id;
    assert_eq!(refusal(shop.authorize(&other).await), "PAYMENT_METHOD_NOT_FOUND");
    shop.check_books().await;
}

/// The cards of an erased account are gone: the order hears that its card is declined, and takes another.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_card_that_was_erased_is_declined(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut request = shop.order("tok_ok").await;
    request.save_method_only = true;
    shop.authorize(&request).await.unwrap();
    let user = shop.customer.user_id;
    shop.publish("user.erased", user, 1, &UserEvent { user_id: user.to_string() }).await;
    let cards = async || list(&shop, shop.customer).await;
    eventually("the cards are forgotten", cards, |cards| cards.is_empty()).await;
    request.save_method_only = false;
    request.attempt_key = "late".into();
    let declined = shop.authorize(&request).await.unwrap();
    assert_eq!(declined, (pb::Outcome::Declined, "PAYMENT_METHOD_DELETED".to_owned()));
    request.payment_method_id = shop.card("tok_ok").await;
    request.attempt_key = "another card".into();
    assert_eq!(shop.authorize(&request).await.unwrap().0, pb::Outcome::Authorized);
    shop.check_books().await;
}
