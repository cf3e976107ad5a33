//! The ledger's rules are the database's own: whatever is illegal is refused by it.

use crate::shop::Shop;
use kit::testing::Backend;
use sea_orm::{ConnectionTrait, TransactionTrait};
use yare::parameterized;

/// Ids that are easy to write down, in the form of the engine.
fn id(backend: Backend, n: u8) -> String {
    match backend {
        Backend::Sqlite => format!("x'{n:032x}'"),
        Backend::Postgres => format!("'{}'", uuid::Uuid::from_u128(n.into())),
    }
}

/// Statements that post a balanced journal of two entries: journal 1 over the accounts 1 and 2.
fn balanced(backend: Backend) -> Vec<String> {
    let id = |n| id(backend, n);
    vec![
        format!("INSERT INTO accounts VALUES ({}, 'a', 'test', NULL, 'EUR')", id(1)),
        format!("INSERT INTO accounts VALUES ({}, 'b', 'test', NULL, 'EUR')", id(2)),
        format!("INSERT INTO accounts VALUES ({}, 'a', 'test', NULL, 'USD')", id(3)),
        draft(backend, 1, 2, "j1"),
        format!("INSERT INTO entries VALUES ({}, 0, {}, 'EUR', -5)", id(1), id(1)),
        format!("INSERT INTO entries VALUES ({}, 1, {}, 'EUR', 5)", id(1), id(2)),
        format!("UPDATE journals SET posted = TRUE WHERE id = {}", id(1)),
    ]
}

fn draft(backend: Backend, n: u8, entries: u8, reference: &str) -> String {
    let columns = "(id, reference, reverses, order_id, n_entries, posted, created_at)";
    let (journal, order) = (id(backend, n), id(backend, 9));
    format!(
        "INSERT INTO journals {columns} VALUES ({journal}, '{reference}', NULL, {order}, {entries}, \
         FALSE, '2027-05-10T09:00:00Z')"
    )
}

fn entry(
    backend: Backend,
    journal: u8,
    line: u8,
    account: u8,
    currency: &str,
    amount: i64,
) -> String {
    let (journal, account) = (id(backend, journal), id(backend, account));
    format!("INSERT INTO entries VALUES ({journal}, {line}, {account}, '{currency}', {amount})")
}

