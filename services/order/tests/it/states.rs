//! Every state with every action that can be called, by every side: what reads allow is all that is not refused.

use crate::{
    acts::{PUBLIC, With},
    town::{Town, booking, metadata},
};
use chrono::Duration;
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, eventually},
};
use proto::quickserve::{
    fulfilment::v1::OrderState,
    order::v1 as pb,
    payment::v1::{Outcome, PayoutEvent},
};
use tonic::Code;
use yare::parameterized;

const STATES: [OrderState; 18] = [
    OrderState::PendingPayment,
    OrderState::Requested,
    OrderState::Searching,
    OrderState::Assigned,
    OrderState::EnRoute,
    OrderState::Arrived,
    OrderState::InProgress,
    OrderState::AwaitingApproval,
    OrderState::Delivered,
    OrderState::ChangesRequested,
    OrderState::Completed,
    OrderState::Closed,
    OrderState::Expired,
    OrderState::Declined,
    OrderState::NoProvider,
    OrderState::NoShow,
    OrderState::Cancelled,
    OrderState::Aborted,
];

impl Town {
    /// Brings an order into that state by calls and the passing of time alone.
    pub async fn reach(&self, state: OrderState) -> pb::Order {
        let id = match state {
            OrderState::PendingPayment | OrderState::Expired => {
                self.script.with(|it| it.outcomes.push_back(Outcome::Declined.into()));
                let id = self.ordered().await.id;
                if state == OrderState::Expired {
                    self.clock.advance(Duration::minutes(16));
                }
                id
            }
            OrderState::Searching | OrderState::NoProvider => {
                if state == OrderState::Searching {
                    self.candidate();
                } else {
                    self.script.with(|it| it.candidates.clear());
                }
                let quote = self.quote(None, Duration::days(2)).await;
                let id = self.book(booking(&quote)).await.unwrap().id;
                if state == OrderState::Searching {
                    self.until_fact(&id, "order.offered").await;
                }
                id
            }
            OrderState::Requested
            | OrderState::Assigned
            | OrderState::Declined
            | OrderState::Cancelled => self.reach_by_answer(state).await,
            OrderState::EnRoute => {
                let id = self.ordered_ahead(Duration::hours(2)).await.id;
                self.act(self.provider, "accept", &id).await;
                self.act(self.provider, "depart", &id).await.id
            }
            OrderState::Arrived => self.at_the_door().await.id,
            OrderState::NoShow => {
                let id = self.at_the_door().await.id;
                self.clock.advance(Duration::hours(2));
                self.act(self.provider, "contactAttempt", &id).await;
                self.clock.advance(Duration::minutes(5));
                self.act(self.provider, "contactAttempt", &id).await;
                self.clock.advance(Duration::minutes(10));
                self.act(self.provider, "noShow", &id).await.id
            }
            _ => self.reach_by_work(state).await,
        };
        self.until(&id, state).await
    }

    async fn reach_by_answer(&self, state: OrderState) -> String {
        let id = self.ordered().await.id;
        match state {
            OrderState::Assigned => self.act(self.provider, "accept", &id).await.id,
            OrderState::Declined => self.act(self.provider, "decline", &id).await.id,
            OrderState::Cancelled => {
                let (cancel_token, _) = self.token(self.customer, &id).await;
                let with = With { cancel_token, ..With::default() };
                self.act_with(self.customer, "cancel", &id, &with).await.id
            }
            _ => id,
        }
    }

    async fn reach_by_work(&self, state: OrderState) -> String {
        let id = self.at_work().await.id;
        let steps: &[(Subject, &str)] = match state {
            OrderState::AwaitingApproval => &[(self.provider, "proposeChange")],
            OrderState::Aborted => &[(self.operator, "abort")],
            OrderState::Delivered => &[(self.provider, "deliver")],
            OrderState::ChangesRequested => {
                &[(self.provider, "deliver"), (self.customer, "requestChanges")]
            }
            OrderState::Completed | OrderState::Closed => {
                &[(self.provider, "deliver"), (self.customer, "acceptDelivery")]
            }
            _ => &[],
        };
        for (who, action) in steps {
            self.act(*who, action, &id).await;
        }
        if state == OrderState::Closed {
            self.pay_out(&id).await;
            self.clock.advance(Duration::days(7));
        }
        id
    }

    /// Has payment say that the provider has their money.
    pub async fn pay_out(&self, id: &str) {
        let event = PayoutEvent { order_id: id.to_owned(), ..PayoutEvent::default() };
        let before = self.get(id).await.version;
        self.publish("payout.paid", event).await;
        let noted = |order: &pb::Order| order.version > before;
        eventually("the payout is noted", async || self.get(id).await, noted).await;
    }
}

/// What refuses an action that the state allows.
const TIME_OR_MONEY: [(&str, &str); 10] = [
    ("confirmPayment", "PAYMENT_SETTLED"),
    ("reschedule", "RESCHEDULE_TOO_LATE"),
    ("depart", "DEPARTURE_WINDOW"),
    ("arrive", "ARRIVED_ALREADY"),
    ("contactAttempt", "CONTACT_ATTEMPT_TOO_EARLY"),
    ("noShow", "CONTACT_ATTEMPTS_MISSING"),
    ("noShow", "NO_SHOW_TOO_EARLY"),
    ("proposeChange", "CHANGES_NOT_OFFERED"),
    ("review", "REVIEWED_ALREADY"),
    ("review", "REVIEW_WINDOW_OVER"),
];

