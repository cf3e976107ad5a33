//! A side of the comparison: a process on the processor that is measured.

use anyhow::{Context, bail};
use std::{
    net::SocketAddr,
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};
use tests::process;
use tokio::{
    net::{TcpListener, TcpStream},
    process::{Child, Command},
};

/// How long a side may take to listen.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running process.
pub struct Side {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
}

impl Side {
    /// Starts `command` on `processor`, with the address to listen at in the place of `{}`.
    pub async fn start(command: &[String], processor: usize) -> anyhow::Result<Self> {
        let address = free().await?;
        let command: Vec<_> =
            command.iter().map(|word| word.replace("{}", &address.to_string())).collect();
        let mut child = Command::new("taskset");
        child.arg("-c").arg(processor.to_string()).args(&command);
        let process = child.stderr(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
        let mut side = Self { address, process: process.spawn()? };
        let begun = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if side.process.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
                bail!("{} does not listen", command.join(" "));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(side)
    }

    /// Processor time that it has spent.
    pub fn cpu(&self) -> anyhow::Result<Duration> {
        process::cpu(self.pid()?)
    }

    /// The most memory that it has had in use, in MiB.
    pub fn most_resident_mib(&self) -> anyhow::Result<f64> {
        process::most_resident_mib(self.pid()?)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        self.process.id().context("the process has ended")
    }

    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.process.kill().await.context("ending a process")
    }
}

/// An address that nobody listens at. Envoy cannot say which one it chose, so all are told.
async fn free() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

/// The words of a transcoder's command line before `upstream`.
pub fn transcoder(program: &[String], descriptors: &Path, upstream: SocketAddr) -> Vec<String> {
    let descriptors = descriptors.display().to_string();
    let upstream = format!("http://{upstream}");
    let more = ["--descriptors", &descriptors, "--upstream", &upstream, "--listen", "{}"];
    program.iter().cloned().chain(more.map(str::to_owned)).collect()
}