fn post(backend: Backend, n: u8) -> String {
    format!("UPDATE journals SET posted = TRUE WHERE id = {}", id(backend, n))
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_database_refuses_every_illegal_write(backend: Backend) {
    let shop = Shop::open(backend).await;
    let backend = shop.backend;
    let db = shop.db.connection();
    for statement in balanced(backend) {
        db.execute_unprepared(&statement).await.unwrap();
    }
    let (one, two) = (id(backend, 1), id(backend, 2));
    let unbalanced = vec![
        draft(backend, 2, 2, "j2"),
        entry(backend, 2, 0, 1, "EUR", -5),
        entry(backend, 2, 1, 2, "EUR", 4),
        post(backend, 2),
    ];
    let across = vec![
        draft(backend, 2, 2, "j2"),
        entry(backend, 2, 0, 1, "EUR", -5),
        entry(backend, 2, 1, 3, "USD", 5),
        post(backend, 2),
    ];
    let incomplete = vec![
        draft(backend, 2, 3, "j2"),
        entry(backend, 2, 0, 1, "EUR", -5),
        entry(backend, 2, 1, 2, "EUR", 5),
        post(backend, 2),
    ];
    let mut illegal = vec![
        ("an unbalanced posting", unbalanced),
        ("a posting that balances across currencies only", across),
        ("a posting with an entry missing", incomplete),
        ("a posting without entries", vec![draft(backend, 2, 0, "j2"), post(backend, 2)]),
        (
            "a posting that never was a draft",
            vec![draft(backend, 2, 2, "j2").replace("FALSE", "TRUE")],
        ),
        ("a reference used twice", vec![draft(backend, 2, 2, "j1")]),
        ("a late entry", vec![entry(backend, 1, 2, 1, "EUR", 5)]),
        ("an entry of zero", vec![draft(backend, 2, 2, "j2"), entry(backend, 2, 0, 1, "EUR", 0)]),
        (
            "an entry in a currency that its account has not",
            vec![draft(backend, 2, 2, "j2"), entry(backend, 2, 0, 2, "USD", 5)],
        ),
        ("an entry of no journal", vec![entry(backend, 7, 0, 1, "EUR", 5)]),
        ("a changed entry", vec!["UPDATE entries SET amount = amount + 1".into()]),
        ("a deleted entry", vec!["DELETE FROM entries".into()]),
        (
            "a journal taken back",
            vec![format!("UPDATE journals SET posted = FALSE WHERE id = {one}")],
        ),
        (
            "a changed journal",
            vec![format!("UPDATE journals SET reference = 'other' WHERE id = {one}")],
        ),
        ("a deleted journal", vec![format!("DELETE FROM journals WHERE id = {one}")]),
        ("a renamed account", vec!["UPDATE accounts SET code = 'other'".into()]),
        ("a deleted account", vec![format!("DELETE FROM accounts WHERE id = {two}")]),
    ];
    match backend {
        Backend::Sqlite => illegal.extend([
            (
                "a replaced journal",
                vec![draft(backend, 1, 2, "j1").replace("INSERT", "INSERT OR REPLACE")],
            ),
            (
                "a replaced entry",
                vec![
                    draft(backend, 2, 2, "j2"),
                    entry(backend, 2, 0, 1, "EUR", -5),
                    entry(backend, 2, 0, 1, "EUR", -6).replace("INSERT", "INSERT OR REPLACE"),
                ],
            ),
            (
                "a replaced account",
                vec![format!(
                    "INSERT OR REPLACE INTO accounts VALUES ({one}, 'z', 't', NULL, 'EUR')"
                )],
            ),
        ]),
        Backend::Postgres => illegal.extend([
            ("emptied entries", vec!["TRUNCATE entries".into()]),
            ("emptied journals", vec!["TRUNCATE journals CASCADE".into()]),
        ]),
    }
    for (what, statements) in illegal {
        #[expect(clippy::disallowed_methods, reason = "the test is no part of the service")]
        let tx = db.begin().await.unwrap();
        let (last, first) = statements.split_last().unwrap();
        for statement in first {
            tx.execute_unprepared(statement).await.unwrap();
        }
        let answer = tx.execute_unprepared(last).await;
        assert!(answer.is_err(), "{what} went through on {backend:?}");
        tx.rollback().await.unwrap();
    }
    assert!(
        shop.trial_balance()
            .await
            .lines
            .iter()
            .all(|line| { line.balance.as_ref().unwrap().minor_units == 0 && line.accounts == 2 })
    );
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_draft_does_not_count(backend: Backend) {
    let shop = Shop::open(backend).await;
    let backend = shop.backend;
    let db = shop.db.connection();
    let mut statements = balanced(backend);
    statements.pop();
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
    assert_eq!(shop.trial_balance().await.lines, []);
    db.execute_unprepared(&post(backend, 1)).await.unwrap();
    assert_eq!(shop.trial_balance().await.lines.len(), 1);
    shop.check_books().await;
}

/// Another session may not slip an entry into a journal while it is being posted.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_entry_waits_for_the_posting_and_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
    if shop.backend == Backend::Sqlite {
        // SQLite has one writer at a time, so no other session can slip in.
        shop.check_books().await;
        return;
    }
    let backend = shop.backend;
    let db = shop.db.connection();
    let mut statements = balanced(backend);
    let posting = statements.pop().unwrap();
    for statement in statements {
        db.execute_unprepared(&statement).await.unwrap();
    }
    #[expect(clippy::disallowed_methods, reason = "the test is no part of the service")]
    let tx = db.begin().await.unwrap();
    tx.execute_unprepared(&posting).await.unwrap();
    let late = entry(backend, 1, 2, 1, "EUR", 7);
    let (late, posted) = tokio::join!(db.execute_unprepared(&late), tx.commit());
    posted.unwrap();
    assert!(late.unwrap_err().to_string().contains("ledger_late_entry"));
    shop.check_books().await;
}
