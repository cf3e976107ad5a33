//! What a request carries from hop to hop: its deadline, its caller's account, its id.
//!
//! The guard opens a context round each handler; typed clients read it, so that a handler passes nothing on by hand.

use crate::rpc::caller::Subject;
use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
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
    /// Why an operator does it, where the contract asks. It may name people: it is never logged.
    pub reason: Option<OperatorReason>,
    /// Whether the handler has written down what it reads.
    pub audited: Audited,
}

/// Why an operator does something, in their own words.
#[derive(Clone)]
pub struct OperatorReason(pub Arc<str>);

/// Says that there is a reason, not which.
impl std::fmt::Debug for OperatorReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OperatorReason(_)")
    }
}

/// Whether what a call reads was written down: the guard asks, where the contract has it written down.
#[derive(Clone, Debug, Default)]
pub struct Audited(Arc<AtomicBool>);

impl Audited {
    /// Notes that it is written down.
    pub fn note(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it is.
    pub fn is_noted(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
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
