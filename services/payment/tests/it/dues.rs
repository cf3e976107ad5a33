//! Dues: what a card refused at the capture is paid with another one, once, or given up.

use crate::shop::{RACE, Shop, euros};
use chrono::Duration;
use futures::future::join_all;
use kit::{
    Role, Subject,
    testing::{Backend, acting_as, refusal, somebody},
};
use proto::quickserve::payment::v1::{self as pb, DueState};
use tonic::{Request, Status};
use yare::parameterized;

/// A new order whose capture is declined, and its due.
async fn declined(shop: &Shop) -> (String, pb::Due) {
    let order = shop.authorized("tok_capture_declined").await;
    for _ in 0..2 {
        let capture = shop.charges().capture_payment(shop.settlement(&order, 12_000)).await;
        assert_eq!(refusal(capture), "PAYMENT_DECLINED");
    }
    let due = list(shop, shop.customer).await.into_iter().find(|due| due.order_id == order);
    (order, due.unwrap())
}

async fn list(shop: &Shop, who: Subject) -> Vec<pb::Due> {
    let mut client = shop.dues();
    let answer = acting_as(who, client.list_dues(pb::ListDuesRequest::default())).await;
    answer.unwrap().into_inner().dues
}

async fn find(shop: &Shop, id: &str) -> pb::Due {
    list(shop, shop.operator).await.into_iter().find(|due| due.id == id).unwrap()
}

