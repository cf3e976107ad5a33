//! Every event has its notices, and every notice its texts.

use super::*;
use crate::domain::facts::NoticeFacts;
use std::collections::BTreeSet;

/// Events without a message: orders say themselves how payments went, the erased have no reader any more, providers
/// know what they change, what follows for an order is told of the order, what is over needs no answer, and rides,
/// moves and orders show the rest.
const SILENT: &[&str] = &[
    "moving.surveyed",
    "moving.unloaded",
    "order.closed",
    "order.erased",
    "order.offer_ended",
    "payment.authorized",
    "payment.failed",
    "payment.hold_expiring",
    "provider.crew_replaced",
    "provider.offering_changed",
    "provider.offboarded",
    "provider.resource_lost",
    "repair.finished",
    "series.occurrence_due",
    "transport.returned",
    "transport.stop_reached",
    "user.erased",
];

/// The facts that the contracts of the services name.
fn published() -> BTreeSet<String> {
    let contracts = [
        include_str!("../../../../../proto/quickserve/child_assistance/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/moving/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/order/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/payment/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/provider/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/repair/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/transport/v1/events.proto"),
        include_str!("../../../../../proto/quickserve/user/v1/events.proto"),
    ];
    let quoted = contracts.iter().flat_map(|text| text.split('`').skip(1).step_by(2));
    let is_kind = |text: &&str| {
        let (service, fact) = text.split_once('.').unwrap_or_default();
        [
            "child",
            "moving",
            "order",
            "payment",
            "payout",
            "provider",
            "repair",
            "series",
            "track",
            "transport",
            "user",
        ]
        .contains(&service)
            && fact != "*"
    };
    quoted.filter(is_kind).map(str::to_owned).collect()
}

#[test]
fn every_fact_is_told_or_known_to_be_silent() {
    let known: BTreeSet<String> = NOTICES
        .iter()
        .map(|notice| notice.kind)
        .chain(SILENT.iter().copied())
        .map(str::to_owned)
        .collect();
    let published = published();
    assert!(published.len() > 45, "{published:?}");
    assert_eq!(known, published);
    assert!(!NOTICES.iter().any(|notice| SILENT.contains(&notice.kind)));
}

#[test]
fn nobody_is_told_the_same_thing_twice() {
    use Stage::Other;
    let stages = [None, Some(Unpaid), Some(Requested), Some(Searching), Some(Other)];
    let account = Some(Uuid::from_u128(7));
    for kind in published() {
        for (from, to) in stages.iter().flat_map(|from| stages.map(|to| (*from, to))) {
            for addressed in [None, Some(Customer), Some(Provider)] {
                let fact = NoticeFacts {
                    kind: kind.clone(),
                    customer: account,
                    provider: account,
                    account,
                    addressed,
                    from,
                    to,
                    ..NoticeFacts::default()
                };
                let told: Vec<_> =
                    fact.notices(true).map(|(notice, _)| notice.addressee.name()).collect();
                let once: BTreeSet<_> = told.iter().collect();
                assert_eq!(once.len(), told.len(), "{fact:?} {told:?}");
            }
        }
    }
}

#[test]
fn every_guardian_is_told_and_of_a_late_pick_up_whom_it_addresses() {
    let guardians = vec![Uuid::from_u128(1), Uuid::from_u128(2)];
    let told = |kind: &str, addressed| {
        let fact = NoticeFacts {
            kind: kind.to_owned(),
            guardians: guardians.clone(),
            adults: vec![Uuid::from_u128(3)],
            addressed,
            ..NoticeFacts::default()
        };
        let told = fact.notices(true).map(|(notice, reader)| (notice.addressee, reader));
        told.collect::<Vec<_>>()
    };
    let both = guardians.iter().map(|reader| (Guardian, *reader)).collect::<Vec<_>>();
    assert_eq!(told("child.incident", None), both);
    assert_eq!(told("child.late_pickup", Some(Guardian)), both);
    assert_eq!(told("child.late_pickup", Some(Adult)), [(Adult, Uuid::from_u128(3))]);
    assert_eq!(told("child.late_pickup", Some(Operator)), [(Operator, Uuid::nil())]);
    let fact = Uuid::from_u128(9);
    assert_ne!(Guardian.fact_for(fact, guardians[0]), Guardian.fact_for(fact, guardians[1]));
    assert_eq!(Customer.fact_for(fact, guardians[0]), fact);
}

#[test]
fn who_is_unknown_is_not_told() {
    let fact = NoticeFacts { kind: "order.cancelled".to_owned(), ..NoticeFacts::default() };
    assert_eq!(fact.notices(true).count(), 0);
    let disputed = NoticeFacts { kind: "order.disputed".to_owned(), ..NoticeFacts::default() };
    assert_eq!(disputed.notices(true).count(), 1);
    assert_eq!(disputed.notices(false).count(), 0);
}
