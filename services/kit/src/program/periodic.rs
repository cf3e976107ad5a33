//! Work that is done again and again: sweeps and clean-ups.

use crate::program::clock::Clock;
use chrono::Duration;
use std::{fmt::Display, future::Future};
use tokio_util::sync::CancellationToken;

/// Does `work` at once and then each time that `period` has passed since the last round began, until `stop`. A round
/// that has begun goes on to its end; one that fails is logged, and the next one tries again.
pub async fn run<W, F, E>(
    name: &'static str,
    period: Duration,
    clock: Clock,
    stop: CancellationToken,
    work: W,
) where
    W: Fn() -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    while !stop.is_cancelled() {
        let next = clock.now() + period;
        if let Err(error) = work().await {
            let seconds = period.num_seconds();
            tracing::warn!(%error, work = name, "periodic work failed, and is tried again in {seconds} s");
        }
        tokio::select! {
            () = clock.sleep_until(next) => {}
            () = stop.cancelled() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{eventually, start};
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    #[tokio::test]
    async fn work_is_done_at_once_and_after_each_period_whether_it_fails_or_not() {
        let (clock, stop) = (Clock::manual(start()), CancellationToken::new());
        let rounds = Arc::new(AtomicUsize::new(0));
        let work = {
            let rounds = rounds.clone();
            move || {
                let round = rounds.fetch_add(1, Ordering::SeqCst);
                async move { if round == 1 { Err("away") } else { Ok(()) } }
            }
        };
        let running =
            tokio::spawn(run("test", Duration::minutes(5), clock.clone(), stop.clone(), work));
        for expected in 1..=4 {
            let read = async || rounds.load(Ordering::SeqCst);
            eventually("the next round", read, |rounds| *rounds == expected).await;
            tokio::task::yield_now().await;
            clock.advance(Duration::minutes(5));
        }
        stop.cancel();
        running.await.unwrap();
    }
}
