//! What a vertical is told of orders gets lost, comes twice and comes in the wrong order, and the process dies after a
//! commit: within half a minute the vertical stands where the order does.

use crate::{
    acts::With,
    town::{Town, booking},
    toy::{Paint, Toys, details},
};
use chrono::{DateTime, Duration, Utc};
use kit::{
    Db, Subject,
    testing::{Backend, acting_as, eventually, eventually_in_time},
};
use proto::quickserve::{
    fulfilment::v1::{
        self as fulfilment, TransitionMode,
        vertical_service_server::{VerticalService, VerticalServiceServer},
    },
    order::v1 as pb,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::sync::{Arc, Mutex};
use tonic::{Request, Response, Status};
use vertical::repository::{Reach, find_job};
use yare::parameterized;

/// By then the vertical stands where the order does.
const LIMIT: Duration = Duration::seconds(30);
/// Tellings in a row that do not arrive at once: each of them is tried again after a longer pause.
const MAX_LOST: usize = 3;
/// Orders that go through their lives while the way to the vertical is bad.
const ORDERS: u64 = 4;

/// What becomes of one telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It arrives.
    Straight,
    /// It is lost on the way there.
    Dropped,
    /// It arrives, and its answer is lost, so that it comes again.
    Unanswered,
    /// It arrives twice at once.
    Doubled,
    /// It is late, and arrives after the next one.
    Overtaken,
    /// It is lost, and nothing is answered.
    Hung,
}

/// How tellings come to the vertical.
struct Road {
    random: StdRng,
    /// What becomes of all of them; by chance where nothing is said.
    always: Option<Way>,
    /// One that others overtake.
    waiting: Option<fulfilment::OnTransitionRequest>,
    /// What became of them so far.
    seen: Vec<Way>,
}

impl Road {
    fn next(&mut self) -> Way {
        let by_chance = match self.random.random_range(0..6) {
            0 | 1 => Way::Dropped,
            2 => Way::Unanswered,
            3 => Way::Doubled,
            4 => Way::Overtaken,
            _ => Way::Straight,
        };
        let lost = |way: &&Way| matches!(way, Way::Dropped | Way::Overtaken);
        let lost_in_a_row = self.seen.iter().rev().take_while(lost).count();
        let by_chance = if lost_in_a_row < MAX_LOST { by_chance } else { Way::Straight };
        let way = self.always.unwrap_or(by_chance);
        self.seen.push(way);
        way
    }
}

/// The toy behind a bad road. Only what it is told takes it; questions arrive.
struct BehindRoad {
    toy: vertical::Server<Toys>,
    road: Arc<Mutex<Road>>,
}

impl BehindRoad {
    /// Delivers a telling, and after it the one that it has overtaken.
    async fn deliver(&self, request: fulfilment::OnTransitionRequest) -> Result<(), Status> {
        self.toy.on_transition(Request::new(request)).await?;
        let overtaken = self.road.lock().unwrap().waiting.take();
        if let Some(overtaken) = overtaken {
            self.toy.on_transition(Request::new(overtaken)).await?;
        }
        Ok(())
    }
}

#[tonic::async_trait]
impl VerticalService for BehindRoad {
    async fn on_transition(
        &self,
        request: Request<fulfilment::OnTransitionRequest>,
    ) -> Result<Response<fulfilment::OnTransitionResponse>, Status> {
        if request.get_ref().mode() != TransitionMode::Tell {
            return self.toy.on_transition(request).await;
        }
        let request = request.into_inner();
        let way = self.road.lock().unwrap().next();
        match way {
            Way::Straight => self.deliver(request).await?,
            Way::Dropped => return Err(Status::unavailable("lost on the way")),
            Way::Unanswered => {
                self.deliver(request).await?;
                return Err(Status::unavailable("the answer is lost"));
            }
            Way::Doubled => {
                let (first, second) =
                    tokio::join!(self.deliver(request.clone()), self.deliver(request));
                first.and(second)?;
            }
            Way::Overtaken => {
                self.road.lock().unwrap().waiting = Some(request);
                return Err(Status::unavailable("it is late"));
            }
            Way::Hung => std::future::pending().await,
        }
        Ok(Response::new(fulfilment::OnTransitionResponse::default()))
    }

