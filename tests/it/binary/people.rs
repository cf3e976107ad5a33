//! Who lives in a test of the program: an operator, a customer with a card and a cleaner who can be booked.

use super::program::{Home, Program, run};
use chrono::{DateTime, Duration, Timelike, Utc};
use kit::Clock;
use quickserve::{
    client::Answer,
    demo::{self, Person, Provider, text_at},
};
use serde_json::{Value, json};

/// The three of them, signed in at one run of the program.
#[derive(Clone)]
pub struct People {
    pub operator: Person,
    pub customer: Person,
    pub provider: Provider,
}

impl People {
    /// New ones.
    pub async fn settle(home: &Home, program: &Program) -> Self {
        let email = "operator@test.example";
        let mut command = home.command(&["create-operator", email]);
        command.env("QS_OPERATOR_PASSWORD", demo::PASSWORD);
        run(command).await.ok();
        let operator = demo::sign_in(&program.client, email, demo::PASSWORD).await.unwrap();
        let customer = demo::make_customer(&program.client, "alice", "alice@test.example");
        let provider = demo::make_cleaner(&program.client, &operator, "bob", "bob@test.example");
        let (customer, provider) = (customer.await.unwrap(), provider.await.unwrap());
        Self { operator, customer, provider }
    }

    /// The same people at a later run, with the tokens they have.
    pub fn at(&self, program: &Program) -> Self {
        let moved = |person: &Person| Person {
            client: program.client.with_token(person.client.token().unwrap()),
            ..person.clone()
        };
        let provider = Provider { person: moved(&self.provider.person), ..self.provider.clone() };
        Self { operator: moved(&self.operator), customer: moved(&self.customer), provider }
    }

    /// A price for the customer, `hours` from now.
    pub async fn quote(&self, hours: i64) -> String {
        let request = demo::quote_request(&self.provider.provider_id, in_hours(hours));
        let quote = self.customer.client.post("/v1/quotes", request).await.unwrap().ok().unwrap();
        text_at(&quote, "id").unwrap()
    }

    /// As [`People::quote`], while services may be away: the status, and the price if there is one.
    pub async fn try_quote(&self, hours: i64) -> (u16, Option<String>) {
        let request = demo::quote_request(&self.provider.provider_id, in_hours(hours));
        let answer = self.customer.client.post("/v1/quotes", request).await.unwrap();
        let status = answer.status.as_u16();
        (status, answer.ok().ok().map(|quote| text_at(&quote, "id").unwrap()))
    }

    /// Asks to book a price.
    pub async fn book(&self, quote: &str) -> anyhow::Result<Answer> {
        self.customer.client.post("/v1/orders", json!({ "quote_id": quote })).await
    }

    /// As [`People::book`], with an idempotency key of that price.
    pub async fn book_with_key(&self, quote: &str) -> anyhow::Result<Answer> {
        let (order, key) = (json!({ "quote_id": quote }), ("idempotency-key", quote));
        self.customer.client.send(http::Method::POST, "/v1/orders", Some(order), &[key]).await
    }

    /// The customer's orders.
    pub async fn orders(&self) -> Vec<Value> {
        let listed = self.customer.client.get("/v1/orders?page_size=100").await.unwrap();
        listed.ok().unwrap()["orders"].as_array().unwrap().clone()
    }
}

/// The full hour so many hours from now; at least one hour is left.
pub fn in_hours(hours: i64) -> DateTime<Utc> {
    let start = Clock::system().now() + Duration::hours(hours + 1);
    start.with_minute(0).and_then(|time| time.with_second(0)?.with_nanosecond(0)).unwrap()
}
