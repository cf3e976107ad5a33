//! Requests of REST routes, with JSON or what else the contract's route takes.

use crate::{
    admission::RateLimits,
    decompression::{self, ContentCoding},
    state::{Label, Meta, State, label_failure, request_context},
    upstream::Upstream,
};
use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use http_body_util::{BodyExt as _, Collected};
use listener::Content;
use std::sync::Arc;
use transcode::{Body, ErrorContext};

const GRPC_TIMEOUT: &str = "grpc-timeout";
const SERVER_TIMEOUT: &str = "x-server-timeout";

/// Answers by the route of the contracts.
pub async fn answer_rest(
    state: &State,
    mut request: Request<Content>,
    meta: Meta,
    limits: &mut RateLimits,
) -> Response<Body> {
    let (route, entry) = match state.route(&request) {
        Ok(found) => found,
        Err(error) => {
            return state.transcoder.respond_unrouted(&ErrorContext::of(&request), &error);
        }
    };
    let claims = match state.admission.admit(entry, request.headers(), limits).await {
        Ok(claims) => claims,
        Err(status) => {
            let response = state.refuse(&ErrorContext::of(&request), &status);
            return label_failure(response, entry.label);
        }
    };
    let headers = request.headers_mut();
    if let Some(timeout) = &entry.timeout
        && !headers.contains_key(GRPC_TIMEOUT)
        && !headers.contains_key(SERVER_TIMEOUT)
    {
        headers.insert(GRPC_TIMEOUT, timeout.clone());
    }
    let place = entry.creates.then(|| request.uri().path().trim_end_matches('/').to_owned());
    let upstream = Upstream {
        channel: entry.channel.clone(),
        context: request_context(claims.map(|claims| claims.subject), entry.rpc, &meta),
        places: state.admission.places_for(entry.rpc),
        token: state.admission.token_of_stream(entry.rpc, claims),
    };
    let mut response = match ContentCoding::of(&request) {
        Ok(None) => state.transcoder.call(route, request, upstream).await,
        Ok(Some(coding)) => {
            let buffer = state.transcoder.buffer_budget().buffer(state.config.max_request_bytes);
            let request =
                decompression::decode_content(request, coding, buffer, Arc::clone(&state.decoding));
            Box::pin(state.transcoder.call(route, request, upstream)).await
        }
        Err(failure) => state.fail(&ErrorContext::of(&request), &failure),
    };
    if let Some(path) = place.filter(|_| response.status() == StatusCode::CREATED) {
        response = replace_placeholders(response, &path).await;
    }
    response.extensions_mut().insert(Label(entry.label));
    response
}

/// The answer to a creation with the place of what was made: its `id` below `path`.
async fn replace_placeholders(response: Response<Body>, path: &str) -> Response<Body> {
    #[derive(serde::Deserialize)]
    struct Made {
        id: String,
    }
    let (mut head, body) = response.into_parts();
    // The whole of it is there: only streams can break off, and a creation is none.
    let content = body.collect().await.map(Collected::to_bytes).unwrap_or_default();
    if let Ok(Made { id }) = serde_json::from_slice(&content)
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && let Ok(place) = HeaderValue::try_from(format!("{path}/{id}"))
    {
        head.headers.insert(LOCATION, place);
    }
    Response::from_parts(head, Body::full(content))
}
