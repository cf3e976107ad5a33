//! What a request carries from hop to hop: its deadline, its caller's account, its id.
//!
//! The guard opens a context round each handler; typed clients read it, so that a handler passes nothing on by hand.

use crate::rpc::caller::Subject;
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::Instant;

/// The facts of the request being served.
#[derive(Clone, Debug, Default)]
pub struct Context {
    /// When the answer is of no use any more.
    pub deadline: Option<Instant>,
    /// The account on whose behalf the work is done.
    pub subject: Option<Subject>,
    /// The id under which the outside knows the request.
    pub request_id: Option<Arc<str>>,
    /// Full path of the RPC being served, for example `/quickserve.order.v1.OrderService/CreateOrder`.
    pub rpc: &'static str,
    /// Who acts, as events name it.
    pub actor: Arc<str>,
}

tokio::task_local! {
    static CONTEXT: Context;
}

impl Context {
    /// The context of the request being served; an empty one in a worker.
    pub fn current() -> Self {
        CONTEXT.try_with(Clone::clone).unwrap_or_default()
    }

    /// Runs `work` in this context.
    pub async fn scope<F: Future>(self, work: F) -> F::Output {
        CONTEXT.scope(self, work).await
    }

    /// The time a call made now may take: what is left of the deadline less a margin for the way back, or `most`.
    pub fn time_left(&self, most: Duration) -> Duration {
        const MARGIN: Duration = Duration::from_millis(50);
        match self.deadline {
            Some(deadline) => {
                most.min(deadline.saturating_duration_since(Instant::now()).saturating_sub(MARGIN))
            }
            None => most,
        }
    }
}
