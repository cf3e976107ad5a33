//! The inbox as a stream.

use crate::scene::{Order, Scene};
use kit::{
    Subject,
    rpc::error::reason_of,
    testing::{Backend, acting_as},
};
use proto::quickserve::{
    fulfilment::v1::OrderState::{Arrived, Assigned, EnRoute, Requested},
    notification::v1 as pb,
};
use std::time::Duration;
use tonic::{Code, Streaming};
use yare::parameterized;

type Inbox = Streaming<pb::WatchInboxResponse>;

async fn watch(scene: &Scene, subject: Subject) -> Inbox {
    let mut client = scene.client();
    let watching = acting_as(subject, client.watch_inbox(pb::WatchInboxRequest::default())).await;
    watching.unwrap().into_inner()
}

/// The next message of a stream, none at its end. What is to come comes within ten seconds.
async fn next(inbox: &mut Inbox) -> Option<pb::Message> {
    let next = tokio::time::timeout(Duration::from_secs(10), inbox.message()).await;
    next.expect("in time").unwrap().and_then(|response| response.message)
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn unread_messages_come_first_and_then_what_comes(backend: Backend) {
    let scene = Scene::new(backend).await;
    // More than one batch of a watcher.
    for _ in 0..130 {
        scene.order(&mut Order::new(), "order.en_route", Assigned, EnRoute).await;
    }
    let read = scene.messages(scene.customer).await.remove(0);
    let request = pb::MarkReadRequest { message_id: read.id.clone() };
    acting_as(scene.customer, scene.client().mark_read(request)).await.unwrap();

    let mut inbox = watch(&scene, scene.customer).await;
    let mut ids = Vec::new();
    for _ in 0..129 {
        ids.push(next(&mut inbox).await.unwrap().id);
    }
    assert!(ids.is_sorted() && !ids.contains(&read.id));
    // Live, to each only their own, and nothing twice.
    let mut other = watch(&scene, scene.provider).await;
    for _ in 0..3 {
        scene.order(&mut Order::new(), "order.arrived", EnRoute, Arrived).await;
    }
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    for _ in 0..3 {
        assert_eq!(next(&mut inbox).await.unwrap().template, "order.arrived.customer");
    }
    let live = next(&mut inbox).await.unwrap();
    assert_eq!(live.template, "order.assigned.customer");
    assert!(live.subject.starts_with("It is confirmed"), "{}", live.subject);
    assert_eq!(next(&mut other).await.unwrap().template, "order.assigned.provider");
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn nothing_is_lost_between_catching_up_and_listening(backend: Backend) {
    let scene = Scene::new(backend).await;
    // Messages come while streams open.
    let publish = async {
        for _ in 0..40 {
            scene.order(&mut Order::new(), "order.en_route", Assigned, EnRoute).await;
        }
    };
    let read_all = || async {
        let mut inbox = watch(&scene, scene.customer).await;
        let mut ids = std::collections::BTreeSet::new();
        while ids.len() < 40 {
            assert!(ids.insert(next(&mut inbox).await.unwrap().id), "twice");
        }
    };
    futures::join!(publish, read_all(), read_all(), read_all());
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn streams_are_bounded_and_end(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        open.push(watch(&scene, scene.customer).await);
    }
    let mut client = scene.client();
    let request = pb::WatchInboxRequest::default();
    let refused = acting_as(scene.customer, client.watch_inbox(request)).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(reason_of(&refused), "TOO_MANY_STREAMS");
    // After a quarter of an hour each ends, and its place is free again.
    scene.clock.advance(chrono::Duration::minutes(15));
    for inbox in &mut open {
        assert_eq!(next(inbox).await, None);
    }
    drop(open);
    let mut inbox = watch(&scene, scene.customer).await;
    // So does one whose service stops.
    scene.world.stop.cancel();
    assert_eq!(next(&mut inbox).await, None);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn a_stream_goes_on_behind_what_was_seen(backend: Backend) {
    let scene = Scene::new(backend).await;
    let mut messages = Vec::new();
    let mut inbox = watch(&scene, scene.customer).await;
    for _ in 0..3 {
        scene.order(&mut Order::new(), "order.en_route", Assigned, EnRoute).await;
        messages.push(next(&mut inbox).await.unwrap().id);
        scene.clock.advance(chrono::Duration::minutes(2));
    }
    let request = pb::WatchInboxRequest { after: messages[1].clone() };
    let again = acting_as(scene.customer, scene.client().watch_inbox(request)).await;
    let mut again = again.unwrap().into_inner();
    assert_eq!(next(&mut again).await.unwrap().id, messages[2], "the first two are behind it");
    scene.order(&mut Order::new(), "order.arrived", EnRoute, Arrived).await;
    assert_eq!(next(&mut again).await.unwrap().template, "order.arrived.customer");
    let request = pb::WatchInboxRequest { after: "7".to_owned() };
    let refused = acting_as(scene.customer, scene.client().watch_inbox(request)).await;
    assert_eq!(kit::testing::refused_field(refused), "after");
}
