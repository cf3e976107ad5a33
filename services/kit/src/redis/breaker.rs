//! Holds calls back while Redis does not answer, so that it costs a request a quarter of a second three times a second
//! and no more.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Calls in a row without an answer after which calls are held back.
const MAX_TIMEOUTS: u32 = 3;
/// How long calls are held back before one of them may look whether Redis answers again.
const OPEN_FOR: Duration = Duration::from_secs(1);

/// Counts the calls that Redis left without an answer.
#[derive(Default)]
pub(super) struct Breaker {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Calls without an answer since the last one that had one.
    timeouts: u32,
    /// Until when calls are held back.
    open_until: Option<Instant>,
}

/// How a call was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passage {
    /// As one of many.
    Usual,
    /// Alone, to see whether Redis answers again.
    Probe,
}

impl Breaker {
    /// Lets a call through or holds it back. Of those that come after the pause only the first gets through.
    pub(super) fn admit(&self, now: Instant) -> Option<Passage> {
        let mut state = self.lock();
        match state.open_until {
            None => Some(Passage::Usual),
            Some(until) if now < until => None,
            Some(_) => {
                // Should the probe never end, the next one starts after another pause.
                state.open_until = Some(now + OPEN_FOR);
                Some(Passage::Probe)
            }
        }
    }

    /// A call had an answer, or failed at once because there is no connection: neither keeps a request waiting.
    pub(super) fn note_answer(&self) {
        *self.lock() = State::default();
    }

    /// A call had no answer in time. True when the connection is to be made anew.
    pub(super) fn note_timeout(&self, passage: Passage, now: Instant) -> bool {
        let mut state = self.lock();
        state.timeouts = state.timeouts.saturating_add(1);
        let opens = state.timeouts >= MAX_TIMEOUTS && state.open_until.is_none();
        if opens || passage == Passage::Probe {
            state.open_until = Some(now + OPEN_FOR);
        }
        opens || passage == Passage::Probe
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_timeouts_in_a_row_hold_calls_back_until_a_probe_has_an_answer() {
        let breaker = Breaker::default();
        let start = Instant::now();
        assert!(!breaker.note_timeout(Passage::Usual, start));
        assert!(!breaker.note_timeout(Passage::Usual, start));
        breaker.note_answer();
        for _ in 0..2 {
            assert!(!breaker.note_timeout(Passage::Usual, start));
        }
        assert_eq!(breaker.admit(start), Some(Passage::Usual));
        assert!(breaker.note_timeout(Passage::Usual, start), "the third in a row");
        // Others that were under way at the same time change nothing.
        assert!(!breaker.note_timeout(Passage::Usual, start));
        assert_eq!(breaker.admit(start), None);
        let later = start + OPEN_FOR;
        assert_eq!(breaker.admit(later), Some(Passage::Probe));
        assert_eq!(breaker.admit(later), None, "one probe at a time");
        assert!(breaker.note_timeout(Passage::Probe, later));
        assert_eq!(breaker.admit(later), None);
        assert_eq!(breaker.admit(later + OPEN_FOR), Some(Passage::Probe));
        breaker.note_answer();
        assert_eq!(breaker.admit(later + OPEN_FOR), Some(Passage::Usual));
    }
}
