//! A data folder is copied while people book, and restored: a copy of one moment goes on by itself, and one that is torn is
//! mended by `quickserve reconcile`.

use super::{
    crash::{SOON, armed, work},
    people::People,
    program::{Finished, Home, Program},
};
use crate::{
    events,
    journey::{act, see},
};
use kit::testing::{Backend, eventually};
use quickserve::{
    demo::{self, text_at},
    service::Service,
};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};
use tokio::task::JoinHandle;
use yare::parameterized;

/// Far enough ahead that cancelling costs nothing.
const FREE: i64 = 30;

impl Home {
    async fn back_up(&self, to: &Path) -> Finished {
        self.run(&["backup", to.to_str().unwrap()]).await
    }

    /// Puts the database of `service` as it is now in the place of the one in the copy `copy`.
    async fn copy_database(&self, service: &str, copy: &Path) {
        let file = copy.join(format!("{service}.db"));
        let _ = fs::remove_file(&file);
        self.rows(service, &format!("VACUUM INTO '{}'", file.display())).await;
    }

    /// Sets the timers of what orders owe to other services.
    async fn side_effects_are_due(&self, at: &str) {
        let sql =
            format!("UPDATE timers SET due_at = '{at}' WHERE kind = 'effects' RETURNING attempts");
        assert!(!self.rows("order", &sql).await.is_empty(), "no order owes anything");
    }

    async fn reconcile(&self) -> Finished {
        self.leases_end().await;
        self.run(&["reconcile"]).await
    }

    /// Starts it and checks that orders, time, money and events agree.
    async fn goes_on(&self, people: &People) -> (Program, People) {
        let (program, people) = self.restart(people).await;
        let missing = async || {
            let mut missing = events::missing(async |name, sql| self.rows(name, sql).await).await;
            // That a customer has cancelled says nothing of the provider.
            missing.retain(|(who, kind, _)| *who != "provider" || kind != "order.cancelled");
            missing
        };
        eventually("every event arrives", missing, Vec::is_empty).await;
        self.is_consistent(&people).await;
        (program, people)
    }
}

impl People {
    /// Books and returns the order.
    async fn new_order(&self, hours: i64) -> String {
        let quote = self.quote(hours).await;
        let order = self.book(&quote).await.unwrap().ok().unwrap();
        text_at(&order, "id").unwrap()
    }

    async fn new_assigned_order(&self, hours: i64) -> String {
        let id = self.new_order(hours).await;
        act(&self.provider.person, &id, "accept", json!({})).await;
        id
    }

    async fn cancel(&self, order: &str) {
        let preview = act(&self.customer, order, "previewCancel", json!({})).await;
        let token = json!({ "cancel_token": preview["cancel_token"], "reason": "changed my mind" });
        act(&self.customer, order, "cancel", token).await;
    }

    async fn state_of(&self, order: &str) -> Value {
        see(&self.customer, order).await["state"].clone()
    }

    /// Books, accepts and cancels, until it is stopped.
    fn keep_booking(&self) -> JoinHandle<()> {
        let people = self.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let id = people.new_order(FREE + 40 + 3 * number).await;
                if number % 3 > 0 {
                    act(&people.provider.person, &id, "accept", json!({})).await;
                }
                if number % 3 > 1 {
                    people.cancel(&id).await;
                }
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_running_system_goes_on_by_itself() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_with(&SOON).await;
    let people = People::settle(&home, &program).await;
    let place = tempfile::tempdir().unwrap();
    let before = people.new_assigned_order(FREE).await;
    let booking = people.keep_booking();
    let copies = ["1", "2", "3"].map(|name| place.path().join(name));
    for (number, copy) in copies.iter().enumerate() {
        let orders = async || people.orders().await.len();
        eventually("it is busy", orders, |orders| *orders > 3 * number + 2).await;
        let said = home.back_up(copy).await.ok();
        let databases = format!("{} databases", Service::ALL.len());
        assert!(said.contains(&databases), "{said}");
    }
    assert!(!booking.is_finished(), "a booking failed while the folder was copied");
    booking.abort();
    let _ = booking.await;

    // A copy that is there is never overwritten.
    let manifest = fs::read(copies[0].join("backup.json")).unwrap();
    let refused = home.back_up(&copies[0]).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("is there already"), "{}", refused.stderr);
    assert_eq!(fs::read(copies[0].join("backup.json")).unwrap(), manifest);
    program.stop().await;

