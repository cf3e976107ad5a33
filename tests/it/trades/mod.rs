//! What moves and repairs have in common as people live them: their money stays within what was agreed, and approvals may
//! take a confirmation.

mod agreed;
mod approval;
mod moves;
mod repairs;

use crate::{
    binary::number_from,
    journey::{cents, get, see},
    mesh::Mesh,
};
use kit::testing::eventually;
use quickserve::demo::Person;
use serde_json::{Value, json};

/// An order under test: who has to do with it, and the most that its customer has agreed to pay for it.
struct Deal {
    order: String,
    customer: Person,
    /// The account of the provider.
    worker: Person,
    agreed: i64,
}

impl Deal {
    fn path(&self, below: &str) -> String {
        format!("/v1/orders/{}/{below}", self.order)
    }

    async fn see(&self) -> Value {
        see(&self.customer, &self.order).await
    }

    /// The same people after their access tokens have run out.
    async fn sign_in_again(&mut self, mesh: &Mesh) {
        self.customer = mesh.again(&self.customer).await;
        self.worker = mesh.again(&self.worker).await;
    }

    /// The provider proposes a change. What speaks against it, or its id and what it costs.
    async fn propose(&self, details: Value) -> Result<(String, i64), String> {
        let change = json!({ "reason": "It takes this.", "details": details });
        let answer = self.worker.client.post(&self.path("changeOrders"), change).await.unwrap();
        if !answer.status.is_success() {
            return Err(answer.body.to_string());
        }
        let id = answer.body["id"].as_str().unwrap().to_owned();
        Ok((id, cents(&answer.body["amount"])))
    }

    /// The customer approves a change that costs so much, and confirms it where the card asks for that. Whether the card
    /// agreed; if not, the provider takes the change back.
    async fn approve(&mut self, (change, amount): &(String, i64)) -> bool {
        let path = self.path(&format!("changeOrders/{change}:approve"));
        let mut answer = self.customer.client.post(&path, json!({})).await.unwrap();
        if answer.reason() == "PAYMENT_CONFIRMATION_REQUIRED" {
            let confirmed = json!({ "confirmation": "123456" });
            answer = self.customer.client.post(&path, confirmed).await.unwrap();
        }
        if answer.status.is_success() {
            self.agreed += amount;
            return true;
        }
        assert_eq!(answer.reason(), "PAYMENT_DECLINED", "{}", answer.body);
        let path = self.path(&format!("changeOrders/{change}:reject"));
        self.worker.client.post(&path, json!({})).await.unwrap().ok().unwrap();
        false
    }

    /// What holds at any time: no more is taken than was agreed to, and no more goes back than was taken.
    async fn check(&self) {
        let order = self.see().await;
        let [captured, refunded] =
            ["captured", "refunded"].map(|field| cents(&order["payment"][field]));
        assert!(refunded <= captured && captured <= self.agreed, "{} {order}", self.agreed);
        assert!(cents(&order["total"]) <= self.agreed, "{} {order}", self.agreed);
    }

    /// What the customer owes for the order, and for the work beyond its cap.
    async fn owed(&self) -> [i64; 2] {
        let own = self.see().await;
        let dues = get(&self.customer, "/v1/me/dues").await;
        let dues = dues["dues"].as_array().unwrap().clone();
        let beyond = own["payment"]["beyond_cap_due_id"].clone();
        let sum_where = |is_beyond: bool| {
            let found = dues.iter().filter(|due| (due["id"] == beyond) == is_beyond);
            found.map(|due| cents(&due["amount"])).sum::<i64>()
        };
        [sum_where(false), sum_where(true)]
    }

    /// The order ends with the customer's yes: its price is taken or owed, what lies beyond the cap is owed, and the books
    /// are at zero.
    async fn close(&self, operator: &Person, (total, beyond): (i64, i64)) {
        self.customer
            .client
            .post(&format!("/v1/orders/{}:acceptDelivery", self.order), json!({}))
            .await
            .unwrap()
            .ok()
            .unwrap();
        let paid = async || {
            let captured = cents(&self.see().await["payment"]["captured"]);
            let [owed, owed_beyond] = self.owed().await;
            (captured + owed, owed_beyond)
        };
        eventually("it is paid or owed", paid, |paid| *paid == (total, beyond)).await;
        self.check().await;
        books_are_at_zero(operator).await;
    }
}

/// Every entry has its counterpart, no escrow is left, and what is owed is what waits to be earned.
async fn books_are_at_zero(operator: &Person) {
    let books = async || get(operator, "/v1/ledger/trialBalance").await;
    let is_zero = |books: &Value| {
        let of_kind = |kind: &str| {
            let lines = books["lines"].as_array().unwrap().iter();
            let found = lines.filter(|line| line["account_kind"] == kind);
            found.map(|line| cents(&line["balance"])).sum::<i64>()
        };
        books["balanced"] == true
            && of_kind("order.escrow") == 0
            && of_kind("customer.dues") == -of_kind("order.deferred")
    };
    eventually("the books are at zero", books, is_zero).await;
}

/// How many orders of each trade are made up, and from which seed.
fn deals_and_seed() -> (usize, u64) {
    (number_from("QS_TEST_DEALS", 3), number_from("QS_TEST_SEED", 12))
}
