//! What the scripted services do and remember: they behave like the real ones, and fail when told to.

use chrono::{DateTime, Duration, Utc};
use kit::values::time::{moment, timestamp};
use proto::quickserve::{
    common::v1::TimeWindow,
    fulfilment::v1::{
        DescribeJobResponse, Dispatch, OrderSnapshot, OrderState, Party, QuoteRequest,
    },
    provider::v1::DescribeReservationResponse,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use uuid::Uuid;

/// How a call fails.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It is refused and nothing happens.
    Refuse(Status),
    /// It happens, and the answer is lost.
    Lose,
    /// Nothing happens and nothing is answered.
    Hang,
    /// It happens and nothing is answered.
    HangAfter,
    /// It happens, and is answered when the test says so.
    Wait(Arc<Notify>),
}

/// Money of one order.
#[derive(Clone, Debug, Default)]
pub struct Money {
    pub authorized: i64,
    /// What was captured before it was known how much is due.
    pub in_escrow: i64,
    pub captured: i64,
    pub refunded: i64,
    pub closed: bool,
    pub frozen: bool,
    pub saved: bool,
    pub voids: u32,
    pub captures: u32,
    /// What the capture said about the provider's share: before commission, and the part that carries some.
    pub gross: (i64, Option<i64>),
    /// What is owed beyond the capture.
    pub due: i64,
    /// What claims hold back.
    pub claims: BTreeMap<String, i64>,
    /// What became of each attempt.
    pub attempts: BTreeMap<String, i32>,
    /// What each step has added to what is authorised.
    pub raised: BTreeMap<String, i64>,
    pub refunds: BTreeSet<String>,
}

