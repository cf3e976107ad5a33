//! How rides go: stops, waiting, the gate, and who may see and do what.

use crate::{
    fixture::{Garage, Report, TO_END, stop, taxi},
    tracks::Script,
};
use kit::{
    Role,
    testing::{Backend, EventRecorder, eventually, refusal, refused_field, somebody},
    values::time::timestamp,
};
use proto::quickserve::{
    fulfilment::v1::{OrderState, Party},
    transport::v1::{self as pb, RideEvent, RideState},
};
use serde_json::json;
use vertical::testing::TO_WORK;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_goes_over_its_stops_to_the_open_gate(backend: Backend) {
    let garage = Garage::open(backend).await;
    let events = EventRecorder::subscribed(&garage.world.host, &["transport."]);
    let mut order =
        garage.book(json!({ "kind": "ride", "stops": [stop(900.0), stop(1_800.0)] })).await;
    let states = [RideState::Booked, RideState::ToPickup, RideState::Waiting, RideState::Riding];
    for (told, expected) in TO_WORK.into_iter().zip(states) {
        garage.go(&mut order, told).await;
        let ride = garage.ride(&order, order.customer).await.unwrap();
        assert_eq!((ride.state(), ride.order_state()), (expected, told));
        let denied = garage.ask(&order, OrderState::NoShow).await;
        assert_eq!(denied, Vec::<String>::new(), "a customer may be absent");
    }
    assert_eq!(garage.missing(&order, &[]).await, ["ride.unfinished"]);
    assert_eq!(garage.ask(&order, OrderState::Delivered).await, ["ride.unfinished"]);
    let here = garage.report(&order, Report::Arrive(1)).await.unwrap();
    assert_eq!((here.state(), here.leg), (RideState::Stop, 1));
    assert_eq!(here.stops[0].reached_at, Some(timestamp(garage.world.clock.now())));
    let on = garage.report(&order, Report::Complete(1)).await.unwrap();
    assert_eq!((on.state(), on.leg), (RideState::Riding, 2));
    // What was said before changes nothing.
    garage.wait(5);
    for report in [Report::Arrive(1), Report::Complete(1)] {
        assert_eq!(garage.report(&order, report).await.unwrap(), on, "{report:?}");
    }
    garage.report(&order, Report::Arrive(2)).await.unwrap();
    let over = garage.report(&order, Report::Complete(2)).await.unwrap();
    assert_eq!((over.state(), over.leg), (RideState::Dropped, 0));
    assert_eq!(over.measure, Some(pb::RideMeasure::default()), "nothing was measured");
    assert_eq!(garage.settlement(&order, &[]).await, [], "people need no proof");
    assert_eq!(garage.ask(&order, OrderState::Delivered).await, Vec::<String>::new());
    garage.go_through(&mut order, &TO_END).await;
    let told = async || events.kinds_of(&order.id);
    let reached = "transport.stop_reached";
    let expected = [reached, "transport.stop_completed", reached, "transport.stop_completed"];
    eventually("the facts", told, |kinds| *kinds == expected).await;
    let first = &events.messages::<RideEvent>(reached)[0];
    assert_eq!((first.stop, first.stops, first.parcel), (1, 2, false));
    assert_eq!(first.customer_id, order.customer.user_id.to_string());
    events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_is_not_next_is_refused(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut order = garage.book(taxi()).await;
    garage.go_through(&mut order, &TO_WORK[..3]).await;
    for report in
        [Report::Arrive(1), Report::Complete(1), Report::Undeliverable(1), Report::Returned]
    {
        let early = garage.report(&order, report).await;
        assert_eq!(refusal(early), "ORDER_STATE", "{report:?} before the start");
    }
    garage.go(&mut order, OrderState::InProgress).await;
    for (report, field) in
        [(Report::Arrive(2), "n"), (Report::Complete(7), "n"), (Report::Arrive(0), "n")]
    {
        assert_eq!(refused_field(garage.report(&order, report).await), field, "{report:?}");
    }
    for report in [Report::Complete(1), Report::Undeliverable(1), Report::Returned] {
        assert_eq!(refusal(garage.report(&order, report).await), "ORDER_STATE", "{report:?}");
    }
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    let people = garage.report(&order, Report::Undeliverable(1)).await;
    assert_eq!(refusal(people), "ORDER_STATE", "people are no parcel");
    garage.go(&mut order, OrderState::Aborted).await;
    let late = garage.report(&order, Report::Complete(1)).await;
    assert_eq!(refusal(late), "ORDER_STATE");
    let ride = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!(ride.state(), RideState::Off);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn two_phones_read_one_clock_and_waiting_costs_up_to_the_cap(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut order = garage.book(taxi()).await;
    garage.go_through(&mut order, &TO_WORK[..3]).await;
    let arrived = Some(timestamp(garage.world.clock.now()));
    garage.wait(5);
    for phone in [order.customer, order.provider, order.customer] {
        let ride = garage.ride(&order, phone).await.unwrap();
        assert_eq!(ride.waiting_from, arrived);
        assert_eq!(ride.free_waiting_minutes, 3);
        assert_eq!(ride.waiting_minute.unwrap().minor_units, 30);
    }
    garage.go(&mut order, OrderState::InProgress).await;
    let riding = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!(riding.waiting_from, None);
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    garage.wait(3);
    let at_stop = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!(at_stop.free_waiting_minutes, 2);
    assert!(at_stop.waiting_from.is_some());
    garage.report(&order, Report::Complete(1)).await.unwrap();
    // Two minutes beyond three at the pick-up, one beyond two at the stop.
    let waiting = "transport.waiting".to_owned();
    assert_eq!(garage.settlement(&order, &[]).await, [(waiting.clone(), 90)]);
    let patient = garage.begin(taxi()).await;
    garage.report(&patient, Report::Arrive(1)).await.unwrap();
    garage.wait(60);
    garage.report(&patient, Report::Complete(1)).await.unwrap();
    assert_eq!(garage.settlement(&patient, &[]).await, [(waiting, 307)], "1843 at most");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_the_parties_see_a_ride_and_only_its_provider_drives(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut details = taxi();
    details["stops"][0]["contact_phone"] = json!("+33611223344");
    details["stops"][0]["lines"] = json!(["4 rue du Four"]);
    let mut order = garage.begin(details).await;
    for stranger in [somebody(&[Role::Customer]), somebody(&[Role::Provider])] {
        assert_eq!(refusal(garage.ride(&order, stranger).await), "ORDER_NOT_FOUND");
    }
    let rival = somebody(&[Role::Provider]);
    let foreign = garage.report_as(&order, Report::Arrive(1), rival).await;
    assert_eq!(refusal(foreign), "ORDER_NOT_FOUND");
    for reader in [order.customer, order.provider, garage.operator] {
        let ride = garage.ride(&order, reader).await.unwrap();
        let place = ride.stops[0].place.as_ref().unwrap();
        assert_eq!(place.contact_phone, "+33611223344");
        assert_eq!(ride.details.unwrap().stops[0].lines, ["4 rue du Four"]);
    }
    garage.drive(&order, 1).await;
    garage.go_through(&mut order, &TO_END).await;
    garage.wait(24 * 60);
    let ride = garage.ride(&order, order.provider).await.unwrap();
    let place = ride.stops[0].place.as_ref().unwrap();
    assert_eq!((place.contact_phone.as_str(), place.lines.len()), ("", 0));
    assert!(ride.details.unwrap().stops[0].lines.is_empty());
    assert!(place.lat.is_some(), "where it went is no secret of the home");
    let ride = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!(ride.stops[0].place.as_ref().unwrap().contact_phone, "+33611223344");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_order_keeps_no_place(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut order = garage.begin(taxi()).await;
    garage.drive(&order, 1).await;
    garage.go_through(&mut order, &TO_END).await;
    order.enter(OrderState::Closed, garage.world.clock.now());
    garage.tell(order.erased()).await;
    let ride = garage.ride(&order, order.provider).await.unwrap();
    assert!(ride.stops.is_empty(), "{:?}", ride.stops);
    assert_eq!(ride.state(), RideState::Dropped);
    assert_eq!(ride.details.unwrap().stops, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_says_where_it_stands_and_what_is_next(backend: Backend) {
    let garage = Garage::open(backend).await;
    let order = garage.begin(taxi()).await;
    let said = garage.describe(&order, Party::Provider).await;
    assert_eq!(
        (said.state.as_str(), said.allowed_actions),
        ("RIDING 1", vec!["arriveAtStop".to_owned()])
    );
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    let said = garage.describe(&order, Party::Provider).await;
    assert_eq!(
        (said.state.as_str(), said.allowed_actions),
        ("STOP 1", vec!["completeStop".to_owned()])
    );
    let said = garage.describe(&order, Party::Customer).await;
    assert_eq!((said.state.as_str(), said.allowed_actions.len()), ("STOP 1", 0));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_provider_begins_the_ride_anew(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut order = garage.book(taxi()).await;
    garage.go_through(&mut order, &TO_WORK[..3]).await;
    garage.go(&mut order, OrderState::Searching).await;
    let ride = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!(ride.state(), RideState::Booked);
    order.provider = somebody(&[Role::Provider]);
    garage.go_through(&mut order, &TO_WORK).await;
    garage.drive(&order, 1).await;
    assert_eq!(garage.missing(&order, &[]).await, Vec::<String>::new());
}

/// The measured cases, and one of which too little was measured.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_ride_costs_what_was_driven_up_to_the_cap(backend: Backend) {
    let garage = Garage::open(backend).await;
    for (metres, minutes, covered_percent, expected) in [
        (8_600, 22, 100, None),
        (9_400, 27, 100, Some(276)),
        (12_000, 40, 80, Some(307)),
        (12_000, 40, 79, None),
    ] {
        let order = garage.begin(taxi()).await;
        let script =
            Script { metres, seconds: minutes * 60, covered_percent, close_after_s: Some(0) };
        garage.tracks.say(script);
        garage.drive(&order, 1).await;
        let metered = expected.map(|total| ("transport.metered".to_owned(), total));
        let settlement = garage.settlement(&order, &[]).await;
        assert_eq!(settlement, Vec::from_iter(metered), "{metres} m");
        let measure = garage.ride(&order, order.customer).await.unwrap().measure.unwrap();
        assert_eq!((measure.metres, measure.covered_percent), (metres, covered_percent));
        assert_eq!(measure.metered, covered_percent >= 80, "one that is not is flagged");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn arrived_pressed_far_away_starts_no_clock(backend: Backend) {
    let garage = Garage::open(backend).await;
    let mut order = garage.book(taxi()).await;
    garage.go_through(&mut order, &TO_WORK[..3]).await;
    let far_away = Script { covered_percent: 95, ..Script::default() };
    garage.tracks.say(far_away);
    garage.wait(10);
    let ride = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!((ride.state(), ride.waiting_from), (RideState::Waiting, None));
    // Close eight minutes after the departure: two of the ten minutes count.
    garage.tracks.say(Script { close_after_s: Some(480), ..far_away });
    let ride = garage.ride(&order, order.customer).await.unwrap();
    let since = garage.world.clock.now() - chrono::Duration::minutes(2);
    assert_eq!(ride.waiting_from, Some(timestamp(since)));
}
