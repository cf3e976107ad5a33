//! Letters and the disk under the running program.

use super::program::Home;
use kit::testing::{Backend, eventually};
use quickserve::demo;
use std::fs;
use yare::parameterized;

impl Home {
    /// How many letters lie in the mailboxes.
    fn letters(&self) -> usize {
        let mailboxes = fs::read_dir(self.path().join("mail")).unwrap();
        let texts = mailboxes.map(|mailbox| fs::read_to_string(mailbox.unwrap().path()).unwrap());
        texts.map(|text| text.matches("\nMessage-ID: ").count()).sum()
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_letter_in_flight_when_the_program_dies_arrives_once(backend: Backend) {
    for (point, arrived) in [("mail.sending", 0), ("mail.sent", 1)] {
        let home = Home::new(backend).await;
        let program = home.start_with(&[("QS_CRASH_AT", point)]).await;
        // It has a letter sent. The program may die before it answers.
        let _ = demo::register_account(&program.client, "customer", "alice", "alice@test.example")
            .await;
        let (status, log) = program.ended().await;
        assert!(!status.success(), "{point}: {log}");
        assert_eq!(home.letters(), arrived, "{point}");
        // What the dead process had taken up is free again, as it is by itself after a quarter of a minute.
        home.rows("notification", "UPDATE messages SET lease_until = NULL RETURNING attempts")
            .await;
        let _program = home.start().await;
        let unsent = "SELECT id FROM messages WHERE channel = 'email' AND state <> 'DELIVERED'";
        let unsent = async || home.rows("notification", unsent).await.len();
        eventually("the letter is delivered", unsent, |unsent| *unsent == 0).await;
        assert_eq!(home.letters(), 1, "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_on_the_disk_the_program_is_not_ready() {
    let home = Home::new(Backend::Sqlite).await;
    let program = home.start_with(&[("QS_DATABASE__MIN_FREE_MIB", "1000000000000")]).await;
    let ready = async || program.client.get("/readyz").await.unwrap();
    let status = async || ready().await.status.as_u16();
    eventually("it is not ready", status, |status| *status == 503).await;
    assert_eq!(ready().await.body["status"], "disk_full");
    // It still answers what it can.
    assert_eq!(program.client.get("/healthz").await.unwrap().status, 200);
}
