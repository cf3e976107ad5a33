//! The schemas of a PostgreSQL database: none that was there before is made anew without a word.

use super::program::Home;
use kit::testing::Backend;

impl Home {
    async fn change_database(&self, statements: &[&str]) {
        for statement in statements {
            self.rows("user", statement).await;
        }
    }
}

const LOSE_PAYMENT: &str = "ALTER SCHEMA payment RENAME TO kept";
const PUT_PAYMENT_BACK: &str = "ALTER SCHEMA kept RENAME TO payment";

#[tokio::test(flavor = "multi_thread")]
async fn lost_tables_stop_the_start_until_the_operator_decides() {
    let home = Home::new(Backend::Postgres).await;
    home.start().await.stop().await;
    for (lose, put_back) in [
        (&[LOSE_PAYMENT][..], &[PUT_PAYMENT_BACK][..]),
        (&[LOSE_PAYMENT, "CREATE SCHEMA payment"], &["DROP SCHEMA payment", PUT_PAYMENT_BACK]),
    ] {
        home.change_database(lose).await;
        // A start that is refused changes nothing.
        for command in ["up", "up", "run payment --redis-url redis://127.0.0.1:9"] {
            let said = home.refusal(command).await;
            assert!(said.contains("the schema \"payment\" of the database"), "{lose:?}: {said}");
        }
        home.change_database(put_back).await;
        home.start().await.stop().await;
    }
    home.change_database(&[LOSE_PAYMENT]).await;
    let said = home.refusal("up").await;
    let (_, way_out) = said.split_once("execute ").expect("a way out");
    home.change_database(&[way_out.lines().next().unwrap()]).await;
    home.start().await.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_an_earlier_version_misses_its_tables_too() {
    let home = Home::new(Backend::Postgres).await;
    home.start().await.stop().await;
    home.change_database(&["DROP SCHEMA quickserve CASCADE", LOSE_PAYMENT]).await;
    for _ in 0..2 {
        assert!(home.refusal("up").await.contains("the schema \"payment\" of the database"));
    }
    home.change_database(&[PUT_PAYMENT_BACK]).await;
    home.start().await.stop().await;
}
