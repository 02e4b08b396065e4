//! The only place that knows the time and draws random numbers.
//!
//! Both are values that are handed in, so that a test can move the time and a whole server can be run from one seed.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::{Rng, SeedableRng, TryRng, rngs::StdRng};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// A moment, in milliseconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The whole seconds, as messages carry them.
    pub fn seconds(self) -> u32 {
        u32::try_from(self.0 / 1000).unwrap_or(if self.0 < 0 { 0 } else { u32::MAX })
    }

    /// This moment and `duration` more.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// This moment less `duration`.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long it is from `now` until this moment; nothing if it has passed.
    pub fn after(self, now: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(now.0)).unwrap_or(0))
    }

    /// In UTC, as `2026-11-23 01:02:03.004`.
    pub fn utc(self) -> String {
        let (days, ms_of_day) = (self.0.div_euclid(86_400_000), self.0.rem_euclid(86_400_000));
        let (year, month, day) = date(days);
        let (s, ms) = (ms_of_day / 1000, ms_of_day % 1000);
        format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}.{ms:03}", s / 3600, s / 60 % 60, s % 60)
    }
}

/// The date of a day, counted from 1970-01-01, in the Gregorian calendar.
fn date(days: i64) -> (i64, i64, i64) {
    let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let (mut year, mut day) = (1970, days);
    while day < 0 {
        year -= 1;
        day += if is_leap(year) { 366 } else { 365 };
    }
    loop {
        let length = if is_leap(year) { 366 } else { 365 };
        if day < length {
            break;
        }
        (day, year) = (day - length, year + 1);
    }
    let february = if is_leap(year) { 29 } else { 28 };
    for (month, length) in (1..).zip([31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) {
        if day < length {
            return (year, month, day + 1);
        }
        day -= length;
    }
    unreachable!("a day of a year is in one of its months")
}

/// Tells the time. Clones tell the same time.
#[derive(Clone, Debug)]
pub struct Clock {
    /// Where the wall clock of a test stands until it is moved; this machine's is read if not set.
    standing: Option<Timestamp>,
    /// How far a test has moved the wall clock, in milliseconds.
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The clock of this machine.
    pub fn system() -> Self {
        Self { standing: None, offset_ms: Arc::default() }
    }

    /// A wall clock that stands at this moment and moves only by [`Clock::shift`], so that a test can say what happens
    /// in the same second. The monotonic clock goes on.
    pub fn standing_at(moment: Timestamp) -> Self {
        Self { standing: Some(moment), offset_ms: Arc::default() }
    }

    /// The wall clock, which may jump.
    pub fn now(&self) -> Timestamp {
        let Timestamp(ms) = self.standing.unwrap_or_else(machine_time);
        Timestamp(ms.saturating_add(self.offset_ms.load(Ordering::Relaxed)))
    }

    /// The monotonic clock, for pauses and measurements.
    pub fn instant(&self) -> Instant {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the monotonic clock")]
        Instant::now()
    }

    /// Moves the wall clock, for tests of what depends on age.
    pub fn shift(&self, by_ms: i64) {
        self.offset_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

/// What is outside of a server: the time and the dice.
#[derive(Clone, Debug)]
pub struct World {
    pub clock: Clock,
    pub entropy: Entropy,
}

impl World {
    /// This machine's clock, and the operating system's randomness.
    pub fn system() -> Result<Self, rand::rngs::SysError> {
        Ok(Self { clock: Clock::system(), entropy: Entropy::system()? })
    }
}

fn machine_time() -> Timestamp {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
}

/// Draws random numbers. Clones draw from the same source.
#[derive(Clone)]
pub struct Entropy {
    rng: Arc<Mutex<StdRng>>,
}

impl Entropy {
    /// Seeded by the operating system.
    pub fn system() -> Result<Self, rand::rngs::SysError> {
        let mut seed = [0; 32];
        rand::rngs::SysRng.try_fill_bytes(&mut seed)?;
        Ok(Self::seeded(seed))
    }

    /// The same numbers for the same seed.
    pub fn seeded(seed: [u8; 32]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that draws random numbers")]
        let rng = StdRng::from_seed(seed);
        Self { rng: Arc::new(Mutex::new(rng)) }
    }

    pub fn next_u32(&self) -> u32 {
        self.rng().next_u32()
    }

    pub fn next_u64(&self) -> u64 {
        self.rng().next_u64()
    }

    /// A number from 0 to just below 1.
    pub fn fraction(&self) -> f64 {
        f64::from(self.next_u32()) / (f64::from(u32::MAX) + 1.0)
    }

    fn rng(&self) -> std::sync::MutexGuard<'_, StdRng> {
        self.rng.lock().expect("nothing panics while it draws")
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_before_and_beyond_the_range_of_seconds_are_clamped() {
        assert_eq!(Timestamp(-1).seconds(), 0);
        assert_eq!(Timestamp(1_700_000_000_999).seconds(), 1_700_000_000);
        assert_eq!(Timestamp(i64::MAX).seconds(), u32::MAX);
        assert_eq!(Timestamp(5).after(Timestamp(9)), Duration::ZERO);
    }

    #[test]
    fn moments_are_shown_in_utc() {
        for (ms, expected) in [
            (0, "1970-01-01 00:00:00.000"),
            (951_782_399_999, "2000-02-28 23:59:59.999"),
            (951_868_800_000, "2000-03-01 00:00:00.000"),
            (1_795_395_723_004, "2026-11-23 01:02:03.004"),
            (-1, "1969-12-31 23:59:59.999"),
        ] {
            assert_eq!(Timestamp(ms).utc(), expected);
        }
    }

    #[test]
    fn a_standing_clock_moves_only_when_it_is_moved() {
        let clock = Clock::standing_at(Timestamp(5_000));
        let same = clock.clone();
        clock.shift(-1);
        assert_eq!((clock.now(), same.now()), (Timestamp(4_999), Timestamp(4_999)));
    }

    #[test]
    fn the_same_seed_draws_the_same_numbers() {
        let (one, two) = (Entropy::seeded([7; 32]), Entropy::seeded([7; 32]));
        assert_eq!(one.next_u64(), two.next_u64());
    }
}
