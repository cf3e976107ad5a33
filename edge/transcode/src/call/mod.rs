//! One call: the HTTP request bound and converted, the upstream asked, its answer converted back.

mod answer;
mod blame;
mod compression;
mod content;
mod prepare;
mod printer;
mod replies;
mod reply_stream;
mod splitter;
mod stream;
mod transport;
mod upload;
mod upstream;
mod websocket;

use std::sync::Arc;

use futures::TryFutureExt as _;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use tower::ServiceExt as _;

use crate::body::Body;
use crate::compiled::Route;
use crate::deadline;
use crate::error_body::ErrorContext;
use crate::failure::Failure;
use crate::rule::RequestBody;

use blame::in_terms_of_client;
use prepare::Call;
use replies::{Replies, RequestFailure};
use reply_stream::ReplyStream;
use upstream::{Content, OpenCall};
pub use upstream::{RequestContent, Upstream, UpstreamExtensions, UpstreamMetadata};

/// Serves a routed request. Every failure comes back as a response.
pub(crate) fn call_method<S, B>(
    route: Route,
    request: Request<B>,
    upstream: S,
) -> impl Future<Output = Response<Body>> + Send + use<S, B>
where
    S: Upstream,
    B: RequestContent,
{
    // Built outside the async block and boxed: a value moved into nested futures takes space in each of them.
    let context = ErrorContext::of(&request);
    let inner = Arc::clone(&route.inner);
    let open: OpenCall = Box::new(|request| Box::pin(upstream.oneshot(request).err_into()));
    let request = Box::new(request.map(|body| body.map_err(Into::into).boxed_unsync()));
    async move {
        match serve_call(route, request, open, &context).await {
            Ok(response) => response,
            Err(failure) => {
                let failure = inner.forwarding.failure(failure);
                inner.errors().response(&context, &failure)
            }
        }
    }
}

async fn serve_call(
    route: Route,
    mut request: Box<Request<Content>>,
    open: OpenCall,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let call = Box::new(prepare::prepare_call(route, &mut request)?);
    let (binding, options) = (&call.route.binding, &call.route.inner.options);
    let (client_streams, server_streams) =
        (binding.method.client_streaming(), binding.method.server_streaming());
    let takes_no_content = binding.request == RequestBody::None;
    let may_upgrade = client_streams
        || (server_streams && takes_no_content && options.server_streams_over_websocket);
    if may_upgrade && websocket::is_upgrade(&request) {
        return websocket::accept_upgrade(*call, *request, open, context);
    }
    if client_streams && takes_no_content {
        return Err(websocket::upgrade_required());
    }
    let time_limit = call.deadline;
    let asked = ask_upstream(call, request, open, context);
    match time_limit {
        None => asked.await,
        Some(deadline) => match tokio::time::timeout_at(deadline, asked).await {
            Ok(answer) => {
                answer.map_err(|failure| deadline::blame_deadline(failure, Some(deadline)))
            }
            Err(_) => Err(Failure::deadline()),
        },
    }
}

async fn ask_upstream(
    mut call: Box<Call>,
    request: Box<Request<Content>>,
    open: OpenCall,
    context: &ErrorContext,
) -> Result<Response<Body>, Failure> {
    let (head, content) = request.into_parts();
    let request_failure = RequestFailure::default();
    let (binding, inner) = (&call.route.binding, &call.route.inner);
    content::check_content(binding, &head.headers, &content)?;
    let (body, upload) = if binding.method.client_streaming() {
        let (body, upload) =
            upload::upload_body(&mut call, &head.headers, content, &request_failure).await?;
        (body, Some(upload))
    } else {
        let buffer = inner.budget.buffer(inner.options.max_request_bytes);
        let content = content::read_content(binding, &head.headers, content, buffer).await?;
        let _turn = content::await_turn(&inner.long_conversions, content.bytes.len()).await;
        let frame = content::to_message(&mut call, &head.headers, &content.bytes)?;
        (tonic::body::Body::new(Full::new(frame)), None)
    };
    let asking = async move {
        let limit = call.route.inner.options.max_response_bytes;
        let opening = Replies::open(open, call.outgoing(body), request_failure, limit);
        if call.route.binding.method.server_streaming() {
            let replies = ReplyStream::new(opening, &call);
            return stream::respond_with_stream(*call, &head, upload, replies, context).await;
        }
        let replies = opening.await.map_err(|failure| in_terms_of_client(&call, failure))?;
        answer::answer_unary(*call, &head, replies).await
    };
    // By itself: a request whose content is still on its way needs no memory for the answer.
    Box::pin(asking).await
}
