//! What work comes to beyond what was authorised: owed beside the capture, earned once it is paid; and what only passes
//! through.

use crate::shop::{Dice, Shop, euros};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually, refusal};
use proto::quickserve::payment::v1::{self as pb, DueState};
use tonic::{Code, Request, Status};
use yare::parameterized;

fn line(code: &str, amount: i64, provider_earns: bool, pass_through: bool) -> pb::DueLine {
    pb::DueLine { code: code.into(), amount: euros(amount), provider_earns, pass_through }
}

/// A capture of the whole price, with 250.00 beyond it.
fn beyond(shop: &Shop, order: &str) -> pb::CapturePaymentRequest {
    let due = vec![line("moving.volume", 25_000, true, false)];
    pb::CapturePaymentRequest { due, ..shop.settlement(order, 12_000) }
}

async fn capture(shop: &Shop, request: pb::CapturePaymentRequest) -> Result<String, Status> {
    Ok(shop.charges().capture_payment(request).await?.into_inner().payout_id)
}

async fn due_of(shop: &Shop, order: &str) -> pb::Due {
    let mut client = shop.dues();
    let answer = acting_as(shop.customer, client.list_dues(pb::ListDuesRequest::default())).await;
    let dues = answer.unwrap().into_inner().dues;
    dues.into_iter().find(|due| due.order_id == order && !due.lines.is_empty()).unwrap()
}

async fn pay(shop: &Shop, due: &str, token: &str) -> Result<pb::Due, Status> {
    let request = pb::PayDueRequest {
        due_id: due.into(),
        payment_method_id: shop.card(token).await,
        ..Default::default()
    };
    let mut client = shop.dues();
    Ok(acting_as(shop.customer, client.pay_due(request)).await?.into_inner().due.unwrap())
}

async fn waive(shop: &Shop, due: &str) -> pb::Due {
    let mut client = shop.dues();
    let request = pb::WaiveDueRequest { due_id: due.into() };
    acting_as(shop.operator, client.waive_due(request)).await.unwrap().into_inner().due.unwrap()
}

