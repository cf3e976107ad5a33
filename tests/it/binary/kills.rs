//! The program is killed at random moments while customers book, a provider accepts and an operator suspends accounts:
//! no order is lost or doubled, and no event is lost.

use super::{crash::SOON, people::People, program::Home};
use crate::events;
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, text_at};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::time::Instant;
use yare::parameterized;

/// Kills of programs on the same data. So many take less time than prices and tokens are good for.
const KILLS_OF_A_HOME: u32 = 40;

/// A number that `tests/long` sets.
pub fn number_from<T: std::str::FromStr>(variable: &str, usual: T) -> T {
    let Ok(text) = std::env::var(variable) else { return usual };
    text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text}"))
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn killed_at_any_moment(backend: Backend) {
    let mut left: u32 = number_from("QS_TEST_KILLS", 12);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{left} kills at moments of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    while left > 0 {
        let kills = left.min(KILLS_OF_A_HOME);
        let town = Town::survive(backend, kills, &mut random).await;
        town.check().await;
        left -= kills;
    }
}

/// The provider's account is suspended, and the program ends before or after the others have heard of it.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_suspension_before_the_end_is_obeyed_after_it(backend: Backend) {
    for is_killed in [true, false] {
        let home = Home::new(backend).await;
        let program = home.start_with(&SOON).await;
        let people = People::settle(&home, &program).await;
        let quote = people.quote(24).await;
        let suspend = format!("/v1/users/{}:suspend", people.provider.person.user_id);
        people.operator.client.post(&suspend, json!({})).await.unwrap().ok().unwrap();
        if is_killed {
            program.kill();
        } else {
            program.stop().await;
        }
        let (_program, people) = home.restart(&people).await;
        let path = format!("/v1/providers/{}", people.provider.provider_id);
        let profile = async || people.operator.client.get(&path).await.unwrap().body;
        let is_blocked = |profile: &Value| profile["state"] == "PROVIDER_STATE_BLOCKED";
        eventually("the profile is blocked", profile, is_blocked).await;
        let refused = people.book(&quote).await.unwrap();
        assert_eq!(refused.reason(), "PROVIDER_NOT_ELIGIBLE", "{}", refused.body);
    }
}

/// What is there after the kills.
struct Town {
    home: Home,
    people: People,
    /// What the customer tried to book.
    quotes: Vec<String>,
}

impl Town {
    async fn survive(backend: Backend, kills: u32, random: &mut StdRng) -> Self {
        let home = Home::new(backend).await;
        let mut program = home.start_with(&SOON).await;
        let people = People::settle(&home, &program).await;
        let bystander = demo::make_customer(&program.client, "carol", "carol@test.example");
        let bystander = bystander.await.unwrap();
        let mut quotes = vec![people.quote(24).await];
        let begun = Instant::now();
        assert_eq!(people.book(&quotes[0]).await.unwrap().status, 201);
        let time_of_a_booking = begun.elapsed();
        for number in 0..kills {
            let people = people.at(&program);
            let quote = people.quote(28 + 4 * i64::from(number)).await;
            quotes.push(quote.clone());
            let requested = people.requested_order().await;
            let standing = if number % 2 == 0 { "suspend" } else { "reinstate" };
            let standing = format!("/v1/users/{}:{standing}", bystander.user_id);
            let acts = tokio::spawn(async move {
                tokio::join!(
                    people.book(&quote),
                    people.accept(requested),
                    people.operator.client.post(&standing, json!({})),
                )
            });
            // This waits for nothing: it is the moment of the kill.
            tokio::time::sleep(time_of_a_booking.mul_f64(random.random_range(0.0..1.5))).await;
            program.kill();
            // What got an answer and what did not is seen by what is there.
            let _ = acts.await.unwrap();
            program = home.start_with(&SOON).await;
        }
        program.kill();
        Self { home, people, quotes }
    }

    /// Every event arrives, and every price is booked once: before the last kill, or now.
    async fn check(self) {
        let Self { home, people, quotes } = self;
        let (_program, people) = home.restart(&people).await;
        let survived = home.is_consistent(&people).await.len();
        let missing = async || events::missing(async |name, sql| home.rows(name, sql).await).await;
        eventually("every event arrives", missing, Vec::is_empty).await;
        let mut new = 0;
        for quote in &quotes {
            let (status, _) = people.book_again(quote).await;
            new += usize::from(status == 201);
            let order = people.order_of(quote).await;
            assert!(is_alive(&order), "{order}");
        }
        assert_eq!(survived + new, quotes.len());
        assert_eq!(home.is_consistent(&people).await.len(), quotes.len());
    }
}

fn is_alive(order: &Value) -> bool {
    ["ORDER_STATE_REQUESTED", "ORDER_STATE_ASSIGNED"].iter().any(|state| order["state"] == *state)
}

impl People {
    /// An order that the provider has not answered.
    async fn requested_order(&self) -> Option<String> {
        let is_requested = |order: &Value| order["state"] == "ORDER_STATE_REQUESTED";
        self.orders()
            .await
            .into_iter()
            .find(is_requested)
            .map(|order| text_at(&order, "id").unwrap())
    }

    /// Accepts the order, if there is one. The program may be killed meanwhile.
    async fn accept(&self, order: Option<String>) {
        if let Some(order) = order {
            let path = format!("/v1/orders/{order}:accept");
            let _ = self.provider.person.client.post(&path, json!({})).await;
        }
    }
}
