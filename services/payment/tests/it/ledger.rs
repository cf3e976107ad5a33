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

/// Statements that post `amount` to a new account of that kind.
fn overdrawn(backend: Backend, kind: &str, amount: i64) -> Vec<String> {
    let account = id(backend, 8);
    vec![
        format!("INSERT INTO accounts VALUES ({account}, 'c', '{kind}', NULL, 'EUR')"),
        draft(backend, 2, 2, "j2"),
        entry(backend, 2, 0, 8, "EUR", amount),
        entry(backend, 2, 1, 1, "EUR", -amount),
        post(backend, 2),
    ]
}

fn post(backend: Backend, n: u8) -> String {
    format!("UPDATE journals SET posted = TRUE WHERE id = {}", id(backend, n))
}

/// What the database must refuse: its name, and statements of which the last one is illegal.
type Illegal = (&'static str, Vec<String>);

fn illegal_postings(backend: Backend) -> Vec<Illegal> {
    let entry_of =
        |line, account, currency, amount| entry(backend, 2, line, account, currency, amount);
    let posting = |entries: u8, written: Vec<String>| {
        [vec![draft(backend, 2, entries, "j2")], written, vec![post(backend, 2)]].concat()
    };
    let euros = |amount| vec![entry_of(0, 1, "EUR", -5), entry_of(1, 2, "EUR", amount)];
    let across = vec![entry_of(0, 1, "EUR", -5), entry_of(1, 3, "USD", 5)];
    vec![
        ("an unbalanced posting", posting(2, euros(4))),
        ("a posting that balances across currencies only", posting(2, across)),
        ("a posting with an entry missing", posting(3, euros(5))),
        ("a posting without entries", posting(0, Vec::new())),
        (
            "a posting that never was a draft",
            vec![draft(backend, 2, 2, "j2").replace("FALSE", "TRUE")],
        ),
        ("a reference used twice", vec![draft(backend, 2, 2, "j1")]),
    ]
}

fn illegal_entries(backend: Backend) -> Vec<Illegal> {
    let drafted = |entry: String| vec![draft(backend, 2, 2, "j2"), entry];
    vec![
        ("a late entry", vec![entry(backend, 1, 2, 1, "EUR", 5)]),
        ("an entry of zero", drafted(entry(backend, 2, 0, 1, "EUR", 0))),
        (
            "an entry in a currency that its account has not",
            drafted(entry(backend, 2, 0, 2, "USD", 5)),
        ),
        ("an entry of no journal", vec![entry(backend, 7, 0, 1, "EUR", 5)]),
    ]
}

fn illegal_balances(backend: Backend) -> Vec<Illegal> {
    vec![
        ("an overdrawn escrow", overdrawn(backend, "order.escrow", -5)),
        ("an overdrawn deferred income", overdrawn(backend, "order.deferred", -5)),
        ("an overpaid due", overdrawn(backend, "customer.dues", 5)),
    ]
}

fn illegal_changes(backend: Backend) -> Vec<Illegal> {
    let (one, two) = (id(backend, 1), id(backend, 2));
    let changes = [
        ("a changed entry", "UPDATE entries SET amount = amount + 1".to_owned()),
        ("a deleted entry", "DELETE FROM entries".to_owned()),
        ("a journal taken back", format!("UPDATE journals SET posted = FALSE WHERE id = {one}")),
        ("a changed journal", format!("UPDATE journals SET reference = 'other' WHERE id = {one}")),
        ("a deleted journal", format!("DELETE FROM journals WHERE id = {one}")),
        ("a renamed account", "UPDATE accounts SET code = 'other'".to_owned()),
        ("a deleted account", format!("DELETE FROM accounts WHERE id = {two}")),
    ];
    changes.map(|(what, statement)| (what, vec![statement])).into()
}

/// What only one of the engines can be asked to do.
fn illegal_on(backend: Backend) -> Vec<Illegal> {
    let replace = |statement: String| statement.replace("INSERT", "INSERT OR REPLACE");
    match backend {
        Backend::Sqlite => vec![
            ("a replaced journal", vec![replace(draft(backend, 1, 2, "j1"))]),
            (
                "a replaced entry",
                vec![
                    draft(backend, 2, 2, "j2"),
                    entry(backend, 2, 0, 1, "EUR", -5),
                    replace(entry(backend, 2, 0, 1, "EUR", -6)),
                ],
            ),
            (
                "a replaced account",
                vec![format!(
                    "INSERT OR REPLACE INTO accounts VALUES ({}, 'z', 't', NULL, 'EUR')",
                    id(backend, 1)
                )],
            ),
        ],
        Backend::Postgres => vec![
            ("emptied entries", vec!["TRUNCATE entries".into()]),
            ("emptied journals", vec!["TRUNCATE journals CASCADE".into()]),
        ],
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn the_database_refuses_every_illegal_write(backend: Backend) {
    let shop = Shop::open(backend).await;
    let db = shop.db.connection();
    for statement in balanced(backend) {
        db.execute_unprepared(&statement).await.unwrap();
    }
    let illegal = [
        illegal_postings(backend),
        illegal_entries(backend),
        illegal_balances(backend),
        illegal_changes(backend),
        illegal_on(backend),
    ];
    for (what, statements) in illegal.into_iter().flatten() {
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
    for line in shop.trial_balance().await.lines {
        assert_eq!((line.balance.unwrap().minor_units, line.accounts), (0, 2));
    }
    shop.check_books().await;
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_draft_does_not_count(backend: Backend) {
    let shop = Shop::open(backend).await;
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

/// Another session may not slip an entry into a journal while it is being posted. SQLite has one writer at a time, so
/// that there is nothing to try there.
#[parameterized(postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_entry_waits_for_the_posting_and_is_refused(backend: Backend) {
    let shop = Shop::open(backend).await;
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
