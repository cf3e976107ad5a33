//! Content that is held until all of it is there, and how much of it there may be at a time.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header::RETRY_AFTER;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Code;

use crate::failure::Failure;

/// What each content may hold whatever the others do: most are no longer.
const FREE: usize = 16 << 10;
/// The largest piece that room is made for at once.
const PIECE: usize = 64 << 10;
/// A first frame of so many bytes is kept as it is; a shorter one is copied, because it would keep all of the buffer
/// that it was read into.
const WORTH: usize = 4 << 10;

/// Room for contents that are not complete, shared by all requests. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Room(Arc<Semaphore>);

/// One content while it arrives. It takes no more memory than came, however much is announced.
#[derive(Debug)]
pub struct Held {
    room: Room,
    limit: usize,
    length: usize,
    /// What came, if it is one frame.
    only: Bytes,
    /// What came, if it is more. The last has space left.
    pieces: Vec<BytesMut>,
    taken: Option<OwnedSemaphorePermit>,
}

/// A complete content, which counts as long as this exists.
#[derive(Debug)]
pub struct Whole {
    /// The content.
    pub bytes: Bytes,
    _taken: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// Room for so many bytes, beside a little that each content has for itself.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// A content of at most `limit` bytes, none of which came yet.
    pub fn hold(&self, limit: usize) -> Held {
        Held {
            room: self.clone(),
            limit,
            length: 0,
            only: Bytes::new(),
            pieces: Vec::new(),
            taken: None,
        }
    }
}

impl Held {
    /// The most bytes that it may be.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Adds what came next.
    ///
    /// # Errors
    /// When the content is too long, or there is no room for more of it now.
    pub fn add(&mut self, data: Bytes) -> Result<(), Failure> {
        if data.len() > self.limit.saturating_sub(self.length) {
            return Err(Failure::too_large(self.limit));
        }
        self.take(data.len())?;
        if self.length == 0 && data.len() >= WORTH {
            (self.length, self.only) = (data.len(), data);
            return Ok(());
        }
        let first = std::mem::take(&mut self.only);
        self.length += data.len();
        self.copy(&first);
        self.copy(&data);
        Ok(())
    }

    /// The content, all of which came.
    pub fn whole(mut self) -> Whole {
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
        Whole { bytes, _taken: self.taken }
    }

    /// Counts bytes beyond those that every content has for itself.
    fn take(&mut self, more: usize) -> Result<(), Failure> {
        let counted = |length: usize| length.saturating_sub(FREE);
        let more = counted(self.length + more) - counted(self.length);
        if more == 0 {
            return Ok(());
        }
        let permits = u32::try_from(more).map_err(|_| Failure::too_large(self.limit))?;
        let room = Arc::clone(&self.room.0);
        let taken = room.try_acquire_many_owned(permits).map_err(|_| no_room())?;
        match &mut self.taken {
            Some(before) => before.merge(taken),
            none => *none = Some(taken),
        }
        Ok(())
    }

    fn copy(&mut self, data: &[u8]) {
        let space = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
        let (fits, rest) = data.split_at(space.min(data.len()));
        if let Some(piece) = self.pieces.last_mut() {
            piece.extend_from_slice(fits);
        }
        if !rest.is_empty() {
            // As much again as there is: few pieces for long contents, little waste for short ones.
            let mut piece = BytesMut::with_capacity(rest.len().max(self.length.min(PIECE)));
            piece.extend_from_slice(rest);
            self.pieces.push(piece);
        }
    }
}

fn no_room() -> Failure {
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
        for length in [0, 1, 300, WORTH, FREE, 300_000] {
            let all = content(length);
            for size in [1, 7, WORTH, 10_000, 300_000] {
                let mut held = Room::new(1 << 20).hold(length);
                for frame in all.chunks(size) {
                    held.add(Bytes::copy_from_slice(frame)).unwrap();
                }
                assert_eq!(held.whole().bytes, all, "{length} by {size}");
            }
        }
    }

    #[test]
    fn a_content_takes_at_most_twice_what_came() {
        for size in [1, 100, 5_000, 100_000] {
            let mut held = Room::new(1 << 20).hold(1 << 20);
            for frame in content(500_000).chunks(size) {
                held.add(Bytes::copy_from_slice(frame)).unwrap();
                let space: usize = held.pieces.iter().map(BytesMut::capacity).sum();
                assert!(space <= held.length * 2, "{space} for {}", held.length);
                assert!(space <= held.length + PIECE.max(size), "{space} for {}", held.length);
            }
        }
    }

    #[test]
    fn a_short_frame_does_not_keep_the_buffer_it_was_read_into() {
        let mut buffer = BytesMut::from(&content(8192)[..]);
        let mut held = Room::new(0).hold(100);
        held.add(buffer.split_to(1).freeze()).unwrap();
        buffer.clear();
        assert!(buffer.try_reclaim(8192), "nobody else has it");
    }

    #[test]
    fn contents_share_the_room_and_give_it_back() {
        let room = Room::new(100);
        let mut first = room.hold(usize::MAX);
        first.add(content(FREE + 60)).unwrap();
        let mut second = room.hold(usize::MAX);
        second.add(content(FREE)).unwrap();
        second.add(content(40)).unwrap();
        let refused = second.add(content(1)).unwrap_err();
        assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(refused.headers[RETRY_AFTER], "1");
        room.hold(usize::MAX).add(content(FREE)).unwrap();
        let whole = first.whole();
        assert!(second.add(content(1)).is_err(), "it is not done with");
        drop(whole);
        second.add(content(60)).unwrap();
        assert_eq!(second.whole().bytes.len(), FREE + 100);
        assert_eq!(room.0.available_permits(), 100);
    }

    #[test]
    fn a_content_over_its_limit_is_refused() {
        let mut held = Room::new(0).hold(10);
        held.add(content(10)).unwrap();
        assert_eq!(held.add(content(1)).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
