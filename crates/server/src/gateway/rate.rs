//! How often a session may ask for something.

use tokio::time::Instant;

use crate::limits;

/// A bucket that fills by itself; each request takes one out.
#[derive(Debug)]
pub(super) struct Rate {
    /// Thousandths of a request.
    left: u64,
    filled_at: Instant,
    /// Requests that found it empty, one after the other.
    refused: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Taken {
    Yes,
    /// Too often.
    No,
    /// Too often, again and again.
    Flood,
}

const FULL: u64 = limits::SESSION_BURST_REQUESTS as u64 * 1000;

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: FULL, filled_at: now, refused: 0 }
    }

    pub(super) fn take(&mut self, now: Instant) -> Taken {
        let passed_ms = u64::try_from(now.saturating_duration_since(self.filled_at).as_millis()).unwrap_or(u64::MAX);
        let filled = passed_ms.saturating_mul(u64::from(limits::SESSION_REQUESTS_PER_S));
        // What is less than a millisecond is not lost.
        if filled > 0 {
            self.left = self.left.saturating_add(filled).min(FULL);
            self.filled_at = now;
        }
        if self.left >= 1000 {
            self.left -= 1000;
            self.refused = 0;
            return Taken::Yes;
        }
        self.refused += 1;
        if self.refused > limits::SESSION_REFUSED_MAX { Taken::Flood } else { Taken::No }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn a_burst_is_taken_then_so_many_a_second_and_a_flood_is_told() {
        let start = Clock::system().instant();
        let mut rate = Rate::new(start);
        for _ in 0..limits::SESSION_BURST_REQUESTS {
            assert_eq!(rate.take(start), Taken::Yes);
        }
        assert_eq!(rate.take(start), Taken::No);
        let mut taken = 0;
        for millisecond in 1..=1000 {
            taken += u32::from(rate.take(start + Duration::from_millis(millisecond)) == Taken::Yes);
        }
        assert_eq!(taken, limits::SESSION_REQUESTS_PER_S);
        let late = start + Duration::from_millis(1001);
        let floods =
            (0..=limits::SESSION_REFUSED_MAX + 1).map(|_| rate.take(late)).filter(|taken| *taken == Taken::Flood);
        assert!(floods.count() > 0);
        assert_eq!(rate.take(late + Duration::from_secs(1)), Taken::Yes, "it is forgiven in time");
    }
}
