//! A peer with the seed's routes: users and orders, nothing behind them.

use crate::{repeated, request};
use anyhow::Context;
use http::Method;
use quickserve::client::Client;
use serde_json::json;
use tests::load::Requests;

/// The scenarios that the peer can do too.
pub async fn scenarios(url: &str) -> anyhow::Result<Vec<(&'static str, Requests)>> {
    let email = format!("{}@bench.example", uuid::Uuid::new_v4().simple());
    let user =
        json!({ "name": "Bench", "email": email, "role": "client", "password": "bench-bench" });
    let user = Client::new(url).post("/users/", user).await?.ok().context("a user at the peer")?;
    let read = request(Method::GET, &format!("/users/{}", user["id"]), None, None);
    let order = json!({ "user_id": user["id"], "service": "cleaning", "description": "bench" });
    let order = request(Method::POST, "/orders/", None, Some(order.to_string()));
    Ok(vec![
        ("GET user", repeated(read.context("request")?)),
        ("POST order", repeated(order.context("request")?)),
    ])
}
