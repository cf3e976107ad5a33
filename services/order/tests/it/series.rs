//! Series: their visits are ordinary orders, booked as they come near, each of them once.

mod far;
mod near;
mod zones;

use crate::{
    acts::With,
    script::Fault,
    town::{Town, metadata},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually, eventually_in_time, paris, somebody},
    values::time::moment,
};
use proto::quickserve::{
    common::v1::Address,
    fulfilment::v1::OrderState,
    order::v1::{self as pb, OccurrenceState, ProviderMode},
};
use std::collections::BTreeMap;
use tonic::Status;
use uuid::Uuid;
use yare::parameterized;

/// Tuesdays, the first of them eight days after the beginning.
const TUESDAYS: [&str; 5] = ["2027-05-18", "2027-05-25", "2027-06-01", "2027-06-08", "2027-06-15"];

/// Every Tuesday at nine.
pub fn weekly(provider: Option<Uuid>, mode: ProviderMode) -> pb::CreateSeriesRequest {
    pb::CreateSeriesRequest {
        vertical: "cleaning".to_owned(),
        details: Some(prost_types::Struct::default()),
        address: Some(Address { access_notes: "B1234".to_owned(), ..paris() }),
        from_on: TUESDAYS[0].to_owned(),
        rrule: "FREQ=WEEKLY;BYDAY=TU".to_owned(),
        start_local: "09:00".to_owned(),
        minutes: 120,
        provider_id: provider.map(|id| id.to_string()).unwrap_or_default(),
        mode: mode.into(),
        payment_method_id: String::new(),
        notes: "ring twice".to_owned(),
    }
}

fn start_of(occurrence: &pb::Occurrence) -> DateTime<Utc> {
    moment("start", occurrence.window.as_ref().unwrap().start.as_ref()).unwrap()
}

impl Town {
    async fn make_series(&self, request: pb::CreateSeriesRequest) -> Result<pb::Series, Status> {
        let answer = acting_as(self.customer, self.series().create_series(request)).await?;
        Ok(answer.into_inner().series.unwrap())
    }

    async fn weekly_series(&self) -> String {
        let request = weekly(Some(self.profile), ProviderMode::Only);
        self.make_series(request).await.unwrap().id
    }

    async fn occurrences_as(&self, who: Subject, id: &str) -> Result<Vec<pb::Occurrence>, Status> {
        let request = pb::ListOccurrencesRequest {
            series_id: id.to_owned(),
            from_on: "2027-05-01".to_owned(),
            to_on: "2027-08-01".to_owned(),
        };
        let listed = acting_as(who, self.series().list_occurrences(request)).await?;
        Ok(listed.into_inner().occurrences)
    }

    async fn occurrences(&self, id: &str) -> BTreeMap<String, pb::Occurrence> {
        let listed = self.occurrences_as(self.customer, id).await.unwrap();
        listed.into_iter().map(|it| (it.date.clone(), it)).collect()
    }

    /// Waits until the date stands like that.
    async fn until_date(&self, id: &str, date: &str, state: OccurrenceState) -> pb::Occurrence {
        let what = format!("{date} is {}", state.as_str_name());
        let read = async || self.occurrences(id).await.remove(date);
        let is_in_state =
            |it: &Option<pb::Occurrence>| it.as_ref().is_some_and(|it| it.state() == state);
        eventually(&what, read, is_in_state).await.unwrap()
    }

    /// Waits until the order of the date stands like that.
    async fn until_visit(&self, id: &str, date: &str, state: OrderState) -> pb::Occurrence {
        let what = format!("the order of {date} is {}", state.as_str_name());
        let read = async || self.occurrences(id).await.remove(date);
        let is_in_state =
            |it: &Option<pb::Occurrence>| it.as_ref().is_some_and(|it| it.order_state() == state);
        eventually(&what, read, is_in_state).await.unwrap()
    }

    async fn skip(&self, id: &str, date: &str) -> Result<pb::Occurrence, Status> {
        let request = pb::SkipOccurrenceRequest { series_id: id.to_owned(), date: date.to_owned() };
        let skipped = acting_as(self.customer, self.series().skip_occurrence(request)).await?;
        Ok(skipped.into_inner().occurrence.unwrap())
    }

    async fn move_date(&self, id: &str, date: &str, to: &str) -> Result<pb::Occurrence, Status> {
        let request = pb::MoveOccurrenceRequest {
            series_id: id.to_owned(),
            date: date.to_owned(),
            start_local: to.to_owned(),
            accepted_total: None,
        };
        let moved = acting_as(self.customer, self.series().move_occurrence(request)).await?;
        Ok(moved.into_inner().occurrence.unwrap())
    }

