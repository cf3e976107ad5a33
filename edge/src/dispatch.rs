//! Decides what answers a request: a page of the edge's own, gRPC, or a route of the contracts.

use crate::{
    accept_encoding::AcceptedCodings,
    client,
    grpc::{self, GrpcHandler},
    pages::{self, StaticPage},
    rest,
    state::{CLIENT, Meta, State, label_failure},
};
use futures::{
    FutureExt as _,
    future::{self, BoxFuture},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ACCEPT_ENCODING, CACHE_CONTROL},
};
use listener::Content;
use std::{
    convert::Infallible,
    panic::AssertUnwindSafe,
    sync::Arc,
    task::{self, Poll},
};
use tower::Service;
use transcode::{Body, ErrorContext, Failure};

/// A response extension: the client does not accept content as it is.
#[derive(Clone, Copy)]
pub struct MustCompress;

/// The service of one connection's requests; cheap to clone.
#[derive(Clone)]
pub struct Handler(pub Arc<State>);

impl Service<Request<Content>> for Handler {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Content>) -> Self::Future {
        let state = Arc::clone(&self.0);
        let is_get = matches!(*request.method(), Method::GET | Method::HEAD);
        let Some(meta) = request.extensions_mut().remove::<Meta>() else {
            // The middleware puts it there; a request without it has not been checked and is refused.
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            return Box::pin(future::ready(Ok(response)));
        };
        let context = ErrorContext::of(&request);
        let codings = AcceptedCodings::of(request.headers());
        let answered =
            AssertUnwindSafe(answer_request(Arc::clone(&state), request, meta)).catch_unwind();
        Box::pin(answered.map(move |answered| {
            let mut response = answered.unwrap_or_else(|_| {
                tracing::error!("a request handler panicked");
                state.fail(
                    &context,
                    &Failure::from(&kit::rpc::error::internal()).with_reason("INTERNAL"),
                )
            });
            if !codings.identity {
                response.extensions_mut().insert(MustCompress);
            }
            let headers = response.headers_mut();
            if !headers.contains_key(CACHE_CONTROL) {
                // A reader may keep its own copy and ask whether it is still good; other answers are not cached.
                let cached = if is_get { "private, no-cache" } else { "no-store" };
                headers.insert(CACHE_CONTROL, HeaderValue::from_static(cached));
            }
            Ok(response)
        }))
    }
}

async fn answer_request(
    state: Arc<State>,
    mut request: Request<Content>,
    meta: Meta,
) -> Response<Body> {
    if let Err(refused) = check_request(&request) {
        return state.fail(&ErrorContext::of(&request), &refused);
    }
    let page = StaticPage::of(request.uri().path());
    if let Some(page) = page.filter(|page| page.is_probe()) {
        return label_failure(pages::answer_page(&state, page, &request), page.path());
    }
    let client =
        client::client_address(meta.peer, request.headers(), &state.config.trusted_proxies);
    let mut limits = match state.admission.client(client).await {
        Ok(limits) => limits,
        Err((limits, status)) => {
            let mut response = if grpc::is_grpc(request.headers()) {
                grpc::refuse_call(request.headers(), status)
            } else {
                state.refuse(&ErrorContext::of(&request), &status)
            };
            limits.write(response.headers_mut());
            return response;
        }
    };
    if let Ok(client) = HeaderValue::try_from(client.to_string()) {
        request.headers_mut().insert(CLIENT, client);
    }
    let mut response = if let Some(page) = page {
        label_failure(pages::answer_page(&state, page, &request), page.path())
    } else if grpc::is_grpc(request.headers()) {
        Box::pin(GrpcHandler { state, meta }.answer(request, &mut limits)).await
    } else {
        rest::answer_rest(&state, request, meta, &mut limits).await
    };
    limits.write(response.headers_mut());
    response
}

/// Refuses a request that no route could answer, before it does anything.
fn check_request(request: &Request<Content>) -> Result<(), Failure> {
    listener::check_request(request)?;
    if AcceptedCodings::of(request.headers()).any() {
        return Ok(());
    }
    let problem = "at least one of identity, gzip and zstd must be accepted";
    let failure = Failure::invalid(ACCEPT_ENCODING.as_str(), problem);
    Err(failure.with_status(StatusCode::NOT_ACCEPTABLE))
}
