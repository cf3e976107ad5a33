//! Fills a running system with a demo city, so that the first minutes with it are not an empty database.

use crate::drive;
use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use kit::Host;
use quickserve::{
    client::Client,
    demo::{self, Person, Provider},
};
use serde_json::json;
use std::{io::Write, time::Duration};
use uuid::Uuid;

/// How often the cleaner of a series tries to take it.
const SERIES_TRIES: u32 = 40;
/// The pause between two tries.
const SERIES_PAUSE: Duration = Duration::from_millis(250);

/// How many people the city gets.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct City {
    /// Customers to make, each with a card.
    #[arg(long, default_value_t = 20)]
    pub customers: u32,
    /// Cleaners to make.
    #[arg(long, default_value_t = 10)]
    pub providers: u32,
    /// Drivers with cars to make.
    #[arg(long, default_value_t = 3)]
    pub drivers: u32,
    /// Companies of four movers with two trucks to make.
    #[arg(long, default_value_t = 1)]
    pub movers: u32,
    /// Repairers to make; the first one has a repair to do.
    #[arg(long, default_value_t = 1)]
    pub repairers: u32,
    /// Carers to make; the first customer then has a family with two children and an aunt.
    #[arg(long, default_value_t = 2)]
    pub carers: u32,
    /// Seconds in which the car of a driver comes to a customer, so that its track can be watched; 0 for none.
    #[arg(long = "drive", default_value_t = 0, value_name = "SECONDS")]
    pub drive_seconds: u32,
}

/// Makes the city through the REST interface at `url`. The operator who vets the cleaners is made in the tables of
/// `host`, because the interface makes none.
pub async fn seed_city(host: &Host, url: &str, city: City) -> anyhow::Result<()> {
    let client = Client::new(url);
    // A run adds people of its own beside those of earlier runs.
    let run = Uuid::new_v4().simple().to_string()[..6].to_owned();
    let operator_email = email_of("operator", 0, &run);
    user::create_operator(host, &operator_email, "Olympe Opératrice", demo::PASSWORD)
        .await
        .context("the operator; is this the data folder of the running system?")?;
    let operator = demo::sign_in(&client, &operator_email, demo::PASSWORD).await?;
    let providers_of_all =
        city.providers + city.drivers + city.movers + city.repairers + city.carers;
    let people = providers_of_all + 2 * city.customers;
    let bar = progress_bar(people, "{msg:10} {bar:40} {pos}/{len} {eta}")?;
    let mut providers = Vec::new();
    bar.set_message("cleaners");
    for number in 0..city.providers {
        let email = email_of("cleaner", number, &run);
        providers
            .push(demo::make_cleaner(&client, &operator, &person_name(number + 7), &email).await?);
        bar.inc(1);
    }
    let mut drivers = Vec::new();
    bar.set_message("drivers");
    for number in 0..city.drivers {
        let email = email_of("driver", number, &run);
        let name = person_name(number + 3);
        drivers.push(demo::make_driver(&client, &operator, &name, &email).await?);
        bar.inc(1);
    }
    make_companies(&client, &operator, city.movers, &run, &bar).await?;
    let repairers = make_repairers(&client, &operator, city.repairers, &run, &bar).await?;
    let mut customers = Vec::new();
    bar.set_message("customers");
    for number in 0..city.customers {
        customers.push(
            demo::make_customer(&client, &person_name(number), &email_of("customer", number, &run))
                .await?,
        );
        bar.inc(1);
    }
    bar.set_message("bookings");
    let booked = make_bookings(&customers, &providers, &bar).await?;
    book_repair(&customers, &repairers).await?;
    if let Some(customer) = customers.first() {
        make_carers(&client, &operator, &city, (run.as_str(), customer), &bar).await?;
    }
    if let (Some(customer), Some(provider)) = (customers.first(), providers.first()) {
        make_series(customer, provider).await?;
    }
    bar.finish_and_clear();
    print_report(&city, booked, &run)?;
    if let (Some(customer), Some(driver), 1..) =
        (customers.first(), drivers.first(), city.drive_seconds)
    {
        show_car(url, customer, driver, city.drive_seconds).await?;
    }
    Ok(())
}

fn progress_bar(length: u32, template: &str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(length.into());
    bar.set_style(ProgressStyle::with_template(template)?);
    Ok(bar)
}

/// Moves the car of a driver to a customer, so that its track can be watched.
async fn show_car(
    url: &str,
    customer: &Person,
    driver: &Provider,
    seconds: u32,
) -> anyhow::Result<()> {
    let order = drive::call_car(customer, driver).await?;
    print_track(url, &order, &customer.email)?;
    let bar = progress_bar(seconds, "{msg:10} {bar:40} {pos}/{len} s")?;
    bar.set_message("a car");
    drive::drive_to_pick_up(driver, &order, seconds, &bar).await?;
    bar.finish_and_clear();
    Ok(())
}

/// Makes companies of movers.
async fn make_companies(
    client: &Client,
    operator: &Person,
    count: u32,
    run: &str,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    bar.set_message("movers");
    for number in 0..count {
        let email = email_of("movers", number, run);
        let name = format!("Déménagements {}", person_name(number + 5));
        demo::make_movers(client, operator, &name, &email).await?;
        bar.inc(1);
    }
    Ok(())
}

/// The address of one of the people of a run.
fn email_of(kind: &str, number: u32, run: &str) -> String {
    format!("{kind}{number}.{run}@demo.example")
}

