//! Searching for a provider: waves of offers, races for one, giving up an assignment.

use crate::{
    script::{Fault, refusal},
    town::{Town, booking},
};
use chrono::Duration;
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
};
use proto::quickserve::{fulfilment::v1::OrderState, order::v1 as pb};
use tonic::{Code, Status};
use yare::parameterized;

impl Town {
    pub async fn offers(&self, who: Subject) -> Vec<pb::Offer> {
        let mut jobs = self.jobs();
        let listed = acting_as(who, jobs.list_offers(pb::ListOffersRequest::default()));
        listed.await.unwrap().into_inner().offers
    }

    /// The offer that `who` has.
    pub async fn offer(&self, who: Subject) -> pb::Offer {
        let offers = async || self.offers(who).await;
        eventually("an offer", offers, |offers| !offers.is_empty()).await.remove(0)
    }

    pub async fn take(&self, who: Subject, offer: &pb::Offer) -> Result<pb::Order, Status> {
        let request = pb::AcceptOfferRequest { offer_id: offer.id.clone() };
        let taken = acting_as(who, self.jobs().accept_offer(request)).await?;
        Ok(taken.into_inner().order.unwrap())
    }

    pub async fn turn_down(&self, who: Subject, offer: &pb::Offer) -> Result<pb::Offer, Status> {
        let request = pb::DeclineOfferRequest { offer_id: offer.id.clone() };
        let declined = acting_as(who, self.jobs().decline_offer(request)).await?;
        Ok(declined.into_inner().offer.unwrap())
    }

