//! The guard round a service: who may call, how long they wait, what becomes of a panic.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use async_trait::async_trait;
use futures::{StreamExt, stream::BoxStream};
use kit::{
    Role, Routes, Subject,
    identity::{
        revocation::Revoked,
        token::{ISSUER, NewAccess, issue_access},
    },
    rpc::caller::caller_of,
    rpc::client::Channel,
    rpc::context::Context,
    rpc::error,
    testing::{Backend, World, acting_as, somebody},
};
use proto::quickserve::notification::v1::{
    notification_service_client::NotificationServiceClient as Client,
    notification_service_server::{NotificationService, NotificationServiceServer as Server},
    *,
};
use std::time::Duration;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

/// Misbehaves as each request asks it to.
struct Moody;

#[async_trait]
impl NotificationService for Moody {
    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let caller = caller_of(&request);
        match request.get_ref().page_token.as_str() {
            "panic" => panic!("on purpose"),
            "hang" => std::future::pending().await,
            "who" => {
                let service = caller.service.as_deref().unwrap_or("nobody");
                let next_page_token = format!("{caller} through {service}");
                Ok(Response::new(ListMessagesResponse { next_page_token, ..Default::default() }))
            }
            _ => Ok(Response::new(Default::default())),
        }
    }

    type WatchInboxStream = BoxStream<'static, Result<WatchInboxResponse, Status>>;

    async fn watch_inbox(
        &self,
        request: Request<WatchInboxRequest>,
    ) -> Result<Response<Self::WatchInboxStream>, Status> {
        let three = (0..3).map(|_| Ok(WatchInboxResponse::default()));
        let three = futures::stream::iter(three);
        Ok(Response::new(match request.metadata().contains_key("endless") {
            true => three.chain(futures::stream::pending()).boxed(),
            false => three.boxed(),
        }))
    }

    async fn mark_read(
        &self,
        _: Request<MarkReadRequest>,
    ) -> Result<Response<MarkReadResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_preferences(
        &self,
        _: Request<GetPreferencesRequest>,
    ) -> Result<Response<GetPreferencesResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn update_preferences(
        &self,
        _: Request<UpdatePreferencesRequest>,
    ) -> Result<Response<UpdatePreferencesResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn get_quiet_hours(
        &self,
        _: Request<GetQuietHoursRequest>,
    ) -> Result<Response<GetQuietHoursResponse>, Status> {
        Ok(Response::new(Default::default()))
    }

    async fn update_quiet_hours(
        &self,
        _: Request<UpdateQuietHoursRequest>,
    ) -> Result<Response<UpdateQuietHoursResponse>, Status> {
        Ok(Response::new(Default::default()))
    }
}

async fn world() -> World {
    let world = World::new(Backend::Sqlite).await;
    world.host.of("notification").install(Routes::default().add(Server::new(Moody)));
    world
}

async fn list(
    channel: Channel,
    subject: Option<Subject>,
    token: &str,
) -> Result<ListMessagesResponse, Status> {
    let request = ListMessagesRequest { page_token: token.into(), ..Default::default() };
    let call = async { Client::new(channel).list_messages(request).await };
    let answer = match subject {
        Some(subject) => acting_as(subject, call).await,
        None => call.await,
    };
    answer.map(Response::into_inner)
}

#[tokio::test]
async fn whoever_the_contract_does_not_list_is_refused() {
    let world = world().await;
    let nobody = list(world.outside("notification"), None, "").await.unwrap_err();
    assert_eq!(
        (nobody.code(), error::reason_of(&nobody)),
        (Code::Unauthenticated, "UNAUTHENTICATED".into())
    );
    let service = list(world.host.of("order").channel("notification"), None, "").await.unwrap_err();
    assert_eq!(
        (service.code(), error::reason_of(&service)),
        (Code::PermissionDenied, "PERMISSION_DENIED".into())
    );
    list(world.outside("notification"), Some(somebody(&[])), "").await.unwrap();
}

#[tokio::test]
async fn a_service_that_acts_for_an_account_is_still_the_service() {
    let world = world().await;
    let customer = somebody(&[Role::Customer]);
    let channel = world.host.of("order").channel("notification");
    let refused = list(channel, Some(customer), "").await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
}

#[tokio::test]
async fn a_handler_knows_its_caller() {
    let world = world().await;
    let customer = somebody(&[Role::Customer]);
    let answer = list(world.outside("notification"), Some(customer), "who").await.unwrap();
    assert_eq!(answer.next_page_token, format!("user:{} through edge", customer.user_id));
}

#[tokio::test]
async fn a_panic_is_an_internal_error_and_the_next_call_works() {
    let world = world().await;
    let customer = Some(somebody(&[Role::Customer]));
    let status = list(world.outside("notification"), customer, "panic").await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    list(world.outside("notification"), customer, "").await.unwrap();
}

