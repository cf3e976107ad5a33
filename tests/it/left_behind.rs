//! A child that comes back at the moment at which its carer delivers: whichever is first, no order is delivered with a child
//! in. `QS_CHILD_RACES` says how often, `QS_TEST_SEED` which of the two sets off first; a sample runs always.

use crate::{
    binary::number_from,
    care::{begin_care, care},
    drivers::patient_mesh,
    journey::{act, attempt, noon, see},
    mesh::Mesh,
};
use kit::testing::{Backend, eventually, set_off_after};
use quickserve::demo::{self, AUNT_CODE, Family, Person, Provider, text_at};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use yare::parameterized;

/// How often a child comes back while its carer delivers; `tests/long` sets more.
const USUAL_RACES: u32 = 8;
/// Races of one order: each child of it may be handed over 99 times.
const RACES_OF_AN_ORDER: u32 = 90;
/// Steps of the runtime that the second call waits at most before it sets off.
const MAX_STEPS: u32 = 200;

/// A child of an order, with the adult who brings and fetches it and the number of its last hand-over.
struct Guest {
    child: String,
    adult: String,
    handover: i32,
}

impl Guest {
    /// The next hand-over, with the code where the child goes.
    fn next(&self) -> Value {
        let n = self.handover + 1;
        let code = if n % 2 == 0 { AUNT_CODE } else { "" };
        json!({ "child_id": self.child, "adult_id": self.adult, "code": code, "handover": n })
    }
}

/// An order with two children who have come and gone, so that the carer may deliver.
struct Evening {
    order: String,
    parent: Person,
    carer: Person,
    guests: [Guest; 2],
}

impl Evening {
    async fn begin(mesh: &Mesh, parent: &Person, carer: &Provider, family: &Family) -> Self {
        let children = [family.lou.as_str(), family.max.as_str()];
        let request = demo::care_request(&carer.provider_id, &children, noon(mesh), 180);
        let order = text_at(&demo::book(parent, request).await.unwrap(), "id").unwrap();
        let (parent, carer) = begin_care(mesh, parent, carer, &order).await;
        let guest = |child: &str, adult: &str| Guest {
            child: child.to_owned(),
            adult: adult.to_owned(),
            handover: 0,
        };
        let mut guests =
            [guest(&family.lou, &family.aunt_of_lou), guest(&family.max, &family.aunt_of_max)];
        for guest in &mut guests {
            for way in ["checkIn", "checkOut"] {
                act(&carer, &order, way, guest.next()).await;
                guest.handover += 1;
            }
        }
        Self { order, parent, carer, guests }
    }

    /// A child comes back while the carer delivers. Returns whether it came in.
    async fn race(&mut self, number: u32, random: &mut StdRng) -> bool {
        let guest = usize::try_from(number).unwrap() % self.guests.len();
        let steps = random.random_range(0..=MAX_STEPS);
        let steps = if random.random_bool(0.5) { (steps, 0) } else { (0, steps) };
        let comes = attempt(&self.carer, &self.order, "checkIn", self.guests[guest].next());
        let delivers = attempt(&self.carer, &self.order, "deliver", json!({}));
        let (came, delivered) =
            tokio::join!(set_off_after(steps.0, comes), set_off_after(steps.1, delivers));
        let order = see(&self.parent, &self.order).await;
        let is_in = care(&self.parent, &self.order).await["children"]
            .as_array()
            .unwrap()
            .iter()
            .any(|child| child["state"] == "CARE_CHILD_STATE_IN");
        let is_delivered = order["state"] == "ORDER_STATE_DELIVERED";
        assert!(!(is_in && is_delivered), "{came:?} {delivered:?} {order}");
        assert_eq!((came.0 == 200, delivered.0 == 200), (is_in, is_delivered), "{came:?}");
        if is_in {
            self.guests[guest].handover += 1;
            act(&self.carer, &self.order, "checkOut", self.guests[guest].next()).await;
            self.guests[guest].handover += 1;
        }
        is_in
    }

    /// Either way the carer delivers in the end, and the customer has the work go on.
    async fn go_on(&self) {
        let delivered = async || {
            let tried = attempt(&self.carer, &self.order, "deliver", json!({})).await;
            (see(&self.parent, &self.order).await["state"].clone(), tried)
        };
        let is_delivered = |(state, _): &(Value, _)| state == "ORDER_STATE_DELIVERED";
        eventually("it is delivered", delivered, is_delivered).await;
        let reason = json!({ "reason": "They come back." });
        act(&self.parent, &self.order, "requestChanges", reason).await;
        let told = async || care(&self.parent, &self.order).await["order_state"].clone();
        let goes_on = |state: &Value| state == "ORDER_STATE_CHANGES_REQUESTED";
        eventually("the care goes on", told, goes_on).await;
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_child_that_comes_back_while_the_care_is_delivered_is_never_left_behind(
    backend: Backend,
) {
    let races = number_from("QS_CHILD_RACES", USUAL_RACES);
    let seed = number_from("QS_TEST_SEED", 1);
    println!("{races} races of a child and a delivery, in orders of the seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let mesh = patient_mesh(backend).await;
    let operator = mesh.operator().await;
    let (mut parent, mut carer) =
        (mesh.customer("alice").await, mesh.carer(&operator, "bob").await);
    let family = demo::make_family(&parent, noon(&mesh)).await.unwrap();
    let (mut number, mut came) = (0, 0);
    while number < races {
        let mut evening = Evening::begin(&mesh, &parent, &carer, &family).await;
        for _ in 0..RACES_OF_AN_ORDER.min(races - number) {
            came += u32::from(evening.race(number, &mut random).await);
            evening.go_on().await;
            number += 1;
        }
        act(&evening.parent, &evening.order, "acceptDelivery", json!({})).await;
        parent = mesh.again(&parent).await;
        carer.person = mesh.again(&carer.person).await;
    }
    println!("the child came in first {came} times");
}