    /// An order that names nobody.
    async fn open_order(&self) -> pb::Order {
        let quote = self.quote(None, Duration::days(2)).await;
        self.book(booking(&quote)).await.unwrap()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_first_to_accept_gets_the_order(backend: Backend) {
    let town = Town::new(backend).await;
    let candidates: Vec<_> = (0..3).map(|_| town.candidate()).collect();
    let order = town.open_order().await;
    assert_eq!(order.state(), OrderState::Searching);
    let mut offers = Vec::new();
    for (_, who) in &candidates {
        let offer = town.offer(*who).await;
        assert_eq!((offer.city.as_str(), offer.order_id.as_str()), ("Paris", order.id.as_str()));
        assert_eq!(offer.provider_gross.as_ref().unwrap().minor_units, 9_000);
        offers.push((*who, offer.id));
    }
    let mut calls = Vec::new();
    for (who, offer_id) in offers {
        let mut jobs = town.jobs();
        let request = pb::AcceptOfferRequest { offer_id };
        let call = async move { (who, jobs.accept_offer(request).await) };
        calls.push(tokio::spawn(acting_as(who, call)));
    }
    let (mut winner, mut losers) = (None, 0);
    for call in calls {
        match call.await.unwrap() {
            (who, Ok(_)) => assert!(winner.replace(who).is_none(), "two winners"),
            (_, Err(error)) => {
                assert_eq!(reason_of(&error), "OFFER_TAKEN", "{error}");
                losers += 1;
            }
        }
    }
    assert_eq!(losers, 2);
    let order = town.get(&order.id).await;
    assert_eq!(order.state(), OrderState::Assigned);
    assert_eq!(order.provider_user_id, winner.unwrap().user_id.to_string());
    assert_eq!(town.script.slots(&order.id), [(order.provider_id, true)], "losers are free");
    for (_, who) in &candidates {
        assert!(town.offers(*who).await.is_empty(), "no offer is open any more");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn waves_go_on_until_nobody_is_left(backend: Backend) {
    let town = Town::new(backend).await;
    let candidates: Vec<_> = (0..5).map(|_| town.candidate()).collect();
    let id = town.open_order().await.id;
    let first = town.offer(candidates[0].1).await;
    assert!(town.offers(candidates[3].1).await.is_empty(), "three at a time");
    town.clock.advance(Duration::minutes(10));
    let second = town.offer(candidates[3].1).await;
    assert_ne!(first.id, second.id);
    assert_eq!(reason_of(&town.take(candidates[0].1, &first).await.unwrap_err()), "OFFER_EXPIRED");
    // Who turns an offer down is not waited for.
    let fifth = town.offer(candidates[4].1).await;
    town.turn_down(candidates[3].1, &second).await.unwrap();
    assert_eq!(town.get(&id).await.state(), OrderState::Searching);
    let declined = town.turn_down(candidates[4].1, &fifth).await.unwrap();
    assert_eq!(declined.state(), pb::OfferState::Declined);
    town.until(&id, OrderState::NoProvider).await;
    town.until_script("money back", |script| script.money(&id).closed).await;
    town.until_fact(&id, "order.no_provider").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_decline_leads_to_a_search_when_the_customer_wants_one(backend: Backend) {
    let town = Town::new(backend).await;
    let (_, other) = town.candidate();
    town.script.with(|memory| memory.candidates.push(town.profile));
    let quote = town.quote(Some(town.profile), Duration::days(2)).await;
    let request = pb::CreateOrderRequest { search_if_declined: true, ..booking(&quote) };
    let id = town.book(request).await.unwrap().id;
    let refused = town.attempt(town.provider, "decline", &id, &Default::default()).await;
    refused.unwrap();
    assert_eq!(town.get(&id).await.state(), OrderState::Searching);
    let offer = town.offer(other).await;
    assert!(town.offers(town.provider).await.is_empty(), "who declined is not asked again");
    let order = town.take(other, &offer).await.unwrap();
    assert_eq!(order.state(), OrderState::Assigned);
    assert_eq!(order.total.unwrap().minor_units, 10_000);
    let gone = town.get_as(town.provider, &id).await.unwrap_err();
    assert_eq!(reason_of(&gone), "ORDER_NOT_FOUND", "who declined is no party any more");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_assignment_that_is_given_up_goes_to_another(backend: Backend) {
    let town = Town::new(backend).await;
    let (_, other) = town.candidate();
    let order = town.ordered_ahead(Duration::hours(2)).await;
    town.act(town.provider, "accept", &order.id).await;
    let code = town.get(&order.id).await.start_code;
    let given_up = town.attempt(town.provider, "reassign", &order.id, &Default::default()).await;
    given_up.unwrap();
    let fact = town.until_fact(&order.id, "order.reassigned").await;
    assert_eq!((fact.fault.as_str(), fact.provider_id), ("provider", town.profile.to_string()));
    let offer = town.offer(other).await;
    town.take(other, &offer).await.unwrap();
    let order = town.get(&order.id).await;
    assert_eq!(
        (order.state(), order.provider_user_id),
        (OrderState::Assigned, other.user_id.to_string())
    );
    assert_ne!(order.start_code, code, "each assignment has a code of its own");
    town.until_script("the first provider is free, and the vertical knows", |script| {
        let told = [OrderState::Assigned, OrderState::Searching, OrderState::Assigned];
        script.told(&order.id) == told && script.slots(&order.id).len() == 1
    })
    .await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_offer_whose_slot_is_gone_or_vertical_objects_is_not_taken(backend: Backend) {
    let town = Town::new(backend).await;
    let (_, first) = town.candidate();
    let (_, second) = town.candidate();
    let id = town.open_order().await.id;
    let refused = crate::script::refusal(tonic::Code::AlreadyExists, "SLOT_TAKEN");
    town.script.fail("hold", crate::script::Fault::Refuse(refused));
    let offer = town.offer(first).await;
    assert_eq!(reason_of(&town.take(first, &offer).await.unwrap_err()), "SLOT_TAKEN");
    let assigned = i32::from(OrderState::Assigned);
    town.script.with(|memory| memory.denials.insert(assigned, vec!["NO_KEYS".to_owned()]));
    let offer = town.offer(second).await;
    assert_eq!(reason_of(&town.take(second, &offer).await.unwrap_err()), "TRANSITION_DENIED");
    assert!(town.script.slots(&id).is_empty());
    town.until(&id, OrderState::NoProvider).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_lost_answer_while_taking_an_offer_holds_nobody(backend: Backend) {
    let town = Town::new(backend).await;
    let (profile, who) = town.candidate();
    let id = town.open_order().await.id;
    let offer = town.offer(who).await;
    town.script.fail("confirm", crate::script::Fault::Lose);
    assert!(town.take(who, &offer).await.is_err());
    assert_eq!(town.script.slots(&id), [(profile.to_string(), true)], "held for nobody");
    town.clock.advance(Duration::seconds(61));
    town.until_script("the time is free", |script| script.slots(&id).is_empty()).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_provider_refuses_for_good_is_not_asked_again(backend: Backend) {
    let town = Town::new(backend).await;
    let (_, who) = town.candidate();
    let id = town.open_order().await.id;
    let offer = town.offer(who).await;
    // The offer cannot be taken, and the time it may have kept can never be freed: the call tries, the end of the search
    // does, and the offer's timer.
    let refuse = |code| Fault::Refuse(refusal(code, "REFUSED"));
    town.script.fail("hold", refuse(Code::FailedPrecondition));
    for _ in 0..3 {
        town.script.fail("release", refuse(Code::FailedPrecondition));
    }
    // No candidates will ever be found.
    town.script.fail("candidates", refuse(Code::InvalidArgument));
    assert_eq!(reason_of(&town.take(who, &offer).await.unwrap_err()), "REFUSED");
    town.until(&id, OrderState::NoProvider).await;
    town.in_time("all have tried", |it| it.calls("release") >= 3).await;
    let calls = || ["candidates", "release"].map(|rpc| town.script.calls(rpc));
    let before = calls();
    town.clock.advance(Duration::hours(1));
    town.in_time("what is due is done", |script| script.money(&id).closed).await;
    assert_eq!(calls(), before);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_lost_a_race_is_asked_again_when_the_winner_gives_up(backend: Backend) {
    let town = Town::new(backend).await;
    let (_, winner) = town.candidate();
    let (loser_profile, loser) = town.candidate();
    let id = town.open_order().await.id;
    let (won, lost) = (town.offer(winner).await, town.offer(loser).await);
    // Both are asked for at once; the loser has secured the time when the winner's acceptance is written.
    town.script.fail("ask", crate::script::Fault::HangAfter);
    let losing = {
        let (mut jobs, offer_id) = (town.jobs(), lost.id.clone());
        let request = pb::AcceptOfferRequest { offer_id };
        tokio::spawn(acting_as(loser, async move { jobs.accept_offer(request).await }))
    };
    town.until_script("the loser's time is secured", |it| it.calls("ask") == 1).await;
    town.take(winner, &won).await.unwrap();
    losing.abort();
    assert_eq!(reason_of(&town.take(loser, &lost).await.unwrap_err()), "OFFER_TAKEN");
    town.clock.advance(Duration::seconds(61));
    town.until_script("the loser's time is free", |it| it.slots(&id).len() == 1).await;

    town.attempt(winner, "reassign", &id, &Default::default()).await.unwrap();
    let again = town.offer(loser).await;
    assert_ne!(again.id, lost.id);
    let order = town.take(loser, &again).await.unwrap();
    assert_eq!(order.state(), OrderState::Assigned);
    assert_eq!(town.script.slots(&id), [(loser_profile.to_string(), true)]);
    assert!(town.offers(winner).await.is_empty(), "who gave up is not asked again");
}
