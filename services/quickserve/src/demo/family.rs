//! The family of a demo city.

use super::Person;
use anyhow::Context;
use chrono::{DateTime, Duration, Utc};
use serde_json::json;
use uuid::Uuid;

/// A family: two children of a customer, and an aunt who may fetch both.
#[derive(Clone, Debug)]
pub struct Family {
    /// A child of a year and a half.
    pub lou: String,
    /// A child of school age.
    pub max: String,
    /// The aunt, as the adult of each of them.
    pub aunt_of_lou: String,
    pub aunt_of_max: String,
}

/// The code of the aunt.
pub const AUNT_CODE: &str = "27182818";

/// Enters two children of a customer, who are a year and a half and seven on a day, and an aunt.
pub async fn make_family(customer: &Person, day: DateTime<Utc>) -> anyhow::Result<Family> {
    let born = |months: i64| (day - Duration::days(months * 31)).date_naive().to_string();
    let lou = enter_child(customer, "Lou", &born(18)).await?;
    let max = enter_child(customer, "Max", &born(84)).await?;
    let aunt_of_lou = authorize_aunt(customer, &lou).await?;
    let aunt_of_max = authorize_aunt(customer, &max).await?;
    Ok(Family { lou, max, aunt_of_lou, aunt_of_max })
}

/// Enters a child.
pub async fn enter_child(customer: &Person, name: &str, born_on: &str) -> anyhow::Result<String> {
    let id = Uuid::new_v4().to_string();
    let profile = json!({
        "name": name, "born_on": born_on, "allergies": "peanuts",
        "notes": "Sleeps with the bear.",
        "contacts": [{ "name": "Grandma", "phone": "+33655443322" }],
    });
    let child = json!({ "id": id, "profile": profile });
    customer.client.post("/v1/children", child).await?.ok().context("a child")?;
    Ok(id)
}

/// Allows the aunt to bring and fetch a child.
async fn authorize_aunt(customer: &Person, child: &str) -> anyhow::Result<String> {
    let id = Uuid::new_v4().to_string();
    let profile = json!({ "name": "Anne Tante", "relation": "aunt", "phone": "+33611223344" });
    let adult = json!({ "id": id, "profile": profile, "code": AUNT_CODE });
    let path = format!("/v1/children/{child}/authorizedAdults");
    customer.client.post(&path, adult).await?.ok().context("an aunt")?;
    Ok(id)
}
