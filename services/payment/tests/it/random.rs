//! Whatever comes, in whatever order: no more is captured than was agreed to, the books are at zero, and what clearing says
//! is what the payment provider has.

use crate::shop::{Dice, Shop, euros};
use chrono::Duration;
use kit::testing::{Backend, acting_as, eventually};
use proto::quickserve::payment::v1::{self as pb, DueState};
use sea_orm::{ConnectionTrait, Statement};
use uuid::Uuid;
use yare::parameterized;

const CARDS: [&str; 8] = [
    "tok_ok",
    "tok_second_hold",
    "tok_second_hold",
    "tok_second_capture_declined",
    "tok_renewal_declined",
    "tok_capture_declined",
    "tok_timeout_charged",
    "tok_raise_declined",
];

/// An order, and how much its customer has agreed to.
struct Deal {
    order: String,
    agreed: i64,
    /// Steps that have raised it.
    raised: Vec<(String, i64)>,
    claims: Vec<String>,
}

struct Town {
    shop: Shop,
    dice: Dice,
}

impl Town {
    fn below(&mut self, most: i64) -> i64 {
        self.dice.below(most)
    }

    async fn book(&mut self) -> Deal {
        let cards = i64::try_from(CARDS.len()).unwrap();
        let card = CARDS[usize::try_from(self.below(cards)).unwrap()];
        let order = self.shop.authorized(card).await;
        Deal { order, agreed: 12_000, raised: Vec::new(), claims: Vec::new() }
    }

    /// A change of the work, its end, a move of time, or a refund: what was refused changes nothing.
    async fn live(&mut self, deal: &mut Deal, number: usize) {
        match self.below(7) {
            0 | 1 => {
                let (key, amount) = (format!("change {number}"), self.below(5_000) + 1);
                if self.shop.raise(&deal.order, amount, &key).await.is_ok() {
                    deal.agreed += amount;
                    deal.raised.push((key, amount));
                }
            }
            2 => {
                if let Some((key, amount)) = deal.raised.pop() {
                    self.shop.release(&deal.order, &key, true).await;
                    deal.agreed -= amount;
                }
            }
            3 => self.shop.pass(Duration::days(3)),
            4 => self.shop.secure(&deal.order, false).await,
            5 => self.shop.secure(&deal.order, true).await,
            _ => {
                let amount = self.below(3_000) + 1;
                // There may be nothing to refund yet.
                let _ = self.shop.refund(&deal.order, amount, &format!("part {number}")).await;
            }
        }
    }

    /// The order ends: it is cancelled, at a fee or not, or settled, with work beyond the cap or not.
    async fn end(&mut self, deal: &mut Deal) {
        if self.below(5) == 0 {
            return self.shop.void(&deal.order).await;
        }
        let amount = self.below(deal.agreed + 1);
        let toll = self.below(amount + 1);
        let mut request = self.shop.settlement(&deal.order, amount);
        request.commission_base = euros(amount - toll);
        if self.below(3) == 0 {
            request.kind = pb::CaptureKind::Fee.into();
        } else if self.below(2) == 0 {
            request.due = vec![pb::DueLine {
                code: "volume".into(),
                amount: euros(self.below(9_000) + 1),
                provider_earns: true,
                pass_through: false,
            }];
        }
        for _ in 0..self.below(2) {
            let claim = Uuid::new_v4().to_string();
            let amount = self.below(9_000) + 1;
            self.claim(deal, &claim, Some(amount)).await;
            deal.claims.push(claim);
        }
        // A card may refuse it: then it is owed.
        let _ = self.shop.charges().capture_payment(request).await;
    }

    async fn claim(&self, deal: &Deal, claim: &str, amount: Option<i64>) {
        let request = pb::SetPayoutFrozenRequest {
            order_id: deal.order.clone(),
            frozen: amount.is_some(),
            amount: amount.and_then(euros),
            claim_id: claim.to_owned(),
        };
        self.shop.charges().set_payout_frozen(request).await.unwrap();
    }