    async fn describe_vertical(
        &self,
        request: Request<fulfilment::DescribeVerticalRequest>,
    ) -> Result<Response<fulfilment::DescribeVerticalResponse>, Status> {
        self.toy.describe_vertical(request).await
    }

    async fn quote(
        &self,
        request: Request<fulfilment::QuoteRequest>,
    ) -> Result<Response<fulfilment::QuoteResponse>, Status> {
        self.toy.quote(request).await
    }

    async fn completion_gate(
        &self,
        request: Request<fulfilment::CompletionGateRequest>,
    ) -> Result<Response<fulfilment::CompletionGateResponse>, Status> {
        self.toy.completion_gate(request).await
    }

    async fn quote_change(
        &self,
        request: Request<fulfilment::QuoteChangeRequest>,
    ) -> Result<Response<fulfilment::QuoteChangeResponse>, Status> {
        self.toy.quote_change(request).await
    }

    async fn describe_job(
        &self,
        request: Request<fulfilment::DescribeJobRequest>,
    ) -> Result<Response<fulfilment::DescribeJobResponse>, Status> {
        self.toy.describe_job(request).await
    }
}

/// A town whose toy is behind a bad road.
struct BadRoads {
    town: Town,
    road: Arc<Mutex<Road>>,
    /// The tables of the toy.
    db: Db,
}

/// Where an order stands: its state, and the account of its provider.
type Standing = (i32, Option<uuid::Uuid>);

impl BadRoads {
    async fn open(backend: Backend, seed: u64) -> Self {
        let town = Town::with_verticals(backend, &["cleaning", "toy"]).await;
        town.host().of("cleaning").migrate().await.unwrap();
        let db = town.host().of("cleaning").database().await.unwrap();
        let random = StdRng::seed_from_u64(seed);
        let road = Road { random, always: None, waiting: None, seen: Vec::new() };
        let roads = Self { town, road: Arc::new(Mutex::new(road)), db };
        roads.install_toy();
        roads.town.script.with(|memory| memory.travel_s = Some(240));
        roads
    }

    fn install_toy(&self) {
        let toy = vertical::Server::new(Toys, self.db.clone());
        let server = BehindRoad { toy, road: self.road.clone() };
        let routes = kit::Routes::default().add(VerticalServiceServer::new(server));
        self.town.host().of("toy").install(routes);
    }

    fn always(&self, way: Option<Way>) {
        self.road.lock().unwrap().always = way;
    }

    /// Where the order stands.
    async fn of_order(&self, id: &str) -> Standing {
        let order = self.town.get_as(self.town.operator, id).await.unwrap();
        (order.state, order.provider_user_id.parse().ok())
    }

    /// Where the vertical thinks that the order stands; nothing before it has heard of it.
    async fn of_toy(&self, id: &str) -> Option<Standing> {
        let job = find_job::<Paint>(self.db.connection(), id.parse().unwrap(), Reach::All).await;
        let order = job.ok()?.order;
        Some((order.state, order.provider_user_id))
    }

    /// Waits until the vertical stands where the order does, which must not take longer than it may.
    async fn agree(&self, id: &str, committed: DateTime<Utc>) {
        let host = self.town.host().of("order");
        let both = async || (Some(self.of_order(id).await), self.of_toy(id).await);
        eventually_in_time("the vertical is in step", &[host], both, |(order, toy)| order == toy)
            .await;
        let took = self.town.clock.now() - committed;
        assert!(took <= LIMIT, "it took {took}: {:?}", self.road.lock().unwrap().seen);
    }