async fn pay_as(
    shop: &Shop,
    who: Subject,
    (due, method, key, confirmation): (&str, &str, &str, &str),
) -> Result<pb::Due, Status> {
    let mut request = Request::new(pb::PayDueRequest {
        due_id: due.into(),
        payment_method_id: method.into(),
        confirmation: confirmation.into(),
    });
    if !key.is_empty() {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    let mut client = shop.dues();
    Ok(acting_as(who, client.pay_due(request)).await?.into_inner().due.unwrap())
}

async fn pay(shop: &Shop, due: &str, token: &str, key: &str) -> Result<pb::Due, Status> {
    let method = shop.card(token).await;
    pay_as(shop, shop.customer, (due, &method, key, "")).await
}

async fn waive(shop: &Shop, due: &str) -> Result<pb::Due, Status> {
    let mut client = shop.dues();
    let request = pb::WaiveDueRequest { due_id: due.into() };
    Ok(acting_as(shop.operator, client.waive_due(request)).await?.into_inner().due.unwrap())
}

async fn assert_balances<const N: usize>(shop: &Shop, expected: [(&str, i64); N]) {
    for (kind, balance) in expected {
        assert_eq!(shop.balance(kind).await, balance, "{kind}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_a_card_refuses_is_paid_with_another(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    assert_eq!((due.state(), due.amount.clone()), (DueState::Open, euros(12_000)));
    assert_eq!((due.customer_id.clone(), &*due.reason), {
        (shop.customer.user_id.to_string(), "AUTHORIZATION_EXPIRED")
    });
    let fact = shop.fact("payment.due_created", &order).await;
    assert_eq!(fact, (12_000, "AUTHORIZATION_EXPIRED".to_owned()));
    assert_eq!(shop.payment(&order).await.state(), pb::PaymentState::Due);
    // Nothing is earned before it is paid.
    let owed = [
        ("customer.dues", -12_000),
        ("order.deferred", 12_000),
        ("provider.payable", 0),
        ("psp.clearing", 0),
    ];
    assert_balances(&shop, owed).await;

    let fee = 12 * 14 + 25;
    let paid = pay(&shop, &due.id, "tok_ok", "k1").await.unwrap();
    assert_eq!(paid.state(), DueState::Paid);
    let earned = [
        ("customer.dues", 0),
        ("order.deferred", 0),
        ("provider.payable", 9_600),
        ("psp.clearing", -12_000 + fee),
    ];
    assert_balances(&shop, earned).await;
    assert_eq!(shop.fact("payment.due_paid", &order).await.0, 12_000);
    assert_eq!(shop.facts("payment.captured", &order), []);

    // The order's own call finds what was captured, and the payout is made.
    let captured = shop.charges().capture_payment(shop.settlement(&order, 12_000)).await.unwrap();
    let captured = captured.into_inner();
    assert_eq!(captured.captured, euros(12_000));
    shop.pass(Duration::days(2));
    let payout = shop.payout_in(&captured.payout_id, pb::PayoutState::Paid).await;
    assert_eq!((payout.order_id, payout.paid), (order.clone(), euros(9_600)));

    // It is refunded like any other capture.
    assert_eq!(shop.refund(&order, 3_000, "first").await.unwrap(), 3_000);
    assert_eq!(shop.balance("provider.payable").await, -2_400);
    assert_eq!(refusal(shop.refund(&order, 9_001, "more").await), "REFUND_EXCEEDS_CAPTURE");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_due_is_paid_once_however_often_it_is_tried(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    for (token, key) in
        [("tok_declined", "k1"), ("tok_capture_declined", "k2"), ("tok_declined", "")]
    {
        let method = shop.card(token).await;
        for _ in 0..2 {
            let refused = pay_as(&shop, shop.customer, (&due.id, &method, key, "")).await;
            assert_eq!(refusal(refused), "PAYMENT_DECLINED", "{token}");
        }
        assert_eq!(find(&shop, &due.id).await.state(), DueState::Open);
    }
    let stranger = somebody(&[Role::Customer]);
    assert_eq!(refusal(pay_as(&shop, stranger, (&due.id, "", "k3", "")).await), "DUE_NOT_FOUND");

    let method = shop.card("tok_ok").await;
    let keys =
        (0..RACE).map(|n| if n % 4 == 0 { String::new() } else { format!("race {}", n % 4) });
    let keys: Vec<_> = keys.collect();
    let calls = keys.iter().map(|key| pay_as(&shop, shop.customer, (&due.id, &method, key, "")));
    for answer in join_all(calls).await {
        let answer = answer.map_err(|status| kit::rpc::error::reason_of(&status));
        assert!(answer.is_ok() || answer == Err("IN_PROGRESS".into()), "{answer:?}");
    }
    let seen = async || find(&shop, &due.id).await.state();
    shop.in_time("the due is paid", seen, |state| *state == DueState::Paid).await;
    assert_eq!(shop.balance("customer.dues").await, 0);
    assert_eq!(shop.balance("provider.payable").await, 9_600);
    shop.fact("payment.due_paid", &order).await;
    assert_eq!(shop.facts("payment.due_paid", &order).len(), 1);
    assert_eq!(refusal(waive(&shop, &due.id).await), "DUE_STATE");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_due_may_be_confirmed_or_paid_late(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (_, due) = declined(&shop).await;
    let method = shop.card("tok_confirm").await;
    let asked = pay_as(&shop, shop.customer, (&due.id, &method, "k1", "")).await.unwrap();
    assert_eq!(asked.state(), DueState::Open);
    assert_ne!(asked.confirmation_url, "");
    let paid = pay_as(&shop, shop.customer, (&due.id, &method, "k2", "123456")).await.unwrap();
    assert_eq!((paid.state(), &*paid.confirmation_url), (DueState::Paid, ""));

    let (order, due) = declined(&shop).await;
    let waits = pay(&shop, &due.id, "tok_late", "k3").await.unwrap();
    assert_eq!((waits.state(), &*waits.confirmation_url), (DueState::Open, ""));
    shop.pass(Duration::seconds(61));
    assert_eq!(shop.fact_in_time("payment.due_paid", &order).await.0, 12_000);
    assert_eq!(find(&shop, &due.id).await.state(), DueState::Paid);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_due_that_is_given_up_is_owed_no_more(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    shop.void(&order).await;
    assert_eq!(find(&shop, &due.id).await.state(), DueState::Waived);
    assert_eq!(shop.fact("payment.due_waived", &order).await.0, 12_000);
    assert_eq!(refusal(pay(&shop, &due.id, "tok_ok", "k1").await), "DUE_STATE");

    let (_, due) = declined(&shop).await;
    let confirm = pay(&shop, &due.id, "tok_confirm", "k2").await.unwrap();
    assert_ne!(confirm.confirmation_url, "");
    for _ in 0..2 {
        assert_eq!(waive(&shop, &due.id).await.unwrap().state(), DueState::Waived);
    }
    assert_eq!(shop.balance("customer.dues").await, 0);
    assert_eq!(shop.balance("order.deferred").await, 0);

    // One that was paid goes back as a whole.
    let (order, due) = declined(&shop).await;
    pay(&shop, &due.id, "tok_ok", "k3").await.unwrap();
    shop.void(&order).await;
    assert_eq!(shop.fact("payment.refunded", &order).await.0, 12_000);
    assert_eq!(shop.balance("provider.payable").await, 0);
    assert_eq!(shop.balance("customer.dues").await, 0);
    shop.check_books().await;
}

/// A refund, or as much as there is, as order asks for one after a dispute.
async fn refund_at_most(shop: &Shop, order: &str, amount: i64, key: &str) -> Result<i64, Status> {
    let request = pb::RefundPaymentRequest {
        order_id: order.into(),
        amount: euros(amount),
        step_key: key.into(),
        reason: "DISPUTE".into(),
        at_most: true,
    };
    let answer = shop.charges().refund_payment(request).await?.into_inner();
    assert_eq!(answer.refunded, euros(0));
    Ok(answer.amount.unwrap().minor_units)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_before_the_due_is_paid_lowers_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    // A payment that failed and one that waits for its customer are both of the amount before.
    assert_eq!(
        refusal(pay(&shop, &due.id, "tok_capture_declined", "k1").await),
        "PAYMENT_DECLINED"
    );
    for _ in 0..2 {
        assert_eq!(refund_at_most(&shop, &order, 2_000, "split").await.unwrap(), 2_000);
    }
    assert_eq!(shop.fact("payment.due_lowered", &order).await.0, 10_000);
    assert_eq!(find(&shop, &due.id).await.amount, euros(10_000));
    assert_balances(&shop, [("customer.dues", -10_000), ("order.deferred", 10_000)]).await;
    let waiting = pay(&shop, &due.id, "tok_confirm", "k2").await.unwrap();
    assert_ne!(waiting.confirmation_url, "");
    let under_way = refund_at_most(&shop, &order, 1_000, "more").await;
    assert_eq!(refusal(under_way), "PAYMENT_PENDING");

    let paid = pay(&shop, &due.id, "tok_ok", "k3").await.unwrap();
    assert_eq!((paid.state(), paid.amount), (DueState::Paid, euros(10_000)));
    let earned = [("customer.dues", 0), ("order.deferred", 0), ("provider.payable", 8_000)];
    assert_balances(&shop, earned).await;
    assert_eq!(shop.refund(&order, 1_000, "more").await.unwrap(), 1_000);
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_of_the_whole_due_gives_it_up(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    assert_eq!(refusal(pay(&shop, &due.id, "tok_declined", "k1").await), "PAYMENT_DECLINED");
    assert_eq!(refund_at_most(&shop, &order, 2_000, "split").await.unwrap(), 2_000);
    for _ in 0..2 {
        assert_eq!(refund_at_most(&shop, &order, 12_000, "customer").await.unwrap(), 10_000);
    }
    assert_eq!(refund_at_most(&shop, &order, 12_000, "again").await.unwrap(), 0);
    assert_eq!(refusal(shop.refund(&order, 1, "more").await), "REFUND_EXCEEDS_CAPTURE");
    assert_eq!(find(&shop, &due.id).await.state(), DueState::Waived);
    shop.fact("payment.due_waived", &order).await;
    assert_balances(&shop, [("customer.dues", 0), ("order.deferred", 0)]).await;
    assert_eq!(refusal(pay(&shop, &due.id, "tok_ok", "k2").await), "DUE_STATE");
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_refund_that_lowered_a_due_is_made_once_also_after_the_rest_is_paid(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (order, due) = declined(&shop).await;
    assert_eq!(refund_at_most(&shop, &order, 2_000, "dispute:7").await.unwrap(), 2_000);
    pay(&shop, &due.id, "tok_ok", "k1").await.unwrap();
    // The answer was lost: order repeats the call.
    assert_eq!(refund_at_most(&shop, &order, 2_000, "dispute:7").await.unwrap(), 2_000);
    assert_balances(&shop, [("customer.dues", 0), ("provider.payable", 8_000)]).await;
    assert_eq!(shop.refund(&order, 1_000, "more").await.unwrap(), 1_000);
    shop.check_books().await;
}
