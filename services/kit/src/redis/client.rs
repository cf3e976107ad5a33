//! The one way to call Redis. A call has its answer or its error within a bound, is tried at most once, and fails at
//! once while there is no connection. A call that failed by time may still have happened.

use crate::{redis::breaker::Breaker, rpc::error::Error};
use fred::{
    clients::{Client, WithOptions},
    error::ErrorKind,
    interfaces::{ClientLike, LuaInterface},
    socket2::TcpKeepalive,
    types::{
        ClusterHash, CustomCommand, FromValue, Value,
        config::{
            Config, ConnectionConfig, Options, PerformanceConfig, ReconnectPolicy, TcpConfig,
        },
        scripts::Script,
    },
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tonic::Status;

/// How long a command may take.
pub const COMMAND_LIMIT: Duration = Duration::from_millis(250);
/// How long a script may take that writes or reads many entries.
pub const SCRIPT_LIMIT: Duration = Duration::from_secs(1);
/// Calls under way at a time; more are refused at once.
const MAX_IN_FLIGHT: usize = 256;
/// How the URL of a Redis begins; Sentinel and Cluster follow in the scheme.
const SCHEMES: [&str; 4] = ["redis://", "rediss://", "redis-", "rediss-"];
/// How long the client may take to connect and to sign in.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
/// What the client's own timer may be late by on a busy machine, before the call ends without it.
const GRACE: Duration = Duration::from_millis(50);
/// The shortest and the longest pause between two attempts to connect, in milliseconds.
const RECONNECT_MS: (u32, u32) = (100, 1_000);
/// How long a connection is silent before the kernel asks whether the other side is there.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Why a call to Redis failed. No text holds a password or a value.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL cannot be used. The text does not repeat it, since it may hold a password.
    #[error(
        "the Redis URL is none: it reads redis://HOST:PORT, rediss:// with TLS, redis-sentinel:// or redis-cluster://"
    )]
    Url,
    /// Redis has not answered for a while; this call was not sent.
    #[error("Redis does not answer, and is asked again in a moment")]
    HeldBack,
    /// Too many calls are under way; this one was not sent.
    #[error("{MAX_IN_FLIGHT} calls to Redis are under way")]
    Busy,
    /// There was no answer in time. What was asked may happen nevertheless.
    #[error("Redis did not answer in {0:?}")]
    TimedOut(Duration),
    /// There is no connection; this call was not sent, or its answer was lost.
    #[error("Redis cannot be reached: {0}")]
    Away(String),
    /// Redis answered with an error, which starts with a code such as `NOGROUP`.
    #[error("Redis refused a command: {0}")]
    Refused(String),
}

impl RedisError {
    /// Whether Redis answered with this code. One that a script met stands further behind in the text.
    pub fn has_code(&self, code: &str) -> bool {
        matches!(self, Self::Refused(answer) if answer.split_whitespace().any(|word| word == code))
    }
}

impl From<RedisError> for Error {
    fn from(error: RedisError) -> Self {
        Status::unavailable(error.to_string()).into()
    }
}

/// The connection of a process to Redis; clones share it.
#[derive(Clone)]
pub struct Redis {
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    breaker: Breaker,
    in_flight: Semaphore,
}

