//! Mail as files: what is in it, when it waits, when it is dropped.

use crate::scene::{Order, Scene, contact};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually};
use proto::quickserve::{
    fulfilment::v1::OrderState::{
        Assigned, Cancelled, Completed, Delivered, EnRoute, PendingPayment, Requested,
    },
    notification::v1 as pb,
};
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_code_is_fetched_when_its_mail_is_written(backend: Backend) {
    let scene = Scene::new(backend).await;
    let user_id = scene.provider.user_id;
    scene.account("user.contact_verification_requested", user_id).await;
    let template = "user.contact_verification_requested.account";
    scene.mail_is(template, "DELIVERED").await;
    let code = scene.users.codes.lock().unwrap()[0].clone();
    let letters = scene.letters(template);
    let letter = &letters[0];
    assert!(letter.body.lines().any(|line| line == code), "{}", letter.body);
    for header in
        ["\nTo: =?utf-8?", "<edith@example.org>", "Message-ID: <", "Date: Mon, 10 May 2027"]
    {
        assert!(letter.raw.contains(header), "{header}: {}", letter.raw);
    }
    assert!(letter.raw.contains("Auto-Submitted: auto-generated"));
    // Nothing of it is in the inbox.
    assert_eq!(scene.inbox(scene.provider).await, Vec::<String>::new());
    assert_eq!(std::fs::read_dir(scene.mail_folder()).unwrap().count(), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&letter.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Who did not ask for a new password gets no code.
    scene.account("user.password_reset_requested", user_id).await;
    let failure = scene.mail_is("user.password_reset_requested.account", "FAILED").await;
    assert_eq!(failure, "CODE_NOT_REQUESTED");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn quiet_hours_hold_mail_until_they_end(backend: Backend) {
    let scene = Scene::new(backend).await;
    // It is 11 o'clock in Paris; these hours wrap midnight and end tomorrow at 10.
    scene.quiet(scene.customer, "10:30", "10:00").await;
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    scene.mail_is("order.assigned.provider", "DELIVERED").await;
    // The inbox has it at once.
    assert_eq!(scene.inbox(scene.customer).await, ["order.assigned.customer"]);
    // What is critical does not wait.
    scene.account("user.password_changed", scene.customer.user_id).await;
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    assert!(scene.messages(scene.customer).await[0].critical);

    scene.clock.advance(Duration::minutes(23 * 60 - 1));
    scene.account("user.session_reused", scene.customer.user_id).await;
    scene.mail_is("user.session_reused.account", "DELIVERED").await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    assert!(scene.letters("order.assigned.customer").is_empty());
    scene.clock.advance(Duration::minutes(1));
    scene.mail_is("order.assigned.customer", "DELIVERED").await;
    assert_eq!(scene.letters("order.assigned.customer").len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn quiet_hours_follow_a_clock_that_goes_back(backend: Backend) {
    let scene = Scene::new(backend).await;
    // Half past midnight in Paris, in the night in which the clock goes back at three.
    let night: chrono::DateTime<chrono::Utc> = "2027-10-30T22:30:00Z".parse().unwrap();
    scene.clock.advance(night - scene.clock.now());
    scene.quiet(scene.customer, "22:00", "07:00").await;
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    // Seven hours later it is half past six.
    scene.clock.advance(Duration::hours(7));
    scene.account("user.password_changed", scene.customer.user_id).await;
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    scene.clock.advance(Duration::minutes(30));
    scene.mail_is("order.assigned.customer", "DELIVERED").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_an_order_left_behind_is_dropped(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.quiet(scene.customer, "10:30", "10:00").await;
    scene.quiet(scene.provider, "10:30", "10:00").await;
    let (mut order, mut other) = (Order::new(), Order::new());
    scene.order(&mut order, "order.created", PendingPayment, Requested).await;
    scene.mail_is("order.created.provider", "HELD").await;
    scene.mail_is("order.created.customer", "HELD").await;
    scene.order(&mut other, "order.delivered", Delivered, Delivered).await;
    scene.mail_is("order.delivered.customer", "HELD").await;
    // A message of the other side changes nothing; a cancellation does.
    let posted =
        scene.order_event(&mut order, "order.message_posted", Requested, Requested, |data| {
            data.addressee = "provider".to_owned();
        });
    scene.publish(&posted).await;
    scene.mail_is("order.created.provider", "HELD").await;
    scene.order(&mut order, "order.cancelled", Requested, Cancelled).await;
    for side in ["customer", "provider"] {
        let failure = scene.mail_is(&format!("order.created.{side}"), "CANCELLED").await;
        assert_eq!(failure, "SUPERSEDED");
        scene.mail_is(&format!("order.cancelled.{side}"), "HELD").await;
    }
    scene.mail_is("order.delivered.customer", "HELD").await;
    // What is a record stays, whatever comes after it.
    scene.order(&mut order, "order.en_route", Assigned, EnRoute).await;
    scene.clock.advance(Duration::hours(23));
    scene.mail_is("order.cancelled.provider", "DELIVERED").await;
    scene.mail_is("order.delivered.customer", "DELIVERED").await;
    assert!(scene.letters("order.created.provider").is_empty());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn unwanted_mail_is_dropped_but_for_what_matters(backend: Backend) {
    let scene = Scene::new(backend).await;
    let preferences = pb::Preferences { email: false, ..Default::default() };
    let request = pb::UpdatePreferencesRequest { preferences: Some(preferences) };
    acting_as(scene.customer, scene.client().update_preferences(request)).await.unwrap();
    let mut order = Order::new();
    scene.order(&mut order, "order.assigned", Requested, Assigned).await;
    assert_eq!(scene.mail_is("order.assigned.customer", "CANCELLED").await, "NOT_WANTED");
    scene.order(&mut order, "order.cancelled", Assigned, Cancelled).await;
    scene.mail_is("order.cancelled.customer", "DELIVERED").await;
    scene.account("user.password_changed", scene.customer.user_id).await;
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    assert_eq!(scene.inbox(scene.customer).await.len(), 3);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn mail_waits_for_a_user_service_that_is_down(backend: Backend) {
    let scene = Scene::new(backend).await;
    *scene.users.down.lock().unwrap() = true;
    scene.order(&mut Order::new(), "order.completed", Delivered, Completed).await;
    eventually(
        "an attempt fails",
        async || scene.rows().await,
        |rows| rows.iter().any(|row| row.failure == "USER_UNAVAILABLE"),
    )
    .await;
    // The inbox does without: it falls back to French.
    let told = &scene.messages(scene.customer).await[0].subject;
    assert_eq!(told, "Merci ! Donnez votre avis");
    *scene.users.down.lock().unwrap() = false;
    scene.clock.advance(Duration::minutes(2));
    scene.mail_is("order.completed.provider", "DELIVERED").await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_mail_whose_answer_never_came_is_sent_again(backend: Backend) {
    let scene = Scene::new(backend).await;
    for subject in [scene.customer, scene.provider] {
        scene.quiet(subject, "10:30", "10:00").await;
    }
    let mut order = Order::new();
    scene.order(&mut order, "order.assigned", Requested, Assigned).await;
    scene.order(&mut Order::new(), "order.completed", Delivered, Completed).await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    scene.mail_is("order.completed.provider", "HELD").await;
    // A process that died after it had claimed them leaves them so.
    scene.change("UPDATE messages SET state = 'SENT', attempts = 1 WHERE state = 'HELD'").await;
    scene.order(&mut order, "order.cancelled", Assigned, Cancelled).await;
    assert_eq!(scene.mail_is("order.assigned.customer", "SENT").await, "SUPERSEDED");
    scene.clock.advance(Duration::hours(23));
    scene.mail_is("order.completed.provider", "DELIVERED").await;
    // What its order left behind meanwhile is not repeated.
    assert_eq!(scene.mail_is("order.assigned.customer", "FAILED").await, "SUPERSEDED");
    assert!(scene.letters("order.assigned.customer").is_empty());
}

/// What a process leaves that died with letters on their way.
const IN_FLIGHT: &str = "UPDATE messages SET state = 'SENT', attempts = 1, failure = '', due_at = created_at, \
     claimed_by = id, lease_until = '2027-05-10T09:00:15+00:00' WHERE channel = 'email'";

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_letter_that_was_on_its_way_goes_once_within_half_a_minute(backend: Backend) {
    let scene = Scene::new(backend).await;
    let (arrived, lost) = (scene.provider.user_id, scene.customer.user_id);
    let template = "user.contact_verification_requested.account";
    scene.account("user.contact_verification_requested", arrived).await;
    scene.mail_is(template, "DELIVERED").await;
    // The letter lies in the mailbox, but its process died before it could note that.
    scene.change(IN_FLIGHT).await;
    assert_eq!(scene.letters(template).len(), 1);
    scene.clock.advance(Duration::seconds(14));
    scene.account("user.password_changed", lost).await;
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    assert_eq!(scene.mail_is(template, "SENT").await, "", "the lease of its process still holds");
    scene.clock.advance(Duration::seconds(2));
    scene.mail_is(template, "DELIVERED").await;
    assert_eq!(scene.letters(template).len(), 1, "it went twice");
    // A second code would have voided the one in the letter.
    assert_eq!(scene.users.codes.lock().unwrap().len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_letter_that_did_not_arrive_goes_within_half_a_minute(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.account("user.password_changed", scene.customer.user_id).await;
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    for mailbox in std::fs::read_dir(scene.mail_folder()).unwrap() {
        std::fs::remove_file(mailbox.unwrap().path()).unwrap();
    }
    scene.change(IN_FLIGHT).await;
    scene.clock.advance(Duration::seconds(20));
    scene.mail_is("user.password_changed.account", "DELIVERED").await;
    assert_eq!(scene.letters("user.password_changed.account").len(), 1);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nobody_there_gets_no_mail(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.account("user.password_changed", Uuid::new_v4()).await;
    assert_eq!(scene.mail_is("user.password_changed.account", "CANCELLED").await, "NO_CONTACT");
    for (address, kind, state) in
        [("", "user.suspended", "CANCELLED"), ("not an address", "user.session_reused", "FAILED")]
    {
        let user_id = Uuid::new_v4();
        scene.users.set(user_id, contact("Eve\r\nBcc: all@example.org", address, "en"));
        scene.account(kind, user_id).await;
        scene.mail_is(&format!("{kind}.account"), state).await;
    }
    // A name cannot add a header.
    let user_id = Uuid::new_v4();
    scene.users.set(user_id, contact("Eve\r\nBcc: all@example.org", "eve@example.org", "en"));
    scene.account("user.reinstated", user_id).await;
    scene.mail_is("user.reinstated.account", "DELIVERED").await;
    let letter = &scene.letters("user.reinstated.account")[0];
    let (headers, _) = letter.raw.split_once("\n\n").unwrap();
    assert!(!headers.lines().any(|line| line.starts_with("Bcc")), "{headers}");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_erased_account_leaves_nothing(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.quiet(scene.customer, "10:30", "10:00").await;
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    scene.mail_is("order.assigned.customer", "HELD").await;
    scene.account("user.erased", scene.customer.user_id).await;
    let templates: Vec<_> = scene.rows().await.into_iter().map(|row| row.template).collect();
    assert_eq!(templates, ["order.assigned.provider", "order.assigned.provider"]);
    let request = pb::GetQuietHoursRequest {};
    let hours = acting_as(scene.customer, scene.client().get_quiet_hours(request)).await.unwrap();
    assert!(!hours.into_inner().quiet_hours.unwrap().enabled);
}
