//! A provider again: favourites, further visits, and work that is made good.

use crate::{
    script::{Fault, refusal},
    town::{Town, booking, keyed, metadata},
};
use chrono::Duration;
use kit::{
    Role, Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually, somebody},
};
use proto::quickserve::{
    common::v1::TimeWindow,
    fulfilment::v1::{Dispatch, OrderState},
    order::v1::{self as pb, favourite_service_client::FavouriteServiceClient},
};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;
use yare::parameterized;

impl Town {
    async fn like(&self, who: Subject, provider: Uuid) -> Result<pb::Favourite, Status> {
        let request = pb::AddFavouriteRequest { provider_id: provider.to_string() };
        let mut api = FavouriteServiceClient::new(self.channel());
        let added = acting_as(who, api.add_favourite(request)).await?;
        Ok(added.into_inner().favourite.unwrap())
    }

    async fn favourites(&self, who: Subject) -> Vec<String> {
        let mut api = FavouriteServiceClient::new(self.channel());
        let listed = acting_as(who, api.list_favourites(pb::ListFavouritesRequest {})).await;
        let listed = listed.unwrap().into_inner().favourites;
        listed.into_iter().map(|favourite| favourite.provider_id).collect()
    }

    async fn visit(&self, id: &str, window: TimeWindow, key: &str) -> Result<pb::Visit, Status> {
        let request = pb::BookVisitRequest { order_id: id.to_owned(), window: Some(window) };
        let (mut jobs, request) = (self.jobs(), keyed(request, key));
        let booked = acting_as(self.provider, async move { jobs.book_visit(request).await });
        Ok(booked.await?.into_inner().visit.unwrap())
    }

    async fn recall(&self, id: &str, key: &str) -> Result<pb::Order, Status> {
        let request = pb::CreateOrderRequest {
            recall_of: id.to_owned(),
            window: Some(self.window(Duration::days(2))),
            ..pb::CreateOrderRequest::default()
        };
        let (mut orders, request) = (self.orders(), keyed(request, key));
        let booked = acting_as(self.customer, async move { orders.create_order(request).await });
        Ok(booked.await?.into_inner().order.unwrap())
    }

    /// From the provider's yes to the customer's.
    async fn make_good(&self, id: &str) {
        self.act(self.provider, "accept", id).await;
        self.clock.advance(Duration::days(2) - Duration::minutes(10));
        for action in ["depart", "arrive"] {
            self.act(self.provider, action, id).await;
        }
        let start_code = self.get(id).await.start_code;
        let with = crate::acts::With { start_code, ..Default::default() };
        self.act_with(self.provider, "start", id, &with).await;
        self.act(self.provider, "deliver", id).await;
        self.act(self.customer, "acceptDelivery", id).await;
    }
}

