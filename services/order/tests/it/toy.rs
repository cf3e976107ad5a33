//! A vertical that order has no line for goes through a whole order: its price with a cap, its dispatch, its gate and its
//! settlement are its own.

use crate::{
    acts::With,
    town::{Town, booking, metadata},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Window,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
    values::money::Currency,
};
use proto::quickserve::{
    common::v1::Money,
    fulfilment::v1::{OrderState, vertical_service_server::VerticalServiceServer},
    order::v1 as pb,
};
use serde::{Deserialize, Serialize};
use vertical::{
    Description, Error, Job, OrderSnapshot, Phase, QuoteInputs, Side, Vertical,
    price::{Dispatch, GateAnswer, JobRequirements, Lines, Quote},
};
use yare::parameterized;

/// Paints toys: the details say for how much.
pub struct Toys;

/// What the toy shop keeps of a job.
#[derive(Serialize, Deserialize)]
pub struct Paint {
    coats: u32,
}

impl Toys {
    fn requirements() -> JobRequirements {
        JobRequirements {
            skills: vec!["toy.standard".to_owned()],
            preferred_skills: vec!["toy.brand.teddy".to_owned()],
            minutes: 60,
            exclusive: true,
            dispatch: Some(Dispatch {
                live: true,
                wave_size: 1,
                answer: Duration::seconds(30),
                radius_m: 1_000,
                max_radius_m: 4_000,
                search: Duration::seconds(120),
                favourites_first: false,
            }),
            ..JobRequirements::default()
        }
    }
}

impl Vertical for Toys {
    type Details = Money;
    type Change = ();
    type Own = Paint;

    const KEY: &'static str = "toy";
    const DETAILS: &'static str = "quickserve.common.v1.Money";

    fn base_requirements(&self) -> JobRequirements {
        Self::requirements()
    }

    async fn quote(&self, inputs: QuoteInputs<Money>) -> Result<Quote, Error> {
        let mut lines = Lines::new(Self::KEY, Currency::EUR);
        lines.add_line("coat", 2, "coat", inputs.details.minor_units / 2);
        let cap = kit::Money::new(Currency::EUR, lines.sum() * 12 / 10);
        let start = inputs.window.start + Duration::minutes(10);
        let window = Window { start, end: start + Duration::hours(1), ..inputs.window };
        let window = Some(window).filter(|_| inputs.asap);
        let cap = Some(cap);
        Ok(Quote { cap, window, ..Quote::binding(lines.into_vec(), Self::requirements()) })
    }

    fn begin_job(&self, _: &Money, _: &OrderSnapshot) -> Result<Paint, Error> {
        Ok(Paint { coats: 0 })
    }

    fn change_details(&self, _: &mut Paint, _: &Money) -> Result<(), Error> {
        Ok(())
    }

    fn enter_phase(&self, own: &mut Paint, phase: Phase) {
        if phase == Phase::Working {
            own.coats += 1;
        }
    }

    fn forget_texts(&self, _: &mut Paint) {}

    /// A toy that waits for its paint is there, whoever opens the door.
    fn denials(&self, job: &Job<Paint>, to: Phase) -> Vec<&'static str> {
        match (job.phase(), to) {
            (Phase::AtTheDoor, Phase::Ended) => vec!["TOY_IS_THERE"],
            _ => Vec::new(),
        }
    }

    async fn judge_delivery(
        &self,
        _: &Job<Paint>,
        proof_kinds: &[String],
    ) -> Result<GateAnswer, Error> {
        let missing = ["photo.after"].into_iter().filter(|it| !proof_kinds.contains(&(*it).into()));
        let mut settlement = Lines::new(Self::KEY, Currency::EUR);
        settlement.add_line("glitter", 1, "gram", 500);
        let settlement = settlement.into_vec();
        Ok(GateAnswer { settlement, ..GateAnswer::as_agreed(missing) })
    }

    fn describe_job(&self, job: &Job<Paint>, side: Side, _: DateTime<Utc>) -> Description {
        let actions = if side == Side::Provider { vec!["paint"] } else { Vec::new() };
        Description { state: format!("COAT_{}", job.own.coats), actions }
    }
}

