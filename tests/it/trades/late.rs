//! Repairers who are late: operators are told in their languages, in the inbox and by mail.

use crate::{
    journey::{act, get, is_told, noon},
    mesh::Mesh,
};
use chrono::Duration;
use http::Method;
use kit::testing::Backend;
use quickserve::demo::{self, text_at};
use serde_json::json;
use std::fs;
use yare::parameterized;

const MISSED: &str = "repair.sla_missed.operator";
const ENGLISH: &str = "No repairer at work in time";
const FRENCH: &str = "Aucun réparateur à l'heure";

/// All letters that were sent.
fn letters(mesh: &Mesh) -> String {
    let mailboxes = fs::read_dir(mesh.process.host().data_dir().join("mail")).unwrap();
    mailboxes.map(|mailbox| fs::read_to_string(mailbox.unwrap().path()).unwrap()).collect()
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn operators_are_told_in_english_and_french_of_a_repairer_who_does_not_come(
    backend: Backend,
) {
    let mesh = Mesh::start(backend).await;
    let (host, email) = (mesh.process.host().of("user"), "olivier@test.example");
    user::create_operator(&host, email, "Olivier", demo::PASSWORD).await.unwrap();
    let french = demo::sign_in(&mesh.client, email, demo::PASSWORD).await.unwrap();
    let english = mesh.operator().await;
    for (operator, locale) in [(&french, "fr"), (&english, "en")] {
        let body = Some(json!({ "locale": locale }));
        operator.client.send(Method::PATCH, "/v1/me", body, &[]).await.unwrap().ok().unwrap();
    }
    let (customer, provider) = (mesh.customer("alice").await, mesh.repairer(&english, "bob").await);
    let request = demo::repair_request(&provider.provider_id, noon(&mesh));
    let order = text_at(&demo::book(&customer, request).await.unwrap(), "id").unwrap();
    act(&provider.person, &order, "accept", json!({})).await;

    mesh.clock.advance(Duration::hours(71));
    for operator in [&french, &english] {
        let operator = mesh.again(operator).await;
        assert!(!is_told(&operator, MISSED).await, "three days are not over yet");
    }
    mesh.clock.advance(Duration::hours(2));
    for (operator, subject) in [(&french, FRENCH), (&english, ENGLISH)] {
        // Access tokens run out on the way.
        let told = async || {
            let operator = mesh.again(operator).await;
            get(&operator, "/v1/inbox?page_size=100").await.to_string()
        };
        mesh.in_time("the operator is told", told, |inbox| inbox.contains(subject)).await;
    }
    let repair = get(&mesh.again(&customer).await, &format!("/v1/orders/{order}/repair")).await;
    assert!(repair["sla_missed_at"].is_string(), "{repair}");
    // The letters name whom they go to; French subjects are encoded.
    let sent = async || {
        let letters = letters(&mesh);
        (
            letters.contains(ENGLISH),
            letters.to_lowercase().contains("=?utf-8?"),
            letters.contains("olivier@"),
        )
    };
    mesh.in_time("the letters are sent", sent, |sent| *sent == (true, true, true)).await;
}
