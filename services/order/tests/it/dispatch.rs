//! Live dispatch: orders as soon as possible, waves of drivers who are near, one offer and one running job a driver.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::{Town, booking},
};
use chrono::Duration;
use futures::StreamExt;
use kit::{
    Subject,
    rpc::{client::Channel, error::reason_of},
    testing::{Backend, acting_as, eventually, eventually_in_time},
    values::time::{moment, timestamp},
};
use proto::quickserve::{
    fulfilment::v1::{Dispatch, OrderState},
    order::v1::{self as pb, OfferEnd, job_service_client::JobServiceClient},
};
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;
use uuid::Uuid;
use yare::parameterized;

fn seconds(seconds: i64) -> Option<prost_types::Duration> {
    Some(prost_types::Duration { seconds, nanos: 0 })
}

impl Town {
    /// A town whose vertical looks for drivers: two at a time, 15 seconds each, from 2 to 15 km, for 4 minutes. They are
    /// five minutes away.
    async fn with_drivers(backend: Backend) -> Self {
        let town = Self::new(backend).await;
        town.script.with(|memory| {
            memory.dispatch = Some(Dispatch {
                live: true,
                wave_size: 2,
                answer: seconds(15),
                radius_m: 2_000,
                max_radius_m: 15_000,
                search: seconds(240),
                favourites_first: false,
            });
            memory.exclusive = true;
            memory.asap_minutes = Some(10);
            memory.travel_s = Some(300);
        });
        town
    }

    fn asap_request(&self) -> pb::CreateQuoteRequest {
        let request = self.quote_request(None, Duration::days(1));
        pb::CreateQuoteRequest { window: None, asap: true, ..request }
    }

    async fn quote_asap(&self) -> pb::Quote {
        let request = self.asap_request();
        let answer = acting_as(self.customer, self.quotes().create_quote(request)).await.unwrap();
        answer.into_inner().quote.unwrap()
    }

    /// An order as soon as possible.
    async fn ride(&self) -> pb::Order {
        self.book(booking(&self.quote_asap().await)).await.unwrap()
    }

    /// How the offers to a provider ended, as facts of the order say it.
    async fn until_offers_ended(&self, order: &str, expected: &[OfferEnd]) {
        let ends = async || {
            let events = self.events.events_of(order);
            let ended = events.into_iter().filter(|event| event.kind == "order.offer_ended");
            ended.map(|event| event.decode::<pb::OrderEvent>().unwrap().offer_end()).collect()
        };
        eventually("the offers ended", ends, |seen: &Vec<OfferEnd>| seen == expected).await;
    }

    async fn watch(&self, who: Subject) -> Result<Streaming<pb::WatchOffersResponse>, Status> {
        let mut jobs: JobServiceClient<Channel> = self.jobs();
        let watched = acting_as(who, jobs.watch_offers(pb::WatchOffersRequest {})).await?;
        Ok(watched.into_inner())
    }
}