    async fn accept_series(&self, who: Subject, id: &str) -> Result<pb::Series, Status> {
        let request = pb::AcceptSeriesRequest { series_id: id.to_owned() };
        let accepted = acting_as(who, self.series().accept_series(request)).await?;
        Ok(accepted.into_inner().series.unwrap())
    }

    async fn update(
        &self,
        id: &str,
        scope: &str,
        date: &str,
        changes: pb::SeriesChanges,
    ) -> Result<pb::Series, Status> {
        let request = pb::UpdateSeriesRequest {
            series_id: id.to_owned(),
            scope: scope.to_owned(),
            date: date.to_owned(),
            changes: Some(changes),
        };
        let updated = acting_as(self.customer, self.series().update_series(request)).await?;
        Ok(updated.into_inner().series.unwrap())
    }

    /// A series whose provider takes every visit, and whose first three are assigned.
    async fn standing_series(&self) -> String {
        let id = self.weekly_series().await;
        self.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
        self.accept_series(self.provider, &id).await.unwrap();
        for date in &TUESDAYS[..3] {
            self.until_visit(&id, date, OrderState::Assigned).await;
        }
        id
    }

    /// The provider makes the visit at its time.
    async fn make_visit(&self, visit: &pb::Occurrence) {
        self.clock.advance(start_of(visit) - self.clock.now());
        let order = &visit.order_id;
        let payment = async || self.get(order).await.payment.unwrap().state();
        eventually("it is authorised", payment, |it| *it == pb::PaymentState::Authorized).await;
        for action in ["depart", "arrive"] {
            self.act(self.provider, action, order).await;
        }
        let start_code = self.get(order).await.start_code;
        let with = With { start_code, ..With::default() };
        self.act_with(self.provider, "start", order, &with).await;
        self.act(self.provider, "deliver", order).await;
        self.act(self.customer, "acceptDelivery", order).await;
    }

    /// The dates of the orders of a series that go on, each as often as there is one.
    async fn dates_of_orders(&self, id: &str) -> Vec<String> {
        let mut api = self.orders();
        let request = pb::ListOrdersRequest { page_size: 100, ..Default::default() };
        let listed = acting_as(self.customer, api.list_orders(request)).await.unwrap();
        let over = [OrderState::Cancelled, OrderState::Declined, OrderState::Expired];
        let of_series = listed
            .into_inner()
            .orders
            .into_iter()
            .filter(|order| order.series_id == id && !over.contains(&order.state()));
        let mut dates: Vec<_> = of_series.map(|order| order.series_date).collect();
        dates.sort();
        dates
    }