#[tokio::test]
async fn a_handler_that_hangs_is_left_at_the_deadline() {
    let world = world().await;
    let context = Context {
        subject: Some(somebody(&[Role::Customer])),
        deadline: Some(tokio::time::Instant::now() + Duration::from_millis(200)),
        ..Context::default()
    };
    let status = context.scope(list(world.outside("notification"), None, "hang")).await;
    assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded);
    let late = Context { deadline: Some(tokio::time::Instant::now()), ..Context::default() };
    let status = late.scope(list(world.outside("notification"), None, "")).await;
    assert_eq!(status.unwrap_err().code(), Code::DeadlineExceeded, "no time left, not even asked");
}

#[tokio::test]
async fn a_request_that_breaks_its_contract_names_the_field() {
    let world = world().await;
    let request = MarkReadRequest { message_id: "42".into() };
    let call = async { Client::new(world.outside("notification")).mark_read(request).await };
    let status = acting_as(somebody(&[Role::Customer]), call).await.unwrap_err();
    let details = tonic_types::StatusExt::get_details_bad_request(&status).unwrap();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(details.field_violations[0].field, "message_id");
}

#[tokio::test]
async fn a_stream_flows_through() {
    let world = world().await;
    let call = async {
        Client::new(world.outside("notification")).watch_inbox(WatchInboxRequest::default()).await
    };
    let stream = acting_as(somebody(&[Role::Customer]), call).await.unwrap().into_inner();
    assert_eq!(stream.filter(|item| std::future::ready(item.is_ok())).count().await, 3);
}

#[tokio::test]
async fn a_peer_that_has_not_started_is_unavailable() {
    let world = World::new(Backend::Sqlite).await;
    let customer = Some(somebody(&[Role::Customer]));
    let status = list(world.outside("notification"), customer, "").await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
}

#[tokio::test]
async fn when_there_is_too_much_to_do_a_call_is_refused_soon_and_others_go_on() {
    let world = world().await;
    let customer = somebody(&[Role::Customer]);
    let hanging: Vec<_> = (0..700)
        .map(|_| tokio::spawn(list(world.outside("notification"), Some(customer), "hang")))
        .collect();
    // Half of the places are one RPC's; the calls beyond them are refused long before their deadline.
    let refused = async || hanging.iter().filter(|call| call.is_finished()).count();
    kit::testing::eventually("the others are refused", refused, |refused| *refused == 700 - 512)
        .await;
    let (refused, held): (Vec<_>, Vec<_>) =
        hanging.into_iter().partition(|call| call.is_finished());
    for call in refused {
        let status = call.await.unwrap().unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert_eq!(error::reason_of(&status), "OVERLOADED");
    }
    let status = list(world.outside("notification"), Some(customer), "").await.unwrap_err();
    assert_eq!(error::reason_of(&status), "OVERLOADED");
    // Another RPC of the service.
    let request = MarkReadRequest { message_id: Uuid::new_v4().to_string() };
    let call = async { Client::new(world.outside("notification")).mark_read(request).await };
    acting_as(customer, call).await.unwrap();
    // Places come back when calls end.
    for call in held {
        call.abort();
        let _ = call.await;
    }
    list(world.outside("notification"), Some(customer), "").await.unwrap();
}

#[tokio::test]
async fn a_stream_ends_when_the_access_token_of_its_caller_becomes_void() {
    let world = World::new(Backend::Sqlite).await;
    let stack = world.host.of("notification").install(Routes::default().add(Server::new(Moody)));
    let (subject, now) = (somebody(&[Role::Customer]), world.clock.now());
    let access = NewAccess { issuer: ISSUER, subject, token_version: 1, token_id: Uuid::new_v4() };
    let token = issue_access(&world.host.access_keys().unwrap().current(), access, now).token;
    let watch = || {
        let mut request = Request::new(WatchInboxRequest::default());
        let metadata = request.metadata_mut();
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
        metadata.insert("endless", "1".parse().unwrap());
        request
    };
    let mut client = Client::new(stack);
    let mut stream = client.watch_inbox(watch()).await.unwrap().into_inner();
    for _ in 0..3 {
        stream.message().await.unwrap().unwrap();
    }
    let revocations = world.host.identity().revocations();
    revocations.add([(Revoked::Session(Uuid::new_v4()), now)], now);
    assert!(futures::poll!(Box::pin(stream.message())).is_pending(), "another's session");
    revocations.add([(Revoked::Below { user_id: subject.user_id, token_version: 2 }, now)], now);
    for status in
        [stream.message().await.unwrap_err(), client.watch_inbox(watch()).await.unwrap_err()]
    {
        assert_eq!(status.code(), Code::Unauthenticated);
        assert_eq!(error::reason_of(&status), "TOKEN_INVALID");
    }
}