/// A town whose program has the toy beside cleaning. It keeps its jobs in the table that every vertical has.
async fn toy_town(backend: Backend) -> Town {
    let town = Town::with_verticals(backend, &["cleaning", "toy"]).await;
    town.host().of("cleaning").migrate().await.unwrap();
    let db = town.host().of("cleaning").database().await.unwrap();
    let server = VerticalServiceServer::new(vertical::Server::new(Toys, db));
    town.host().of("toy").install(kit::Routes::default().add(server));
    town.script.with(|memory| memory.travel_s = Some(240));
    town
}

impl Town {
    /// A toy for 30.00 that is to be painted as soon as possible.
    async fn toy_ordered(&self) -> String {
        let request = pb::CreateQuoteRequest {
            vertical: "toy".to_owned(),
            details: details(3_000),
            window: None,
            asap: true,
            ..self.quote_request(None, Duration::days(1))
        };
        let quoted = acting_as(self.customer, self.quotes().create_quote(request)).await.unwrap();
        let quote = quoted.into_inner().quote.unwrap();
        assert_eq!(quote.total.as_ref().unwrap().minor_units, 3_000);
        self.book(booking(&quote)).await.unwrap().id
    }
}

/// The details of a job for so many cents.
pub fn details(units: i64) -> Option<prost_types::Struct> {
    let json = serde_json::json!({ "currency": "EUR", "minor_units": units.to_string() });
    json.as_object().cloned().map(kit::rpc::details::to_struct)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_toy_is_painted_from_the_quote_to_the_review(backend: Backend) {
    let town = toy_town(backend).await;
    let (_, painter) = town.candidate();
    let id = town.toy_ordered().await;
    assert_eq!(town.script.money(&id).authorized, 3_600, "the cap is authorised");

    let offer = town.offer(painter).await;
    let preferred = town.script.with(|memory| memory.preferred_skills[0].clone());
    assert_eq!(preferred, ["toy.brand.teddy"]);
    let order = town.take(painter, &offer).await.unwrap();
    assert_eq!(order.state(), OrderState::Assigned);
    let full = town.full(painter, &id).await;
    assert_eq!(
        (full.vertical_state.as_str(), full.vertical_actions),
        ("COAT_0", vec!["paint".to_owned()])
    );
    for action in ["depart", "arrive"] {
        town.act(painter, action, &id).await;
    }
    let start_code = town.get(&id).await.start_code;
    let with = With { start_code, ..With::default() };
    town.act_with(painter, "start", &id, &with).await;
    assert_eq!(town.full(town.customer, &id).await.vertical_state, "COAT_1");

    town.act(painter, "proposeChange", &id).await;
    let change_order_id = town.full(town.customer, &id).await.change_orders[0].id.clone();
    let with = With { change_order_id, ..With::default() };
    town.act_with(town.customer, "approveChange", &id, &with).await;
    let early = town.attempt(painter, "deliver", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&early), "COMPLETION_GATE_CLOSED");
    town.attempt(painter, "addProof", &id, &With::default()).await.unwrap();
    let delivered = town.act(painter, "deliver", &id).await;
    // What was quoted, what was approved, and what the delivery came to.
    assert_eq!(delivered.total.unwrap().minor_units, 3_000 + 2_500 + 500);
    town.act(town.customer, "acceptDelivery", &id).await;
    town.until_script("it is paid", |it| it.money(&id).captured == 6_000).await;
    town.act(town.customer, "review", &id).await;
    town.act(painter, "review", &id).await;
    let fact = town.until_fact(&id, "order.reviewed").await;
    assert_eq!((fact.vertical.as_str(), fact.stars), ("toy", 5));
    assert!(town.script.memory().running.is_empty(), "the painter is free");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_toy_that_is_there_is_no_no_show(backend: Backend) {
    let town = toy_town(backend).await;
    let (_, painter) = town.candidate();
    let id = town.toy_ordered().await;
    let offer = town.offer(painter).await;
    town.take(painter, &offer).await.unwrap();
    for action in ["depart", "arrive"] {
        town.act(painter, action, &id).await;
    }
    for _ in 0..2 {
        town.clock.advance(Duration::minutes(10));
        town.act(painter, "contactAttempt", &id).await;
    }
    let (order, events) = (town.full(painter, &id).await, town.events.events_of(&id).len());
    let denied = town.attempt(painter, "noShow", &id, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&denied), "TRANSITION_DENIED");
    assert_eq!(metadata(&denied, "denials"), "TOY_IS_THERE");
    assert_eq!(town.full(painter, &id).await, order, "nothing is written");
    assert_eq!(town.events.events_of(&id).len(), events);
    assert!(!town.script.money(&id).closed);
}
