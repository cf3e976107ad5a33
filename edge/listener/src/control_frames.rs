//! Budget for control frames of HTTP/2 (PING, SETTINGS, WINDOW_UPDATE, PRIORITY), which cost their sender nothing and us
//! a little. What `h2` limits itself (resets, headers, empty content) is left to it.

use std::time::Duration;
use tokio::time::Instant;

/// The bytes of a frame before its payload (RFC 9113, section 4.1).
const FRAME_HEAD: usize = 9;
/// The frames that carry requests, which have limits of their own: DATA, HEADERS, RST_STREAM, CONTINUATION.
const OF_REQUESTS: [u8; 4] = [0, 1, 3, 9];
/// Other frames that a peer may send at any time, and as many more as it gains.
const ALLOWANCE: u32 = 1_000;
/// A peer gains a frame in this time …
const GAIN_TIME: Duration = Duration::from_millis(10);
/// … and for so many bytes of answers, whose flow it has to control.
const GAIN_BYTES: usize = 1024;

/// The peer has used up its budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the peer sends too many control frames")]
pub struct Flood;

/// Counts the frames of one connection as their bytes pass.
pub struct ControlFrameBudget {
    head: [u8; FRAME_HEAD],
    filled: usize,
    /// Bytes until the next frame.
    skip: usize,
    left: u32,
    wrote: usize,
    gained_at: Instant,
}

impl ControlFrameBudget {
    /// A connection whose next bytes are `preface` bytes that are no frames.
    pub fn new(preface: usize) -> Self {
        Self {
            head: [0; FRAME_HEAD],
            filled: 0,
            skip: preface,
            left: ALLOWANCE,
            wrote: 0,
            gained_at: Instant::now(),
        }
    }

    /// Counts what the peer sent.
    ///
    /// # Errors
    /// When it sent more frames than it may.
    pub fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let skipped = self.skip.min(bytes.len());
            (self.skip, bytes) = (self.skip - skipped, bytes.get(skipped..).unwrap_or_default());
            let room = self.head.get_mut(self.filled..).unwrap_or_default();
            let taken = room.len().min(bytes.len());
            let (head, rest) = bytes.split_at(taken);
            for (place, byte) in room.iter_mut().zip(head) {
                *place = *byte;
            }
            (self.filled, bytes) = (self.filled + taken, rest);
            if self.filled == FRAME_HEAD {
                let [a, b, c, kind, ..] = self.head;
                self.skip = u32::from_be_bytes([0, a, b, c]) as usize;
                self.filled = 0;
                if !OF_REQUESTS.contains(&kind) {
                    self.take()?;
                }
            }
        }
        Ok(())
    }

    /// Counts what was sent to the peer.
    pub fn wrote(&mut self, bytes: usize) {
        self.wrote = self.wrote.saturating_add(bytes);
    }

    fn take(&mut self) -> Result<(), Flood> {
        if self.left == 0 {
            let time = self.gained_at.elapsed();
            let of_time = time.as_millis() / GAIN_TIME.as_millis().max(1);
            let of_bytes = self.wrote / GAIN_BYTES;
            let gained = of_time.saturating_add(of_bytes as u128).min(u128::from(ALLOWANCE));
            self.left = u32::try_from(gained).unwrap_or(ALLOWANCE);
            (self.gained_at, self.wrote) = (Instant::now(), 0);
        }
        self.left = self.left.checked_sub(1).ok_or(Flood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: [u8; 17] = [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    const DATA: [u8; 12] = [0, 0, 3, 0, 0, 0, 0, 0, 1, 6, 6, 6];

    #[tokio::test(start_paused = true)]
    async fn frames_are_counted_however_they_arrive() {
        let stream = [b"PREFACE".to_vec(), PING.repeat(1000), DATA.repeat(1000)].concat();
        for size in [1, 2, 9, 17, 1000, stream.len()] {
            let mut budget = ControlFrameBudget::new(7);
            for piece in stream.chunks(size) {
                assert_eq!(budget.read(piece), Ok(()), "{size}");
            }
            assert_eq!(budget.left, 0);
            assert_eq!(budget.read(&PING), Err(Flood), "{size}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_and_answers_give_more() {
        for (time, bytes, more) in [
            (Duration::ZERO, 0, 0),
            (Duration::from_millis(100), 0, 10),
            (Duration::ZERO, 20 * GAIN_BYTES, 20),
            (Duration::from_millis(100), 20 * GAIN_BYTES, 30),
            (Duration::from_secs(3600), usize::MAX, 1000),
        ] {
            let mut budget = ControlFrameBudget::new(0);
            budget.read(&PING.repeat(1000)).unwrap();
            tokio::time::advance(time).await;
            budget.wrote(bytes);
            assert_eq!(budget.read(&PING.repeat(more)), Ok(()), "{more}");
            assert_eq!(budget.read(&PING), Err(Flood), "{more}");
        }
    }
}