fn field(error: &Status) -> String {
    let details = error.get_error_details();
    details.bad_request().unwrap().field_violations[0].field.clone()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn favourites_are_kept_and_preferred_in_a_search(backend: Backend) {
    let town = Town::new(backend).await;
    let kept = town.like(town.customer, town.profile).await.unwrap();
    assert_eq!(town.like(town.customer, town.profile).await.unwrap(), kept, "once is enough");
    assert_eq!(town.favourites(town.customer).await, [town.profile.to_string()]);
    assert!(town.favourites(somebody(&[Role::Customer])).await.is_empty());
    town.candidate();
    let quote = town.quote(None, Duration::days(2)).await;
    town.book(booking(&quote)).await.unwrap();
    town.until_script("a search", |it| it.calls("candidates") == 1).await;
    assert_eq!(town.script.memory().preferred, [vec![town.profile.to_string()]]);

    let mut api = FavouriteServiceClient::new(town.channel());
    let id = town.profile.to_string();
    for _ in 0..2 {
        let request = pb::RemoveFavouriteRequest { provider_id: id.clone() };
        acting_as(town.customer, api.remove_favourite(request)).await.unwrap();
    }
    let request = pb::GetFavouriteRequest { provider_id: id };
    let gone = acting_as(town.customer, api.get_favourite(request)).await.unwrap_err();
    assert_eq!(reason_of(&gone), "FAVOURITE_NOT_FOUND");
    for _ in 0..100 {
        town.like(town.customer, Uuid::new_v4()).await.unwrap();
    }
    let full = town.like(town.customer, Uuid::new_v4()).await.unwrap_err();
    assert_eq!(reason_of(&full), "FAVOURITE_LIMIT");
    assert_eq!(town.favourites(town.customer).await.len(), 100);
}

impl Town {
    /// A town whose vertical has the customer's favourites asked first, alone, for half an hour.
    async fn with_favourites_first(backend: Backend) -> Self {
        let town = Self::new(backend).await;
        let span = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        town.script.with(|memory| {
            memory.dispatch = Some(Dispatch {
                wave_size: 5,
                answer: span(30 * 60),
                search: span(48 * 3600),
                favourites_first: true,
                ..Dispatch::default()
            });
        });
        town
    }

    /// An order that names nobody.
    async fn search(&self) -> pb::Order {
        let quote = self.quote(None, Duration::days(2)).await;
        self.book(booking(&quote)).await.unwrap()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_first_wave_is_of_favourites_alone_where_the_vertical_wants_it(backend: Backend) {
    let town = Town::with_favourites_first(backend).await;
    let [(first, ana), (second, bea), (_, stranger)] =
        [town.candidate(), town.candidate(), town.candidate()];
    for liked in [first, second] {
        town.like(town.customer, liked).await.unwrap();
    }
    town.search().await;
    let (of_ana, of_bea) = (town.offer(ana).await, town.offer(bea).await);
    town.clock.advance(Duration::minutes(29));
    assert!(town.offers(stranger).await.is_empty(), "the first half hour is the favourites'");
    assert_eq!(town.offers(ana).await.len(), 1);
    // After it others are asked, and the favourites not again.
    town.clock.advance(Duration::minutes(1));
    town.offer(stranger).await;
    assert!(town.offers(bea).await.is_empty());
    let late = town.take(ana, &of_ana).await.unwrap_err();
    assert_eq!(reason_of(&late), "OFFER_EXPIRED");
    assert_eq!(of_bea.valid_till, of_ana.valid_till);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn others_are_asked_at_once_when_no_favourite_is_left_to_wait_for(backend: Backend) {
    let town = Town::with_favourites_first(backend).await;
    let [(liked, ana), (_, stranger)] = [town.candidate(), town.candidate()];
    // Who has no favourite has others asked, and so has one whose favourite cannot come.
    town.search().await;
    let at_once = town.offer(stranger).await;
    town.take(stranger, &at_once).await.unwrap();
    town.like(town.customer, Uuid::new_v4()).await.unwrap();
    town.search().await;
    let at_once = town.offer(stranger).await;
    town.turn_down(stranger, &at_once).await.unwrap();
    // A favourite who says no is not waited for.
    town.like(town.customer, liked).await.unwrap();
    let last = town.search().await;
    let of_last = async || {
        let open = town.offers(ana).await.into_iter();
        open.filter(|offer| offer.order_id == last.id).collect::<Vec<_>>()
    };
    let asked = eventually("the favourite is asked", of_last, |it| !it.is_empty()).await;
    assert!(town.offers(stranger).await.is_empty());
    town.turn_down(ana, &asked[0]).await.unwrap();
    let offer = town.offer(stranger).await;
    assert_eq!(offer.order_id, last.id);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_further_visit_takes_the_providers_time_until_the_work_is_done(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let window = town.window(Duration::days(3));
    let visit = town.visit(&id, window.clone(), "v").await.unwrap();
    assert_eq!(visit.window, Some(window.clone()));
    assert_eq!(town.visit(&id, window.clone(), "v").await.unwrap(), visit, "the same call");
    let order = town.get(&id).await;
    assert_eq!((order.state(), order.visits.len()), (OrderState::InProgress, 1));
    let profile = town.profile.to_string();
    assert_eq!(town.script.slots(&visit.id), [(profile, true)]);
    let told = town.until_fact(&id, "order.visit_booked").await;
    assert_eq!((told.window, told.addressee.as_str()), (Some(window), "customer"));

    let short =
        TimeWindow { end: town.window(Duration::days(4)).start, ..town.window(Duration::days(4)) };
    let past = town.window(Duration::days(-1));
    for (window, wrong) in [(short, "window.end"), (past, "window.start")] {
        let error = town.visit(&id, window, wrong).await.unwrap_err();
        assert_eq!((error.code(), field(&error).as_str()), (Code::InvalidArgument, wrong));
    }
    let taken = refusal(Code::AlreadyExists, "SLOT_TAKEN");
    town.script.fail("hold", Fault::Refuse(taken));
    let error = town.visit(&id, town.window(Duration::days(5)), "w").await.unwrap_err();
    assert_eq!(reason_of(&error), "SLOT_TAKEN");
    assert_eq!(town.get(&id).await.visits.len(), 1);

    // Work that is done needs no more visits.
    town.act(town.provider, "deliver", &id).await;
    town.until_script("the time is free", |it| it.slots(&visit.id).is_empty()).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_whose_booking_dies_halfway_takes_no_time(backend: Backend) {
    let mut town = Town::new(backend).await;
    let id = town.at_work().await.id;
    town.script.fail("confirm", Fault::HangAfter);
    let request =
        pb::BookVisitRequest { order_id: id.clone(), window: Some(town.window(Duration::days(3))) };
    let mut jobs = town.jobs();
    let call = async move { jobs.book_visit(request).await };
    let call = tokio::spawn(acting_as(town.provider, call));
    town.until_script("the time is held", |it| it.memory().slots.len() == 2).await;
    town.restart().await;
    call.abort();
    town.in_time("the time is free", |it| it.memory().slots.len() == 1).await;
    assert!(town.get(&id).await.visits.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn work_is_made_good_by_its_provider_at_no_cost(backend: Backend) {
    let town = Town::new(backend).await;
    let first = town.completed().await;
    let costs = town.recall(&first.id, "costs").await.unwrap_err();
    assert_eq!(reason_of(&costs), "RECALL_COSTS");
    assert_eq!(metadata(&costs, "minor_units"), "10000");
    town.script.with(|memory| memory.price = 0);
    let recall = town.recall(&first.id, "r").await.unwrap();
    assert_eq!(town.recall(&first.id, "r").await.unwrap().id, recall.id, "the same call");
    assert_eq!(recall.state(), OrderState::Requested);
    assert_eq!(recall.provider_id, first.provider_id);
    assert_eq!(recall.parent_order_id, first.id);
    assert_eq!(recall.total.as_ref().unwrap().minor_units, 0);
    let parent = town.script.memory().quoted.last().unwrap().parent.clone().unwrap();
    assert_eq!(
        (parent.order_id.as_str(), parent.root_order_id.as_str()),
        (first.id.as_str(), first.id.as_str())
    );
    let unfinished = town.recall(&recall.id, "u").await.unwrap_err();
    assert_eq!(reason_of(&unfinished), "RECALL_STATE");
    town.make_good(&recall.id).await;
    let money = town.script.money(&recall.id);
    assert_eq!((money.authorized, money.captures, money.attempts.len()), (0, 0, 0));
    let told = town.script.with(|memory| memory.told[&recall.id][0].parent_order_id.clone());
    assert_eq!(told, first.id);

    // A recall of a recall counts from the first order.
    let second = town.recall(&recall.id, "s").await.unwrap();
    assert_eq!(second.parent_order_id, recall.id);
    let again = town.script.memory().quoted.last().unwrap().parent.clone().unwrap();
    assert_eq!((again.order_id, again.root_order_id), (recall.id, first.id.clone()));
    assert_eq!(again.root_completed_at, parent.root_completed_at);

    let stranger = somebody(&[Role::Customer]);
    let request = pb::CreateOrderRequest {
        recall_of: first.id,
        window: Some(town.window(Duration::days(2))),
        ..Default::default()
    };
    let foreign = acting_as(stranger, town.orders().create_order(request)).await.unwrap_err();
    assert_eq!(reason_of(&foreign), "ORDER_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_recall_can_be_quoted_first(backend: Backend) {
    let town = Town::new(backend).await;
    let first = town.completed().await;
    let request = |provider: Option<Uuid>, vertical: &str| pb::CreateQuoteRequest {
        parent_order_id: first.id.clone(),
        vertical: vertical.to_owned(),
        ..town.quote_request(provider, Duration::days(2))
    };
    let quote = async |request| {
        let quoted = acting_as(town.customer, town.quotes().create_quote(request)).await?;
        Ok::<_, Status>(quoted.into_inner().quote.unwrap())
    };
    let quoted = quote(request(None, "cleaning")).await.unwrap();
    assert_eq!((&quoted.parent_order_id, &quoted.provider_id), (&first.id, &first.provider_id));
    let error = quote(request(Some(Uuid::new_v4()), "cleaning")).await.unwrap_err();
    assert_eq!(field(&error), "provider_id");
    let error = quote(request(None, "moving")).await.unwrap_err();
    assert_eq!(field(&error), "vertical");
    // What costs something is paid as any order.
    let order = town.book(booking(&quoted)).await.unwrap();
    assert_eq!((order.total.unwrap().minor_units, order.parent_order_id), (10_000, first.id));
    let both = pb::CreateOrderRequest { recall_of: quoted.id.clone(), ..booking(&quoted) };
    assert_eq!(field(&town.book(both).await.unwrap_err()), "quote_id");
}
