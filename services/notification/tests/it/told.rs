//! Who is told what, once.

use crate::scene::{Order, Scene, money};
use kit::testing::Backend;
use proto::quickserve::{
    fulfilment::v1::OrderState::{
        self, Arrived, Assigned, AwaitingApproval, Cancelled, Completed, Delivered, EnRoute,
        InProgress, PendingPayment, Requested, Searching,
    },
    payment::v1::{PaymentEvent, PayoutEvent},
    provider::v1::{ProviderEvent, TrackEvent},
};
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn both_sides_follow_an_order(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut order = Order::new();
    let life: [(&str, OrderState, OrderState); 10] = [
        ("order.created", PendingPayment, Requested),
        ("order.assigned", Requested, Assigned),
        ("order.en_route", Assigned, EnRoute),
        ("order.arrived", EnRoute, Arrived),
        ("order.started", Arrived, InProgress),
        ("order.change_proposed", InProgress, AwaitingApproval),
        ("order.change_decided", AwaitingApproval, InProgress),
        ("order.delivered", InProgress, Delivered),
        ("order.completed", Delivered, Completed),
        ("order.closed", Completed, OrderState::Closed),
    ];
    for (kind, from, to) in life {
        let event = scene.order_event(&mut order, kind, from, to, |data| {
            if kind == "order.change_decided" {
                data.addressee = "provider".to_owned();
            }
        });
        scene.publish(&event).await;
    }
    let customer = [
        "order.created.customer",
        "order.assigned.customer",
        "order.en_route.customer",
        "order.arrived.customer",
        "order.started.customer",
        "order.change_proposed.customer",
        "order.delivered.customer",
        "order.completed.customer",
    ];
    assert_eq!(scene.inbox(scene.customer).await, customer);
    let provider = [
        "order.created.provider",
        "order.assigned.provider",
        "order.change_decided.provider",
        "order.completed.provider",
    ];
    assert_eq!(scene.inbox(scene.provider).await, provider);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_reads_their_own_language(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut order = Order::new();
    scene.order(&mut order, "order.assigned", Requested, Assigned).await;
    let english = &scene.messages(scene.customer).await[0];
    assert_eq!(english.subject, "It is confirmed: cleaning, Tuesday 11 May 2027 at 11:00");
    assert!(english.body.starts_with("A provider has accepted"), "{}", english.body);
    assert_eq!(english.order_id, order.id.to_string());
    let french = &scene.messages(scene.provider).await[0];
    assert_eq!(french.subject, "La prestation est à vous : mardi 11 mai 2027 à 11 h 00");
    assert!(french.body.contains("(ménage, 120,50\u{a0}€)"), "{}", french.body);
    scene.mail_is("order.assigned.customer", "DELIVERED").await;
    scene.mail_is("order.assigned.provider", "DELIVERED").await;
    let letter = &scene.letters("order.assigned.customer")[0];
    assert!(letter.body.starts_with("Hello Ada Lovelace,\r\n"), "{}", letter.body);
    assert!(letter.body.contains(&format!("Order {}", order.id)), "{}", letter.body);
    let letter = &scene.letters("order.assigned.provider")[0];
    assert!(letter.body.starts_with("Bonjour Édith Piaf,\r\n"), "{}", letter.body);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_text_fits_where_the_order_stands(backend: Backend) {
    let scene = Scene::new(backend).await;
    for (kind, from, to, expected) in [
        ("order.created", PendingPayment, PendingPayment, "order.created.unpaid.customer"),
        ("order.created", PendingPayment, Searching, "order.created.searching.customer"),
        ("order.declined", Requested, Searching, "order.declined.searching.customer"),
        ("order.declined", Requested, OrderState::Declined, "order.declined.customer"),
        ("order.expired", PendingPayment, OrderState::Expired, "order.expired.unpaid.customer"),
        ("order.expired", Requested, OrderState::Expired, "order.expired.customer"),
        ("order.cancelled", PendingPayment, Cancelled, "order.cancelled.customer"),
    ] {
        scene.order(&mut Order::new(), kind, from, to).await;
        assert_eq!(scene.inbox(scene.customer).await.last().unwrap(), expected);
    }
    // The provider was asked in one of these cases only.
    assert_eq!(scene.inbox(scene.provider).await, ["order.expired.provider"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn customers_are_told_how_near_their_provider_is(backend: Backend) {
    let scene = Scene::new(backend).await;
    let track = TrackEvent {
        order_id: Uuid::new_v4().to_string(),
        customer_id: scene.customer.user_id.to_string(),
        provider_id: Uuid::new_v4().to_string(),
        order_seq: 4,
    };
    let aggregate = Uuid::new_v4();
    for (seq, kind) in (1..).zip(["track.stale", "track.arriving"]) {
        scene.publish(&scene.event(kind, aggregate, seq, &track)).await;
    }
    let subjects: Vec<_> =
        scene.messages(scene.customer).await.into_iter().map(|message| message.subject).collect();
    assert_eq!(subjects, ["Almost there", "Position not up to date"]);
    assert_eq!(scene.inbox(scene.provider).await, [""; 0]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn money_and_profiles_are_told_of_too(backend: Backend) {
    let config = [("notification.operator_email", "ops@example.org")];
    let scene = Scene::with_config(backend, &config).await;
    let order_id = Uuid::new_v4().to_string();
    let payment = PaymentEvent {
        payment_id: Uuid::new_v4().to_string(),
        order_id: order_id.clone(),
        customer_id: scene.customer.user_id.to_string(),
        amount: Some(money(3_000)),
        ..PaymentEvent::default()
    };
    for (seq, kind) in (1..).zip(["payment.authorized", "payment.refunded", "payment.disputed"]) {
        scene.publish(&scene.event(kind, Uuid::new_v4(), seq, &payment)).await;
    }
    let payout = PayoutEvent {
        payout_id: Uuid::new_v4().to_string(),
        order_id,
        provider_user_id: scene.provider.user_id.to_string(),
        amount: Some(money(9_600)),
        kind: "SERVICE".to_owned(),
    };
    scene.publish(&scene.event("payout.failed", Uuid::new_v4(), 1, &payout)).await;
    let profile = ProviderEvent {
        provider_id: Uuid::new_v4().to_string(),
        user_id: scene.provider.user_id.to_string(),
        reason: "insurance".to_owned(),
        ..ProviderEvent::default()
    };
    scene.publish(&scene.event("provider.document_expiring", Uuid::new_v4(), 1, &profile)).await;
    assert_eq!(scene.inbox(scene.customer).await, ["payment.refunded.customer"]);
    assert_eq!(scene.messages(scene.customer).await[0].subject, "Refund of €30.00");
    let expected = ["payout.failed.provider", "provider.document_expiring.provider"];
    assert_eq!(scene.inbox(scene.provider).await, expected);
    let told = &scene.messages(scene.provider).await[0].subject;
    assert_eq!(told, "Un document expire bientôt : assurance");
    for template in ["payment.disputed.operator", "payout.failed.operator"] {
        scene.mail_is(template, "DELIVERED").await;
        assert!(scene.letters(template)[0].raw.contains("To: QuickServe <ops@example.org>"));
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_fact_that_comes_again_tells_nothing_new(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut order = Order::new();
    let event = scene.order_event(&mut order, "order.assigned", Requested, Assigned, |_| {});
    // At the same moment, and later once more.
    futures::future::join_all((0..8).map(|_| scene.publish(&event))).await;
    scene.mail_is("order.assigned.customer", "DELIVERED").await;
    scene.mail_is("order.assigned.provider", "DELIVERED").await;
    scene.publish(&event).await;
    assert_eq!(scene.rows().await.len(), 4);
    assert_eq!(scene.letters("order.assigned.customer").len(), 1);
}
