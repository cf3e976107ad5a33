//! What happens when the visits of a series come near: prices, checks, crashes, and what is refused.

use super::*;
use proto::quickserve::user::v1::UserEvent;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_broken_series_pays_for_its_real_gap_and_is_told_before(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let first = town.occurrences(&id).await[TUESDAYS[0]].clone();
    town.make_visit(&first).await;
    let next = town.until_visit(&id, TUESDAYS[3], OrderState::Assigned).await;
    town.skip(&id, TUESDAYS[1]).await.unwrap();
    town.skip(&id, TUESDAYS[2]).await.unwrap();
    town.script.with(|memory| memory.price = 15_000);
    town.clock.advance(start_of(&next) - town.clock.now() - Duration::hours(48));
    let fact = town.until_fact(&next.order_id, "order.repriced").await;
    assert_eq!(fact.total.unwrap().minor_units, 15_000);
    assert_eq!(fact.addressee, "customer");
    let asked = town.script.with(|memory| memory.quoted.clone());
    let asked = asked.into_iter().rfind(|it| it.window == next.window).unwrap();
    assert_eq!(asked.series.unwrap().previous_on, TUESDAYS[0]);
    let order = town.get(&next.order_id).await;
    assert_eq!(order.total.unwrap().minor_units, 15_000);
    assert_eq!(order.payment.unwrap().state(), pb::PaymentState::MethodSaved);
    assert_eq!(town.script.money(&next.order_id).authorized, 0, "told before it is paid");
    town.clock.advance(Duration::hours(24));
    town.until_script("the new price is authorised", |it| {
        it.money(&next.order_id).authorized == 15_000
    })
    .await;
    let repriced = town.events.kinds_of(&next.order_id);
    assert_eq!(repriced.iter().filter(|kind| *kind == "order.repriced").count(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_may_not_come_two_days_before_does_not(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let first = town.occurrences(&id).await[TUESDAYS[0]].clone();
    town.script.with(|memory| {
        memory.objections.insert(town.profile, vec!["DOCUMENT:insurance".to_owned()])
    });
    town.clock.advance(start_of(&first) - town.clock.now() - Duration::hours(48));
    // No other may come, so that the customer decides.
    let failed = town.until_date(&id, TUESDAYS[0], OccurrenceState::NeedsAttention).await;
    assert_eq!(failed.reason, "NO_PROVIDER");
    assert_eq!(town.occurrences(&id).await[TUESDAYS[1]].state(), OccurrenceState::Booked);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn another_comes_where_the_preferred_provider_may_not(backend: Backend) {
    let town = Town::new(backend).await;
    let request = weekly(Some(town.profile), ProviderMode::Preferred);
    let id = town.make_series(request).await.unwrap().id;
    town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
    town.accept_series(town.provider, &id).await.unwrap();
    let first = town.until_visit(&id, TUESDAYS[0], OrderState::Assigned).await;
    let (_, other) = town.candidate();
    town.script.with(|memory| {
        memory.objections.insert(town.profile, vec!["DOCUMENT:insurance".to_owned()])
    });
    town.clock.advance(start_of(&first) - town.clock.now() - Duration::hours(48));
    town.until_visit(&id, TUESDAYS[0], OrderState::Searching).await;
    // Those that follow may be offered already, too.
    let offer = async || {
        town.offers(other).await.into_iter().find(|offer| offer.order_id == first.order_id)
    };
    let offer = eventually("the other is asked", offer, Option::is_some).await.unwrap();
    town.take(other, &offer).await.unwrap();
    let taken = town.until_visit(&id, TUESDAYS[0], OrderState::Assigned).await;
    assert_eq!((taken.state(), taken.order_id), (OccurrenceState::Booked, first.order_id));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_suspended_customers_series_rests_until_they_resume_it(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    // A pause of their own does not end the suspension with it.
    let request = pb::PauseSeriesRequest {
        series_id: id.clone(),
        from_on: TUESDAYS[3].to_owned(),
        until_on: TUESDAYS[4].to_owned(),
    };
    acting_as(town.customer, town.series().pause_series(request)).await.unwrap();
    let user_id = town.customer.user_id.to_string();
    town.publish("user.suspended", UserEvent { user_id }).await;
    for date in &TUESDAYS[..3] {
        town.until_visit(&id, date, OrderState::Cancelled).await;
    }
    let read = async || {
        let request = pb::GetSeriesRequest { series_id: id.clone() };
        let seen = acting_as(town.customer, town.series().get_series(request)).await.unwrap();
        seen.into_inner().series.unwrap()
    };
    let rests = |series: &pb::Series| series.state() == pb::SeriesState::Paused;
    eventually("the series rests", read, rests).await;
    // Weeks go by, and the mornings at which visits are booked.
    for _ in 0..3 {
        town.clock.advance(Duration::days(14));
        let booked = async || town.script.memory().slots.len();
        eventually("no time is taken", booked, |count| *count == 0).await;
    }
    assert!(rests(&read().await));
    assert!(town.dates_of_orders(&id).await.is_empty());
    let request = pb::ResumeSeriesRequest { series_id: id.clone() };
    acting_as(town.customer, town.series().resume_series(request)).await.unwrap();
    town.until_date(&id, "2027-06-29", OccurrenceState::Booked).await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn replicas_and_dead_processes_book_each_date_once(backend: Backend) {
    for fault in [Fault::Hang, Fault::HangAfter] {
        for step in ["hold", "authorize"] {
            let mut town = Town::new(backend).await;
            town.script.fail(step, fault.clone());
            let calls = town.script.calls(step);
            let id = town.weekly_series().await;
            town.until_script("the step is reached", |it| it.calls(step) > calls).await;
            town.restart().await;
            let replica = town.start_replica().await;
            // What the dead process had taken up is free again.
            for _ in 0..3 {
                town.clock.advance(Duration::seconds(31));
            }
            let order_service = town.host().of("order");
            let dates = async || town.dates_of_orders(&id).await;
            let all = |dates: &Vec<String>| dates.len() >= 3;
            eventually_in_time("all are booked", &[order_service], dates, all).await;
            town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
            let dates = town.dates_of_orders(&id).await;
            let once: std::collections::BTreeSet<_> = dates.iter().collect();
            assert_eq!(once.len(), dates.len(), "{step} {fault:?}: {dates:?}");
            town.script.with(|memory| {
                let mut starts: Vec<_> = memory.slots.values().map(|(start, _)| *start).collect();
                starts.sort();
                starts.dedup();
                assert_eq!(starts.len(), memory.slots.len(), "{step} {fault:?}");
                assert_eq!(starts.len(), dates.len(), "{step} {fault:?}");
            });
            replica.stop();
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_input_names_its_field_and_strangers_see_nothing(backend: Backend) {
    let town = Town::new(backend).await;
    let good = || weekly(Some(town.profile), ProviderMode::Only);
    let nobody = weekly(None, ProviderMode::Preferred);
    let both = weekly(Some(town.profile), ProviderMode::Any);
    for (bad, field) in [
        (pb::CreateSeriesRequest { rrule: "FREQ=HOURLY".into(), ..good() }, "rrule"),
        (pb::CreateSeriesRequest { from_on: "2027-05-19".into(), ..good() }, "from_on"),
        (pb::CreateSeriesRequest { from_on: "2027-02-30".into(), ..good() }, "from_on"),
        (pb::CreateSeriesRequest { from_on: "2027-05-04".into(), ..good() }, "from_on"),
        (pb::CreateSeriesRequest { start_local: "24:00".into(), ..good() }, "start_local"),
        (pb::CreateSeriesRequest { minutes: 5, ..good() }, "minutes"),
        (pb::CreateSeriesRequest { vertical: "gardening".into(), ..good() }, "vertical"),
        (pb::CreateSeriesRequest { mode: 0, ..good() }, "mode"),
        (nobody, "provider_id"),
        (both, "provider_id"),
    ] {
        let error = town.make_series(bad).await.unwrap_err();
        assert!(error.message().starts_with(field), "{field}: {error:?}");
    }
    let id = town.weekly_series().await;
    town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
    let stranger = somebody(&[kit::Role::Customer, kit::Role::Provider]);
    let unseen = town.occurrences_as(stranger, &id).await.unwrap_err();
    assert_eq!(reason_of(&unseen), "SERIES_NOT_FOUND");
    let refused = town.accept_series(stranger, &id).await.unwrap_err();
    assert_eq!(reason_of(&refused), "SERIES_NOT_FOUND");
    // The provider sees the dates, and no door code.
    assert_eq!(town.occurrences_as(town.provider, &id).await.unwrap().len(), 11);
    let request = pb::GetSeriesRequest { series_id: id.clone() };
    let seen = acting_as(town.provider, town.series().get_series(request)).await.unwrap();
    let seen = seen.into_inner().series.unwrap();
    let address = seen.address.unwrap();
    assert!(address.lines.is_empty() && address.access_notes.is_empty() && seen.notes.is_empty());
}
