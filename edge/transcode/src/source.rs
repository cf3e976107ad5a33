//! Where contracts come from, and how a change of them becomes the transcoder in use.

use std::path::PathBuf;
use std::time::Duration;

use crate::body::BoxError;
use crate::direct::Direct;
use crate::reflection;
pub use crate::reflection::Contracts;
use crate::serve::ReloadableTranscoder;
use crate::transcoder::Transcoder;

/// How often an upstream is asked at the start, once a second.
const PATIENCE: usize = 30;

/// A place to read a descriptor set from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file. It is best replaced by renaming; one that is half written is refused and read again.
    File(PathBuf),
    /// The upstream, by server reflection.
    Reflection(Direct),
}

impl Source {
    /// Reads the contracts.
    ///
    /// # Errors
    /// When the file or the upstream cannot be read.
    pub async fn read(&self) -> Result<Contracts, BoxError> {
        match self {
            Self::File(path) => match tokio::fs::read(path).await {
                Ok(descriptors) => Ok(Contracts { descriptors, gaps: Vec::new() }),
                Err(error) => Err(format!("{}: {error}", path.display()).into()),
            },
            Self::Reflection(upstream) => reflection::read_contracts(upstream.clone()).await,
        }
    }

    /// Reads the contracts, and waits for an upstream which is not up yet.
    ///
    /// # Errors
    /// As [`read`](Self::read), for an upstream after half a minute.
    pub async fn first(&self) -> Result<Contracts, BoxError> {
        for _ in 0..PATIENCE {
            match self.read().await {
                Err(error) if matches!(self, Self::Reflection(_)) => {
                    tracing::warn!(%error, "the upstream's contracts cannot be read yet");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                read => return read,
            }
        }
        self.read().await
    }

    /// How often to look for a change.
    fn interval(&self) -> Duration {
        match self {
            Self::File(_) => Duration::from_secs(1),
            Self::Reflection(_) => Duration::from_secs(15),
        }
    }
}

/// Looks for changes for ever. What is refused is logged once and changes nothing: the last good
/// contracts stay in use.
pub async fn watch_sources(source: Source, mut current: Vec<u8>, reloadable: ReloadableTranscoder) {
    let mut ticks = tokio::time::interval(source.interval());
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match source.read().await {
            Ok(contracts) if contracts.descriptors != current => {
                contracts.warn_of_gaps();
                current = contracts.descriptors;
                reload_on_change(&current, &reloadable);
            }
            Ok(_) => {}
            Err(error) => tracing::debug!(%error, "the contracts cannot be read"),
        }
    }
}

/// Puts new contracts in use; says whether they were accepted.
pub fn reload_on_change(descriptors: &[u8], reloadable: &ReloadableTranscoder) -> bool {
    let options = reloadable.load().options().clone();
    match Transcoder::compile(descriptors, options) {
        Ok(transcoder) => {
            tracing::info!(routes = transcoder.routes(), "new contracts are in use");
            reloadable.store(transcoder);
            true
        }
        Err(error) => {
            tracing::error!(%error, "new contracts are refused, the last good ones stay in use");
            false
        }
    }
}
