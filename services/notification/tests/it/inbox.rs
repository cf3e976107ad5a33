//! The inbox as a list: pages, marks, whose it is.

use crate::scene::{Order, Scene};
use kit::{
    rpc::error::reason_of,
    testing::{Backend, acting_as, eventually},
};
use proto::quickserve::{
    fulfilment::v1::OrderState::{Assigned, Requested},
    notification::v1 as pb,
};
use tonic::Code;
use uuid::Uuid;
use yare::parameterized;

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn pages_lead_through_the_inbox(backend: Backend) {
    let scene = Scene::new(backend).await;
    for _ in 0..5 {
        scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    }
    let mut client = scene.client();
    let (mut token, mut seen) = (String::new(), Vec::new());
    loop {
        let request =
            pb::ListMessagesRequest { page_size: 2, page_token: token, unread_only: false };
        let page = acting_as(scene.customer, client.list_messages(request)).await.unwrap();
        let page = page.into_inner();
        seen.extend(page.messages.into_iter().map(|message| message.id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen.len(), 5);
    assert!(seen.is_sorted_by(|a, b| a > b), "{seen:?}");
    let bad = pb::ListMessagesRequest { page_token: "x".to_owned(), ..Default::default() };
    let refused = acting_as(scene.customer, client.list_messages(bad)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn only_its_reader_marks_a_message(backend: Backend) {
    let scene = Scene::new(backend).await;
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    let message = scene.messages(scene.customer).await.remove(0);
    let mut client = scene.client();
    let mark = |id: &str| pb::MarkReadRequest { message_id: id.to_owned() };
    // Somebody else's message is as absent as one that never was.
    let foreign = acting_as(scene.provider, client.mark_read(mark(&message.id))).await;
    let absent =
        acting_as(scene.provider, client.mark_read(mark(&Uuid::new_v4().to_string()))).await;
    for refused in [foreign.unwrap_err(), absent.unwrap_err()] {
        assert_eq!(refused.code(), Code::NotFound);
        assert_eq!(reason_of(&refused), "MESSAGE_NOT_FOUND");
        assert_eq!(refused.message(), "the message does not exist");
    }
    let read = acting_as(scene.customer, client.mark_read(mark(&message.id))).await.unwrap();
    let read = read.into_inner().message.unwrap();
    assert!(read.read_at.is_some());
    // Again, later: the first time stays.
    scene.clock.advance(chrono::Duration::hours(1));
    let again = acting_as(scene.customer, client.mark_read(mark(&message.id))).await.unwrap();
    assert_eq!(again.into_inner().message.unwrap().read_at, read.read_at);
    let unread = pb::ListMessagesRequest { unread_only: true, ..Default::default() };
    let left = acting_as(scene.customer, client.list_messages(unread)).await.unwrap();
    assert!(left.into_inner().messages.is_empty());
    let nobody = client.list_messages(pb::ListMessagesRequest::default()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::Unauthenticated);
}

#[parameterized(sqlite = { Backend::Sqlite }, postgres = { Backend::Postgres })]
#[test_macro(tokio::test(flavor = "multi_thread"))]
async fn old_messages_are_forgotten(backend: Backend) {
    let scene = Scene::with_config(backend, &[("notification.keep_days", "30")]).await;
    scene.order(&mut Order::new(), "order.assigned", Requested, Assigned).await;
    scene.mail_is("order.assigned.customer", "DELIVERED").await;
    scene.mail_is("order.assigned.provider", "DELIVERED").await;
    let mailboxes = || std::fs::read_dir(scene.mail_folder()).unwrap().count();
    assert_eq!(mailboxes(), 1);
    scene.clock.advance(chrono::Duration::days(31));
    let left = async || (scene.rows().await.len(), mailboxes());
    eventually("the sweep", left, |left| *left == (0, 0)).await;
}
