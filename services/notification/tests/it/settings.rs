//! How people want to be told.

use crate::scene::Scene;
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as},
};
use proto::quickserve::notification::v1 as pb;
use tonic::Code;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn preferences_have_versions(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut client = scene.client();
    let get = pb::GetPreferencesRequest {};
    let first = acting_as(scene.customer, client.get_preferences(get)).await.unwrap();
    let first = first.into_inner().preferences.unwrap();
    assert_eq!(first, pb::Preferences { email: true, locale: String::new(), version: 1 });

    let update = |preferences| pb::UpdatePreferencesRequest { preferences: Some(preferences) };
    let french = pb::Preferences { email: true, locale: "fr".to_owned(), version: 1 };
    let saved = acting_as(scene.customer, client.update_preferences(update(french.clone()))).await;
    assert_eq!(saved.unwrap().into_inner().preferences.unwrap().version, 2);
    let stale = acting_as(scene.customer, client.update_preferences(update(french.clone()))).await;
    let stale = stale.unwrap_err();
    assert_eq!((stale.code(), reason_of(&stale).as_str()), (Code::Aborted, "VERSION_MISMATCH"));
    let any = pb::Preferences { version: 0, ..french };
    let saved = acting_as(scene.customer, client.update_preferences(update(any))).await.unwrap();
    assert_eq!(saved.into_inner().preferences.unwrap().version, 3);
    // The wish comes before the language of the account.
    scene.account("user.registered", scene.customer.user_id).await;
    assert_eq!(scene.messages(scene.customer).await[0].subject, "Bienvenue chez QuickServe");
    // Nobody else is concerned.
    let get = pb::GetPreferencesRequest {};
    let others = acting_as(scene.provider, client.get_preferences(get)).await.unwrap();
    assert_eq!(others.into_inner().preferences.unwrap().version, 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_parallel_first_changes_one_wins(backend: Backend) {
    let scene = Scene::new(backend).await;
    let change = |locale: &str| {
        let mut client = scene.client();
        let preferences = pb::Preferences { email: true, locale: locale.to_owned(), version: 1 };
        let request = pb::UpdatePreferencesRequest { preferences: Some(preferences) };
        acting_as(scene.customer, async move { client.update_preferences(request).await })
    };
    let outcomes =
        futures::future::join_all(["fr", "en"].iter().cycle().take(10).map(|it| change(it))).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn quiet_hours_are_checked(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut client = scene.client();
    let hours = |enabled, from: &str, to: &str, zone: &str| pb::UpdateQuietHoursRequest {
        quiet_hours: Some(pb::QuietHours {
            enabled,
            from: from.to_owned(),
            to: to.to_owned(),
            time_zone: zone.to_owned(),
            version: 0,
        }),
    };
    for (bad, field) in [
        (hours(true, "", "07:00", ""), "quiet_hours.from"),
        (hours(true, "22:00", "", ""), "quiet_hours.to"),
        (hours(true, "22:00", "22:00", ""), "quiet_hours.to"),
        (hours(true, "22:00", "07:00", "Mars/Olympus"), "quiet_hours.time_zone"),
        (hours(true, "25:00", "07:00", ""), "quiet_hours.from"),
    ] {
        let refused = acting_as(scene.customer, client.update_quiet_hours(bad)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert!(refused.message().starts_with(field), "{}", refused.message());
    }
    let good = hours(true, "22:00", "07:00", "Europe/London");
    let saved = acting_as(scene.customer, client.update_quiet_hours(good.clone())).await.unwrap();
    let saved = saved.into_inner().quiet_hours.unwrap();
    let expected = pb::QuietHours { version: 2, ..good.quiet_hours.unwrap() };
    assert_eq!(saved, expected);
    let off = hours(false, "", "", "");
    let saved = acting_as(scene.customer, client.update_quiet_hours(off)).await.unwrap();
    let expected = pb::QuietHours { version: 3, ..Default::default() };
    assert_eq!(saved.into_inner().quiet_hours.unwrap(), expected);
}
