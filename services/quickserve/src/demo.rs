//! People of a demo city, made through the REST interface: what `seed-demo`, the end-to-end tests and the benchmark
//! start from.

mod family;
mod requests;

pub use family::{AUNT_CODE, Family, enter_child, make_family};
pub use requests::{
    care_request, move_request, quote_request, repair_request, ride_request, series_request,
    taxi_request,
};

use crate::client::Client;
use anyhow::Context;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

/// The zone of the city.
pub const ZONE: &str = "Europe/Paris";
/// The middle of the city, in degrees north and east.
pub const CENTRE: (f64, f64) = (48.8566, 2.3522);
/// The password of everybody in the city.
pub const PASSWORD: &str = "a-demo-city-of-light";

/// An account that is signed in.
#[derive(Clone)]
pub struct Person {
    /// Speaks for them.
    pub client: Client,
    pub user_id: String,
    /// The address they sign in with.
    pub email: String,
}

/// A provider that can be booked.
#[derive(Clone)]
pub struct Provider {
    /// The account behind it.
    pub person: Person,
    pub provider_id: String,
}

/// Registers an account and signs it in.
pub async fn register_account(
    client: &Client,
    role: &str,
    name: &str,
    email: &str,
) -> anyhow::Result<Person> {
    let account = json!({
        "name": name, "email": email, "role": role, "password": PASSWORD,
        "locale": "fr", "time_zone": ZONE,
    });
    client.post("/v1/users", account).await?.ok().context("registering")?;
    sign_in(client, email, PASSWORD).await
}

/// Signs an account in.
pub async fn sign_in(client: &Client, email: &str, password: &str) -> anyhow::Result<Person> {
    let client = client.sign_in(email, password).await.context("signing in")?;
    let me = client.get("/v1/me").await?.ok()?;
    Ok(Person { client, user_id: text_at(&me, "id")?, email: email.to_owned() })
}

/// A customer with a card that works.
pub async fn make_customer(client: &Client, name: &str, email: &str) -> anyhow::Result<Person> {
    let person = register_account(client, "customer", name, email).await?;
    add_card(&person, "tok_ok").await?;
    Ok(person)
}

/// Saves a card of the sandbox and returns its id.
pub async fn add_card(person: &Person, token: &str) -> anyhow::Result<String> {
    let card = json!({ "token": token });
    let saved = person.client.post("/v1/paymentMethods", card).await?.ok().context("a card")?;
    text_at(&saved, "id")
}

/// What a provider of the city does, and what it needs for that.
pub struct Trade {
    /// Key of the vertical.
    pub vertical: &'static str,
    /// Whether it is one person or a company, as the contract calls them.
    pub kind: &'static str,
    /// What such a provider says of itself.
    pub bio: &'static str,
    pub skills: &'static [&'static str],
    /// Kinds of document that an operator has looked at.
    pub documents: &'static [&'static str],
}

/// A provider that cleans homes and offices.
pub const CLEANER: Trade = Trade {
    vertical: "cleaning",
    kind: "PROVIDER_KIND_SOLO",
    bio: "Cleans with care.",
    skills: &["cleaning.standard", "cleaning.deep", "cleaning.move_out", "cleaning.office"],
    documents: &["identity", "insurance"],
};

/// A provider that drives people and parcels.
pub const DRIVER: Trade = Trade {
    vertical: "transport",
    kind: "PROVIDER_KIND_SOLO",
    bio: "Drives with care.",
    skills: &["transport.ride", "transport.parcel"],
    documents: &["identity", "insurance", "driving_licence", "vtc"],
};

/// A company that moves homes.
pub const MOVERS: Trade = Trade {
    vertical: "moving",
    kind: "PROVIDER_KIND_COMPANY",
    bio: "Moves with care.",
    skills: &["moving.mover", "moving.lead"],
    documents: &["identity", "insurance", "transport_licence"],
};

/// The people of a company of movers, two of whom can lead a crew.
const CREW: [(&str, &[&str]); 4] = [
    ("Inès", &["moving.mover", "moving.lead"]),
    ("Jules", &["moving.mover", "moving.lead"]),
    ("Karim", &["moving.mover"]),
    ("Léa", &["moving.mover"]),
];

