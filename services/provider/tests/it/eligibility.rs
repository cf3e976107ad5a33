//! Whether a provider may still take or render what was booked with it.

use crate::fixture::{Provider, Shop, hours, requirements};
use kit::{
    testing::{ActingAs, Backend, at, paris, window},
    values::time::timestamp,
};
use proto::quickserve::provider::v1 as pb;
use yare::parameterized;

/// What speaks against the provider doing a cleaning on that day from 10 to 12 o'clock.
async fn causes(shop: &Shop, provider: &Provider, date: &str) -> Vec<String> {
    let request = pb::CheckEligibilityRequest {
        provider_id: provider.id.clone(),
        vertical: "cleaning".to_owned(),
        window: Some(window(&format!("{date}T08:00:00Z"), 2)),
        address: Some(paris()),
        requirements: Some(requirements(0)),
        ..pb::CheckEligibilityRequest::default()
    };
    shop.reservations().check_eligibility(request).await.unwrap().into_inner().causes
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn vetting_counts_on_the_day_and_a_pause_takes_nothing_back(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let id = || provider.id.clone();
    let none: [&str; 0] = [];
    assert_eq!(causes(&shop, &provider, "2027-06-01").await, none);
    assert_eq!(causes(&shop, &provider, "2028-01-03").await, ["DOCUMENT:insurance"]);

    let closed = pb::ReplaceAvailabilityRequest { weekly: Vec::new(), ..hours(&provider.id) };
    shop.availability().replace_availability(closed).by(provider.owner).await.unwrap();
    let pause = pb::PauseProviderRequest { provider_id: id() };
    shop.profiles().pause_provider(pause).by(provider.owner).await.unwrap();
    assert_eq!(causes(&shop, &provider, "2027-06-01").await, none, "what was booked stands");

    let check = pb::SetBackgroundCheckRequest {
        provider_id: id(),
        background_check: pb::BackgroundCheck::Suspended.into(),
    };
    shop.vetting().set_background_check(check).by(shop.operator).await.unwrap();
    assert_eq!(causes(&shop, &provider, "2027-06-01").await, ["BACKGROUND_CHECK"]);
    let block = pb::BlockProviderRequest {
        provider_id: id(),
        reason: "SAFETY".to_owned(),
        until: Some(timestamp(at("2027-05-11T00:00:00Z"))),
    };
    shop.vetting().block_provider(block).by(shop.operator).await.unwrap();
    let both = causes(&shop, &provider, "2027-06-01").await;
    assert_eq!(both, ["NOT_ACTIVE", "BACKGROUND_CHECK"], "a block counts while it lasts");
    let offboard = pb::OffboardProviderRequest { provider_id: id() };
    shop.profiles().offboard_provider(offboard).by(provider.owner).await.unwrap();
    assert_eq!(causes(&shop, &provider, "2027-06-01").await, ["NOT_ACTIVE", "BACKGROUND_CHECK"]);
}
