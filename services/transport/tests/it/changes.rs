//! Other stops for a ride that is under way: their price, and what cannot change.

use crate::fixture::{Garage, Report, stop, taxi, totals};
use kit::testing::{Backend, refused_field};
use proto::quickserve::{
    fulfilment::v1::{self as pb, OrderChangeState, OrderState, Party},
    transport::v1::RideState,
};
use serde_json::{Value as Json, json};
use uuid::Uuid;
use vertical::testing::{Order, to_details};
use yare::parameterized;

fn stops(metres: &[f64]) -> Json {
    json!({ "stops": metres.iter().map(|metres| stop(*metres)).collect::<Vec<_>>() })
}

async fn denials(garage: &Garage, order: &Order, change: &Json) -> Vec<String> {
    garage.quote_change(order, Some(change), Party::Customer).await.unwrap().denials
}

/// The customer agrees to other stops.
async fn approve(garage: &Garage, order: &mut Order, change: &Json) {
    let quote = garage.quote_change(order, Some(change), Party::Customer).await.unwrap();
    assert_eq!(quote.denials, Vec::<String>::new());
    order.price.changes.extend(quote.lines);
    order.changes.push(pb::OrderChange {
        change_id: Uuid::new_v4().to_string(),
        state: OrderChangeState::Approved.into(),
        details: Some(to_details(change)),
    });
    garage.go(order, OrderState::InProgress).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_destination_that_moves_costs_the_difference_at_the_tariff_of_the_quote(
    backend: Backend,
) {
    let garage = Garage::open(backend).await;
    let mut order = garage.begin(taxi()).await;
    for proposer in [Party::Customer, Party::Provider] {
        let change = stops(&[8_200.0, 12_000.0]);
        let quote = garage.quote_change(&order, Some(&change), proposer).await.unwrap();
        // 12.0 km in 30 minutes: 1520 and 400, and a stop more.
        let expected = [("distance", 454), ("time", 180), ("stops", 200)];
        let expected = expected.map(|(code, total)| (format!("transport.{code}"), total));
        assert_eq!(totals(&quote.lines), expected);
        assert_eq!(quote.valid_for.unwrap().seconds, 600);
    }
    approve(&garage, &mut order, &stops(&[8_200.0, 12_000.0])).await;
    let ride = garage.ride(&order, order.customer).await.unwrap();
    assert_eq!((ride.stops.len(), ride.metres, ride.seconds), (2, 12_000, 1_800));
    assert_eq!((ride.state(), ride.leg), (RideState::Riding, 1), "the state stays");
    garage.drive(&order, 2).await;
    assert_eq!(garage.settlement(&order, &[]).await, []);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_was_reached_is_fixed_and_a_ride_that_is_over_does_not_change(backend: Backend) {
    let garage = Garage::open(backend).await;
    let details = json!({ "kind": "ride", "stops": [stop(900.0), stop(1_800.0)] });
    let mut order = garage.begin(details).await;
    garage.report(&order, Report::Arrive(1)).await.unwrap();
    let other_first = stops(&[1_000.0, 1_800.0]);
    assert_eq!(denials(&garage, &order, &other_first).await, ["STOPS_FIXED"]);
    garage.report(&order, Report::Complete(1)).await.unwrap();
    let none_left = stops(&[900.0]);
    assert_eq!(denials(&garage, &order, &none_left).await, ["STOPS_FIXED"], "a leg needs its stop");
    assert_eq!(denials(&garage, &order, &other_first).await, ["STOPS_FIXED"]);
    let longer = stops(&[900.0, 1_800.0, 2_700.0]);
    assert_eq!(denials(&garage, &order, &longer).await, Vec::<String>::new());
    let shorter = stops(&[900.0, 1_000.0]);
    approve(&garage, &mut order, &shorter).await;
    garage.report(&order, Report::Arrive(2)).await.unwrap();
    garage.report(&order, Report::Complete(2)).await.unwrap();
    assert_eq!(denials(&garage, &order, &longer).await, ["RIDE_OVER"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_destination_far_away_is_refused(backend: Backend) {
    let garage = Garage::open(backend).await;
    let order = garage.begin(taxi()).await;
    assert_eq!(denials(&garage, &order, &stops(&[108_200.0])).await, Vec::<String>::new());
    assert_eq!(denials(&garage, &order, &stops(&[108_400.0])).await, ["TOO_FAR"]);
    for (change, field) in [
        (stops(&[400_000.0 * 1.3]), "details.stops[0].lat"),
        (stops(&[]), "details.stops"),
        (json!({ "stops": [{}] }), "details.stops[0].lat"),
        (json!({ "colour": "red" }), "details.colour"),
    ] {
        let answer = garage.quote_change(&order, Some(&change), Party::Customer).await;
        assert_eq!(refused_field(answer), field, "{change}");
    }
    // Plain lines cost what their author says.
    let plain = garage.quote_change(&order, None, Party::Provider).await.unwrap();
    assert_eq!((plain.lines, plain.denials), (Vec::new(), Vec::new()));
}
