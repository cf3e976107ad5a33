//! What orders and accounts do to profiles, each fact once.

use crate::fixture::{ActingAs, Provider, Shop, at, paris, requirements, window};
use async_trait::async_trait;
use chrono::Duration;
use kit::{
    Db, Event,
    messaging::bus::Consumer,
    messaging::outbox,
    testing::{Backend, eventually},
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::OrderState, order::v1::OrderEvent, provider::v1 as pb, user::v1::UserEvent,
};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
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
        outbox::record(&tx, kind, Uuid::new_v4(), 1, &data).await.unwrap();
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

/// Fails on the first fact of a completed order, so that it is delivered to everybody again.
#[derive(Default)]
struct Stumbler(AtomicUsize);

#[async_trait]
impl Consumer for Stumbler {
    fn wants(&self, kind: &str) -> bool {
        kind == "order.completed"
    }

    async fn consume(&self, _: &Event) -> Result<(), kit::Error> {
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(kit::Error::internal("stumbled")),
            _ => Ok(()),
        }
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
        accept_ratio: 4.0 / 6.0,
        cancel_ratio: 0.25,
        on_time_ratio: 0.5,
        completed: 1,
    };
    eventually("the score", || async { (score(&shop, &provider).await == expected).then_some(()) })
        .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_fact_that_comes_twice_counts_once(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let stumbler = Arc::<Stumbler>::default();
    shop.world.host.subscribe(stumbler.clone());
    let elsewhere = Elsewhere::of(&shop, "order").await;
    elsewhere.publish("order.completed", order(&provider)).await;
    eventually("the second delivery", || async {
        shop.world.clock.advance(Duration::seconds(1));
        (stumbler.0.load(Ordering::SeqCst) > 1).then_some(())
    })
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
    eventually("the order of candidates", || async {
        let found = shop.reservations().find_candidates(find.clone()).await.unwrap();
        let names = found.into_inner().candidates.into_iter().map(|it| it.provider_name);
        (names.collect::<Vec<_>>() == ["Bea", "Ana"]).then_some(())
    })
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
    eventually("the block", || async {
        let profile = shop.profile(&ana).await;
        (profile.blocked_reason == "ACCOUNT_SUSPENDED").then_some(())
    })
    .await;
    let gone = eventually("the end", || async {
        let profile = shop.profile(&bea).await;
        (profile.state() == pb::ProviderState::Offboarded).then_some(profile)
    })
    .await;
    assert_eq!((gone.name.as_str(), gone.bio.as_str()), ("Former provider", ""));
    let list = pb::ListDocumentsRequest { provider_id: bea.id.clone(), ..Default::default() };
    let listed = shop.vetting().list_documents(list).by(shop.operator).await.unwrap();
    assert_eq!(listed.into_inner().documents[0].number, "");
}