    /// Dues are paid or waived, claims end, and money goes back.
    async fn follow_up(&mut self, deal: &mut Deal) {
        if self.below(3) == 0 {
            let amount = self.below(4_000) + 1;
            let _ = self.shop.refund(&deal.order, amount, "after").await;
        }
        let mut client = self.shop.dues();
        let listed = client.list_dues(pb::ListDuesRequest::default());
        let dues = acting_as(self.shop.customer, listed).await.unwrap().into_inner().dues;
        for due in dues.into_iter().filter(|due| due.state() == DueState::Open) {
            let mut client = self.shop.dues();
            if self.below(2) == 0 {
                let request = pb::WaiveDueRequest { due_id: due.id };
                acting_as(self.shop.operator, client.waive_due(request)).await.unwrap();
            } else {
                let payment_method_id = self.shop.card("tok_ok").await;
                let request =
                    pb::PayDueRequest { due_id: due.id, payment_method_id, ..Default::default() };
                acting_as(self.shop.customer, client.pay_due(request)).await.unwrap();
            }
        }
        for claim in std::mem::take(&mut deal.claims) {
            self.claim(deal, &claim, None).await;
        }
    }

    /// What no order may do at any time.
    async fn check(&self, deal: &Deal) {
        let payment = self.shop.payment(&deal.order).await;
        let captured = payment.captured.unwrap().minor_units;
        let gone = payment.refunded.unwrap().minor_units;
        assert!(gone <= captured && captured <= deal.agreed, "{captured} of {}", deal.agreed);
        let taken: i64 = self.shop.holds(&deal.order).await.iter().map(|hold| hold.1).sum();
        assert!(taken <= deal.agreed, "{taken} of {}", deal.agreed);
        let [.., dues, deferred] = self.shop.ledger().await;
        assert_eq!(dues, -deferred);
    }

    async fn sum(&self, query: &str) -> i64 {
        let db = self.shop.db.connection();
        let query = Statement::from_string(db.get_database_backend(), query);
        let row = db.query_one_raw(query).await.unwrap().unwrap();
        row.try_get::<Option<i64>>("", "sum").unwrap().unwrap_or_default()
    }

    /// Clearing is what the payment provider has, less what it took for itself.
    async fn clearing_is_the_providers(&self) {
        let charges = "SELECT CAST(SUM(captured - refunded) AS BIGINT) AS sum FROM sandbox_charges";
        let payouts = "SELECT CAST(SUM(amount) AS BIGINT) AS sum FROM sandbox_operations \
                       WHERE kind = 'PAYOUT' AND state = 'DONE'";
        let has = self.sum(charges).await - self.sum(payouts).await;
        let [clearing, fees, ..] = self.shop.ledger().await;
        assert_eq!(-clearing, has + fees);
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_more_is_captured_than_was_agreed_to_whatever_comes(backend: Backend) {
    let shop = Shop::open(backend).await;
    let mut town = Town { shop, dice: Dice(12) };
    for _ in 0..15 {
        let mut deal = town.book().await;
        for number in 0..6 {
            town.live(&mut deal, number).await;
            town.check(&deal).await;
        }
        town.end(&mut deal).await;
        town.check(&deal).await;
        town.follow_up(&mut deal).await;
        town.check(&deal).await;
        let order = &deal.order;
        let left = async || {
            let holds = town.shop.holds(order).await.into_iter();
            let open = holds.filter(|(.., state)| state == "AUTHORIZED").count();
            (open, town.shop.balance("order.escrow").await)
        };
        town.shop.in_time("nothing is reserved any more", left, |left| *left == (0, 0)).await;
    }
    town.shop.pass(Duration::days(3));
    let payable = async || town.shop.balance("provider.payable").await;
    eventually("all is paid out", payable, |left| *left <= 0).await;
    let [.., escrow, _, _, _, dues, deferred] = town.shop.ledger().await;
    assert_eq!([escrow, dues, deferred], [0, 0, 0]);
    town.clearing_is_the_providers().await;
    town.shop.check_books().await;
}
