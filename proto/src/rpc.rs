//! What the contracts say about each RPC, as a table that the build writes: who may call, whose objects it reaches, how
//! it is repeated, where it is over HTTP. Callers that it does not list are refused.

pub use crate::generated::quickserve::options::v1::{Caller, IdempotencyKey, Scope};

mod table {
    include!(concat!(env!("OUT_DIR"), "/rpcs.rs"));
}

/// The policy of one RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rpc {
    /// Path of its calls, `/package.Service/Method`.
    pub path: &'static str,
    /// Full name of its service, `package.Service`.
    pub service: &'static str,
    /// Name of the method.
    pub method: &'static str,
    /// Who may call.
    pub callers: Callers,
    /// Which objects a permitted caller reaches.
    pub scope: Scope,
    /// The services that may call, when [`Caller::Service`] is among the callers.
    pub services: &'static [&'static str],
    /// What the `Idempotency-Key` header does.
    pub idempotency_key: IdempotencyKey,
    /// What a repetition does by itself.
    pub idempotency_level: IdempotencyLevel,
    /// HTTP status of a success.
    pub success_status: u16,
    /// Whether a part of the capacity is kept for it.
    pub critical: bool,
    /// What makes server-sent events of the messages of its stream.
    pub sse: Option<Sse>,
    /// What is written down about a call.
    pub audit: Audit,
    /// Request headers that its handler reads beside those that every service sees, in lower case.
    pub headers: &'static [&'static str],
    /// Whether the caller sends a stream.
    pub client_streaming: bool,
    /// Whether the caller gets a stream.
    pub server_streaming: bool,
    /// Its HTTP routes, the main one first; empty when only services may call.
    pub routes: &'static [Route],
}

/// The fields that make server-sent events of the messages of a stream; each may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sse {
    /// Field of the response that is the `id`.
    pub id: &'static str,
    /// Field of the response that is the type of the event.
    pub event: &'static str,
    /// Field of the request that takes `Last-Event-ID`.
    pub resume: &'static str,
}

/// What is written down about a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// Whether an operator must say why.
    pub reason: bool,
    /// Whether the handler writes down what is read and by whom, before it answers.
    pub read: bool,
}

/// One HTTP route of an RPC, as `google.api.http` gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST` …
    pub verb: &'static str,
    /// Path template, such as `/v1/orders/{order_id}:cancel`.
    pub template: &'static str,
    /// Request field that is the body; `*` for all that the path leaves, empty for none.
    pub body: &'static str,
    /// Response field that is the body; empty for the whole response.
    pub response_body: &'static str,
}

/// What a repetition does by itself (`idempotency_level` of google/protobuf/descriptor.proto).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdempotencyLevel {
    /// It may do the thing twice.
    Unknown,
    /// Nothing: the RPC only reads.
    NoSideEffects,
    /// Nothing more than the first call did.
    Idempotent,
}

/// A set of callers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Callers(u8);

impl Callers {
    /// The set of these callers.
    pub const fn of(callers: &[Caller]) -> Self {
        let (mut set, mut rest) = (0, callers);
        while let [caller, others @ ..] = rest {
            set |= Self::bit(*caller);
            rest = others;
        }
        Self(set)
    }

    /// Whether the caller is in the set.
    pub const fn contains(self, caller: Caller) -> bool {
        self.0 & Self::bit(caller) != 0
    }

    /// The callers in the set.
    pub fn iter(self) -> impl Iterator<Item = Caller> {
        (1..8)
            .filter_map(|number| Caller::try_from(number).ok())
            .filter(move |it| self.contains(*it))
    }

    /// Unspecified has no bit: it is in no set.
    const fn bit(caller: Caller) -> u8 {
        match caller as i32 {
            number @ 1..=7 => 1 << number,
            _ => 0,
        }
    }
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Every RPC of the contracts, sorted by path.
pub fn all_rpcs() -> &'static [Rpc] {
    table::RPCS
}

/// The RPC whose calls have this path.
pub fn find_rpc(path: &str) -> Option<&'static Rpc> {
    let found = table::RPCS.binary_search_by(|rpc| rpc.path.cmp(path));
    found.ok().and_then(|index| table::RPCS.get(index))
}
