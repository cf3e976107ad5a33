//! Who may not work does not: asked at every step, and the order goes to others.

use crate::{
    acts::With,
    town::{Town, acting_as, booking, metadata, reason},
};
use chrono::Duration;
use kit::testing::{Backend, eventually};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb};
use yare::parameterized;

impl Town {
    /// Has provider say that the usual provider may not work any more, and why.
    fn object(&self, cause: &str) {
        self.script.with(|it| it.objections.insert(self.profile, vec![cause.to_owned()]));
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_who_may_not_work_is_refused_at_each_step_and_loses_the_order(backend: Backend) {
    use OrderState::{Declined, NoProvider};
    let town = Town::new(backend).await;
    // The steps before it, and what becomes of an order that no other provider takes.
    let steps: [(&[&str], &str, OrderState); 3] = [
        (&[], "accept", Declined),
        (&["accept"], "depart", NoProvider),
        (&["accept", "depart", "arrive"], "start", NoProvider),
    ];
    for (before, step, end) in steps {
        town.script.with(|it| it.objections.clear());
        let id = town.ordered_ahead(Duration::hours(2)).await.id;
        for action in before {
            town.act(town.provider, action, &id).await;
        }
        let start_code = town.get(&id).await.start_code;
        town.object("DOCUMENT:insurance");
        let with = With { start_code, ..With::default() };
        let refused = town.attempt(town.provider, step, &id, &with).await.unwrap_err();
        assert_eq!(reason(&refused), "PROVIDER_NOT_ELIGIBLE", "{step}");
        assert_eq!(metadata(&refused, "causes"), "DOCUMENT:insurance", "{step}");
        town.until(&id, end).await;
        town.until_script("the customer pays nothing and the time is free", |script| {
            let money = script.money(&id);
            money.closed && money.captured == 0 && script.slots(&id).is_empty()
        })
        .await;
        let kind = if before.is_empty() { "order.declined" } else { "order.reassigned" };
        let fact = town.until_fact(&id, kind).await;
        assert_eq!(fact.provider_id, town.profile.to_string(), "{step}");
        if !before.is_empty() {
            assert_eq!(fact.fault, "provider", "{step}");
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_lost_on_the_way_is_offered_to_others(backend: Backend) {
    let town = Town::new(backend).await;
    let (other, _) = town.candidate();
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    town.object("NOT_ACTIVE");
    town.attempt(town.provider, "depart", &id, &With::default()).await.unwrap_err();
    let offered = town.until_fact(&id, "order.offered").await;
    assert_eq!(offered.provider_id, other.to_string());
    let order = town.get(&id).await;
    assert_eq!((order.state(), order.provider_id.as_str()), (OrderState::Searching, ""));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_offer_is_not_taken_by_who_may_not_work(backend: Backend) {
    let town = Town::new(backend).await;
    let (profile, who) = town.candidate();
    let quote = town.quote(None, Duration::days(2)).await;
    let id = town.book(booking(&quote)).await.unwrap().id;
    let offer = eventually("an offer", || async {
        let request = pb::ListOffersRequest::default();
        let listed = acting_as(who, town.jobs().list_offers(request)).await.unwrap();
        listed.into_inner().offers.into_iter().next()
    })
    .await;
    town.script.with(|it| it.objections.insert(profile, vec!["BACKGROUND_CHECK".to_owned()]));
    let request = pb::AcceptOfferRequest { offer_id: offer.id };
    let refused = acting_as(who, town.jobs().accept_offer(request)).await.unwrap_err();
    assert_eq!(reason(&refused), "PROVIDER_NOT_ELIGIBLE");
    assert_eq!(metadata(&refused, "causes"), "BACKGROUND_CHECK");
    town.until(&id, OrderState::NoProvider).await;
    assert!(town.script.slots(&id).is_empty());
}