/// Dues, what waits for them, and what providers, the platform and the tax office have.
async fn books(shop: &Shop) -> [i64; 5] {
    shop.check_books().await;
    let kinds = [
        "customer.dues",
        "order.deferred",
        "provider.payable",
        "platform.commission",
        "platform.vat",
    ];
    let mut balances = [0; 5];
    for (balance, kind) in balances.iter_mut().zip(kinds) {
        *balance = shop.balance(kind).await;
    }
    balances
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_lies_beyond_the_cap_is_owed_and_earned_once_it_is_paid(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let payout = capture(&shop, beyond(&shop, &order)).await.unwrap();
    // The same call owes nothing more.
    assert_eq!(capture(&shop, beyond(&shop, &order)).await.unwrap(), payout);
    assert_eq!(books(&shop).await, [-25_000, 25_000, 9_600, 2_000, 400]);
    assert_eq!(shop.payment(&order).await.state(), pb::PaymentState::Captured);
    let due = due_of(&shop, &order).await;
    assert_eq!((due.state(), due.reason.as_str()), (DueState::Open, "BEYOND_CAP"));
    assert_eq!(due.lines[0].code, "moving.volume");
    assert_eq!(shop.fact("payment.due_created", &order).await.0, 25_000);

    let declined = pay(&shop, &due.id, "tok_insufficient_funds").await;
    assert_eq!(refusal(declined), "PAYMENT_DECLINED");
    assert_eq!(pay(&shop, &due.id, "tok_ok").await.unwrap().state(), DueState::Paid);
    assert_eq!(books(&shop).await, [0, 0, 29_600, 6_167, 1_233]);
    // Each is paid out once.
    shop.pass(Duration::days(3));
    let paid = async || shop.balance("provider.payable").await;
    eventually("both are paid out", paid, |left| *left == 0).await;
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_waived_is_not_earned(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    capture(&shop, beyond(&shop, &order)).await.unwrap();
    let due = due_of(&shop, &order).await;
    assert_eq!(waive(&shop, &due.id).await.state(), DueState::Waived);
    assert_eq!(books(&shop).await, [0, 0, 9_600, 2_000, 400]);

    // So is what is owed for an order whose money all went back.
    let order = shop.authorized("tok_ok").await;
    capture(&shop, beyond(&shop, &order)).await.unwrap();
    shop.refund(&order, 12_000, "all").await.unwrap();
    let due = due_of(&shop, &order).await;
    assert_eq!(due.state(), DueState::Waived);
    assert_eq!(books(&shop).await, [0, 0, 9_600, 2_000, 400]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_capture_that_is_declined_is_owed_beside_it(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_capture_declined").await;
    let refused = capture(&shop, beyond(&shop, &order)).await;
    assert_eq!(refusal(refused), "PAYMENT_DECLINED");
    assert_eq!(books(&shop).await, [-37_000, 37_000, 0, 0, 0]);
    let due = due_of(&shop, &order).await;
    pay(&shop, &due.id, "tok_ok").await.unwrap();
    assert_eq!(books(&shop).await, [-12_000, 12_000, 20_000, 4_167, 833]);
    shop.void(&order).await;
    assert_eq!(books(&shop).await, [0, 0, 20_000, 4_167, 833]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_only_passes_through_carries_no_commission(backend: Backend) {
    let shop = Shop::open(backend).await;
    let order = shop.authorized("tok_ok").await;
    let base = euros(10_000);
    let due = vec![line("toll", 500, true, true), line("fee", 600, false, false)];
    let request =
        pb::CapturePaymentRequest { commission_base: base, due, ..shop.settlement(&order, 12_000) };
    for (wrong, field) in [
        (
            pb::CapturePaymentRequest { commission_base: euros(12_001), ..request.clone() },
            "commission_base",
        ),
        (
            pb::CapturePaymentRequest { due: vec![line("x", 0, true, false)], ..request.clone() },
            "due[0].amount",
        ),
    ] {
        let refused = capture(&shop, wrong).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(format!("{refused:?}").contains(field), "{refused:?}");
    }
    capture(&shop, request).await.unwrap();
    assert_eq!(books(&shop).await, [-1_100, 1_100, 10_000, 1_667, 333]);
    let due = due_of(&shop, &order).await;
    pay(&shop, &due.id, "tok_ok").await.unwrap();
    assert_eq!(books(&shop).await, [0, 0, 10_500, 2_167, 433]);
}

/// Whatever is captured, owed, paid, waived, claimed and refunded: the books balance after each step, nothing is left in
/// escrow, and in the end everyone has what they earned.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_books_balance_whatever_comes(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut dice = Dice(17);
    for _ in 0..10 {
        let order = shop.authorized("tok_ok").await;
        let captured = dice.below(12_000) + 1;
        let owed = dice.below(3) * 4_321;
        let toll = dice.below(captured);
        let mut due = vec![line("volume", owed, true, false), line("toll", owed, true, true)];
        due.retain(|line| line.amount != euros(0));
        let base = euros(captured - toll);
        let claim = uuid::Uuid::new_v4().to_string();
        let hold = pb::SetPayoutFrozenRequest {
            order_id: order.clone(),
            frozen: true,
            amount: euros(dice.below(9_000) + 1),
            claim_id: claim.clone(),
        };
        let is_claimed = dice.below(2) == 0;
        if is_claimed {
            shop.charges().set_payout_frozen(hold).await.unwrap();
        }
        let request = shop.settlement(&order, captured);
        let request = pb::CapturePaymentRequest { commission_base: base, due, ..request };
        capture(&shop, request).await.unwrap();
        let [dues, deferred, ..] = books(&shop).await;
        assert_eq!((dues, deferred), (-2 * owed, 2 * owed));
        if dice.below(2) == 0 {
            shop.refund(&order, dice.below(captured) + 1, "part").await.unwrap();
            books(&shop).await;
        }
        if owed > 0 {
            let due = due_of(&shop, &order).await;
            match dice.below(2) {
                _ if due.state() != DueState::Open => {}
                0 => drop(waive(&shop, &due.id).await),
                _ => drop(pay(&shop, &due.id, "tok_ok").await.unwrap()),
            }
        }
        let [dues, deferred, ..] = books(&shop).await;
        assert_eq!((dues, deferred), (0, 0));
        if is_claimed {
            let free = pb::SetPayoutFrozenRequest {
                order_id: order.clone(),
                claim_id: claim,
                ..Default::default()
            };
            shop.charges().set_payout_frozen(free).await.unwrap();
        }
    }
    shop.pass(Duration::days(3));
    let paid = async || shop.balance("provider.payable").await;
    eventually("all is paid out", paid, |left| *left == 0).await;
    books(&shop).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_paid_beyond_the_cap_stays_until_an_operator_gives_it_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    for void in [false, true] {
        let order = shop.authorized("tok_ok").await;
        capture(&shop, beyond(&shop, &order)).await.unwrap();
        let due = due_of(&shop, &order).await;
        pay(&shop, &due.id, "tok_ok").await.unwrap();
        match void {
            true => shop.void(&order).await,
            false => assert_eq!(shop.refund(&order, 12_000, "all").await.unwrap(), 12_000),
        }
        let own = async || shop.messages("payment.refunded", &order);
        let own = eventually("the order's money is back", own, |own| own.len() == 1).await;
        assert!(own[0].due_id.is_empty() && !own[0].beside_capture);
        assert_eq!(books(&shop).await, [0, 0, 20_000, 4_167, 833], "{void}");

        let payment_id = shop.payment(&due.id).await.id;
        let reason = "the goods were never delivered".to_owned();
        let all = pb::CreateRefundRequest { payment_id, amount: None, reason };
        let mut request = Request::new(all);
        request.metadata_mut().insert("idempotency-key", due.id.parse().unwrap());
        let mut client = shop.payments();
        acting_as(shop.operator, client.create_refund(request)).await.unwrap();
        let facts = async || shop.messages("payment.refunded", &order);
        let facts = eventually("what was owed is back", facts, |facts| facts.len() == 2).await;
        let of_due = facts.iter().find(|fact| fact.due_id == due.id).unwrap();
        assert!(of_due.beside_capture && of_due.beyond_cap);
        assert_eq!((&of_due.captured, &of_due.refunded), (&euros(25_000), &euros(25_000)));
        assert_eq!(books(&shop).await, [0; 5], "{void}");
        assert_eq!(shop.balance("order.escrow").await, 0, "{void}");
    }
}
