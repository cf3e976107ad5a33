//! Holding, confirming, moving and releasing time.

use crate::fixture::{Provider, Shop, hold};
use chrono::Duration;
use kit::{
    Db,
    testing::{ActingAs, Backend, at, eventually, refusal, window},
    values::time::timestamp,
};
use proto::quickserve::provider::v1 as pb;
use sea_orm::{
    ConnectionTrait, ExprTrait,
    sea_query::{Expr, Query},
};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

/// The world begins at 9 o'clock UTC on Monday, 10 May 2027; holds last for a quarter of an hour.
const EXPIRES: &str = "2027-05-10T09:15:00Z";

/// An order that asks several times.
const ORDER: &str = "0196b8a0-0000-7000-8000-000000000001";

fn confirm(hold: &pb::HoldReservationRequest) -> pb::ConfirmReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::ConfirmReservationRequest { order_id, provider_id, round }
}

fn release(hold: &pb::HoldReservationRequest) -> pb::ReleaseReservationRequest {
    let pb::HoldReservationRequest { order_id, provider_id, round, .. } = hold.clone();
    pb::ReleaseReservationRequest { order_id, provider_id, round }
}

async fn taken(shop: &Shop, provider: &Provider) -> Vec<pb::Reservation> {
    let request = pb::ListReservationsRequest {
        provider_id: provider.id.clone(),
        from: Some(timestamp(at("2027-05-01T00:00:00Z"))),
        to: Some(timestamp(at("2027-06-30T00:00:00Z"))),
    };
    let listed = shop.availability().list_reservations(request).by(provider.owner).await;
    listed.unwrap().into_inner().reservations
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn of_twenty_parallel_holds_one_wins(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let mut reservations = shop.reservations();
        let hold = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
        tasks.spawn(async move { reservations.hold_reservation(hold).await });
    }
    let answers = tasks.join_all().await;
    let (held, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(held.len(), 1);
    assert_eq!(refused.len(), 19);
    for answer in refused {
        assert_eq!(answer.as_ref().unwrap_err().code(), Code::Aborted);
        assert_eq!(refusal(answer), "SLOT_TAKEN");
    }
    assert_eq!(taken(&shop, &provider).await.len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn twenty_parallel_repeats_of_one_hold_are_one(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let hold = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (mut reservations, hold) = (shop.reservations(), hold.clone());
        tasks.spawn(async move { reservations.hold_reservation(hold).await });
    }
    let answers = tasks.join_all().await;
    let ids: Vec<_> = answers.into_iter().map(|it| it.unwrap().into_inner()).collect();
    assert!(ids.iter().all(|answer| *answer == ids[0]));
    assert_eq!(ids[0].provider_name, "Ana");
    assert_eq!(ids[0].provider_user_id, provider.owner.user_id.to_string());
    assert_eq!(taken(&shop, &provider).await.len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn jobs_follow_back_to_back_but_for_their_buffers(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    for start in ["2027-05-24T08:00:00Z", "2027-05-24T10:00:00Z", "2027-05-24T06:00:00Z"] {
        reservations.hold_reservation(hold(&provider, start, 2, EXPIRES)).await.unwrap();
    }
    let mut buffered = hold(&provider, "2027-05-24T12:00:00Z", 2, EXPIRES);
    buffered.requirements = Some(crate::fixture::requirements(30));
    let refused = reservations.hold_reservation(buffered.clone()).await;
    assert_eq!(refusal(refused), "SLOT_TAKEN");
    buffered.window = Some(window("2027-05-24T12:30:00Z", 2));
    reservations.hold_reservation(buffered).await.unwrap();
    let close = hold(&provider, "2027-05-24T14:45:00Z", 2, EXPIRES);
    assert_eq!(refusal(reservations.hold_reservation(close).await), "SLOT_TAKEN");
    let clear = hold(&provider, "2027-05-24T15:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(clear).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_hold_that_ran_out_blocks_nobody(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(first.clone()).await.unwrap();
    let second = hold(&provider, "2027-05-24T09:00:00Z", 2, "2027-05-10T10:00:00Z");
    let refused = reservations.hold_reservation(second.clone()).await;
    assert_eq!(refusal(refused), "SLOT_TAKEN");
    shop.world.clock.advance(Duration::minutes(15));
    reservations.hold_reservation(second.clone()).await.unwrap();
    // The first comes too late, whatever it tries.
    let late = reservations.confirm_reservation(confirm(&first)).await;
    assert_eq!(refusal(late), "SLOT_TAKEN");
    let again = pb::HoldReservationRequest {
        hold_expires_at: Some(timestamp(at("2027-05-10T11:00:00Z"))),
        ..first.clone()
    };
    assert_eq!(refusal(reservations.hold_reservation(again.clone()).await), "SLOT_TAKEN");
    // Once the second lets go, the first may come back.
    reservations.release_reservation(release(&second)).await.unwrap();
    reservations.hold_reservation(again).await.unwrap();
    reservations.confirm_reservation(confirm(&first)).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_confirmation_after_expiry_counts_while_the_time_is_free(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(first.clone()).await.unwrap();
    shop.world.clock.advance(Duration::hours(1));
    eventually("the sweep", async || taken(&shop, &provider).await, |seen| seen.is_empty()).await;
    for _ in 0..2 {
        reservations.confirm_reservation(confirm(&first)).await.unwrap();
    }
    let rows = taken(&shop, &provider).await;
    assert_eq!(rows[0].state(), pb::ReservationState::Confirmed);
    let unknown = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let answer = reservations.confirm_reservation(confirm(&unknown)).await;
    assert_eq!(refusal(answer), "RESERVATION_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_release_holds_off_a_late_hold(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let late = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    for _ in 0..2 {
        reservations.release_reservation(release(&late)).await.unwrap();
    }
    let refused = reservations.hold_reservation(late.clone()).await;
    assert_eq!(refusal(refused), "RESERVATION_RELEASED");
    assert_eq!(
        refusal(reservations.confirm_reservation(confirm(&late)).await),
        "RESERVATION_NOT_FOUND"
    );
    // Letting go of every provider refuses each of them.
    let other = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let all = pb::ReleaseReservationRequest { provider_id: String::new(), ..release(&other) };
    for _ in 0..2 {
        reservations.release_reservation(all.clone()).await.unwrap();
    }
    let refused = reservations.hold_reservation(other).await;
    assert_eq!(refusal(refused), "RESERVATION_RELEASED");
    assert!(taken(&shop, &provider).await.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_later_round_may_hold_again_what_an_earlier_one_let_go(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let in_round = |round| {
        let hold = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
        pb::HoldReservationRequest { order_id: ORDER.to_owned(), round, ..hold }
    };
    let (first, second, third) = (in_round(1), in_round(2), in_round(3));
    reservations.hold_reservation(first.clone()).await.unwrap();
    reservations.release_reservation(release(&first)).await.unwrap();
    let late = reservations.hold_reservation(first.clone()).await;
    assert_eq!(refusal(late), "RESERVATION_RELEASED");
    reservations.hold_reservation(second.clone()).await.unwrap();
    reservations.confirm_reservation(confirm(&second)).await.unwrap();
    // A release of the round before comes late.
    reservations.release_reservation(release(&first)).await.unwrap();
    assert_eq!(taken(&shop, &provider).await.len(), 1);
    // The order asks anew before it has let go.
    reservations.hold_reservation(third.clone()).await.unwrap();
    let rows = taken(&shop, &provider).await;
    assert_eq!((rows.len(), rows[0].state()), (1, pb::ReservationState::Hold));
    assert_eq!(
        refusal(reservations.confirm_reservation(confirm(&second)).await),
        "RESERVATION_NOT_FOUND"
    );
    reservations.confirm_reservation(confirm(&third)).await.unwrap();
    let all = pb::ReleaseReservationRequest { provider_id: String::new(), ..release(&third) };
    reservations.release_reservation(all).await.unwrap();
    assert!(taken(&shop, &provider).await.is_empty());
    let over = reservations.hold_reservation(in_round(4)).await;
    assert_eq!(refusal(over), "RESERVATION_RELEASED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn time_that_was_taken_before_there_were_rounds_belongs_to_any(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    // An order that was in its first search when it took the time; reservations had no rounds then.
    let before = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(before.clone()).await.unwrap();
    let now = pb::HoldReservationRequest { round: 1, ..before };
    reservations.confirm_reservation(confirm(&now)).await.unwrap();
    let moved = pb::MoveReservationRequest {
        order_id: now.order_id.clone(),
        provider_id: provider.id.clone(),
        window: Some(window("2027-05-24T10:00:00Z", 2)),
        hold_expires_at: None,
        round: 1,
    };
    reservations.move_reservation(moved).await.unwrap();
    let rows = taken(&shop, &provider).await;
    assert_eq!(rows[0].window, Some(window("2027-05-24T10:00:00Z", 2)));
    reservations.release_reservation(release(&now)).await.unwrap();
    assert!(taken(&shop, &provider).await.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn releasing_all_frees_every_provider_of_the_order(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let mut reservations = shop.reservations();
    let first = hold(&ana, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let second = pb::HoldReservationRequest { provider_id: bea.id.clone(), ..first.clone() };
    reservations.hold_reservation(first.clone()).await.unwrap();
    reservations.confirm_reservation(confirm(&first)).await.unwrap();
    reservations.hold_reservation(second.clone()).await.unwrap();
    let all = pb::ReleaseReservationRequest { provider_id: String::new(), ..release(&first) };
    reservations.release_reservation(all).await.unwrap();
    assert!(taken(&shop, &ana).await.is_empty());
    assert!(taken(&shop, &bea).await.is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_reservation_moves_in_one_step_or_not_at_all(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let second = hold(&provider, "2027-05-24T12:00:00Z", 2, EXPIRES);
    for request in [&first, &second] {
        reservations.hold_reservation(request.clone()).await.unwrap();
    }
    reservations.confirm_reservation(confirm(&first)).await.unwrap();
    let to = |start: &str| pb::MoveReservationRequest {
        order_id: first.order_id.clone(),
        provider_id: provider.id.clone(),
        window: Some(window(start, 2)),
        hold_expires_at: None,
        round: 0,
    };
    let clash = reservations.move_reservation(to("2027-05-24T13:00:00Z")).await;
    assert_eq!(refusal(clash), "SLOT_TAKEN");
    let night = reservations.move_reservation(to("2027-05-24T20:00:00Z")).await;
    assert_eq!(refusal(night), "PROVIDER_NOT_ELIGIBLE");
    // Over its own old time, twice, then over a hold that ran out.
    for start in ["2027-05-24T09:00:00Z", "2027-05-24T09:00:00Z", "2027-05-24T10:00:00Z"] {
        reservations.move_reservation(to(start)).await.unwrap();
    }
    shop.world.clock.advance(Duration::minutes(15));
    reservations.move_reservation(to("2027-05-24T11:00:00Z")).await.unwrap();
    let rows = taken(&shop, &provider).await;
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].state(), pb::ReservationState::Confirmed);
    assert_eq!(rows[0].window, Some(window("2027-05-24T11:00:00Z", 2)));
    let unknown = pb::MoveReservationRequest {
        order_id: Uuid::new_v4().to_string(),
        ..to("2027-05-24T11:00:00Z")
    };
    let answer = reservations.move_reservation(unknown).await;
    assert_eq!(refusal(answer), "RESERVATION_NOT_FOUND");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_repeated_hold_for_another_window_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let first = hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(first.clone()).await.unwrap();
    let other = pb::HoldReservationRequest {
        window: Some(window("2027-05-25T08:00:00Z", 2)),
        ..first.clone()
    };
    assert_eq!(refusal(reservations.hold_reservation(other).await), "RESERVATION_DIFFERS");
    // The same again stands even when the provider pauses meanwhile.
    let pause = pb::PauseProviderRequest { provider_id: provider.id.clone() };
    shop.profiles().pause_provider(pause).by(provider.owner).await.unwrap();
    reservations.hold_reservation(first).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_eligible_providers_are_held(backend: Backend) {
    let shop = Shop::open(backend).await;
    let provider = shop.vetted("Ana").await;
    let mut reservations = shop.reservations();
    let good = || hold(&provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
    let own =
        pb::HoldReservationRequest { customer_id: provider.owner.user_id.to_string(), ..good() };
    let night = hold(&provider, "2027-05-24T19:00:00Z", 2, EXPIRES);
    // Insured up to New Year's Eve.
    let eve = hold(&provider, "2027-12-31T08:00:00Z", 2, EXPIRES);
    let new_year = hold(&provider, "2028-01-01T08:00:00Z", 2, EXPIRES);
    for (request, cause) in
        [(own, "OWN_PROFILE"), (night, "OUTSIDE_AVAILABILITY"), (new_year, "DOCUMENT:insurance")]
    {
        let status = reservations.hold_reservation(request).await.unwrap_err();
        let details = tonic_types::StatusExt::get_details_error_info(&status).unwrap();
        assert_eq!(details.reason, "PROVIDER_NOT_ELIGIBLE");
        assert_eq!(details.metadata["causes"], cause);
    }
    reservations.hold_reservation(eve).await.unwrap();
    let unknown = pb::HoldReservationRequest { provider_id: Uuid::new_v4().to_string(), ..good() };
    let answer = reservations.hold_reservation(unknown).await;
    assert_eq!(refusal(answer), "PROVIDER_NOT_FOUND");
    // A refusal is never older than the profile, nor is a hold.
    let pause = pb::PauseProviderRequest { provider_id: provider.id.clone() };
    shop.profiles().pause_provider(pause).by(provider.owner).await.unwrap();
    assert_eq!(refusal(reservations.hold_reservation(good()).await), "PROVIDER_NOT_ELIGIBLE");
    // What a restore has lost was agreed before the pause.
    let booked = pb::HoldReservationRequest {
        booked: true,
        ..hold(&provider, "2027-05-25T08:00:00Z", 2, EXPIRES)
    };
    reservations.hold_reservation(booked.clone()).await.unwrap();
    let listed = pb::ListOrderReservationsRequest {
        order_ids: vec![booked.order_id.clone()],
        ..Default::default()
    };
    let listed = reservations.list_order_reservations(listed).await.unwrap().into_inner();
    assert_eq!(listed.reservations.len(), 1);
    assert_eq!(listed.reservations[0].order_id, booked.order_id);
    assert_eq!(listed.reservations[0].window, booked.window);
    let resume = pb::ResumeProviderRequest { provider_id: provider.id.clone() };
    shop.profiles().resume_provider(resume).by(provider.owner).await.unwrap();
    reservations.hold_reservation(good()).await.unwrap();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_database_itself_refuses_an_overlap(backend: Backend) {
    let shop = Shop::open(backend).await;
    let (ana, bea) = (shop.vetted("Ana").await, shop.vetted("Bea").await);
    let mut reservations = shop.reservations();
    for provider in [&ana, &bea] {
        let hold = hold(provider, "2027-05-24T08:00:00Z", 2, EXPIRES);
        reservations.hold_reservation(hold).await.unwrap();
    }
    let next = hold(&ana, "2027-05-24T10:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(next.clone()).await.unwrap();
    reservations.release_reservation(release(&next)).await.unwrap();
    let over = hold(&ana, "2027-05-24T11:00:00Z", 2, EXPIRES);
    reservations.hold_reservation(over).await.unwrap();

    let config = shop.world.host.of("provider").database_config();
    let db = Db::connect(&config, shop.world.clock.clone()).await.unwrap();
    let id = |text: &str| Expr::val(text.parse::<Uuid>().unwrap());
    let update = || Query::update().table("reservations").to_owned();
    let to_other = update()
        .value("resource_id", id(&bea.id))
        .and_where(Expr::col("resource_id").eq(id(&ana.id)))
        .and_where(Expr::col("state").eq("HOLD"))
        .to_owned();
    let come_back = update()
        .value("state", "CONFIRMED")
        .and_where(Expr::col("order_id").eq(id(&next.order_id)))
        .to_owned();
    let longer = update()
        .value("ends_at", at("2027-05-24T11:30:00Z"))
        .and_where(Expr::col("provider_id").eq(id(&ana.id)))
        .and_where(Expr::col("starts_at").eq(at("2027-05-24T08:00:00Z")))
        .to_owned();
    for statement in [to_other, come_back, longer] {
        let error = db.connection().execute(&statement).await.unwrap_err();
        assert!(error.to_string().contains("reservations_no_overlap"), "{error}");
    }
}
