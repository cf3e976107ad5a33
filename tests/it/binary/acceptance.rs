//! The process dies while a provider accepts an offer: the provider gets the order with the next try, or is free again.

use super::{
    crash::{armed, first},
    people::{People, in_hours},
    program::Home,
};
use crate::journey::{act, see};
use kit::testing::{Backend, eventually};
use quickserve::demo::{self, text_at};
use serde_json::{Value, json};
use yare::parameterized;

/// The steps of an acceptance: it is written down before anything is held, and the time is held before it is written.
pub(super) const ACCEPTANCE: [&str; 2] = ["acceptance.begin", "acceptance.hold"];

/// Makes the timer that ends an acceptance which did not get through fall due, as it is by itself a minute later.
const MINUTE_IS_OVER: &str = "UPDATE timers SET due_at = '2020-01-01 00:00:00+00:00' \
                              WHERE kind = 'offer' RETURNING attempts";
/// Time that is taken from somebody.
const HELD: &str = "SELECT id FROM reservations WHERE state IN ('HOLD', 'CONFIRMED')";

impl People {
    /// Books a cleaning that names no provider, and returns the order and the path of the offer that the cleaner has.
    async fn order_and_offer(&self, hours: i64) -> (String, String) {
        let request = demo::quote_request("", in_hours(hours));
        let order = demo::book(&self.customer, request).await.unwrap();
        let id = text_at(&order, "id").unwrap();
        let client = &self.provider.person.client;
        let offers = async || client.get("/v1/offers").await.unwrap().ok().unwrap();
        let of_order = |listed: &Value| {
            let offers = listed["offers"].as_array().into_iter().flatten();
            offers.filter(|offer| offer["order_id"] == id.as_str()).count() == 1
        };
        let listed = eventually("an offer", offers, of_order).await;
        let offers = listed["offers"].as_array().unwrap();
        let offer = offers.iter().find(|offer| offer["order_id"] == id.as_str()).unwrap();
        let path = format!("/v1/offers/{}:accept", text_at(offer, "id").unwrap());
        (id, path)
    }
}

impl Home {
    async fn held(&self) -> usize {
        self.rows("provider", HELD).await.len()
    }
}

/// Dies at each point; the provider then accepts again, or does not.
#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn each_step_of_an_acceptance_is_gone_on_with(backend: Backend) {
    let (home, people) = first(backend).await;
    let mut assigned = 0;
    for (number, (point, is_repeated)) in
        ACCEPTANCE.into_iter().flat_map(|point| [(point, true), (point, false)]).enumerate()
    {
        let program = home.start_with(&armed(point)).await;
        let dying = people.at(&program);
        let (order, offer) = dying.order_and_offer(24 + 4 * i64::try_from(number).unwrap()).await;
        let answer = dying.provider.person.client.post(&offer, json!({})).await;
        assert!(answer.is_err(), "{point} was survived");
        let (status, log) = program.ended().await;
        assert!(!status.success() && !log.contains("panicked"), "{point}: {status} {log}");
        let held = usize::from(point == "acceptance.hold");
        assert_eq!(home.held().await, assigned + held, "{point}");
        if !is_repeated {
            assert_eq!(home.rows("order", MINUTE_IS_OVER).await.len(), 1, "{point}");
        }

        let (_program, people) = home.restart(&people).await;
        if is_repeated {
            assert_eq!(see(&people.customer, &order).await["state"], "ORDER_STATE_SEARCHING");
            let taken = people.provider.person.client.post(&offer, json!({})).await.unwrap();
            assert_eq!(taken.status, 200, "{point}: {}", taken.body);
            assigned += 1;
        } else {
            let held = async || home.held().await;
            eventually("the provider is free", held, |held| *held == assigned).await;
            assert_eq!(see(&people.customer, &order).await["state"], "ORDER_STATE_SEARCHING");
            let path = format!("/v1/orders/{order}:previewCancel");
            let preview =
                people.customer.client.post(&path, json!({})).await.unwrap().ok().unwrap();
            let body = json!({ "cancel_token": preview["cancel_token"], "reason": "no answer" });
            act(&people.customer, &order, "cancel", body).await;
        }
        assert_eq!(home.is_consistent(&people).await.len(), assigned, "{point}");
    }
}