impl Redis {
    /// Begins to connect to `url` and returns at once. Redis may come later, and go and come again.
    pub fn connect(url: &str) -> Result<Self, RedisError> {
        let client = Client::new(
            read_url(url)?,
            Some(performance()),
            Some(connection()),
            Some(reconnect_policy()),
        );
        // Its task connects again and again, for as long as the process runs.
        drop(client.connect());
        let shared = Shared {
            client,
            breaker: Breaker::default(),
            in_flight: Semaphore::new(MAX_IN_FLIGHT),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Sends the command `name` with its arguments. `key` says which node of a cluster has it.
    pub async fn command<T: FromValue>(
        &self,
        name: &'static str,
        key: &str,
        args: Vec<Value>,
    ) -> Result<T, RedisError> {
        let command = CustomCommand::new_static(name, ClusterHash::from(key), false);
        let client = self.within(COMMAND_LIMIT);
        self.call(COMMAND_LIMIT, client.custom(command, args)).await
    }

    /// Runs a script on keys of one node, and sends its text when the server does not have it.
    pub async fn run_script<T: FromValue>(
        &self,
        script: &Script,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<T, RedisError> {
        self.run_within(SCRIPT_LIMIT, script, keys, args).await
    }

    /// As [`Redis::run_script`] for a script that is as short as a command.
    pub async fn run_short_script<T: FromValue>(
        &self,
        script: &Script,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<T, RedisError> {
        self.run_within(COMMAND_LIMIT, script, keys, args).await
    }

    async fn run_within<T: FromValue>(
        &self,
        limit: Duration,
        script: &Script,
        keys: Vec<String>,
        args: Vec<Value>,
    ) -> Result<T, RedisError> {
        let client = self.within(limit);
        let known = client.evalsha(script.sha1().clone(), keys.clone(), args.clone());
        match (self.call(limit, known).await, script.lua()) {
            (Err(error), Some(lua)) if error.has_code("NOSCRIPT") => {
                self.call(limit, client.eval(lua.clone(), keys, args)).await
            }
            (answer, _) => answer,
        }
    }

    /// Connects another client to the same server, for what holds a connection of its own.
    pub(super) fn config(&self) -> Config {
        self.shared.client.client_config()
    }

    fn within(&self, limit: Duration) -> WithOptions<Client> {
        self.shared.client.with_options(&Options {
            fail_fast: true,
            max_attempts: Some(1),
            timeout: Some(limit),
            ..Options::default()
        })
    }

    async fn call<T>(
        &self,
        limit: Duration,
        call: impl Future<Output = Result<T, fred::error::Error>>,
    ) -> Result<T, RedisError> {
        let Shared { breaker, in_flight, .. } = &*self.shared;
        let _permit = in_flight.try_acquire().map_err(|_| RedisError::Busy)?;
        let passage = breaker.admit(Instant::now()).ok_or(RedisError::HeldBack)?;
        let error = match tokio::time::timeout(limit + GRACE, call).await {
            Ok(Ok(answer)) => {
                breaker.note_answer();
                return Ok(answer);
            }
            Ok(Err(error)) if *error.kind() != ErrorKind::Timeout => {
                breaker.note_answer();
                return Err(refusal(&error));
            }
            Ok(Err(_)) | Err(_) => RedisError::TimedOut(limit),
        };
        if breaker.note_timeout(passage, Instant::now()) {
            tracing::warn!("Redis does not answer; its connection is made anew");
            let client = self.shared.client.clone();
            tokio::spawn(async move { client.force_reconnection().await });
        }
        Err(error)
    }
}

/// An answer of the server starts with its code in capitals; all else means that there is no connection.
fn refusal(error: &fred::error::Error) -> RedisError {
    let text = error.details();
    let code = text.split_whitespace().next().unwrap_or_default();
    if !code.is_empty() && code.chars().all(|letter| letter.is_ascii_uppercase()) {
        RedisError::Refused(text.to_owned())
    } else {
        RedisError::Away(text.to_owned())
    }
}

fn read_url(url: &str) -> Result<Config, RedisError> {
    if !SCHEMES.iter().any(|scheme| url.starts_with(scheme)) {
        return Err(RedisError::Url);
    }
    let mut config = Config::from_url(url).map_err(|_| RedisError::Url)?;
    // The first connection may fail like any later one.
    config.fail_fast = false;
    Ok(config)
}

pub(super) fn performance() -> PerformanceConfig {
    PerformanceConfig { default_command_timeout: COMMAND_LIMIT, ..PerformanceConfig::default() }
}

/// The buffer of commands has no bound: with one, the client does not recover once it was full. Calls under way are
/// bounded here instead.
pub(super) fn connection() -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: CONNECT_LIMIT,
        internal_command_timeout: CONNECT_LIMIT,
        max_command_attempts: 1,
        max_command_buffer_len: 0,
        reconnect_on_auth_error: true,
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE)),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}

pub(super) fn reconnect_policy() -> ReconnectPolicy {
    let (shortest, longest) = RECONNECT_MS;
    ReconnectPolicy::new_exponential(0, shortest, longest, 2)
}
