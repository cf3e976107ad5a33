//! Request content that is buffered until it is complete, and the budget that all of it shares.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Code;

use crate::failure::Failure;

/// Bytes that every request may buffer without asking the budget: most contents are no longer.
pub(crate) const RESERVED_PER_REQUEST: usize = 16 << 10;
/// The most bytes that a buffer grows by in one step.
const GROWTH_STEP: usize = 64 << 10;
/// A first frame of at least so many bytes is kept without a copy. A shorter one is copied: kept, it would hold on to
/// the whole buffer that it was read into.
const ZERO_COPY_THRESHOLD: usize = 4 << 10;

/// The bytes that all requests together may buffer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BufferBudget(Arc<Semaphore>);

/// The content of one request while it arrives. It takes memory for what came, not for what is announced.
#[derive(Debug)]
pub struct ContentBuffer {
    reservation: Reservation,
    limit: usize,
    length: usize,
    /// What came, if it is one frame.
    only: Bytes,
    /// What came, if it is more. The last has space left.
    pieces: Vec<BytesMut>,
}

/// The part of the budget that one request uses, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: BufferBudget,
    permits: Option<OwnedSemaphorePermit>,
}

/// The complete content of a request. Its bytes count against the budget until this is dropped.
#[derive(Debug)]
pub struct BufferedContent {
    /// All bytes of the content, in order.
    pub bytes: Bytes,
    _reservation: Reservation,
}

impl BufferBudget {
    /// A budget of so many bytes, beside those that every request has for itself.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// An empty buffer for one content of at most `limit` bytes.
    pub fn buffer(&self, limit: usize) -> ContentBuffer {
        ContentBuffer {
            reservation: self.reservation(),
            limit,
            length: 0,
            only: Bytes::new(),
            pieces: Vec::new(),
        }
    }

    /// The part of a request that buffers nothing yet.
    pub(crate) fn reservation(&self) -> Reservation {
        Reservation { budget: self.clone(), permits: None }
    }
}

impl Reservation {
    /// Takes from the budget, or gives back, so that `length` bytes are covered beyond those that every request has for
    /// itself.
    ///
    /// # Errors
    /// 503 when the budget is spent.
    pub fn resize(&mut self, length: usize) -> Result<(), Failure> {
        let wanted = length.saturating_sub(RESERVED_PER_REQUEST);
        let held = self.permits.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        if wanted < held {
            // What is split off is dropped, and so given back.
            let _ = self.permits.as_mut().and_then(|permits| permits.split(held - wanted));
        } else if wanted > held {
            let more = u32::try_from(wanted - held).map_err(|_| over_budget())?;
            let budget = Arc::clone(&self.budget.0);
            let taken = budget.try_acquire_many_owned(more).map_err(|_| over_budget())?;
            match &mut self.permits {
                Some(permits) => permits.merge(taken),
                none => *none = Some(taken),
            }
        }
        Ok(())
    }
}

impl ContentBuffer {
    /// The most bytes that the content may have.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The bytes that have come.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// 413 when the content is longer than its limit, 503 when the budget is spent.
    pub fn push(&mut self, data: Bytes) -> Result<(), Failure> {
        if data.len() > self.limit.saturating_sub(self.length) {
            return Err(Failure::too_large(self.limit));
        }
        self.reservation.resize(self.length + data.len())?;
        if self.length == 0 && data.len() >= ZERO_COPY_THRESHOLD {
            (self.length, self.only) = (data.len(), data);
            return Ok(());
        }
        let first = std::mem::take(&mut self.only);
        self.length += data.len();
        self.copy(&first);
        self.copy(&data);
        Ok(())
    }

    /// Joins the frames to the complete content.
    pub fn finish(mut self) -> BufferedContent {
        let bytes = match self.pieces.as_mut_slice() {
            [] => self.only,
            [piece] => std::mem::take(piece).freeze(),
            pieces => {
                let mut all = BytesMut::with_capacity(self.length);
                // Each is given back as soon as it is copied.
                pieces.iter_mut().for_each(|it| all.extend_from_slice(&std::mem::take(it)));
                all.freeze()
            }
        };
        BufferedContent { bytes, _reservation: self.reservation }
    }

