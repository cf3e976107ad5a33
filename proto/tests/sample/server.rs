//! A generated server, called without a socket: what it refuses before its handler, and how.

use crate::{
    google::api::HttpBody,
    sample::v1::{
        CountRequest, CountResponse, Person, RegisterRequest, RegisterResponse, UploadResponse,
        person::Payment,
        sample_service_client::SampleServiceClient,
        sample_service_server::{SampleService, SampleServiceServer},
    },
};
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::Full;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};
use tokio_stream::{Iter, StreamExt};
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt;
use tower::ServiceExt;

/// Counts the calls that reach a handler, and answers what breaks the rules of responses.
#[derive(Default)]
struct Handler {
    calls: Arc<AtomicUsize>,
}

#[tonic::async_trait]
impl SampleService for Handler {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let email = request.into_inner().person.unwrap_or_default().email;
        let person = Some(Person { id: "no UUID".into(), email, ..Person::default() });
        Ok(Response::new(RegisterResponse { person }))
    }

    type CountStream = Iter<std::vec::IntoIter<Result<CountResponse, Status>>>;

    async fn count(
        &self,
        request: Request<CountRequest>,
    ) -> Result<Response<Self::CountStream>, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let numbers: Vec<_> =
            (1..=request.into_inner().to).map(|number| Ok(CountResponse { number })).collect();
        Ok(Response::new(tokio_stream::iter(numbers)))
    }

    async fn upload(&self, request: Request<HttpBody>) -> Result<Response<UploadResponse>, Status> {
        let size = request.into_inner().data.len() as u64;
        Ok(Response::new(UploadResponse { size }))
    }
}

type Server = SampleServiceServer<Handler>;

fn start() -> (SampleServiceClient<Server>, Server, Arc<AtomicUsize>) {
    let calls = Arc::default();
    let server = SampleServiceServer::new(Handler { calls: Arc::clone(&calls) });
    (SampleServiceClient::new(server.clone()), server, calls)
}

fn valid() -> RegisterRequest {
    RegisterRequest {
        person: Some(Person {
            email: "ada@example.com".into(),
            role: 1,
            payment: Some(Payment::Card("1234567890123456".into())),
            ..Person::default()
        }),
        password: "12345678".into(),
    }
}

#[tokio::test]
async fn a_valid_request_reaches_its_handler_and_responses_are_not_checked() {
    let (mut client, _, calls) = start();
    let response = client.register(valid()).await.unwrap().into_inner();
    assert_eq!(response.person.unwrap().id, "no UUID");
    let numbers =
        client.count(CountRequest { to: 3, ..CountRequest::default() }).await.unwrap().into_inner();
    assert_eq!(numbers.map(|it| it.unwrap().number).collect::<Vec<_>>().await, [1, 2, 3]);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    let body = HttpBody { data: vec![1, 2, 3], ..HttpBody::default() };
    assert_eq!(client.upload(body).await.unwrap().into_inner().size, 3);
}

#[tokio::test]
async fn an_invalid_request_is_refused_with_its_fields_before_the_handler() {
    let (mut client, _, calls) = start();
    let request = RegisterRequest { password: "canary".into(), ..valid() };
    let status = client.register(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), "password must have at least 8 characters");

    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("INVALID_ARGUMENT", "quickserve"));
    let [violation] = &details.bad_request().unwrap().field_violations[..] else {
        panic!("{details:?}");
    };
    assert_eq!(violation.field, "password");
    assert_eq!(violation.description, "must have at least 8 characters");
    assert_eq!(violation.reason, "string.min_len");
    assert!(!format!("{status:?}").contains("canary"));

    let status =
        client.count(CountRequest { to: 11, ..CountRequest::default() }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

/// Calls `Register` with bytes that need not be a message.
async fn raw(server: Server, message: &[u8]) -> Status {
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    let request = http::Request::post("/sample.v1.SampleService/Register")
        .header("content-type", "application/grpc")
        .body(Full::<Bytes>::new(frame.freeze()))
        .unwrap();
    let response = server.oneshot(request).await.unwrap();
    Status::from_header_map(response.headers()).unwrap()
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let (_, server, calls) = start();
    for (bytes, field) in [
        (&b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..], ""),
        (b"\x12\x03\xff\xfe\xfd", "RegisterRequest.password"), // not UTF-8
        (b"\x12\x7fshort", "RegisterRequest.password"),        // shorter than it says
        (b"\x0a\x02\x10\x07", "Person.email"),                 // a number where a text belongs
    ] {
        let status = raw(server.clone(), bytes).await;
        assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
        assert!(status.message().contains(field), "{status:?}");
        assert_eq!(status.get_details_error_info().unwrap().reason, "INVALID_ARGUMENT");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