    async fn act(&self, who: Subject, action: &str, id: &str, with: &With) {
        let committed = self.town.clock.now();
        self.town.act_with(who, action, id, with).await;
        self.agree(id, committed).await;
    }

    /// An order whose painter has accepted it.
    async fn assigned(&self, painter: Subject) -> String {
        let town = &self.town;
        let request = pb::CreateQuoteRequest {
            vertical: "toy".to_owned(),
            details: details(3_000),
            window: None,
            asap: true,
            ..town.quote_request(None, Duration::days(1))
        };
        let quoted = acting_as(town.customer, town.quotes().create_quote(request)).await.unwrap();
        let id = town.book(booking(&quoted.into_inner().quote.unwrap())).await.unwrap().id;
        let offer = town.offer(painter).await;
        town.take(painter, &offer).await.unwrap();
        id
    }

    async fn start_code(&self, id: &str) -> With {
        With { start_code: self.town.get(id).await.start_code, ..With::default() }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn whatever_becomes_of_tellings_the_vertical_stands_where_the_order_does(backend: Backend) {
    let mut seen = Vec::new();
    for seed in 0..ORDERS {
        let roads = BadRoads::open(backend, seed).await;
        let (town, nothing) = (&roads.town, With::default());
        let (_, painter) = town.candidate();
        let id = roads.assigned(painter).await;
        roads.agree(&id, town.clock.now()).await;
        for action in ["depart", "arrive"] {
            roads.act(painter, action, &id, &nothing).await;
        }
        roads.act(painter, "start", &id, &roads.start_code(&id).await).await;
        // What does not change the order does not disturb.
        town.attempt(painter, "addProof", &id, &nothing).await.unwrap();
        roads.act(painter, "deliver", &id, &nothing).await;
        roads.act(town.customer, "requestChanges", &id, &nothing).await;
        roads.act(painter, "deliver", &id, &nothing).await;
        roads.act(town.customer, "acceptDelivery", &id, &nothing).await;
        seen.extend(roads.road.lock().unwrap().seen.clone());
    }
    for way in [Way::Dropped, Way::Unanswered, Way::Doubled, Way::Overtaken, Way::Straight] {
        assert!(seen.contains(&way), "no telling was {way:?}");
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_vertical_hears_of_a_commit_after_which_the_process_died(backend: Backend) {
    let mut roads = BadRoads::open(backend, 0).await;
    roads.always(Some(Way::Straight));
    let (_, painter) = roads.town.candidate();
    let id = roads.assigned(painter).await;
    for (action, who) in [("depart", painter), ("arrive", painter), ("reassign", painter)] {
        let before = roads.of_order(&id).await;
        let version = roads.town.get_as(roads.town.operator, &id).await.unwrap().version;
        roads.always(Some(Way::Hung));
        let (mut jobs, order_id) = (roads.town.jobs(), id.clone());
        let mut settlements = roads.town.settlements();
        let call = async move {
            match action {
                "depart" => drop(jobs.depart(pb::DepartRequest { order_id, version }).await),
                "arrive" => {
                    let position = None;
                    let request = pb::ArriveRequest { order_id, version, position };
                    drop(jobs.arrive(request).await);
                }
                _ => {
                    let request =
                        pb::ReassignOrderRequest { order_id, version, reason: "ill".into() };
                    drop(settlements.reassign_order(request).await);
                }
            }
        };
        let call = tokio::spawn(acting_as(who, call));
        let now = async || roads.of_order(&id).await;
        eventually("it is committed", now, |now| *now != before).await;
        let committed = roads.town.clock.now();
        // Here the process dies: it was about to tell the vertical.
        roads.town.restart().await;
        roads.install_toy();
        call.abort();
        roads.always(Some(Way::Straight));
        assert_eq!(roads.of_toy(&id).await, Some(before), "{action}: nothing was told yet");
        roads.agree(&id, committed).await;
    }
}