/// The trucks of a company of movers: litres and kilograms.
const TRUCKS: [(i32, i32); 2] = [(20_000, 3_000), (30_000, 5_500)];

/// A provider that repairs what is broken in homes, and carries parts of one brand.
pub const REPAIRER: Trade = Trade {
    vertical: "repair",
    kind: "PROVIDER_KIND_SOLO",
    bio: "Repairs with care.",
    skills: &[
        "repair.plumbing",
        "repair.electrics",
        "repair.appliance",
        "repair.heating",
        "repair.locksmith",
        "repair.handyman",
        "repair.brand.bosch",
    ],
    documents: &["identity", "insurance", "gas_qualification", "electrics_qualification"],
};

/// A provider that looks after children.
pub const CARER: Trade = Trade {
    vertical: "child_assistance",
    kind: "PROVIDER_KIND_SOLO",
    bio: "Looks after children with care.",
    skills: &["child.under3", "child.school", "child.special"],
    documents: &["identity", "first_aid", "background"],
};

/// A cleaner who is vetted by `operator` and works around the clock, so that every hour can be booked.
pub async fn make_cleaner(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
) -> anyhow::Result<Provider> {
    make_provider(client, operator, name, email, &CLEANER).await
}

/// A driver with a car who is vetted by `operator` and works around the clock.
pub async fn make_driver(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
) -> anyhow::Result<Provider> {
    let driver = make_provider(client, operator, name, email, &DRIVER).await?;
    add_car(&driver).await?;
    Ok(driver)
}

/// A repairer who is vetted by `operator` and works around the clock.
pub async fn make_repairer(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
) -> anyhow::Result<Provider> {
    make_provider(client, operator, name, email, &REPAIRER).await
}

/// A carer who is vetted by `operator` and works around the clock.
pub async fn make_carer(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
) -> anyhow::Result<Provider> {
    make_provider(client, operator, name, email, &CARER).await
}

/// Gives a provider a car for four, and returns its id.
pub async fn add_car(provider: &Provider) -> anyhow::Result<String> {
    let path = format!("/v1/providers/{}/assets", provider.provider_id);
    let car = json!({ "kind": "car", "seats": 4, "volume_l": 400, "payload_kg": 400 });
    let car = provider.person.client.post(&path, car).await?.ok().context("a car")?;
    text_at(&car, "id")
}

/// A company of four movers with two trucks that is vetted by `operator` and works around the clock.
pub async fn make_movers(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
) -> anyhow::Result<Provider> {
    let movers = make_provider(client, operator, name, email, &MOVERS).await?;
    let profile = format!("/v1/providers/{}", movers.provider_id);
    let client = &movers.person.client;
    for (name, skills) in CREW {
        let member = json!({ "name": name, "role": "mover", "skills": skills });
        client.post(&format!("{profile}/members"), member).await?.ok().context("a member")?;
    }
    for (volume_l, payload_kg) in TRUCKS {
        add_truck(&movers, volume_l, payload_kg).await?;
    }
    Ok(movers)
}

/// Gives a provider a truck that takes so many litres and kilograms.
pub async fn add_truck(provider: &Provider, volume_l: i32, payload_kg: i32) -> anyhow::Result<()> {
    let path = format!("/v1/providers/{}/assets", provider.provider_id);
    let truck = json!({
        "kind": "truck", "seats": 3, "volume_l": volume_l, "payload_kg": payload_kg,
    });
    provider.person.client.post(&path, truck).await?.ok().context("a truck")?;
    Ok(())
}

/// A provider of a trade who is vetted by `operator` and works around the clock.
async fn make_provider(
    client: &Client,
    operator: &Person,
    name: &str,
    email: &str,
    trade: &Trade,
) -> anyhow::Result<Provider> {
    let person = register_account(client, "provider", name, email).await?;
    let profile = json!({
        "kind": trade.kind, "name": name, "bio": trade.bio,
        "city": "Paris", "country": "FR", "time_zone": ZONE,
    });
    let profile = person.client.post("/v1/providers", profile).await?.ok().context("applying")?;
    let provider = Provider { person, provider_id: text_at(&profile, "id")? };
    make_offer(&provider, trade).await.context("offering")?;
    verify_documents(&provider, operator, trade.documents).await.context("vetting")?;
    approve_provider(&provider, operator).await.context("vetting")?;
    Ok(provider)
}

