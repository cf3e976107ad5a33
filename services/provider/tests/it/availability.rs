//! Working hours, time off, and the slots that follow, over changes of clocks too.

use crate::fixture::{Provider, Shop, hold, hours, requirements};
use kit::{
    testing::{ActingAs, Backend, at, refusal, refused_field, window},
    values::time::timestamp,
};
use proto::quickserve::{common::v1::TimeWindow, provider::v1 as pb};
use yare::parameterized;

fn slots(provider: &Provider, from: &str, to: &str, hours: i64) -> pb::FindSlotsRequest {
    pb::FindSlotsRequest {
        provider_id: provider.id.clone(),
        vertical: "cleaning".to_owned(),
        requirements: Some(requirements(15)),
        from: Some(timestamp(at(from))),
        to: Some(timestamp(at(to))),
        duration: Some(prost_types::Duration { seconds: hours * 3600, nanos: 0 }),
        ..Default::default()
    }
}

async fn starts(shop: &Shop, request: pb::FindSlotsRequest) -> Vec<String> {
    let listed = shop.reservations().find_slots(request).await.unwrap().into_inner().slots;
    let start = |slot: &pb::Slot| {
        let TimeWindow { start, .. } = slot.window.clone().unwrap();
        kit::values::time::moment("start", start.as_ref()).unwrap().format("%d %H:%M").to_string()
    };
    listed.iter().map(start).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slots_lie_in_working_hours_clear_of_what_is_taken(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let day = || slots(&provider, "2027-05-24T00:00:00Z", "2027-05-25T00:00:00Z", 11);
    // 8 to 20 o'clock in Paris is 6 to 18 UTC.
    assert_eq!(starts(&shop, day()).await, ["24 06:00", "24 06:30", "24 07:00"]);
    let taken = hold(&provider, "2027-05-24T06:00:00Z", 1, "2027-05-10T09:15:00Z");
    shop.reservations().hold_reservation(taken).await.unwrap();
    assert!(starts(&shop, day()).await.is_empty(), "a quarter of an hour stays clear");
    shop.world.clock.advance(chrono::Duration::minutes(15));
    assert_eq!(starts(&shop, day()).await.len(), 3, "a hold that ran out takes nothing");
    // Nothing starts in the past: it is a quarter past nine.
    let today = slots(&provider, "2027-05-10T00:00:00Z", "2027-05-11T00:00:00Z", 8);
    assert_eq!(starts(&shop, today).await, ["10 09:30", "10 10:00"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slots_keep_their_local_time_when_clocks_change(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let rule = |day, start: &str, end: &str| pb::WeeklyRule {
        weekday: day,
        hours: Some(pb::LocalHours { start: start.to_owned(), end: end.to_owned() }),
    };
    let mut request = hours(&provider.id);
    request.weekly = vec![rule(7, "01:00", "04:00")];
    shop.verified(&provider, "2028-01-01", "2028-12-31").await;
    shop.availability().replace_availability(request).by(provider.owner).await.unwrap();
    // On 31 October 2027 Paris has the hour from two to three twice: from one to four is four hours.
    let autumn = slots(&provider, "2027-10-30T00:00:00Z", "2027-11-01T00:00:00Z", 1);
    let expected =
        ["30 23:00", "30 23:30", "31 00:00", "31 00:30", "31 01:00", "31 01:30", "31 02:00"];
    assert_eq!(starts(&shop, autumn).await, expected);
    // On 26 March 2028 it has none: two hours.
    let spring = slots(&provider, "2028-03-25T12:00:00Z", "2028-03-27T00:00:00Z", 1);
    assert_eq!(starts(&shop, spring).await, ["26 00:00", "26 00:30", "26 01:00"]);
    let summer = slots(&provider, "2027-07-04T00:00:00Z", "2027-07-05T00:00:00Z", 3);
    assert_eq!(starts(&shop, summer).await, Vec::<String>::new(), "1 o'clock is on the day before");
    let summer = slots(&provider, "2027-07-03T12:00:00Z", "2027-07-05T00:00:00Z", 3);
    assert_eq!(starts(&shop, summer).await, ["03 23:00"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn exceptions_and_time_off_change_single_days(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut availability = shop.availability();
    let day = || slots(&provider, "2027-05-24T00:00:00Z", "2027-05-25T00:00:00Z", 2);
    let exception = |hours: Vec<(&str, &str)>| pb::SetDateExceptionRequest {
        provider_id: provider.id.clone(),
        date: "2027-05-24".to_owned(),
        hours: hours
            .into_iter()
            .map(|(start, end)| pb::LocalHours { start: start.to_owned(), end: end.to_owned() })
            .collect(),
    };
    availability.set_date_exception(exception(vec![])).by(provider.owner).await.unwrap();
    assert!(starts(&shop, day()).await.is_empty());
    let evening = exception(vec![("18:00", "20:00")]);
    let set = availability.set_date_exception(evening).by(provider.owner).await.unwrap();
    assert_eq!(set.into_inner().availability.unwrap().exceptions.len(), 1);
    assert_eq!(starts(&shop, day()).await, ["24 16:00"]);
    let back = pb::DeleteDateExceptionRequest {
        provider_id: provider.id.clone(),
        date: "2027-05-24".to_owned(),
    };
    availability.delete_date_exception(back).by(provider.owner).await.unwrap();
    let off = pb::CreateTimeOffRequest {
        member_id: String::new(),
        provider_id: provider.id.clone(),
        start_local: "2027-05-24T10:00".to_owned(),
        end_local: "2027-05-26T10:00".to_owned(),
        note: "sea".to_owned(),
    };
    let off = availability.create_time_off(off).by(provider.owner).await.unwrap();
    assert_eq!(starts(&shop, day()).await, ["24 06:00"]);
    let refused = hold(&provider, "2027-05-24T08:00:00Z", 2, "2027-05-10T09:15:00Z");
    let refused = shop.reservations().hold_reservation(refused).await;
    assert_eq!(refusal(refused), "PROVIDER_NOT_ELIGIBLE");
    let list = pb::ListTimeOffRequest { provider_id: provider.id.clone(), ..Default::default() };
    let listed = availability.list_time_off(list).by(provider.owner).await.unwrap().into_inner();
    let off = off.into_inner().time_off.unwrap();
    assert_eq!(listed.time_off, std::slice::from_ref(&off));
    let delete = pb::DeleteTimeOffRequest { provider_id: provider.id.clone(), time_off_id: off.id };
    availability.delete_time_off(delete.clone()).by(provider.owner).await.unwrap();
    assert_eq!(starts(&shop, day()).await.len(), 21);
    let again = availability.delete_time_off(delete).by(provider.owner).await;
    assert_eq!(refusal(again), "TIME_OFF_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slots_of_a_vertical_say_who_is_free(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let taken = hold(&ana, "2027-05-24T06:00:00Z", 1, "2027-05-10T09:15:00Z");
    shop.reservations().hold_reservation(taken).await.unwrap();
    let anyone = pb::FindSlotsRequest {
        provider_id: String::new(),
        ..slots(&ana, "2027-05-24T06:00:00Z", "2027-05-24T08:00:00Z", 2)
    };
    let listed = shop.reservations().find_slots(anyone.clone()).await.unwrap().into_inner();
    assert_eq!(listed.slots.len(), 1);
    assert_eq!(listed.slots[0].provider_ids, [bea.id]);
    assert_eq!(listed.slots[0].window, Some(window("2027-05-24T06:00:00Z", 2)));
    let far = pb::FindSlotsRequest { lat: Some(43.3), lng: Some(5.4), ..anyone.clone() };
    assert!(starts(&shop, far).await.is_empty());
    let half = pb::FindSlotsRequest { lat: Some(43.3), ..anyone };
    assert_eq!(refused_field(shop.reservations().find_slots(half).await), "lng");
    let hidden = shop.ready("Cleo").await;
    let hidden = slots(&hidden, "2027-05-24T06:00:00Z", "2027-05-24T08:00:00Z", 2);
    assert_eq!(refusal(shop.reservations().find_slots(hidden).await), "PROVIDER_NOT_FOUND");
    let long = slots(&ana, "2027-05-24T06:00:00Z", "2027-07-24T08:00:00Z", 2);
    assert_eq!(refused_field(shop.reservations().find_slots(long).await), "to");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slots_without_a_place_follow_the_clock_of_each_provider(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ana = shop.vetted("Ana").await;
    let mut two_hours = hours(&ana.id);
    two_hours.time_zone = "Asia/Kathmandu".to_owned();
    for rule in &mut two_hours.weekly {
        rule.hours = Some(pb::LocalHours { start: "12:00".to_owned(), end: "14:00".to_owned() });
    }
    shop.availability().replace_availability(two_hours).by(ana.owner).await.unwrap();
    // Noon in Kathmandu is a quarter past six: no multiple of half an hour in UTC, and the work takes all of Ana's hours.
    let anyone = pb::FindSlotsRequest {
        provider_id: String::new(),
        ..slots(&ana, "2027-05-24T00:00:00Z", "2027-05-25T00:00:00Z", 2)
    };
    assert_eq!(starts(&shop, anyone).await, ["24 06:15"]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn slots_are_offered_on_the_dates_on_which_they_can_be_booked(backend: Backend) {
    let shop = Shop::open(backend).await;
    let ana = shop.vetted("Ana").await;
    // Insured until the end of 2027: the last hour of that year in Paris is booked, the first of the next one is not.
    let mut around_the_clock = hours(&ana.id);
    for rule in &mut around_the_clock.weekly {
        rule.hours = Some(pb::LocalHours { start: "00:00".to_owned(), end: "24:00".to_owned() });
    }
    let change = shop.availability().replace_availability(around_the_clock).by(ana.owner).await;
    change.unwrap();
    let new_year = slots(&ana, "2027-12-31T21:00:00Z", "2028-01-02T00:00:00Z", 1);
    let expected = ["31 21:00", "31 21:30", "31 22:00"];
    assert_eq!(starts(&shop, new_year.clone()).await, expected);
    let anyone = pb::FindSlotsRequest { provider_id: String::new(), ..new_year.clone() };
    assert_eq!(starts(&shop, anyone.clone()).await, expected);
    let booked = hold(&ana, "2027-12-31T22:00:00Z", 1, "2027-05-10T09:15:00Z");
    shop.reservations().hold_reservation(booked).await.unwrap();
    let refused = hold(&ana, "2027-12-31T22:30:00Z", 1, "2027-05-10T09:15:00Z");
    let refused = shop.reservations().hold_reservation(refused).await;
    assert_eq!(refusal(refused), "PROVIDER_NOT_ELIGIBLE");
    shop.world.clock.advance(chrono::Duration::minutes(15));

    // Neither is who lacks a skill, is the customer, works in another country, or is suspended.
    let change = |change: fn(&mut pb::FindSlotsRequest)| {
        let mut request = anyone.clone();
        change(&mut request);
        request
    };
    let deep = |it: &mut pb::FindSlotsRequest| {
        it.requirements.as_mut().unwrap().skills.push("cleaning.deep".to_owned());
    };
    assert!(starts(&shop, change(deep)).await.is_empty());
    let own = pb::FindSlotsRequest { customer_id: ana.owner.user_id.to_string(), ..anyone.clone() };
    assert!(starts(&shop, own).await.is_empty());
    let check = pb::SetBackgroundCheckRequest {
        provider_id: ana.id.clone(),
        background_check: pb::BackgroundCheck::Suspended.into(),
    };
    shop.vetting().set_background_check(check).by(shop.operator).await.unwrap();
    assert!(starts(&shop, new_year).await.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn bad_hours_name_their_field(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.applicant("Ana").await;
    let with = |index: usize, start: &str, end: &str| {
        let mut request = hours(&provider.id);
        request.weekly[index].hours =
            Some(pb::LocalHours { start: start.to_owned(), end: end.to_owned() });
        request
    };
    let mut twice = hours(&provider.id);
    twice.weekly.push(twice.weekly[2].clone());
    let zone =
        pb::ReplaceAvailabilityRequest { time_zone: "Paris".to_owned(), ..hours(&provider.id) };
    for (request, wrong) in [
        (with(1, "25:00", "26:00"), "weekly[1].hours.start"),
        (with(3, "10:00", "09:00"), "weekly[3].hours.end"),
        (twice, "weekly[7].hours"),
        (zone, "time_zone"),
    ] {
        let answer = shop.availability().replace_availability(request).by(provider.owner).await;
        assert_eq!(refused_field(answer), wrong);
    }
}
