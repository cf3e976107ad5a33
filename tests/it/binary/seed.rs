//! The demo city, made by the program itself.

use super::program::Home;
use kit::testing::Backend;
use quickserve::{client::Client, demo};

/// Seconds for which the car drives: positions of a faster one would be dropped as impossible.
const DRIVE: &str = "30";

#[tokio::test(flavor = "multi_thread")]
async fn a_car_of_the_demo_city_comes_to_its_customer_and_leaves_a_track() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start().await;
    let url = program.url();
    let few = ["--customers", "1", "--drivers", "1", "--providers", "0", "--movers", "0"];
    let none = ["--repairers", "0", "--carers", "0", "--drive", DRIVE, "--url", url.as_str()];
    let arguments = [&["seed-demo"][..], &few, &none].concat();
    let printed = home.run(&arguments).await.ok();

    // What it prints is what a reader needs to watch the car.
    let after = |text: &str| printed.split_once(text).map(|(_, rest)| rest).unwrap_or_default();
    let customer = after("A car comes for ").split(',').next().unwrap().to_owned();
    let order = after("/v1/orders/").split('/').next().unwrap().to_owned();
    let customer = demo::sign_in(&Client::new(&url), &customer, demo::PASSWORD).await.unwrap();
    let seen = customer.client.get(&format!("/v1/orders/{order}")).await.unwrap().ok().unwrap();
    assert_eq!(seen["state"], "ORDER_STATE_ARRIVED", "{printed}");
    let points = home.rows("provider", "SELECT at_ms FROM track_points").await;
    assert!(points.len() >= 2, "the car was seen on its way: {} points", points.len());
    program.stop().await;
}
