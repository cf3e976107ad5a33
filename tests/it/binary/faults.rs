//! Processes of services are killed, frozen and restarted while customers book, and Redis is killed, emptied and frozen: no
//! order is lost or booked twice, no event is lost, and a client that repeats its request gets what it asked for.

use super::{
    kills::number_from,
    people::People,
    processes::{Processes, signal},
};
use quickserve::service::Service;
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use std::time::{Duration, Instant};

/// How often a client repeats a request before the test gives up. Each try has its own deadline at the edge.
const TRIES: u32 = 100;
/// The pause of a client before it repeats a request.
const CLIENT_PAUSE: Duration = Duration::from_millis(100);
/// The first appointment is so many hours from now, and each later one this much later.
const FIRST_HOURS: i64 = 24;
const HOURS_APART: i64 = 4;
/// Orders that are booked while a fault lasts.
const ORDERS: i64 = 2;
/// Faults on the same data. So many take less time than prices and tokens are good for.
const FAULTS_OF_A_HOME: u32 = 20;

/// What may happen to the process of a service.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// It dies, and another one takes its place.
    Kill,
    /// It answers nothing for a while, and goes on.
    Freeze,
    /// It is asked to end, and another one takes its place.
    Restart,
}

const FAULTS: [Fault; 3] = [Fault::Kill, Fault::Freeze, Fault::Restart];

/// What clients have seen.
#[derive(Debug, Default)]
struct Seen {
    booked: Vec<String>,
    /// Tries that were refused, by status.
    refused: Vec<u16>,
    /// The longest that a customer waited for an order.
    longest: Duration,
}

impl Processes {
    async fn strike(&mut self, fault: Fault, service: Service, random: &mut StdRng) {
        match fault {
            Fault::Kill => {
                self.kill(service);
                self.restart(service).await;
            }
            Fault::Restart => {
                self.stop(service).await;
                self.restart(service).await;
            }
            Fault::Freeze => {
                let process = self.process_id(service);
                signal("STOP", process);
                // This waits for nothing: it is how long the process stands still.
                tokio::time::sleep(Duration::from_millis(random.random_range(200..1_500))).await;
                signal("CONT", process);
            }
        }
    }
}

/// Books orders at appointments of their own, each as a client does that repeats a request until it is answered.
async fn book_orders(people: &People, first: i64, seen: &mut Seen) {
    for number in first..first + ORDERS {
        let begun = Instant::now();
        let quote = persist(seen, async || people.try_quote(hours_of(number)).await).await;
        persist(seen, async || {
            let answer = people.book_with_key(&quote).await.unwrap();
            (answer.status.as_u16(), (answer.status == 201).then_some(()))
        })
        .await;
        seen.longest = seen.longest.max(begun.elapsed());
        seen.booked.push(quote);
    }
}

const fn hours_of(number: i64) -> i64 {
    FIRST_HOURS + HOURS_APART * number
}

/// Repeats a request until it is answered with what was asked for.
async fn persist<T>(seen: &mut Seen, mut ask: impl AsyncFnMut() -> (u16, Option<T>)) -> T {
    for _ in 0..TRIES {
        let (status, answer) = ask().await;
        if let Some(answer) = answer {
            return answer;
        }
        // 409 is the answer while the first try of a key is still being worked on.
        assert!([409, 503, 504].contains(&status), "the client did nothing wrong: {status}");
        seen.refused.push(status);
        // The pause of the client between its tries.
        tokio::time::sleep(CLIENT_PAUSE).await;
    }
    panic!("no answer after {TRIES} tries: {seen:?}");
}

/// Every order that was booked is there once, with time and money, and every event has arrived.
async fn check_orders(all: &Processes, people: &People, seen: &Seen) {
    all.have_heard_of_everything().await;
    let orders = people.orders().await;
    for quote in &seen.booked {
        let of_quote = orders.iter().filter(|order| order["quote_id"] == **quote).count();
        assert_eq!(of_quote, 1, "{quote}");
    }
    assert_eq!(all.home().is_consistent(people).await.len(), seen.booked.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_killed_frozen_and_restarted_while_orders_are_booked() {
    let mut left: u32 = number_from("QS_TEST_FAULTS", 6);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{left} faults of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    while left > 0 {
        let faults = left.min(FAULTS_OF_A_HOME);
        left -= faults;
        let mut all = Processes::start().await;
        let people = People::settle(all.home(), all.edge()).await;
        let mut seen = Seen::default();
        for number in 0..faults {
            let fault = FAULTS[usize::try_from(number).unwrap() % FAULTS.len()];
            let service = *Service::ALL.choose(&mut random).unwrap();
            let refused = seen.refused.len();
            let first = i64::from(number) * ORDERS;
            tokio::join!(
                all.strike(fault, service, &mut random),
                book_orders(&people, first, &mut seen),
            );
            println!("{fault:?} {}: {:?}", service.name(), &seen.refused[refused..]);
        }
        check_orders(&all, &people, &seen).await;
        let tries = seen.refused.len() + 2 * seen.booked.len();
        println!(
            "{} orders, {} of {tries} tries refused, longest {:?}",
            seen.booked.len(),
            seen.refused.len(),
            seen.longest
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_go_on_and_no_event_is_lost_whatever_happens_to_redis() {
    let mut all = Processes::start().await;
    let people = People::settle(all.home(), all.edge()).await;
    let mut seen = Seen::default();
    let mut longest_lag = Duration::ZERO;
    for (number, fault) in ["killed", "frozen", "emptied", "away"].into_iter().enumerate() {
        let first = i64::try_from(number).unwrap() * ORDERS;
        match fault {
            "frozen" => all.redis().freeze(),
            "emptied" => {}
            _ => all.redis().kill(),
        }
        book_orders(&people, first, &mut seen).await;
        match fault {
            "frozen" => all.redis().thaw(),
            "emptied" => all.redis().flush().await,
            _ => all.redis().restart().await,
        }
        let back = Instant::now();
        all.have_heard_of_everything().await;
        longest_lag = longest_lag.max(back.elapsed());
        assert_eq!(seen.refused, [0_u16; 0], "Redis {fault}: no order is refused");
    }
    check_orders(&all, &people, &seen).await;
    println!(
        "an order took {:?} at most, events arrived {longest_lag:?} after Redis was back",
        seen.longest
    );
}
