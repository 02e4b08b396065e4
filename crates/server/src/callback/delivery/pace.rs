//! How fast an endpoint is asked: how many attempts at once, and how many a second (rule C6). Pure.
//!
//! After a time without deliveries an endpoint is not hit by all that waits: attempts at once begin with one, and each
//! delivery allows one more, which doubles them with every round trip.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// How many attempts may be under way at once.
    at_once: usize,
    /// Attempts that may begin now, and when that was reckoned.
    saved: f64,
    reckoned: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { at_once: limits::APP_ATTEMPTS_MAX, saved: 0.0, reckoned: None }
    }
}

/// What may be saved up while nothing is tried.
const SAVED: Duration = Duration::from_millis(100);

impl Pace {
    pub(super) fn at_once(&self) -> usize {
        self.at_once
    }

    pub(super) fn delivered(&mut self) {
        self.at_once = limits::APP_ATTEMPTS_MAX.min(self.at_once + 1);
    }

    /// The endpoint was unavailable for a while: it begins with one again.
    pub(super) fn begin_anew(&mut self) {
        self.at_once = 1;
    }

    /// When the next attempt may begin under the bound of `rate_per_s_max`.
    pub(super) fn next_at(&mut self, rate_per_s_max: u32, now: Instant) -> Instant {
        let rate = f64::from(rate_per_s_max.max(1));
        let saved_max = (rate * SAVED.as_secs_f64()).max(1.0);
        let passed = self.reckoned.map_or(SAVED, |reckoned| now.saturating_duration_since(reckoned));
        self.saved = saved_max.min(self.saved + rate * passed.as_secs_f64());
        self.reckoned = Some(now);
        // What is missing is rounded up, so that whoever waits for that moment finds the attempt allowed.
        if self.saved >= 1.0 { now } else { now + Duration::from_secs_f64((1.0 - self.saved) / rate + 1e-6) }
    }

    /// An attempt begins.
    pub(super) fn attempted(&mut self) {
        self.saved -= 1.0;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    #[test]
    fn c6_the_number_in_flight_doubles_from_one() {
        let mut pace = Pace::default();
        assert_eq!(pace.at_once(), 256, "lanes run side by side from the start");
        pace.begin_anew();
        let mut rounds = Vec::new();
        for _ in 0..10 {
            rounds.push(pace.at_once());
            (0..pace.at_once()).for_each(|_| pace.delivered());
        }
        assert_eq!(rounds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 256]);
    }

    proptest! {
        /// Whoever asks whenever, no second sees more attempts than the bound and what was saved.
        #[test]
        fn c6_a_rate_is_kept(rate in 1_u32..50_000, pauses_us in prop::collection::vec(0_u64..5_000, 1..400)) {
            let start = Clock::system().instant();
            let (mut now, mut pace, mut attempts) = (start, Pace::default(), 0_u32);
            for pause_us in pauses_us {
                now += Duration::from_micros(pause_us);
                while pace.next_at(rate, now) <= now {
                    pace.attempted();
                    attempts += 1;
                }
            }
            let allowed = f64::from(rate) * ((now - start) + SAVED).as_secs_f64() + 2.0;
            prop_assert!(f64::from(attempts) <= allowed, "{attempts} of {allowed}");
        }

        #[test]
        fn c6_who_waits_until_the_moment_named_may_begin(rate in 1_u32..50_000) {
            let mut now = Clock::system().instant();
            let mut pace = Pace::default();
            for _ in 0..100 {
                let at = pace.next_at(rate, now);
                if at <= now { pace.attempted() } else { now = at; prop_assert!(pace.next_at(rate, now) <= now) }
            }
        }
    }
}