    for (number, copy) in copies.iter().enumerate() {
        assert_private(copy);
        let restored = Home::restored(copy).await;
        if number == 1 {
            let reconciled = restored.reconcile().await.ok();
            assert!(reconciled.contains("0 mended, 0 left"), "{reconciled}");
        }
        let (_program, people) = restored.goes_on(&people).await;
        assert_eq!(people.state_of(&before).await, "ORDER_STATE_ASSIGNED");
        assert!(people.orders().await.len() > 3 * number + 2);
        // What was committed before the copy can be gone on with.
        people.cancel(&before).await;
    }
}

/// Only the owner may read what is in a folder.
fn assert_private(folder: &Path) {
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(folder), 0o700, "{}", folder.display());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_private(&path);
        } else {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

/// Dies between the end of an order and the release of its provider's time, whose timer is not due yet: the timer has it
/// released, and `reconcile` finds nothing to mend.
#[tokio::test(flavor = "multi_thread")]
async fn time_that_an_ended_order_is_to_release_is_no_difference() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_with(&SOON).await;
    let people = People::settle(&home, &program).await;
    let order = people.new_assigned_order(FREE).await;
    program.stop().await;
    let program = home.start_with(&armed("effect.void")).await;
    let customer = people.at(&program).customer;
    let preview = act(&customer, &order, "previewCancel", json!({})).await;
    let token = json!({ "cancel_token": preview["cancel_token"], "reason": "changed my mind" });
    // The process may die before it answers.
    let _ = customer.client.post(&format!("/v1/orders/{order}:cancel"), token).await;
    let (status, _) = program.ended().await;
    assert!(!status.success(), "{status}");

    home.side_effects_are_due("2999-01-01T00:00:00+00:00").await;
    let said = home.reconcile().await.ok();
    assert!(said.contains("0 mended, 0 left"), "{said}");
    home.side_effects_are_due("2000-01-01T00:00:00+00:00").await;
    let (_program, people) = home.goes_on(&people).await;
    // The time is free again.
    people.new_assigned_order(FREE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_folder_is_copied_and_refusals_say_why() {
    let home = Home::new(Backend::Sqlite).await;
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("deep/copy");
    let nothing = home.back_up(&copy).await;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(nothing.stderr.contains("has no databases"), "{}", nothing.stderr);
    let nothing = home.run(&["reconcile"]).await;
    assert_eq!(nothing.status.code(), Some(1));
    assert!(nothing.stderr.contains("--data-dir must name"), "{}", nothing.stderr);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "something was made");
    home.start().await.stop().await;
    let inside = home.back_up(&home.path().join("copy")).await;
    assert!(inside.stderr.contains("lies in the data folder itself"), "{}", inside.stderr);
    home.back_up(&copy).await.ok();
    let manifest = fs::read_to_string(copy.join("backup.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["databases"].as_array().unwrap().len(), Service::ALL.len(), "{manifest}");
    let mut copies = manifest["databases"].as_array().unwrap().iter();
    let order = copies.find(|copy| copy["service"] == "order").unwrap();
    assert!(order["schema"].as_str().unwrap().starts_with('m'), "{manifest}");
    assert!(copy.join("keys/access/keyring.json").exists());
    Home::restored(&copy).await.start().await.stop().await;
    // Without one of the databases it is no copy.
    fs::remove_file(home.path().join("payment.db")).unwrap();
    let lost = home.back_up(&place.path().join("other")).await;
    assert!(lost.stderr.contains("payment.db is missing"), "{}", lost.stderr);
    assert!(!place.path().join("other").exists() && !place.path().join("other.partial").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_is_backed_up_by_its_own_tools() {
    let home = Home::new(Backend::Postgres).await;
    let place = tempfile::tempdir().unwrap();
    let refused = home.back_up(&place.path().join("copy")).await;
    assert_eq!(refused.status.code(), Some(1));
    assert!(refused.stderr.contains("pg_dump"), "{}", refused.stderr);
}

/// What has happened around the moments of a copy.
struct Torn {
    people: People,
    home: Home,
    copy: tempfile::TempDir,
    /// Cancelled after the first moment.
    cancelled: String,
    /// Booked and accepted after it.
    assigned: String,
    /// Booked after it.
    requested: String,
    /// Done and paid after it.
    completed: String,
}

impl Torn {
    /// A copy in which the database of `oldest` is of an earlier moment than the others.
    async fn copy(oldest: &str) -> Self {
        let home = Home::new(Backend::Sqlite).await;
        let program = home.start_with(&SOON).await;
        let people = People::settle(&home, &program).await;
        let cancelled = people.new_assigned_order(FREE).await;
        let completed = people.new_order(FREE + 4).await;
        let place = tempfile::tempdir().unwrap();
        home.is_consistent(&people).await;
        home.copy_database(oldest, place.path()).await;
        work(&people, &completed).await;
        act(&people.customer, &completed, "acceptDelivery", json!({})).await;
        people.cancel(&cancelled).await;
        let assigned = people.new_assigned_order(FREE + 8).await;
        let requested = people.new_order(FREE + 12).await;
        home.is_consistent(&people).await;
        let copy = tempfile::tempdir().unwrap();
        home.back_up(&copy.path().join("copy")).await.ok();
        program.stop().await;
        let file = format!("{oldest}.db");
        fs::copy(place.path().join(&file), copy.path().join("copy").join(&file)).unwrap();
        Self { people, home, copy, cancelled, assigned, requested, completed }
    }

    /// Restores the copy and reconciles it. Returns what that said; so much is left to an operator.
    async fn restore(&mut self, left: usize) -> String {
        self.home = Home::restored(&self.copy.path().join("copy")).await;
        let said = self.home.reconcile().await;
        assert_eq!(said.status.success(), left == 0, "{}{}", said.stdout, said.stderr);
        // What is mended stays so.
        let again = self.home.reconcile().await;
        assert!(again.stdout.contains(&format!("0 mended, {left} left")), "{}", again.stdout);
        said.stdout
    }
}

#[track_caller]
fn assert_mended(said: &str, order: &str, kind: &str) {
    let line = format!("order {order}  {kind}");
    assert!(said.contains(&line), "{line} is not in {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_get_their_time_back_and_time_without_an_order_is_free() {
    let mut torn = Torn::copy("provider").await;
    let said = torn.restore(0).await;
    assert_mended(&said, &torn.assigned, "RESERVATION_MISSING");
    assert_mended(&said, &torn.requested, "RESERVATION_MISSING");
    assert_mended(&said, &torn.cancelled, "RESERVATION_ORPHANED");
    let (_program, people) = torn.home.goes_on(&torn.people).await;
    assert_eq!(people.state_of(&torn.assigned).await, "ORDER_STATE_ASSIGNED");
    assert_eq!(people.state_of(&torn.requested).await, "ORDER_STATE_REQUESTED");
    act(&people.provider.person, &torn.requested, "accept", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_and_time_without_an_order_go_back() {
    let mut torn = Torn::copy("order").await;
    let said = torn.restore(1).await;
    for order in [&torn.assigned, &torn.requested] {
        assert_mended(&said, order, "RESERVATION_ORPHANED");
        assert_mended(&said, order, "PAYMENT_ORPHANED");
    }
    // It was cancelled after the moment to which it is restored.
    assert_mended(&said, &torn.cancelled, "PAYMENT_CLOSED");
    // Whether it was done after that moment, the order does not know.
    assert!(said.contains(&format!("LEFT    order {}  PAYMENT_DIFFERS", torn.completed)), "{said}");
    let (_program, people) = torn.home.goes_on(&torn.people).await;
    assert_eq!(people.state_of(&torn.cancelled).await, "ORDER_STATE_CANCELLED");
    // The time is free again.
    people.new_assigned_order(FREE + 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn money_that_payment_has_lost_is_authorised_taken_and_given_back_again() {
    let mut torn = Torn::copy("payment").await;
    let said = torn.restore(0).await;
    assert_mended(&said, &torn.assigned, "PAYMENT_MISSING");
    assert_mended(&said, &torn.requested, "PAYMENT_MISSING");
    assert_mended(&said, &torn.cancelled, "PAYMENT_UNSETTLED");
    assert_mended(&said, &torn.completed, "PAYMENT_UNSETTLED");
    let (_program, people) = torn.home.goes_on(&torn.people).await;
    let completed = see(&people.customer, &torn.completed).await;
    assert_eq!(completed["payment"]["state"], "PAYMENT_STATE_CAPTURED", "{completed}");
}

/// A service that only hears of orders hears again of what it has lost.
#[parameterized(cleaning = { "cleaning" }, notification = { "notification" })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_hears_of_orders_hears_again(oldest: &str) {
    let mut torn = Torn::copy(oldest).await;
    torn.restore(0).await;
    let (_program, people) = torn.home.goes_on(&torn.people).await;
    let id = torn.assigned;
    let provider = &people.provider.person.client;
    let checklist = provider.get(&format!("/v1/orders/{id}/checklist")).await.unwrap();
    assert_eq!(checklist.status, 200, "{}", checklist.body);
}

/// Each file is of another moment, and people book all the while.
#[tokio::test(flavor = "multi_thread")]
async fn files_of_different_moments_are_mended_whatever_their_order() {
    let mut services = Service::ALL.map(Service::name);
    for _ in 0..2 {
        let home = Home::new(Backend::Sqlite).await;
        let program = home.start_with(&SOON).await;
        let people = People::settle(&home, &program).await;
        let copy = tempfile::tempdir().unwrap();
        home.back_up(&copy.path().join("copy")).await.ok();
        let booking = people.keep_booking();
        for (number, service) in services.iter().enumerate() {
            let orders = async || people.orders().await.len();
            eventually("it is busy", orders, |orders| *orders > 2 * number + 3).await;
            home.copy_database(service, &copy.path().join("copy")).await;
        }
        booking.abort();
        let _ = booking.await;
        program.stop().await;
        let restored = Home::restored(&copy.path().join("copy")).await;
        let said = restored.reconcile().await.ok();
        assert!(!said.contains("\n0 mended"), "nothing was torn: {said}");
        restored.goes_on(&people).await;
        services.reverse();
    }
}

/// On PostgreSQL too, where single tables may be restored.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn rows_that_are_gone_are_mended(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start_with(&SOON).await;
    let people = People::settle(&home, &program).await;
    let (assigned, lost) =
        (people.new_assigned_order(FREE).await, people.new_assigned_order(FREE + 4).await);
    home.is_consistent(&people).await;
    program.stop().await;
    let is = |column: &str, id: &str| match backend {
        Backend::Postgres => format!("{column} = '{id}'"),
        Backend::Sqlite => format!("hex({column}) = upper('{}')", id.replace('-', "")),
    };
    let gone = format!("DELETE FROM reservations WHERE {} RETURNING id", is("order_id", &assigned));
    assert_eq!(home.rows("provider", &gone).await.len(), 1);
    for table in ["timeline", "effects"] {
        home.rows(
            "order",
            &format!("DELETE FROM {table} WHERE {} RETURNING order_id", is("order_id", &lost)),
        )
        .await;
    }
    let gone = format!("DELETE FROM orders WHERE {} RETURNING id", is("id", &lost));
    assert_eq!(home.rows("order", &gone).await.len(), 1);
    let said = home.reconcile().await.ok();
    assert_mended(&said, &assigned, "RESERVATION_MISSING");
    assert_mended(&said, &lost, "RESERVATION_ORPHANED");
    assert_mended(&said, &lost, "PAYMENT_ORPHANED");
    let (_program, people) = home.goes_on(&people).await;
    assert_eq!(people.state_of(&assigned).await, "ORDER_STATE_ASSIGNED");
}

/// Events are told again, and what they meant may be over.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn who_was_reinstated_keeps_what_they_booked_afterwards(backend: Backend) {
    let home = Home::new(backend).await;
    let program = home.start_with(&SOON).await;
    let mut people = People::settle(&home, &program).await;
    let before = people.new_order(FREE).await;
    for standing in ["suspend", "reinstate"] {
        let path = format!("/v1/users/{}:{standing}", people.customer.user_id);
        people.operator.client.post(&path, json!({})).await.unwrap().ok().unwrap();
    }
    let customer = &people.customer;
    people.customer =
        demo::sign_in(&program.client, &customer.email, demo::PASSWORD).await.unwrap();
    let is_cancelled = async || people.state_of(&before).await;
    eventually("the suspension cancels", is_cancelled, |state| *state == "ORDER_STATE_CANCELLED")
        .await;
    let after = people.new_order(FREE + 4).await;
    program.stop().await;
    let said = home.reconcile().await.ok();
    assert!(said.contains("0 mended, 0 left"), "{said}");
    let (_program, people) = home.restart(&people).await;
    assert_eq!(people.state_of(&after).await, "ORDER_STATE_REQUESTED");
}
