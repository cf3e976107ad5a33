//! The end of answers that would go on for as long as the server does: streams and WebSockets.

use futures::future::BoxFuture;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The time by which each open stream makes the end of all streams longer, up to the most that it may take.
const SPREAD_PER_STREAM: Duration = Duration::from_millis(10);
/// The time over which the streams of a server end, unless it says another.
const USUAL_SPREAD: Duration = Duration::from_secs(10);

/// Ends the streams of one server that stops. Their clients connect again at once, so the ends are spread at random over
/// a time that grows with the number of open streams: about a hundred end in a second. Clones belong to one server.
#[derive(Clone, Debug)]
pub struct StreamEnds {
    begun: CancellationToken,
    open: TaskTracker,
    most: Duration,
}

impl StreamEnds {
    /// Ends streams within `most` from the moment when that begins.
    pub fn within(most: Duration) -> Self {
        Self { begun: CancellationToken::new(), open: TaskTracker::new(), most }
    }

    /// Lets the streams end from now on.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// The end of a stream that begins now. The stream counts as open until this is dropped.
    pub fn join(&self) -> StreamEnd {
        let (ends, open) = (self.clone(), self.open.token());
        let turn = async move {
            ends.begun.cancelled().await;
            tokio::time::sleep(ends.spread().mul_f64(rand::random_range(0.0..1.0))).await;
            drop(open);
        };
        StreamEnd { turn: Some(Box::pin(turn)) }
    }

    fn spread(&self) -> Duration {
        let open = u32::try_from(self.open.len()).unwrap_or(u32::MAX);
        SPREAD_PER_STREAM.saturating_mul(open).min(self.most)
    }
}

impl Default for StreamEnds {
    fn default() -> Self {
        Self::within(USUAL_SPREAD)
    }
}

/// Ready when it is this stream's turn to end, and from then on. Its moment is chosen once, however often it is asked.
pub struct StreamEnd {
    turn: Option<BoxFuture<'static, ()>>,
}

impl Future for StreamEnd {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(turn) = &mut self.turn else { return Poll::Ready(()) };
        std::task::ready!(turn.as_mut().poll(context));
        self.turn = None;
        Poll::Ready(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _, stream::FuturesUnordered};
    use tokio::time::Instant;

    const MOST: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn many_streams_end_one_after_the_other_within_the_most() {
        let ends = StreamEnds::within(MOST);
        let mut open: FuturesUnordered<_> = (0..5_000).map(|_| ends.join()).collect();
        assert!(open.next().now_or_never().is_none(), "no stream ends before");
        ends.begin();
        let begun = Instant::now();
        let mut in_second = [0; 10];
        while open.next().await.is_some() {
            in_second[usize::try_from(begun.elapsed().as_millis() / 1_001).unwrap()] += 1;
        }
        assert!(in_second.iter().all(|ended| (300..700).contains(ended)), "{in_second:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_on_its_own_ends_at_once_and_stays_ended() {
        let ends = StreamEnds::within(MOST);
        drop((0..5_000).map(|_| ends.join()).collect::<Vec<_>>());
        let mut end = ends.join();
        ends.begin();
        let begun = Instant::now();
        (&mut end).await;
        assert!(begun.elapsed() < Duration::from_millis(20), "{:?}", begun.elapsed());
        end.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_asked_often_has_the_same_turn() {
        let ends = StreamEnds::within(MOST);
        let _others: Vec<_> = (0..5_000).map(|_| ends.join()).collect();
        let mut end = ends.join();
        ends.begin();
        let begun = Instant::now();
        while (&mut end).now_or_never().is_none() {
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        assert!(begun.elapsed() <= MOST + Duration::from_millis(50), "{:?}", begun.elapsed());
    }
}
