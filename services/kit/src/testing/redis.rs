//! A Redis of the test's own, which the test kills, freezes and starts again as it likes.

use super::eventually;
use crate::redis::{Redis, RedisError};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    net::{Ipv4Addr, TcpListener},
    process::{Child, Command, Stdio},
};

/// The variable that names the server's program; without it, it is found in the path.
pub const REDIS_SERVER: &str = "QS_TEST_REDIS_SERVER";
/// Ports tried before a test gives up: another process may take one between its choice and its use.
const MAX_PORTS: usize = 20;

/// A `redis-server` that keeps nothing on disk. It ends when this is dropped.
pub struct RedisServer {
    port: u16,
    password: Option<String>,
    child: Option<Child>,
    folder: tempfile::TempDir,
}

impl RedisServer {
    /// Starts one on a free port.
    pub async fn start() -> Self {
        Self::start_with(None).await
    }

    /// Starts one that asks for this password.
    pub async fn start_with(password: Option<&str>) -> Self {
        for _ in 0..MAX_PORTS {
            let mut server = Self::absent(password);
            if server.try_restart().await {
                return server;
            }
        }
        panic!("no port is free for redis-server");
    }

    /// One that does not run yet, on a port that is free now.
    pub fn absent(password: Option<&str>) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = free.local_addr().expect("its address").port();
        let folder = tempfile::tempdir().expect("a folder");
        Self { port, password: password.map(str::to_owned), child: None, folder }
    }

    /// Where it is reached, with its password.
    pub fn url(&self) -> String {
        match &self.password {
            Some(password) => format!("redis://:{password}@127.0.0.1:{}", self.port),
            None => format!("redis://127.0.0.1:{}", self.port),
        }
    }

    /// A connection to it.
    pub fn connect(&self) -> Redis {
        Redis::connect(&self.url()).expect("the URL is one")
    }

    /// Starts it again on its port, empty.
    pub async fn restart(&mut self) {
        assert!(self.try_restart().await, "redis-server does not start on port {}", self.port);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("it is ours");
            child.wait().expect("it is ours");
        }
    }

    /// Has it keep its connections and answer nothing.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Has a frozen one go on.
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// Forgets all that it holds.
    pub async fn flush(&self) {
        let redis = self.connect();
        let flushed = async || redis.command::<String>("FLUSHALL", "", Vec::new()).await;
        eventually("Redis is flushed", flushed, Result::is_ok).await.expect("it is");
    }

    /// Starts it and waits until it answers; false when it ends instead, because its port was taken.
    async fn try_restart(&mut self) -> bool {
        self.kill();
        let program = std::env::var(REDIS_SERVER).unwrap_or_else(|_| "redis-server".to_owned());
        let mut command = Command::new(program);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]);
        if let Some(password) = &self.password {
            command.args(["--requirepass", password]);
        }
        command.current_dir(self.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().expect("redis-server runs: use the README's test command");
        let redis = self.connect();
        let child = self.child.insert(child);
        let look = async || match child.try_wait() {
            Ok(None) => redis.command::<String>("PING", "", Vec::new()).await.map(|_| true),
            _ => Ok(false),
        };
        eventually("Redis answers", look, |seen: &Result<bool, RedisError>| seen.is_ok())
            .await
            .unwrap_or(false)
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("it is ours");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
