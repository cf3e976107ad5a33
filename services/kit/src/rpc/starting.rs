//! The stack of a service that has not started yet.

use super::client::Stack;
use http::Request;
use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};
use tonic::{Status, body::Body};
use tower::ServiceExt as _;

/// Answers by the stack in `started`, and until it is there, that the service is unavailable.
pub fn answer_once_started(started: Arc<OnceLock<Stack>>) -> Stack {
    Stack::new(tower::service_fn(move |request: Request<Body>| {
        let stack = started.get().cloned();
        async move {
            match stack {
                Some(stack) => stack.oneshot(request).await,
                None => {
                    let starting =
                        Status::unavailable("the service is starting, try again in a moment");
                    Ok::<_, Infallible>(starting.into_http())
                }
            }
        }
    }))
}