/// The next event of a stream: what it is, and of which offer.
async fn next(stream: &mut Streaming<pb::WatchOffersResponse>) -> (String, String) {
    let event = stream.next().await.unwrap().unwrap();
    assert_eq!(event.offer.is_some(), event.event == "offer");
    (event.event, event.id)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_begins_when_its_driver_can_be_there(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (profile, driver) = town.candidate();
    let asked = town.clock.now();
    let quote = town.quote_asap().await;
    let window = quote.window.clone().unwrap();
    assert!(quote.asap);
    assert_eq!(window.start, Some(timestamp(asked + Duration::minutes(10))));
    assert_eq!(window.time_zone, "Europe/Paris");
    let order = town.book(booking(&quote)).await.unwrap();
    assert_eq!((order.state(), order.asap), (OrderState::Searching, true));
    let offer = town.offer(driver).await;
    assert_eq!(offer.travel_time, seconds(300));
    town.clock.advance(Duration::seconds(7));
    let accepted = town.clock.now();
    let order = town.take(driver, &offer).await.unwrap();
    let window = order.window.clone().unwrap();
    assert_eq!(order.state(), OrderState::Assigned);
    assert_eq!(window.start, Some(timestamp(accepted + Duration::minutes(5))));
    assert_eq!(window.end, Some(timestamp(accepted + Duration::minutes(5) + Duration::hours(2))));
    // The time that is held is that of the order, the job runs, and the vertical knows.
    let key = (order.id.clone(), profile.to_string());
    let start = moment("start", window.start.as_ref()).unwrap();
    town.script.with(|memory| {
        assert_eq!(memory.slots[&key], (start, true));
        assert!(memory.running.contains(&key));
        assert_eq!(memory.told[&order.id].last().unwrap().window, order.window);
    });
    // The driver departs with the acceptance: nothing more begins.
    town.act(driver, "depart", &order.id).await;
    assert_eq!(town.script.calls("begin"), 0);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_does_not_go_with_as_soon_as_possible_is_refused_by_its_name(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let good = || town.asap_request();
    let profile = town.profile.to_string();
    let cases = [
        (
            "window",
            pb::CreateQuoteRequest {
                window: town.quote_request(None, Duration::days(1)).window,
                ..good()
            },
        ),
        ("provider_id", pb::CreateQuoteRequest { provider_id: profile.clone(), ..good() }),
        ("window", pb::CreateQuoteRequest { asap: false, ..good() }),
    ];
    for (field, request) in cases {
        let refused = acting_as(town.customer, town.quotes().create_quote(request)).await;
        let details = refused.unwrap_err().get_error_details();
        let violations = details.bad_request().unwrap().field_violations.clone();
        assert_eq!(violations[0].field, field);
    }
    let quote = town.quote_asap().await;
    let named = pb::CreateOrderRequest { provider_id: profile, ..booking(&quote) };
    assert_eq!(town.book(named).await.unwrap_err().code(), Code::InvalidArgument);
    // A vertical that takes no such orders says no window.
    town.script.with(|memory| memory.asap_minutes = None);
    let refused = acting_as(town.customer, town.quotes().create_quote(good())).await.unwrap_err();
    let violations = refused.get_error_details().bad_request().unwrap().field_violations.clone();
    assert_eq!(violations[0].field, "asap");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_wave_reaches_twice_as_far_and_goes_at_once_when_all_have_answered(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let drivers: Vec<_> = (0..5).map(|_| town.candidate()).collect();
    let order = town.ride().await;
    let ends = [town.offer(drivers[0].1).await, town.offer(drivers[1].1).await];
    let lapse = timestamp(town.clock.now() + Duration::seconds(15));
    assert!(ends.iter().all(|offer| offer.valid_till == Some(lapse)));
    for (offer, (_, driver)) in ends.iter().zip(&drivers) {
        town.turn_down(*driver, offer).await.unwrap();
    }
    // No clock has moved.
    for (_, driver) in &drivers[2..4] {
        town.offer(*driver).await;
    }
    assert_eq!(town.script.memory().radii, [2_000, 4_000]);
    town.clock.advance(Duration::seconds(15));
    town.offer(drivers[4].1).await;
    assert_eq!(town.script.memory().radii, [2_000, 4_000, 8_000]);
    use OfferEnd::{Declined, Ignored};
    town.until_offers_ended(&order.id, &[Declined, Declined, Ignored, Ignored]).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_live_search_without_drivers_goes_on_until_its_time_is_over(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let begun = town.clock.now();
    let order = town.ride().await;
    town.in_time("five waves", |it| it.memory().radii.len() >= 5).await;
    assert_eq!(town.script.memory().radii[..5], [2_000, 4_000, 8_000, 15_000, 15_000]);
    assert!(town.clock.now() >= begun + Duration::seconds(4 * 5), "it rests between the waves");
    assert_eq!(town.get(&order.id).await.state(), OrderState::Searching);
    // Who comes near at the end is still asked, but not for longer than the search lasts.
    let (_, driver) = town.candidate();
    town.clock.advance(begun + Duration::seconds(230) - town.clock.now());
    let service = [town.host().of("order")];
    let offers = async || town.offers(driver).await;
    let offers = eventually_in_time("an offer", &service, offers, |it| !it.is_empty()).await;
    assert_eq!(offers[0].valid_till, Some(timestamp(begun + Duration::seconds(240))));
    assert_eq!(town.get(&order.id).await.state(), OrderState::Searching);
    town.in_time("the money goes back", |it| it.money(&order.id).closed).await;
    assert_eq!(town.get(&order.id).await.state(), OrderState::NoProvider);
    let error = town.take(driver, &offers[0]).await.unwrap_err();
    assert_eq!(reason_of(&error), "OFFER_EXPIRED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_driver_has_one_open_live_offer(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (_, driver) = town.candidate();
    let first = town.ride().await;
    let offer = town.offer(driver).await;
    assert_eq!(offer.order_id, first.id);
    let second = town.ride().await;
    town.until_script("the second is looked for", |it| it.calls("candidates") >= 2).await;
    assert_eq!(town.offers(driver).await.len(), 1);
    town.turn_down(driver, &offer).await.unwrap();
    town.clock.advance(Duration::seconds(5));
    assert_eq!(town.offer(driver).await.order_id, second.id);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_driver_who_rides_already_is_refused_and_others_are_asked_at_once(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (busy, driver) = town.candidate();
    let order = town.ride().await;
    let offer = town.offer(driver).await;
    let (_, other) = town.candidate();
    let another = Uuid::new_v4().to_string();
    town.script.with(|memory| memory.running.insert((another, busy.to_string())));
    let refused = town.take(driver, &offer).await.unwrap_err();
    assert_eq!(reason_of(&refused), "DRIVER_BUSY");
    assert_eq!(town.offer(other).await.order_id, order.id);
    assert!(town.script.slots(&order.id).is_empty(), "nothing is held");
    town.until_offers_ended(&order.id, &[OfferEnd::Refused]).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_drivers_who_accept_at_once_one_rides_and_nothing_is_left_of_the_others(
    backend: Backend,
) {
    let town = Town::with_drivers(backend).await;
    town.script.with(|memory| memory.dispatch.as_mut().unwrap().wave_size = 3);
    let drivers: Vec<_> = (0..3).map(|_| town.candidate()).collect();
    for _ in 0..10 {
        let order = town.ride().await;
        let mut offers = Vec::new();
        for (_, driver) in &drivers {
            offers.push((*driver, town.offer(*driver).await.id));
        }
        let mut calls = Vec::new();
        for (driver, offer_id) in offers {
            let mut jobs = town.jobs();
            let call = async move { jobs.accept_offer(pb::AcceptOfferRequest { offer_id }).await };
            calls.push((driver, tokio::spawn(acting_as(driver, call))));
        }
        let (mut winners, mut losers) = (Vec::new(), Vec::new());
        for (driver, call) in calls {
            match call.await.unwrap() {
                Ok(_) => winners.push(driver),
                Err(error) => {
                    assert_eq!(
                        (error.code(), reason_of(&error).as_str()),
                        (Code::Aborted, "OFFER_TAKEN")
                    );
                    losers.push(driver);
                }
            }
        }
        assert_eq!((winners.len(), losers.len()), (1, 2));
        let order = town.get(&order.id).await;
        assert_eq!(order.provider_user_id, winners[0].user_id.to_string());
        assert_eq!(town.script.slots(&order.id), [(order.provider_id.clone(), true)]);
        let own = (order.id.clone(), order.provider_id.clone());
        town.script.with(|memory| assert_eq!(memory.running.iter().collect::<Vec<_>>(), [&own]));
        for loser in losers {
            let unread = town.get_as(loser, &order.id).await.unwrap_err();
            assert_eq!(reason_of(&unread), "ORDER_NOT_FOUND");
        }
        // A driver who gives the ride back reads nothing of it any more, and is free for the next one.
        town.act(winners[0], "reassign", &order.id).await;
        let unread = town.get_as(winners[0], &order.id).await.unwrap_err();
        assert_eq!(reason_of(&unread), "ORDER_NOT_FOUND");
        assert_eq!(town.script.told(&order.id).last(), Some(&OrderState::Searching));
        town.clock.advance(Duration::seconds(300));
        town.until(&order.id, OrderState::NoProvider).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_an_acceptance_held_is_freed_when_the_process_dies(backend: Backend) {
    let mut town = Town::with_drivers(backend).await;
    let (_, driver) = town.candidate();
    let order = town.ride().await;
    let offer_id = town.offer(driver).await.id;
    town.script.fail("ask", Fault::Hang);
    let mut jobs = town.jobs();
    let call = async move { jobs.accept_offer(pb::AcceptOfferRequest { offer_id }).await };
    let call = tokio::spawn(acting_as(driver, call));
    town.until_script("the time is held", |it| it.calls("confirm") == 1).await;
    town.restart().await;
    call.abort();
    assert_eq!(town.script.memory().running.len(), 1);
    town.in_time("the driver is free", |it| {
        it.slots(&order.id).is_empty() && it.memory().running.is_empty()
    })
    .await;
    assert_ne!(town.get(&order.id).await.state(), OrderState::Assigned);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_that_is_down_leaves_the_offer_open(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (_, driver) = town.candidate();
    town.ride().await;
    let offer = town.offer(driver).await;
    town.script.fail("ask", Fault::Refuse(Status::unavailable("down")));
    assert_eq!(town.take(driver, &offer).await.unwrap_err().code(), Code::Unavailable);
    let first = town.clock.now();
    town.clock.advance(Duration::seconds(2));
    let order = town.take(driver, &offer).await.unwrap();
    // The same time is held as the first time.
    let start = order.window.unwrap().start;
    assert_eq!(start, Some(timestamp(first + Duration::minutes(5))));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_exclusive_job_runs_from_the_departure_to_the_delivery(backend: Backend) {
    let town = Town::new(backend).await;
    town.script.with(|memory| memory.exclusive = true);
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    town.act(town.provider, "accept", &id).await;
    let other = (Uuid::new_v4().to_string(), town.profile.to_string());
    town.script.with(|memory| memory.running.insert(other.clone()));
    let busy = town.attempt(town.provider, "depart", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&busy), "DRIVER_BUSY");
    assert_eq!(town.get(&id).await.state(), OrderState::Assigned);
    town.script.with(|memory| memory.running.clear());
    town.act(town.provider, "depart", &id).await;
    let own = (id.clone(), town.profile.to_string());
    town.script.with(|memory| assert!(memory.running.contains(&own)));
    town.act(town.provider, "arrive", &id).await;
    let start_code = town.get(&id).await.start_code;
    let with = With { start_code, ..With::default() };
    town.act_with(town.provider, "start", &id, &with).await;
    town.script.fail("finish", Fault::Refuse(Status::unavailable("down")));
    town.act(town.provider, "deliver", &id).await;
    town.in_time("the job is finished", |it| it.memory().running.is_empty()).await;
    assert_eq!(town.script.slots(&id).len(), 1, "work that was done keeps its time");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_search_outlasts_a_provider_service_that_is_down(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (_, driver) = town.candidate();
    for _ in 0..3 {
        town.script.fail("candidates", Fault::Refuse(Status::unavailable("down")));
    }
    let order = town.ride().await;
    town.in_time("the wave is tried again", |it| it.calls("candidates") >= 4).await;
    assert_eq!(town.offer(driver).await.order_id, order.id);
    town.script.with(|memory| memory.candidates.clear());
    let gone = refusal(Code::Unavailable, "DOWN");
    for _ in 0..200 {
        town.script.fail("candidates", Fault::Refuse(gone.clone()));
    }
    town.clock.advance(Duration::seconds(240));
    town.until(&order.id, OrderState::NoProvider).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_driver_watches_offers_come_and_go(backend: Backend) {
    let town = Town::with_drivers(backend).await;
    let (_, driver) = town.candidate();
    let (_, other) = town.candidate();
    let first = town.ride().await;
    let offer = town.offer(driver).await;
    let mut stream = town.watch(driver).await.unwrap();
    assert_eq!(next(&mut stream).await, ("offer".to_owned(), offer.id.clone()), "what is open");
    let mut second = town.watch(driver).await.unwrap();
    assert_eq!(next(&mut second).await.1, offer.id);
    town.turn_down(driver, &offer).await.unwrap();
    let gone = ("gone".to_owned(), offer.id.clone());
    assert_eq!(next(&mut stream).await, gone);
    assert_eq!(next(&mut second).await, gone);

    // The next offer comes; another driver is faster.
    let others = town.offer(other).await;
    town.take(other, &others).await.unwrap();
    assert_eq!(town.get(&first.id).await.state(), OrderState::Assigned);
    town.script.with(|memory| {
        memory.running.clear();
        memory.slots.clear();
    });
    let ride = town.ride().await;
    let (event, id) = next(&mut stream).await;
    assert_eq!(event, "offer");
    let mine = town.offer(driver).await;
    assert_eq!((mine.id.as_str(), mine.order_id.as_str()), (id.as_str(), ride.id.as_str()));
    let others = town.offer(other).await;
    town.take(other, &others).await.unwrap();
    assert_eq!(next(&mut stream).await, ("gone".to_owned(), id));

    let mut streams = Vec::new();
    for _ in 0..6 {
        streams.push(town.watch(driver).await.unwrap());
    }
    let refused = town.watch(driver).await.unwrap_err();
    assert_eq!(reason_of(&refused), "TOO_MANY_STREAMS");
    town.clock.advance(Duration::minutes(15));
    assert!(stream.next().await.is_none(), "it ends after a quarter of an hour");
}