/// The memory of the scripted services.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    pub faults: HashMap<&'static str, VecDeque<Fault>>,
    pub calls: Vec<&'static str>,
    /// Time by order and provider: its start, and whether it is confirmed.
    pub slots: BTreeMap<(String, String), (DateTime<Utc>, bool)>,
    /// When the time lapses that is only held.
    pub held_until: BTreeMap<(String, String), DateTime<Utc>>,
    /// Order, provider and round; no provider stands for all of them in every round.
    pub released: BTreeSet<(String, String, i32)>,
    /// Accounts of providers.
    pub accounts: HashMap<String, Uuid>,
    pub candidates: Vec<Uuid>,
    /// How long candidates take to the place, in seconds.
    pub travel_s: Option<i64>,
    /// The providers that are preferred, of each search.
    pub preferred: Vec<Vec<String>>,
    /// Skills that put providers before others, of each search.
    pub preferred_skills: Vec<Vec<String>>,
    /// What the vertical was asked to price.
    pub quoted: Vec<QuoteRequest>,
    /// How far each wave reached, in metres.
    pub radii: Vec<i32>,
    /// Exclusive jobs that run, by order and provider.
    pub running: BTreeSet<(String, String)>,
    /// How the vertical wants providers to be looked for.
    pub dispatch: Option<Dispatch>,
    /// Whether its jobs are exclusive.
    pub exclusive: bool,
    /// How many minutes from the question its work begins, where it takes jobs as soon as possible.
    pub asap_minutes: Option<i64>,
    /// What speaks against providers.
    pub objections: HashMap<Uuid, Vec<String>>,
    pub money: HashMap<String, Money>,
    /// Orders and attempts whose authorisation was given back.
    pub unauthorized: Vec<(String, String)>,
    /// Orders whose money was secured, and whether it was captured for that.
    pub secured: Vec<(String, bool)>,
    /// What the next attempts come to; authorised when nothing is said.
    pub outcomes: VecDeque<i32>,
    pub denials: HashMap<i32, Vec<String>>,
    pub missing: Vec<String>,
    pub price: i64,
    /// The most that the customer pays unasked; none where the price is binding.
    pub cap: Option<i64>,
    pub manual_acceptance: bool,
    /// What the work comes to at the next delivery: code, amount, and whether the line only passes through.
    pub settlement: Vec<(&'static str, i64, bool)>,
    /// The message of changes that the vertical prices; empty where it prices none.
    pub change_message: &'static str,
    /// What the vertical asks for changes with details, and why it may not.
    pub change: Vec<(&'static str, i64, bool)>,
    pub change_denials: Vec<String>,
    /// What the vertical has against a change that is about to be approved.
    pub approval_denials: Vec<String>,
    /// Whether the card wants each raise to be confirmed.
    pub raise_confirms: bool,
    /// What it comes to beyond the cap.
    pub due: Vec<(&'static str, i64, bool)>,
    /// How long the work takes, in hours.
    pub hours: i64,
    /// Where the vertical says that jobs stand.
    pub job: DescribeJobResponse,
    /// Who comes for any order, as provider says.
    pub crew: DescribeReservationResponse,
    /// The sides for which it was asked where a job stands.
    pub described_to: Vec<Party>,
    /// What the vertical was told of each order.
    pub told: HashMap<String, Vec<OrderSnapshot>>,
}

impl Memory {
    /// Begins a job, which a provider does alone.
    pub fn run(&mut self, order: String, provider: String) -> Result<(), Status> {
        let has_other = |(other, it): &(String, String)| *it == provider && *other != order;
        if self.exclusive && self.running.iter().any(has_other) {
            return Err(refusal(Code::FailedPrecondition, "DRIVER_BUSY"));
        }
        self.running.insert((order, provider));
        Ok(())
    }

    /// When the vertical says that work begins as soon as possible.
    pub fn asap_window(&self, request: &QuoteRequest) -> Option<TimeWindow> {
        let minutes = self.asap_minutes.filter(|_| request.asap)?;
        let asked = moment("window.start", request.window.as_ref()?.start.as_ref()).unwrap();
        let start = asked + Duration::minutes(minutes);
        Some(TimeWindow {
            start: Some(timestamp(start)),
            end: Some(timestamp(start + Duration::hours(self.hours))),
            time_zone: String::new(),
        })
    }
}

/// A script that the servers share.
#[derive(Default)]
pub struct Script(Mutex<Memory>);

impl Script {
    /// Looks into the memory, or changes it.
    pub fn with<T>(&self, work: impl FnOnce(&mut Memory) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    /// A copy of the memory.
    pub fn memory(&self) -> Memory {
        self.with(|memory| memory.clone())
    }

    /// Has the next call of `rpc` fail.
    pub fn fail(&self, rpc: &'static str, fault: Fault) {
        self.with(|memory| memory.faults.entry(rpc).or_default().push_back(fault));
    }

    /// Plays a call.
    pub async fn play<T>(
        &self,
        rpc: &'static str,
        work: impl FnOnce(&mut Memory) -> Result<T, Status> + Send,
    ) -> Result<T, Status> {
        let fault = self.with(|memory| {
            memory.calls.push(rpc);
            memory.faults.get_mut(rpc).and_then(VecDeque::pop_front)
        });
        match fault {
            None => self.with(work),
            Some(Fault::Refuse(status)) => Err(status),
            Some(Fault::Lose) => {
                self.with(work)?;
                Err(Status::unavailable("the connection broke"))
            }
            Some(Fault::Hang) => std::future::pending().await,
            Some(Fault::HangAfter) => {
                self.with(work)?;
                std::future::pending().await
            }
            Some(Fault::Wait(answer)) => {
                let done = self.with(work);
                answer.notified().await;
                done
            }
        }
    }

    /// How often `rpc` was called.
    pub fn calls(&self, rpc: &str) -> usize {
        self.with(|memory| memory.calls.iter().filter(|call| **call == rpc).count())
    }

    /// The money of an order.
    pub fn money(&self, order: &str) -> Money {
        self.with(|memory| memory.money.get(order).cloned().unwrap_or_default())
    }

    /// The states that the vertical was told an order is in, one after the other.
    pub fn told(&self, order: &str) -> Vec<OrderState> {
        self.with(|memory| {
            let told = memory.told.get(order).into_iter().flatten();
            told.map(OrderSnapshot::state).collect()
        })
    }

    /// Who has time for an order, and whether it is confirmed.
    pub fn slots(&self, order: &str) -> Vec<(String, bool)> {
        self.with(|memory| {
            let of = memory.slots.iter().filter(|((id, _), _)| id == order);
            of.map(|((_, provider), (_, confirmed))| (provider.clone(), *confirmed)).collect()
        })
    }
}

/// A failure with a reason, as services answer it.
pub fn refusal(code: Code, reason: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, "quickserve", HashMap::new());
    Status::with_error_details(code, reason.to_lowercase(), details)
}
