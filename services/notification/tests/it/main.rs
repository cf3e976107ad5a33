//! The service over its real stack, on both databases, beside a scripted user service.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod inbox;
mod mail;
mod scene;
mod settings;
mod smtp;
mod told;
mod watch;

use kit::testing::Backend;
use std::future::Future;

/// Tells the story on each database.
async fn on_each_backend<F, Fut>(story: F)
where
    F: Fn(Backend) -> Fut,
    Fut: Future<Output = ()>,
{
    for backend in Backend::ALL {
        story(backend).await;
    }
}