    /// Of which visit each asked price was to be the next one.
    fn previous_dates(&self) -> Vec<String> {
        let quoted = self.script.with(|memory| memory.quoted.clone());
        quoted.into_iter().filter_map(|it| Some(it.series?.previous_on)).collect()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn visits_are_booked_as_they_come_near_and_planned_beyond(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.weekly_series().await;
    let last = town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
    let seen = town.occurrences(&id).await;
    assert_eq!(seen.len(), 11, "every Tuesday up to 27 July is shown");
    assert_eq!(seen[TUESDAYS[3]].state(), OccurrenceState::Planned);
    assert_eq!(start_of(&seen["2027-07-27"]).to_rfc3339(), "2027-07-27T07:00:00+00:00");
    assert_eq!(town.dates_of_orders(&id).await, TUESDAYS[..3]);
    // The first price was asked for before the series was made.
    assert_eq!(town.previous_dates(), ["", "", TUESDAYS[0], TUESDAYS[1]]);
    let order = town.get(&last.order_id).await;
    assert_eq!((order.state(), order.series_id.as_str()), (OrderState::Requested, id.as_str()));
    assert_eq!(order.payment.unwrap().state(), pb::PaymentState::MethodSaved);
    assert_eq!(order.notes, "ring twice");

    // Next morning at ten on the clock of the place the next one has come near.
    town.clock.advance(Duration::hours(23));
    town.until_date(&id, TUESDAYS[3], OccurrenceState::Booked).await;
    let told = async || {
        let facts = town.events.events_of(&id);
        facts.iter().filter(|it| it.kind == "series.occurrence_due").count()
    };
    eventually("each booking is told", told, |count| *count == 4).await;
    town.events.assert_no_gaps();
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_provider_takes_every_visit_once_and_for_all(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    town.clock.advance(Duration::hours(23));
    let next = town.until_visit(&id, TUESDAYS[3], OrderState::Assigned).await;
    let order = town.full(town.customer, &next.order_id).await;
    let accepted = order.timeline.iter().find(|entry| entry.action == "accept").unwrap();
    assert_eq!(accepted.actor, "system");
    // At another time the provider is asked.
    let moved = town.move_date(&id, TUESDAYS[4], "2027-06-16T14:00").await.unwrap();
    assert!(moved.moved && moved.state() == OccurrenceState::Planned);
    town.clock.advance(Duration::days(8));
    let asked = town.until_visit(&id, TUESDAYS[4], OrderState::Requested).await;
    assert_eq!(start_of(&asked).to_rfc3339(), "2027-06-16T12:00:00+00:00");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_date_is_left_out_for_nothing_until_a_day_before(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let order = town.occurrences(&id).await[TUESDAYS[1]].order_id.clone();
    let skipped = town.skip(&id, TUESDAYS[1]).await.unwrap();
    assert_eq!(skipped.state(), OccurrenceState::Skipped);
    let cancelled = town.until(&order, OrderState::Cancelled).await;
    assert_eq!(cancelled.cancellation.unwrap().fee.unwrap().minor_units, 0);
    town.until_script("the time is free", |it| it.slots(&order).is_empty()).await;
    town.skip(&id, TUESDAYS[1]).await.unwrap();
    town.skip(&id, TUESDAYS[4]).await.unwrap();

    let first = town.occurrences(&id).await[TUESDAYS[0]].clone();
    town.clock.advance(start_of(&first) - town.clock.now() - Duration::hours(20));
    let late = town.skip(&id, TUESDAYS[0]).await.unwrap_err();
    assert_eq!(reason_of(&late), "SKIP_COSTS");
    assert_eq!(metadata(&late, "order_id"), first.order_id);
    // Cancelled as an order it is a visit no more, and nobody needs to be told.
    let (cancel_token, _) = town.token(town.customer, &first.order_id).await;
    let with = With { cancel_token, ..With::default() };
    town.attempt(town.customer, "cancel", &first.order_id, &with).await.unwrap();
    town.until_date(&id, TUESDAYS[0], OccurrenceState::Skipped).await;
    assert!(!town.events.kinds_of(&id).contains(&"series.needs_attention".to_owned()));
    town.until_date(&id, TUESDAYS[3], OccurrenceState::Booked).await;
    assert_eq!(town.dates_of_orders(&id).await, [TUESDAYS[2], TUESDAYS[3]]);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_booked_date_moves_with_its_order_and_the_others_stay(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let moved = town.move_date(&id, TUESDAYS[1], "2027-05-27T15:30").await.unwrap();
    assert_eq!(start_of(&moved).to_rfc3339(), "2027-05-27T13:30:00+00:00");
    assert!(moved.moved);
    let order = town.get(&moved.order_id).await;
    assert_eq!(order.state(), OrderState::Requested, "the provider is asked about another time");
    assert_eq!(order.series_date, TUESDAYS[1]);
    let seen = town.occurrences(&id).await;
    assert!(!seen[TUESDAYS[2]].moved && !seen[TUESDAYS[0]].moved);
    // The same call again changes nothing.
    town.move_date(&id, TUESDAYS[1], "2027-05-27T15:30").await.unwrap();
    assert_eq!(town.script.calls("move"), 1);
    for (to, field) in [("2027-05-10T09:30", "start_local"), ("2028-01-01T09:30", "start_local")] {
        let error = town.move_date(&id, TUESDAYS[2], to).await.unwrap_err();
        assert!(error.message().starts_with(field), "{error:?}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_change_books_anew_what_it_changes(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let before = town.occurrences(&id).await;
    let later = pb::SeriesChanges { start_local: Some("10:00".into()), ..Default::default() };
    let series = town.update(&id, "future", TUESDAYS[1], later.clone()).await.unwrap();
    assert_eq!(series.revisions.len(), 2);
    assert!(series.standing_since.is_none(), "the provider took visits at nine");
    // The hour overlaps the old one of the same provider, which is freed first.
    let anew = async || town.occurrences(&id).await[TUESDAYS[1]].clone();
    let old = before[TUESDAYS[1]].order_id.clone();
    let anew = eventually("booked anew", anew, |it| {
        it.state() == OccurrenceState::Booked && it.order_id != old
    });
    assert_eq!(start_of(&anew.await).to_rfc3339(), "2027-05-25T08:00:00+00:00");
    town.until(&old, OrderState::Cancelled).await;
    let seen = town.occurrences(&id).await;
    assert_eq!(seen[TUESDAYS[0]].order_id, before[TUESDAYS[0]].order_id);

    let one = pb::SeriesChanges { minutes: Some(150), ..Default::default() };
    town.update(&id, "this", TUESDAYS[3], one).await.unwrap();
    let window = town.occurrences(&id).await[TUESDAYS[3]].window.clone().unwrap();
    assert_eq!(window.end.unwrap().seconds - window.start.unwrap().seconds, 150 * 60);
    let rule = pb::SeriesChanges { rrule: Some("FREQ=DAILY".into()), ..Default::default() };
    for (scope, date, changes, field) in [
        ("this", TUESDAYS[3], rule.clone(), "rrule"),
        ("future", "2027-06-09", later, "date"),
        ("future", "2027-05-10", rule, "date"),
        ("future", TUESDAYS[3], pb::SeriesChanges::default(), "changes"),
    ] {
        let error = town.update(&id, scope, date, changes).await.unwrap_err();
        assert!(error.message().starts_with(field), "{error:?}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_pause_and_an_end_cancel_what_is_booked(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.standing_series().await;
    let before = town.occurrences(&id).await;
    let mut api = town.series();
    let request = pb::PauseSeriesRequest {
        series_id: id.clone(),
        from_on: TUESDAYS[1].to_owned(),
        until_on: TUESDAYS[2].to_owned(),
    };
    let paused = acting_as(town.customer, api.pause_series(request)).await.unwrap().into_inner();
    assert_eq!(paused.series.unwrap().state(), pb::SeriesState::Paused);
    town.until(&before[TUESDAYS[1]].order_id, OrderState::Cancelled).await;
    assert_eq!(town.occurrences(&id).await[TUESDAYS[1]].reason, "PAUSED");
    let request = pb::ResumeSeriesRequest { series_id: id.clone() };
    let resumed = acting_as(town.customer, api.resume_series(request)).await.unwrap().into_inner();
    assert_eq!(resumed.series.unwrap().state(), pb::SeriesState::Active);
    assert_eq!(town.dates_of_orders(&id).await, [TUESDAYS[0], TUESDAYS[2]]);

    let request = pb::EndSeriesRequest { series_id: id.clone() };
    for _ in 0..2 {
        acting_as(town.customer, api.end_series(request.clone())).await.unwrap();
    }
    town.until(&before[TUESDAYS[0]].order_id, OrderState::Cancelled).await;
    town.until(&before[TUESDAYS[2]].order_id, OrderState::Cancelled).await;
    town.clock.advance(Duration::days(30));
    assert!(town.dates_of_orders(&id).await.is_empty());
    let late = town.move_date(&id, TUESDAYS[4], "2027-06-16T14:00").await.unwrap_err();
    assert_eq!(reason_of(&late), "OCCURRENCE_NOT_FOUND");
    let request = pb::ResumeSeriesRequest { series_id: id.clone() };
    let late = acting_as(town.customer, api.resume_series(request)).await.unwrap_err();
    assert_eq!(reason_of(&late), "SERIES_STATE");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_visit_that_cannot_be_booked_does_not_stop_the_others(backend: Backend) {
    let town = Town::new(backend).await;
    // The provider has another job on the second Tuesday.
    let taken: DateTime<Utc> = "2027-05-25T07:00:00Z".parse().unwrap();
    town.script.with(|memory| {
        let other = (Uuid::new_v4().to_string(), town.profile.to_string());
        memory.slots.insert(other, (taken, true));
    });
    let id = town.weekly_series().await;
    let failed = town.until_date(&id, TUESDAYS[1], OccurrenceState::NeedsAttention).await;
    assert_eq!((failed.reason.as_str(), failed.order_id.as_str()), ("SLOT_TAKEN", ""));
    town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
    let told = async || town.events.kinds_of(&id);
    let told = eventually("the customer is told", told, |kinds| {
        kinds.contains(&"series.needs_attention".to_owned())
    });
    told.await;
    // At another hour it is booked.
    town.move_date(&id, TUESDAYS[1], "2027-05-25T14:00").await.unwrap();
    town.until_date(&id, TUESDAYS[1], OccurrenceState::Booked).await;

    // Where the provider is only preferred, others are asked.
    let request = weekly(Some(town.profile), ProviderMode::Preferred);
    let preferred = town.make_series(request).await.unwrap().id;
    let searched = town.until_visit(&preferred, TUESDAYS[1], OrderState::Searching).await;
    assert_eq!(searched.state(), OccurrenceState::Booked);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_order_that_comes_to_nothing_needs_attention(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.weekly_series().await;
    let booked = town.until_date(&id, TUESDAYS[2], OccurrenceState::Booked).await;
    town.act(town.provider, "decline", &booked.order_id).await;
    let failed = town.until_date(&id, TUESDAYS[2], OccurrenceState::NeedsAttention).await;
    assert_eq!(failed.reason, "DECLINED");
    let skipped = town.skip(&id, TUESDAYS[2]).await.unwrap();
    assert_eq!(skipped.state(), OccurrenceState::Skipped);
}