/// Makes so many repairers.
async fn make_repairers(
    client: &Client,
    operator: &Person,
    count: u32,
    run: &str,
    bar: &ProgressBar,
) -> anyhow::Result<Vec<Provider>> {
    let mut repairers = Vec::new();
    bar.set_message("repairers");
    for number in 0..count {
        let email = email_of("repairer", number, run);
        let name = person_name(number + 5);
        repairers.push(demo::make_repairer(client, operator, &name, &email).await?);
        bar.inc(1);
    }
    Ok(repairers)
}

/// Each customer books once, on the days to come; every other booking is accepted.
async fn make_bookings(
    customers: &[Person],
    providers: &[Provider],
    bar: &ProgressBar,
) -> anyhow::Result<usize> {
    let mut booked = 0;
    for (number, customer) in customers.iter().enumerate() {
        let Some(provider) = providers.get(number % providers.len().max(1)) else { break };
        let round = i64::try_from(number / providers.len())?;
        let start = tomorrow_at() + chrono::Duration::hours(4 * round);
        let order = demo::book_cleaning(customer, provider, start).await?;
        if number % 2 == 0 {
            let path = format!("/v1/orders/{}:accept", demo::text_at(&order, "id")?);
            provider.person.client.post(&path, json!({})).await?.ok()?;
        }
        booked += 1;
        bar.inc(1);
    }
    Ok(booked)
}

/// The last customer has a washing machine repaired in two days, and the first repairer has agreed to come.
async fn book_repair(customers: &[Person], repairers: &[Provider]) -> anyhow::Result<()> {
    let (Some(customer), Some(repairer)) = (customers.last(), repairers.first()) else {
        return Ok(());
    };
    let start = tomorrow_at() + chrono::Duration::days(1);
    let order = demo::book(customer, demo::repair_request(&repairer.provider_id, start)).await?;
    let path = format!("/v1/orders/{}:accept", demo::text_at(&order, "id")?);
    repairer.person.client.post(&path, serde_json::json!({})).await?.ok()?;
    Ok(())
}

/// Carers, the first of whom looks after the family of a customer.
async fn make_carers(
    client: &Client,
    operator: &Person,
    city: &City,
    (run, customer): (&str, &Person),
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    bar.set_message("carers");
    for number in 0..city.carers {
        let (email, name) = (email_of("carer", number, run), person_name(number + 5));
        let carer = demo::make_carer(client, operator, &name, &email).await?;
        if number == 0 {
            book_care(customer, &carer).await?;
        }
        bar.inc(1);
    }
    Ok(())
}

/// A customer with two children and an aunt has the carer look after them tomorrow afternoon.
async fn book_care(customer: &Person, carer: &Provider) -> anyhow::Result<()> {
    let start = tomorrow_at() + chrono::Duration::hours(6);
    let family = demo::make_family(customer, start).await?;
    let children = [family.lou.as_str(), family.max.as_str()];
    let request = demo::care_request(&carer.provider_id, &children, start, 180);
    let order = demo::book(customer, request).await?;
    let path = format!("/v1/orders/{}:accept", demo::text_at(&order, "id")?);
    carer.person.client.post(&path, serde_json::json!({})).await?.ok()?;
    Ok(())
}

/// The first customer has the first cleaner come every week, who has said yes to all visits.
async fn make_series(customer: &Person, provider: &Provider) -> anyhow::Result<()> {
    let from_on = (tomorrow_at() + chrono::Duration::days(7)).date_naive().to_string();
    let request = demo::series_request(&provider.provider_id, &from_on);
    let series = customer.client.post("/v1/series", request).await?.ok().context("a series")?;
    let path = format!("/v1/series/{}", demo::text_at(&series, "id")?);
    // The cleaner knows of the series once its first visit is booked.
    for _ in 0..SERIES_TRIES {
        let accepted = provider.person.client.post(&format!("{path}:accept"), json!({})).await?;
        if accepted.status.is_success() {
            return Ok(());
        }
        tokio::time::sleep(SERIES_PAUSE).await;
    }
    Ok(())
}

/// Eight o'clock UTC tomorrow.
fn tomorrow_at() -> chrono::DateTime<chrono::Utc> {
    let day = kit::Clock::system().now().date_naive() + chrono::Duration::days(1);
    day.and_time(chrono::NaiveTime::MIN).and_utc() + chrono::Duration::hours(8)
}

fn person_name(number: u32) -> String {
    const FIRST: [&str; 8] =
        ["Amélie", "Baptiste", "Chloé", "Driss", "Élise", "Farid", "Gaëlle", "Hugo"];
    const LAST: [&str; 7] =
        ["Arnaud", "Benali", "Colin", "Diallo", "Étienne", "Fontaine", "Girard"];
    let first = FIRST[number as usize % FIRST.len()];
    let last = LAST[(number / 3) as usize % LAST.len()];
    format!("{first} {last}")
}

fn print_report(city: &City, booked: usize, run: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "{} cleaners, {} drivers, {} companies of movers, {} repairers, {} carers, {} customers, {booked} bookings. \
         Sign in with the password {}:",
        city.providers,
        city.drivers,
        city.movers,
        city.repairers,
        city.carers,
        city.customers,
        demo::PASSWORD
    )?;
    for kind in ["operator", "customer", "cleaner", "driver", "movers", "repairer", "carer"] {
        writeln!(out, "  {kind:8}  {}", email_of(kind, 0, run))?;
    }
    Ok(out.flush()?)
}

/// Says how to watch the car that comes.
fn print_track(url: &str, order: &str, customer: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "A car comes for {customer}, who can watch it, with an access token as $TOKEN:")?;
    writeln!(out, "  curl -N -H \"authorization: Bearer $TOKEN\" \\")?;
    writeln!(out, "    -H 'accept: text/event-stream' {url}/v1/orders/{order}/track")?;
    Ok(out.flush()?)
}
