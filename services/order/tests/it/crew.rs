//! Who and what comes for an order, as its parties see it.

use crate::{script::Fault, town::Town};
use chrono::Duration;
use kit::testing::Backend;
use proto::quickserve::provider::v1::{DescribeReservationResponse, ReservedAsset, ReservedMember};
use tonic::Status;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn from_the_assignment_on_the_full_view_shows_who_comes(backend: Backend) {
    let town = Town::new(backend).await;
    let crew = DescribeReservationResponse {
        members: vec![ReservedMember { name: "Zoé".to_owned(), role: "lead".to_owned() }],
        assets: vec![ReservedAsset { kind: "truck".to_owned(), plate: "AB-123-CD".to_owned() }],
    };
    town.script.with(|memory| memory.crew = crew);
    let id = town.ordered_ahead(Duration::hours(2)).await.id;
    for who in [town.customer, town.provider, town.operator] {
        let full = town.full(who, &id).await;
        assert!(full.crew.is_empty() && full.vehicles.is_empty(), "nobody has accepted yet");
    }
    town.act(town.provider, "accept", &id).await;
    for who in [town.customer, town.provider, town.operator] {
        let full = town.full(who, &id).await;
        let member = &full.crew[0];
        assert_eq!((member.name.as_str(), member.role.as_str()), ("Zoé", "lead"));
        let vehicle = &full.vehicles[0];
        assert_eq!((vehicle.kind.as_str(), vehicle.plate.as_str()), ("truck", "AB-123-CD"));
    }
    assert!(town.get(&id).await.crew.is_empty(), "the basic view does not ask");
    town.script.fail("crew", Fault::Refuse(Status::unavailable("down")));
    let full = town.full(town.customer, &id).await;
    assert!(full.crew.is_empty() && !full.timeline.is_empty(), "the rest is there");
}
