//! What orders and accounts do to profiles, each fact once.

use crate::fixture::{Provider, Shop, requirements};
use kit::{
    Db,
    messaging::outbox,
    testing::{
        ActingAs, Backend, EventRecorder, at, eventually, eventually_in_time, paris, window,
    },
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1::{OfferEnd, OrderEvent},
    provider::v1 as pb,
    user::v1::UserEvent,
};
use uuid::Uuid;
use yare::parameterized;

/// Another service, as far as its outbox goes.
struct Elsewhere(Db);

impl Elsewhere {
    async fn of(shop: &Shop, service: &'static str) -> Self {
        let host = shop.world.host.of(service);
        host.migrate().await.unwrap();
        Self(host.database().await.unwrap())
    }

    async fn publish<M: prost::Message + 'static>(&self, kind: &'static str, data: M) {
        let tx = self.0.begin().await.unwrap();
        outbox::record_event(&tx, kind, Uuid::new_v4(), 1, &data).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The fact of an order of `provider`.
fn order(provider: &Provider) -> OrderEvent {
    OrderEvent {
        order_id: Uuid::new_v4().to_string(),
        vertical: "cleaning".to_owned(),
        provider_id: provider.id.clone(),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        ..Default::default()
    }
}

async fn score(shop: &Shop, provider: &Provider) -> pb::Score {
    shop.profile(provider).await.score.unwrap()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn orders_make_the_score(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let elsewhere = Elsewhere::of(&shop, "order").await;
    let publish = |kind, order| elsewhere.publish(kind, order);
    for _ in 0..4 {
        publish("order.assigned", order(&provider)).await;
    }
    publish("order.declined", order(&provider)).await;
    // Offers that others took, or that provider refused, say nothing.
    for end in [OfferEnd::Declined, OfferEnd::Ignored, OfferEnd::Revoked, OfferEnd::Refused] {
        let offer_end = end.into();
        publish("order.offer_ended", OrderEvent { offer_end, ..order(&provider) }).await;
    }
    let from = OrderState::Requested.into();
    publish("order.expired", OrderEvent { from, ..order(&provider) }).await;
    for fault in ["provider", "customer"] {
        let fault = fault.to_owned();
        publish("order.cancelled", OrderEvent { fault, ..order(&provider) }).await;
    }
    for moment in ["2027-05-24T08:09:00Z", "2027-05-24T08:11:00Z"] {
        let at = Some(timestamp(at(moment)));
        publish("order.arrived", OrderEvent { at, ..order(&provider) }).await;
    }
    publish("order.completed", order(&provider)).await;
    for (addressee, stars) in [("provider", 5), ("provider", 4), ("customer", 1)] {
        let addressee = addressee.to_owned();
        publish("order.reviewed", OrderEvent { addressee, stars, ..order(&provider) }).await;
    }
    let expected = pb::Score {
        rating: 4.5,
        reviews: 2,
        accept_ratio: 4.0 / 8.0,
        cancel_ratio: 0.25,
        on_time_ratio: 0.5,
        completed: 1,
    };
    eventually("the score", async || score(&shop, &provider).await, |seen| *seen == expected).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_fact_that_comes_twice_counts_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    // Another consumer fails, so that the event is delivered to all of them again.
    let stumbler = EventRecorder::subscribed(&shop.world.host, &["order.completed"]);
    stumbler.fail_next(1);
    let elsewhere = Elsewhere::of(&shop, "order").await;
    elsewhere.publish("order.completed", order(&provider)).await;
    let order_service = shop.world.host.of("order");
    let deliveries = async || stumbler.deliveries();
    eventually_in_time("the second delivery", &[order_service], deliveries, |seen| *seen == 2)
        .await;
    assert_eq!(score(&shop, &provider).await.completed, 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_better_score_is_the_better_candidate(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (_, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let elsewhere = Elsewhere::of(&shop, "order").await;
    let praise = OrderEvent { addressee: "provider".to_owned(), stars: 5, ..order(&bea) };
    elsewhere.publish("order.reviewed", praise).await;
    let find = pb::FindCandidatesRequest {
        vertical: "cleaning".to_owned(),
        window: Some(window("2027-05-24T08:00:00Z", 2)),
        address: Some(paris()),
        requirements: Some(requirements(0)),
        ..Default::default()
    };
    eventually(
        "the order of candidates",
        async || {
            let found = shop.reservations().find_candidates(find.clone()).await.unwrap();
            let names = found.into_inner().candidates.into_iter().map(|it| it.provider_name);
            names.collect::<Vec<_>>()
        },
        |seen| *seen == ["Bea", "Ana"],
    )
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn accounts_take_their_profiles_along(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let elsewhere = Elsewhere::of(&shop, "user").await;
    let account = |provider: &Provider| UserEvent { user_id: provider.owner.user_id.to_string() };
    elsewhere.publish("user.suspended", account(&ana)).await;
    elsewhere.publish("user.erased", account(&bea)).await;
    eventually(
        "the block",
        async || shop.profile(&ana).await,
        |profile| profile.blocked_reason == "ACCOUNT_SUSPENDED",
    )
    .await;
    let gone = eventually(
        "the end",
        async || shop.profile(&bea).await,
        |profile| profile.state() == pb::ProviderState::Offboarded,
    )
    .await;
    assert_eq!((gone.name.as_str(), gone.bio.as_str()), ("Former provider", ""));
    let list = pb::ListDocumentsRequest { provider_id: bea.id.clone(), ..Default::default() };
    let listed = shop.vetting().list_documents(list).by(shop.operator).await.unwrap();
    assert_eq!(listed.into_inner().documents[0].number, "");
}