/// Puts a driver online with the first of its vehicles.
pub async fn go_online(driver: &Provider) -> anyhow::Result<()> {
    let client = &driver.person.client;
    let path = format!("/v1/providers/{}/assets", driver.provider_id);
    let cars = client.get(&path).await?.ok().context("the driver's vehicles")?;
    let online = json!({ "asset_id": text_at(&cars["assets"][0], "id")? });
    client.post("/v1/me/provider:goOnline", online).await?.ok().context("going online")?;
    Ok(())
}

/// Has a provider offer a trade around the centre, at every hour.
pub async fn make_offer(provider: &Provider, trade: &Trade) -> anyhow::Result<()> {
    let path = format!("/v1/providers/{}", provider.provider_id);
    let client = &provider.person.client;
    let area = json!({ "lat": CENTRE.0, "lng": CENTRE.1, "radius_km": 25 });
    let offering = json!({ "vertical": trade.vertical, "skills": trade.skills, "area": area });
    client.post(&format!("{path}/offerings"), offering).await?.ok()?;
    let weekly: Vec<Value> =
        ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
            .iter()
            .map(|day| {
                let hours = json!({ "start": "00:00", "end": "24:00" });
                json!({ "weekday": format!("WEEKDAY_{day}"), "hours": hours })
            })
            .collect();
    let availability = json!({ "time_zone": ZONE, "weekly": weekly });
    let path = format!("{path}/availability");
    client.send(http::Method::PUT, &path, Some(availability), &[]).await?.ok()?;
    Ok(())
}

/// Has a provider hand in documents of these kinds, and `operator` find them good.
pub async fn verify_documents(
    provider: &Provider,
    operator: &Person,
    kinds: &[&str],
) -> anyhow::Result<()> {
    let path = format!("/v1/providers/{}/documents", provider.provider_id);
    for kind in kinds {
        let document = json!({
            "kind": kind, "number": "DEMO-1",
            "issued_on": "2020-01-01", "expires_on": "2099-12-31",
        });
        let submitted = provider.person.client.post(&path, document).await?.ok()?;
        let verify = format!("{path}/{}:verify", text_at(&submitted, "id")?);
        operator.client.post(&verify, json!({})).await?.ok()?;
    }
    Ok(())
}

/// Has `operator` let a provider work whose documents are good.
pub async fn approve_provider(provider: &Provider, operator: &Person) -> anyhow::Result<()> {
    let path = format!("/v1/providers/{}", provider.provider_id);
    operator.client.post(&format!("{path}:startReview"), json!({})).await?.ok()?;
    let clear = json!({ "background_check": "BACKGROUND_CHECK_CLEAR" });
    let check = format!("{path}/backgroundCheck");
    operator.client.send(http::Method::PUT, &check, Some(clear), &[]).await?.ok()?;
    operator.client.post(&format!("{path}:approve"), json!({})).await?.ok()?;
    Ok(())
}

/// Asks for the price of a cleaning and books it. The provider still has to accept.
pub async fn book_cleaning(
    customer: &Person,
    provider: &Provider,
    start: DateTime<Utc>,
) -> anyhow::Result<Value> {
    book(customer, quote_request(&provider.provider_id, start)).await
}

/// Asks for a price and books it.
pub async fn book(customer: &Person, request: Value) -> anyhow::Result<Value> {
    let quote = customer.client.post("/v1/quotes", request).await?.ok().context("a quote")?;
    let order = json!({ "quote_id": text_at(&quote, "id")? });
    customer.client.post("/v1/orders", order).await?.ok().context("booking")
}

/// The text in a field of an answer.
pub fn text_at(answer: &Value, field: &str) -> anyhow::Result<String> {
    let text = answer[field].as_str().with_context(|| format!("no {field} in {answer}"))?;
    Ok(text.to_owned())
}