    fn copy(&mut self, data: &[u8]) {
        let space = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
        let (fits, rest) = data.split_at(space.min(data.len()));
        if let Some(piece) = self.pieces.last_mut() {
            piece.extend_from_slice(fits);
        }
        if !rest.is_empty() {
            // As much again as there is: few pieces for long contents, little waste for short ones.
            let mut piece = BytesMut::with_capacity(rest.len().max(self.length.min(GROWTH_STEP)));
            piece.extend_from_slice(rest);
            self.pieces.push(piece);
        }
    }
}

fn over_budget() -> Failure {
    Failure::new(Code::Unavailable, "too much content arrives at once; try again")
        .with_reason("OVERLOADED")
        .with_header(RETRY_AFTER, "1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::StatusCode;

    fn content(length: usize) -> Bytes {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_content_is_the_same_however_it_arrives() {
        for length in [0, 1, 300, ZERO_COPY_THRESHOLD, RESERVED_PER_REQUEST, 300_000] {
            let all = content(length);
            for size in [1, 7, ZERO_COPY_THRESHOLD, 10_000, 300_000] {
                let mut buffer = BufferBudget::new(1 << 20).buffer(length);
                for frame in all.chunks(size) {
                    buffer.push(Bytes::copy_from_slice(frame)).unwrap();
                }
                assert_eq!(buffer.finish().bytes, all, "{length} by {size}");
            }
        }
    }

    #[test]
    fn a_content_takes_at_most_twice_what_came() {
        for size in [1, 100, 5_000, 100_000] {
            let mut buffer = BufferBudget::new(1 << 20).buffer(1 << 20);
            for frame in content(500_000).chunks(size) {
                buffer.push(Bytes::copy_from_slice(frame)).unwrap();
                let space: usize = buffer.pieces.iter().map(BytesMut::capacity).sum();
                assert!(space <= buffer.length * 2, "{space} for {}", buffer.length);
                assert!(
                    space <= buffer.length + GROWTH_STEP.max(size),
                    "{space} for {}",
                    buffer.length
                );
            }
        }
    }

    #[test]
    fn a_short_frame_does_not_keep_the_buffer_it_was_read_into() {
        let mut read = BytesMut::from(&content(8192)[..]);
        let mut buffer = BufferBudget::new(0).buffer(100);
        buffer.push(read.split_to(1).freeze()).unwrap();
        read.clear();
        assert!(read.try_reclaim(8192), "nothing else refers to it");
    }

    #[test]
    fn contents_share_the_budget_and_give_it_back() {
        let budget = BufferBudget::new(100);
        let mut first = budget.buffer(usize::MAX);
        first.push(content(RESERVED_PER_REQUEST + 60)).unwrap();
        let mut second = budget.buffer(usize::MAX);
        second.push(content(RESERVED_PER_REQUEST)).unwrap();
        second.push(content(40)).unwrap();
        let refused = second.push(content(1)).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers[RETRY_AFTER], "1");
        budget.buffer(usize::MAX).push(content(RESERVED_PER_REQUEST)).unwrap();
        let complete = first.finish();
        assert!(second.push(content(1)).is_err(), "it is not done with");
        drop(complete);
        second.push(content(60)).unwrap();
        assert_eq!(second.finish().bytes.len(), RESERVED_PER_REQUEST + 100);
        assert_eq!(budget.0.available_permits(), 100);
    }

    #[test]
    fn a_reservation_grows_and_shrinks_with_what_is_buffered() {
        let budget = BufferBudget::new(100);
        let mut reservation = budget.reservation();
        for (length, left) in [(0, 100), (60, 40), (100, 0), (10, 90), (0, 100), (30, 70)] {
            reservation.resize(RESERVED_PER_REQUEST + length).unwrap();
            assert_eq!(budget.0.available_permits(), left, "{length}");
        }
        assert!(reservation.resize(RESERVED_PER_REQUEST + 101).is_err());
        assert_eq!(budget.0.available_permits(), 70, "what it had it keeps");
        drop(reservation);
        assert_eq!(budget.0.available_permits(), 100);
    }

    #[test]
    fn a_content_over_its_limit_is_refused() {
        let mut buffer = BufferBudget::new(0).buffer(10);
        buffer.push(content(10)).unwrap();
        assert_eq!(buffer.push(content(1)).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
