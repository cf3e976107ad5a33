//! Whom to load with: a customer, many cleaners, and prices asked before they are booked.

use crate::{repeated, request};
use anyhow::Context;
use chrono::Duration;
use http::Method;
use kit::Clock;
use quickserve::{
    client::Client,
    demo::{self, Person, Provider},
};
use std::{
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex, PoisonError},
};
use tests::{
    load::{Answers, Requests},
    server::Server,
};

/// Hours between two starts at one cleaner: two of work and the time kept free around it.
const SLOT_HOURS: i64 = 4;
/// Slots of one cleaner. All start within six days, so that each booking authorises its payment.
const SLOTS: u64 = 34;

/// What to send.
pub struct Scenario {
    /// Its name in the table.
    pub name: &'static str,
    pub requests: Requests,
    /// Reads its answers.
    pub answers: Answers,
    /// Whether the same requests can be sent a second time.
    pub repeatable: bool,
}

pub struct World {
    customer: Person,
    token: String,
    providers: Vec<Provider>,
    quotes: Arc<Mutex<Vec<String>>>,
}

/// Makes the people through the REST interface.
pub async fn build(server: &Server, providers: u32) -> anyhow::Result<World> {
    let client = Client::new(&format!("http://{}", server.address));
    create_operator(server)?;
    let operator = demo::sign_in(&client, "operator@bench.example", demo::PASSWORD).await?;
    let mut cleaners = Vec::new();
    for number in 0..providers {
        let email = format!("cleaner{number}@bench.example");
        cleaners.push(demo::make_cleaner(&client, &operator, "Camille Bench", &email).await?);
    }
    let customer =
        demo::make_customer(&client, "Dominique Bench", "customer@bench.example").await?;
    let token = customer.client.token().context("signed in")?.to_owned();
    Ok(World { customer, token, providers: cleaners, quotes: Arc::default() })
}

/// Operators are made beside the server, as an administrator does.
fn create_operator(server: &Server) -> anyhow::Result<()> {
    let program: PathBuf = server.program.clone();
    let mut command = Command::new(program);
    command.args(["create-operator", "operator@bench.example", "--data-dir"]);
    command.arg(server.data_dir.path()).env("QS_OPERATOR_PASSWORD", demo::PASSWORD);
    if let Some(url) = &server.database_url {
        command.args(["--database-url", url]);
    }
    anyhow::ensure!(command.status()?.success(), "the operator was not made");
    Ok(())
}

impl World {
    /// The scenarios, in the order in which they feed each other.
    pub fn scenarios(&self) -> anyhow::Result<Vec<Scenario>> {
        Ok(vec![self.get_user()?, self.post_quotes(), self.post_orders()])
    }

    fn get_user(&self) -> anyhow::Result<Scenario> {
        let path = format!("/v1/users/{}", self.customer.user_id);
        let read = request(Method::GET, &path, Some(&self.token), None).context("request")?;
        let requests = repeated(read);
        Ok(Scenario { name: "GET user", requests, answers: Arc::new(|_, _| {}), repeatable: true })
    }

    /// A price for another slot each time, and round again; those of the first round are kept to be booked.
    fn post_quotes(&self) -> Scenario {
        let first = Clock::system().now() + Duration::hours(3);
        let token = self.token.clone();
        let providers: Vec<String> =
            self.providers.iter().map(|provider| provider.provider_id.clone()).collect();
        let round = SLOTS * providers.len() as u64;
        let requests: Requests = Arc::new(move |number| {
            let provider = providers.get(usize::try_from(number % round / SLOTS).ok()?)?;
            let slot = i64::try_from(number % SLOTS).ok()?;
            let body = demo::quote_request(provider, first + Duration::hours(SLOT_HOURS * slot));
            request(Method::POST, "/v1/quotes", Some(&token), Some(body.to_string()))
        });
        let kept = self.quotes.clone();
        let answers: Answers = Arc::new(move |number, body| {
            if number >= round {
                return;
            }
            let answer: Option<serde_json::Value> = serde_json::from_slice(body).ok();
            if let Some(id) = answer.as_ref().and_then(|answer| answer["id"].as_str()) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(id.to_owned());
            }
        });
        Scenario { name: "POST quote", requests, answers, repeatable: false }
    }

    /// Books each price once.
    fn post_orders(&self) -> Scenario {
        let (token, quotes) = (self.token.clone(), self.quotes.clone());
        let requests: Requests = Arc::new(move |_| {
            let quote = quotes.lock().unwrap_or_else(PoisonError::into_inner).pop()?;
            let body = serde_json::json!({ "quote_id": quote }).to_string();
            request(Method::POST, "/v1/orders", Some(&token), Some(body))
        });
        Scenario { name: "POST order", requests, answers: Arc::new(|_, _| {}), repeatable: false }
    }
}