async fn everything_refused_is_refused(town: &Town, order: &pb::Order, with: &With) {
    let before = town.full(town.operator, &order.id).await;
    for who in [town.customer, town.provider, town.operator] {
        let Ok(seen) = town.get_as(who, &order.id).await else { continue };
        for action in PUBLIC.iter().filter(|it| **it != "acceptOffer") {
            if seen.allowed_actions.iter().any(|it| it == action) {
                continue;
            }
            let refused = town.attempt(who, action, &order.id, with).await;
            let what = format!("{action} in {:?} by {:?}", seen.state(), who.roles);
            let error = refused.err().unwrap_or_else(|| panic!("{what} was allowed"));
            match error.code() {
                Code::PermissionDenied => {}
                Code::NotFound => {
                    assert!(["approveChange", "rejectChange"].contains(action), "{what}: {error}");
                    assert_eq!(reason_of(&error), "CHANGE_ORDER_NOT_FOUND", "{what}");
                }
                _ if TIME_OR_MONEY.contains(&(*action, reason_of(&error).as_str())) => {}
                code => {
                    assert_eq!(code, Code::FailedPrecondition, "{what}: {error}");
                    assert_eq!(reason_of(&error), "ORDER_STATE", "{what}");
                    let allowed = metadata(&error, "allowed_actions");
                    assert_eq!(allowed, seen.allowed_actions.join(","), "{what}");
                }
            }
        }
    }
    let after = town.full(town.operator, &order.id).await;
    assert_eq!(after.state, before.state);
    assert_eq!(after.timeline, before.timeline, "what is refused leaves no trace");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn every_state_refuses_what_it_does_not_allow(backend: Backend) {
    let town = Town::new(backend).await;
    // A token and a code of an order that is not refused: the state is what refuses.
    let other = town.ordered().await;
    let (cancel_token, _) = town.token(town.customer, &other.id).await;
    let with = With { cancel_token, start_code: "000000".to_owned(), ..With::default() };
    for state in STATES {
        let order = town.reach(state).await;
        everything_refused_is_refused(&town, &order, &with).await;
    }
}

/// States in which time changes what is allowed, and how long after they were reached.
const LATER: [(OrderState, Duration); 7] = [
    (OrderState::Requested, Duration::hours(30)),
    (OrderState::Assigned, Duration::hours(30)),
    (OrderState::Assigned, Duration::hours(46)),
    (OrderState::EnRoute, Duration::minutes(160)),
    (OrderState::Arrived, Duration::minutes(125)),
    (OrderState::Delivered, Duration::days(1)),
    (OrderState::Completed, Duration::days(8)),
];

impl Town {
    /// What `who` needs to know to do anything to the order.
    async fn knowing_all(&self, id: &str, who: Subject) -> With {
        let full = self.full(self.customer, id).await;
        let previews = |order: &pb::Order| order.allowed_actions.iter().any(|it| it == "cancel");
        let cancels = self.get_as(who, id).await.is_ok_and(|order| previews(&order));
        let cancel_token = if cancels { self.token(who, id).await.0 } else { String::new() };
        let change_order_id = full.change_orders.last().map(|it| it.id.clone()).unwrap_or_default();
        With { cancel_token, start_code: full.start_code, change_order_id, ..With::default() }
    }

    /// Brings an order into that state, and lets some time pass.
    async fn reach_and_wait(&self, state: OrderState, later: Duration) -> pb::Order {
        let id = self.reach(state).await.id;
        self.clock.advance(later);
        // A state that is over has ended once its timer has fired.
        let is_over = |order: &pb::Order| {
            order.ends_at.is_some_and(|end| end.seconds <= self.clock.now().timestamp())
        };
        eventually("no state is over", async || self.get(&id).await, |it| !is_over(it)).await
    }
}

/// Tries every action that reads list, each on an order of its own that came into its state the same way.
async fn everything_listed_succeeds(town: &Town, state: OrderState, later: Duration) {
    let seen = town.reach_and_wait(state, later).await;
    for who in [town.customer, town.provider, town.operator] {
        let Ok(seen) = town.get_as(who, &seen.id).await else { continue };
        for action in &seen.allowed_actions {
            let id = town.reach_and_wait(state, later).await.id;
            let Ok(other) = town.get_as(who, &id).await else { continue };
            // A timer may have moved one of them on meanwhile.
            if !other.allowed_actions.contains(action) {
                continue;
            }
            let with = town.knowing_all(&id, who).await;
            let done = town.attempt(who, action, &id, &with).await;
            let what = format!("{action} {later} after {:?} by {:?}", other.state(), who.roles);
            done.unwrap_or_else(|error| panic!("{what} was listed: {error}"));
        }
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn what_reads_list_as_allowed_succeeds(backend: Backend) {
    let town = Town::new(backend).await;
    let at_once = STATES.map(|state| (state, Duration::zero()));
    for (state, later) in at_once.into_iter().chain(LATER) {
        everything_listed_succeeds(&town, state, later).await;
    }
}
