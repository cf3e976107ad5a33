//! The server under load: a process of its own, pinned, with its own data.

use crate::process;
use anyhow::{Context, bail};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A running server.
pub struct Server {
    /// Where its edge listens.
    pub address: SocketAddr,
    /// From the start of the process until it was ready.
    pub start_up: Duration,
    /// Its folder of files.
    pub data_dir: tempfile::TempDir,
    /// The program it runs.
    pub program: PathBuf,
    /// The PostgreSQL database it runs on.
    pub database_url: Option<String>,
    process: Child,
}

impl Server {
    /// Starts `program`, on `processor` if one is named, and waits until it is ready.
    ///
    /// # Errors
    /// When it ends before.
    pub async fn start(
        program: &Path,
        processor: Option<usize>,
        database_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        let data_dir = tempfile::tempdir()?;
        let mut command = match processor {
            Some(processor) => {
                let mut command = Command::new("taskset");
                command.arg("-c").arg(processor.to_string()).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.arg("up").args(["--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"]);
        command.arg("--data-dir").arg(data_dir.path());
        if let Some(url) = database_url {
            command.args(["--database-url", url]);
        }
        // The load comes from one address and few accounts: limits on them are not what is measured.
        command.env("QS_EDGE__CLIENT_PER_MINUTE", "0").env("QS_EDGE__ACCOUNT_PER_MINUTE", "0");
        command.env("QS_EDGE__ACCESS_LOG", "false").env("QS_LOG", "warn");
        let begun = Instant::now();
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let stdout = process.stdout.take().context("no output")?;
        let mut lines = BufReader::new(stdout).lines();
        let Some(line) = lines.next_line().await? else { bail!("it ended before it was ready") };
        let start_up = begun.elapsed();
        let address = line.rsplit_once("http://").context(line.clone())?.1.trim().parse()?;
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let database_url = database_url.map(str::to_owned);
        let program = program.to_owned();
        Ok(Self { address, start_up, data_dir, program, database_url, process })
    }

    /// Processor time that the process has spent.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.pid()?)
    }

    /// Memory that the process has in use, in MiB.
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        process::resident_mib(self.pid()?)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the server has ended")
    }

    /// Ends the process.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("ending the server")
    }
}
