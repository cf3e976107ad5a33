//! Random settlements, dues, changes and rework: whatever comes, the lines are the price, and no more is taken than was agreed.

use crate::{
    acts::With,
    script::{Fault, refusal},
    town::Town,
};
use kit::testing::{Backend, acting_as};
use proto::quickserve::{
    fulfilment::v1::{LineOrigin, OrderState},
    order::v1 as pb,
};
use tonic::{Code, Status};
use yare::parameterized;

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: i64) -> i64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from(self.0 >> 33).unwrap() % most
    }
}

/// The sum of an order's lines of one origin.
fn sum_of(order: &pb::Order, origin: LineOrigin) -> i64 {
    let lines = order.lines.iter().filter(|line| line.origin() == origin);
    lines.map(|line| line.total.as_ref().unwrap().minor_units).sum()
}

impl Town {
    /// The order, in which the lines come to the price and the price to no more than was agreed.
    async fn sound(&self, id: &str) -> (pb::Order, i64) {
        let order = self.get(id).await;
        let [quoted, changed, settled] =
            [LineOrigin::Quote, LineOrigin::Change, LineOrigin::Settlement]
                .map(|origin| sum_of(&order, origin));
        let total = order.total.as_ref().unwrap().minor_units;
        assert_eq!(total, quoted + changed + settled, "the lines are the price");
        let cap = order.cap.as_ref().map_or(quoted, |cap| cap.minor_units);
        assert!(quoted + settled <= cap, "{quoted} and {settled} are more than {cap}");
        assert!(total >= 0 && total <= self.script.money(id).authorized, "{total} is authorised");
        (order, cap + changed)
    }

    /// A customer's change of some amount. The card may refuse it.
    async fn change_somehow(&self, id: &str, dice: &mut Dice) -> Result<(), Status> {
        let amount = dice.below(8_000) - 3_000;
        let declined = amount > 0 && dice.below(3) == 0;
        self.script.with(|memory| memory.change = vec![("cleaning.more", amount, false)]);
        if declined {
            let refused = refusal(Code::FailedPrecondition, "PAYMENT_DECLINED");
            self.script.fail("raise", Fault::Refuse(refused));
        }
        let request = pb::ProposeChangeRequest {
            order_id: id.to_owned(),
            lines: Vec::new(),
            reason: "More".to_owned(),
            details: Some(prost_types::Struct::default()),
        };
        let done = acting_as(self.customer, self.records().propose_change(request)).await;
        assert!(!(declined && done.is_ok()), "a declined raise approves nothing");
        done.map(drop)
    }

    /// A delivery that comes to some amount, and to some more beyond the cap. Returns the latter when it is written.
    async fn deliver_somehow(&self, id: &str, dice: &mut Dice) -> Option<i64> {
        let (settlement, due) = (dice.below(9_000) - 4_000, dice.below(3) * 350);
        self.script.with(|memory| {
            memory.settlement = vec![("cleaning.settled", settlement, false)];
            memory.due = vec![("cleaning.beyond", due, false)];
            memory.due.retain(|(_, due, _)| *due > 0);
        });
        let done = self.attempt(self.provider, "deliver", id, &With::default()).await;
        done.is_ok().then_some(due)
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn no_more_is_taken_than_was_agreed(backend: Backend) {
    let town = Town::new(backend).await;
    town.script.with(|memory| memory.change_message = "quickserve.common.v1.Address");
    let mut dice = Dice(11);
    let (mut delivered, mut refused) = (0, 0);
    for _ in 0..12 {
        let cap = 10_000 + dice.below(4) * 1_500;
        town.script.with(|memory| memory.cap = (cap > 10_000).then_some(cap));
        let id = town.at_work().await.id;
        let mut owed = None;
        for _ in 0..6 {
            let (order, _) = town.sound(&id).await;
            match order.state() {
                OrderState::InProgress if dice.below(2) == 0 => {
                    // What is refused leaves the order as it was.
                    if town.change_somehow(&id, &mut dice).await.is_err() {
                        assert_eq!(town.get(&id).await.version, order.version);
                    }
                }
                OrderState::Delivered => {
                    town.act(town.customer, "requestChanges", &id).await;
                }
                _ => match town.deliver_somehow(&id, &mut dice).await {
                    Some(due) => (owed, delivered) = (Some(due), delivered + 1),
                    None => {
                        refused += 1;
                        assert_eq!(town.get(&id).await.version, order.version);
                    }
                },
            }
        }
        let (order, ceiling) = town.sound(&id).await;
        let Some(owed) = owed else { continue };
        town.act(town.customer, "acceptDelivery", &id).await;
        let total = order.total.unwrap().minor_units;
        town.until_script("captured", |it| {
            let money = it.money(&id);
            money.captures == 1 && money.captured == total || (total == 0 && money.closed)
        })
        .await;
        let money = town.script.money(&id);
        assert!(money.captured <= ceiling, "{} of {ceiling}", money.captured);
        assert!(money.closed || money.due == owed, "{} of {owed}", money.due);
    }
    assert!(delivered > 10 && refused > 3, "{delivered} and {refused}");
}
