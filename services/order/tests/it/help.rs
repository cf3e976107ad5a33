//! Calls for help, from a side of the order or by its vertical.

use crate::{acts::With, town::Town};
use kit::{
    rpc::error::reason_of,
    testing::{Backend, eventually},
};
use proto::quickserve::{
    fulfilment::v1::{OrderState, Signal},
    order::v1 as pb,
};
use yare::parameterized;

impl Town {
    /// Waits until so many calls for help were told, and returns whom the last one addressed.
    async fn until_called(&self, id: &str, calls: usize) -> String {
        let seen = async || {
            let events = self.events.events_of(id).into_iter();
            events.filter(|event| event.kind == "order.sos").collect::<Vec<_>>()
        };
        let seen = eventually("a call for help", seen, |seen| seen.len() == calls).await;
        seen.last().unwrap().decode::<pb::OrderEvent>().unwrap().addressee
    }
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_call_for_help_disputes_the_order_and_changes_no_state(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let called = town.act(town.provider, "sos", &id).await;
    assert_eq!((called.state(), called.disputed), (OrderState::InProgress, true));
    assert_eq!(town.until_called(&id, 1).await, "customer");
    let dispute = &town.full(town.operator, &id).await.disputes[0];
    assert_eq!((dispute.reason.as_str(), dispute.opened_by.as_str()), ("SAFETY", "provider"));
    let kinds = town.events.kinds_of(&id);
    assert!(!kinds.contains(&"order.disputed".to_owned()), "one fact says it: {kinds:?}");

    // Calling again changes nothing; the other side may call too.
    let again = town.act(town.provider, "sos", &id).await;
    assert_eq!(again.version, called.version);
    town.act(town.customer, "sos", &id).await;
    assert_eq!(town.until_called(&id, 2).await, "provider");
    assert_eq!(town.full(town.operator, &id).await.disputes.len(), 1);

    // Nothing is accepted by itself until an operator has decided.
    town.act(town.provider, "deliver", &id).await;
    let early = town.attempt(town.customer, "acceptDelivery", &id, &With::default()).await;
    assert_eq!(reason_of(&early.unwrap_err()), "ORDER_STATE");
    town.act(town.operator, "resolveDispute", &id).await;
    town.act(town.provider, "sos", &id).await;
    assert_eq!(town.until_called(&id, 3).await, "customer");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn an_alarm_of_the_orders_own_vertical_is_a_call_for_help(backend: Backend) {
    let town = Town::new(backend).await;
    let id = town.at_work().await.id;
    let signal = Signal {
        order_id: id.clone(),
        reported_by: town.customer.user_id.to_string(),
        ..Signal::default()
    };
    town.publish_as("transport", "fulfilment.safety", &signal).await;
    assert!(!town.get(&id).await.disputed, "another vertical has no say");
    town.publish_as("cleaning", "fulfilment.safety", &signal).await;
    assert_eq!(town.until_called(&id, 1).await, "provider");
    let order = town.get(&id).await;
    assert_eq!((order.state(), order.disputed), (OrderState::InProgress, true));
    // An order that nobody has taken yet has nobody to be in danger.
    let open = town.ordered().await.id;
    let signal = Signal { order_id: open.clone(), ..signal };
    town.publish_as("cleaning", "fulfilment.safety", &signal).await;
    assert!(!town.get(&open).await.disputed);
    let early = town.attempt(town.customer, "sos", &open, &With::default()).await.unwrap_err();
    assert_eq!(reason_of(&early), "ORDER_STATE");
}
