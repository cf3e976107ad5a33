//! Who reads of a child and when, that it is written down, and that nothing of it is anywhere else.

use crate::fixture::{ALLERGY, CODE, Hand, NAME, NOTE, Nursery, TO_END, new_id};
use kit::{
    Role, Subject,
    testing::{ActingAs, Backend, refusal, refused_field, somebody},
};
use proto::quickserve::{
    child_assistance::v1::{self as pb, GuardianRight},
    fulfilment::v1::OrderState,
};
use vertical::testing::{Order, TO_WORK};
use yare::parameterized;

async fn accesses(nursery: &Nursery, child: &str, by: Subject) -> Vec<pb::ChildAccess> {
    let request = pb::ListChildAccessesRequest { child_id: child.to_owned(), ..Default::default() };
    let answer = nursery.families().list_child_accesses(request).by(by).await;
    answer.unwrap().into_inner().accesses
}

/// Whether somebody reads the name of Lou in the care of an order; otherwise why not.
async fn reads(nursery: &Nursery, order: &Order, by: Subject) -> Result<bool, String> {
    match nursery.read_care(order, by).await {
        Ok(care) => {
            let profiles = care.children.into_iter().filter_map(|child| child.profile);
            Ok(profiles.into_iter().any(|profile| profile.name == NAME))
        }
        refused => Err(refusal(refused)),
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_carer_reads_from_a_day_before_until_all_are_fetched(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut order = nursery.book(&family, &[&family.lou]).await;
    order.window = kit::testing::window("2027-05-26T08:00:00Z", 2);
    let none: Result<bool, String> = Err("ORDER_NOT_FOUND".to_owned());
    let carer = order.provider;
    assert_eq!(reads(&nursery, &order, carer).await, none, "before the assignment");
    nursery.go(&mut order, OrderState::Assigned).await;
    assert_eq!(reads(&nursery, &order, carer).await, Err("CARE_CLOSED".to_owned()), "long before");
    nursery.wait(24 * 60);
    assert_eq!(reads(&nursery, &order, carer).await, Ok(true), "a day before");
    nursery.wait(24 * 60);
    nursery.go_through(&mut order, &TO_WORK[1..]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1)).await.unwrap();
    assert_eq!(reads(&nursery, &order, carer).await, Ok(true), "during the care");
    assert_eq!(reads(&nursery, &order, somebody(&[Role::Provider])).await, none, "another carer");
    nursery.check_out(&order, Hand::over(&family.lou, &family.aunt, 2).code(CODE)).await.unwrap();
    assert_eq!(reads(&nursery, &order, carer).await, Err("CARE_CLOSED".to_owned()), "after it");
    nursery.go_through(&mut order, &TO_END).await;
    assert_eq!(reads(&nursery, &order, carer).await, Err("CARE_CLOSED".to_owned()));
    assert_eq!(reads(&nursery, &order, family.parent).await, Ok(true), "a guardian always does");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_carer_who_gave_the_order_back_reads_nothing(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let mut order = nursery.book(&family, &[&family.lou]).await;
    nursery.go(&mut order, OrderState::Assigned).await;
    let former = order.provider;
    assert_eq!(reads(&nursery, &order, former).await, Ok(true));
    nursery.go(&mut order, OrderState::Searching).await;
    assert_eq!(reads(&nursery, &order, former).await, Err("ORDER_NOT_FOUND".to_owned()));
    order.provider = somebody(&[Role::Provider]);
    nursery.go(&mut order, OrderState::Assigned).await;
    assert_eq!(reads(&nursery, &order, former).await, Err("ORDER_NOT_FOUND".to_owned()));
    assert_eq!(reads(&nursery, &order, order.provider).await, Ok(true));
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_read_is_written_down_with_an_operators_reason(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou, &family.max]).await;
    let operator = nursery.operator;
    let request = pb::GetCareRequest { order_id: order.id.clone() };
    let silent = nursery.care().get_care(request).by(operator).await;
    assert_eq!(refused_field(silent), "Operator-Reason");
    assert_eq!(accesses(&nursery, &family.lou, family.parent).await, [], "nothing was read");
    for reader in [family.parent, order.provider, operator] {
        assert_eq!(reads(&nursery, &order, reader).await, Ok(true));
    }
    let child = pb::GetChildRequest { child_id: family.lou.clone() };
    nursery.families().get_child(child).by(family.parent).await.unwrap();
    let written = accesses(&nursery, &family.lou, family.parent).await;
    let lines: Vec<_> = written
        .iter()
        .rev()
        .map(|it| (it.role.as_str(), it.fields.join("+"), it.reason.as_str()))
        .collect();
    let both = || "profile+adults".to_owned();
    assert_eq!(
        lines,
        [
            ("guardian", both(), ""),
            ("carer", both(), ""),
            ("operator", both(), "a call of the mother"),
            ("guardian", "profile".to_owned(), ""),
        ]
    );
    assert_eq!(accesses(&nursery, &family.max, family.parent).await.len(), 3);
    // Nobody changes what is written down.
    for sql in ["UPDATE accesses SET role = 'nobody'", "DELETE FROM accesses"] {
        let refused = nursery.execute(sql).await.unwrap_err().to_string();
        assert!(refused.contains("append-only"), "{refused}");
    }
    let notified = nursery.make_guardian(family.parent, &family.lou, GuardianRight::Notify).await;
    let request =
        pb::ListChildAccessesRequest { child_id: family.lou.clone(), ..Default::default() };
    let refused = nursery.families().list_child_accesses(request).by(notified).await;
    assert_eq!(refusal(refused), "GUARDIAN_RIGHT");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_word_about_a_child_is_in_any_table(backend: Backend) {
    let nursery = Nursery::open(backend).await;
    let family = nursery.family().await;
    let order = nursery.begin(&family, &[&family.lou]).await;
    nursery.check_in(&order, Hand::over(&family.lou, &family.aunt, 1).code(CODE)).await.unwrap();
    let request = pb::ReportIncidentRequest {
        order_id: order.id.clone(),
        id: new_id(),
        child_id: family.lou.clone(),
        kind: "allergy".to_owned(),
        text: format!("{NAME}: {ALLERGY}, {NOTE}"),
    };
    nursery.care().report_incident(request).by(order.provider).await.unwrap();
    assert_eq!(reads(&nursery, &order, nursery.operator).await, Ok(true));
    let tables = match nursery.is_sqlite().await {
        true => "SELECT name FROM sqlite_schema WHERE type = 'table'",
        false => {
            "SELECT table_name::text FROM information_schema.tables
             WHERE table_schema = 'child_assistance'"
        }
    };
    let mut seen = 0;
    for table in nursery.texts(tables).await {
        for row in rows_of(&nursery, &table).await {
            seen += 1;
            for secret in
                [NAME, ALLERGY, NOTE, "Anne Canari", "Grandma", "2022-05-17", CODE, "a call of"]
            {
                let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
                assert!(!row.contains(secret) && !row.contains(&hex), "`{secret}` is in {table}");
            }
        }
    }
    assert!(seen > 15, "only {seen} rows were searched");
}

/// The rows of a table as texts, bytes in hexadecimal.
async fn rows_of(nursery: &Nursery, table: &str) -> Vec<String> {
    if !nursery.is_sqlite().await {
        return nursery
            .texts(&format!(r#"SELECT t::text FROM child_assistance."{table}" t"#))
            .await;
    }
    let columns = nursery.texts(&format!("SELECT name FROM pragma_table_info('{table}')")).await;
    let columns: Vec<_> = columns
        .iter()
        .map(|column| format!(r#"coalesce(lower(hex(CAST("{column}" AS BLOB))), '')"#))
        .collect();
    nursery.texts(&format!(r#"SELECT {} FROM "{table}""#, columns.join(" || ',' || "))).await
}
