//! The breaker: whether an endpoint is asked at all (rule C6). Pure.
//!
//! It opens when the endpoint was unavailable again and again, or refuses everything. While it is open one event at a
//! time is tried, the probe. The first delivery closes it; one that found the endpoint unavailable is closed by any
//! answer.

use std::time::Duration;

use tokio::time::Instant;

use super::schedule::jittered;

/// Unavailable outcomes in a row that open it.
pub(crate) const UNAVAILABLE_MAX: u32 = 20;

/// Different events refused in a row, none delivered between, that open it.
pub(crate) const REFUSED_MAX: usize = 10;

/// The pause between two probes at first, and for how long that is.
const PROBE_PAUSE_AT_FIRST: Duration = Duration::from_secs(1);
const AT_FIRST: Duration = Duration::from_secs(60);

/// The pause between two probes later.
pub(super) const PROBE_PAUSE_LATER: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Breaker {
    Closed {
        /// Unavailable outcomes since the last answer.
        unavailable: u32,
    },
    Open(Open),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Open {
    pub(super) why: Why,
    since: Instant,
    probe_at: Instant,
    /// Whether a probe is under way.
    probing: bool,
}

/// Why it is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Why {
    Unavailable,
    /// It answers, and refuses every event.
    Refusing,
}

/// What it allows now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Allows {
    Everything,
    Probe,
    Nothing,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { unavailable: 0 }
    }
}

impl Breaker {
    pub(super) fn allows(&self, now: Instant) -> Allows {
        match self {
            Self::Closed { .. } => Allows::Everything,
            Self::Open(open) if !open.probing && open.probe_at <= now => Allows::Probe,
            Self::Open(_) => Allows::Nothing,
        }
    }

    /// When the next probe may begin, while it is open and none is under way.
    pub(super) fn probe_at(&self) -> Option<Instant> {
        match self {
            Self::Open(open) if !open.probing => Some(open.probe_at),
            Self::Open(_) | Self::Closed { .. } => None,
        }
    }

    pub(super) fn why(&self) -> Option<Why> {
        match self {
            Self::Open(open) => Some(open.why),
            Self::Closed { .. } => None,
        }
    }

    pub(super) fn probe_starts(&mut self) {
        if let Self::Open(open) = self {
            open.probing = true;
        }
    }

    pub(super) fn delivered(&mut self) {
        *self = Self::default();
    }

    /// The endpoint answers, but not what it should. `refused` is how many different events it has refused in a row.
    pub(super) fn refused(&mut self, refused: usize, now: Instant, jitter: f64) {
        match self {
            _ if refused >= REFUSED_MAX => self.opens(Why::Refusing, now, Duration::ZERO, jitter),
            Self::Open(Open { why: Why::Refusing, .. }) => self.opens(Why::Refusing, now, Duration::ZERO, jitter),
            Self::Open(_) | Self::Closed { .. } => *self = Self::default(),
        }
    }

    /// `asked` is the pause that the endpoint asked for.
    pub(super) fn unavailable(&mut self, now: Instant, asked: Duration, jitter: f64) {
        match self {
            Self::Closed { unavailable } => {
                *unavailable += 1;
                if *unavailable >= UNAVAILABLE_MAX {
                    self.opens(Why::Unavailable, now, asked, jitter);
                }
            }
            Self::Open(open) => {
                let why = open.why;
                self.opens(why, now, asked, jitter);
            }
        }
    }

    /// Someone says that the endpoint is back: the next probe begins at once.
    pub(super) fn back(&mut self, now: Instant) {
        if let Self::Open(open) = self {
            open.probe_at = now;
        }
    }

    /// Opens, or stays open until the next probe. While it is open only what came of a probe is told; what was under way
    /// when it opened comes in late and says nothing new.
    fn opens(&mut self, why: Why, now: Instant, asked: Duration, jitter: f64) {
        let since = if let Self::Open(open) = self { open.since } else { now };
        let pause = if now - since < AT_FIRST { PROBE_PAUSE_AT_FIRST } else { PROBE_PAUSE_LATER };
        let probe_at = now + jittered(pause, jitter).max(asked);
        *self = Self::Open(Open { why, since, probe_at, probing: false });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::clock::Clock;

    const NO_PAUSE: Duration = Duration::ZERO;

    fn open(now: Instant) -> Breaker {
        let mut breaker = Breaker::default();
        (0..UNAVAILABLE_MAX).for_each(|_| breaker.unavailable(now, NO_PAUSE, 0.5));
        breaker
    }

    #[test]
    fn c6_it_opens_after_twenty_unavailable_outcomes_in_a_row() {
        let now = Clock::system().instant();
        let mut breaker = Breaker::default();
        (0..19).for_each(|_| breaker.unavailable(now, NO_PAUSE, 0.5));
        assert_eq!(breaker.allows(now), Allows::Everything);
        breaker.delivered();
        (0..19).for_each(|_| breaker.unavailable(now, NO_PAUSE, 0.5));
        assert_eq!(breaker.allows(now), Allows::Everything, "a delivery lay between");
        breaker.unavailable(now, NO_PAUSE, 0.5);
        assert_eq!((breaker.allows(now), breaker.why()), (Allows::Nothing, Some(Why::Unavailable)));
    }

    #[test]
    fn c6_probes_come_every_second_at_first_and_every_30_s_later() {
        let start = Clock::system().instant();
        let (mut now, mut breaker) = (start, open(start));
        let mut pauses = Vec::new();
        for _ in 0..70 {
            let probe_at = breaker.probe_at().expect("it is open");
            pauses.push((probe_at - now).as_secs());
            now = probe_at;
            assert_eq!(breaker.allows(now), Allows::Probe);
            breaker.probe_starts();
            assert_eq!(breaker.allows(now), Allows::Nothing, "one probe at a time");
            breaker.unavailable(now, NO_PAUSE, 0.5);
        }
        assert!(pauses[..60].iter().all(|pause| *pause == 1), "{pauses:?}");
        assert!(pauses[60..].iter().all(|pause| *pause == 30), "{pauses:?}");
    }

    #[test]
    fn c6_retry_after_puts_the_probe_off() {
        let now = Clock::system().instant();
        let mut breaker = open(now);
        breaker.unavailable(now, Duration::from_secs(300), 0.5);
        assert_eq!(breaker.probe_at(), Some(now + Duration::from_secs(300)));
    }

    #[test]
    fn c6_any_answer_closes_it_if_the_endpoint_was_unavailable() {
        let now = Clock::system().instant();
        let mut breaker = open(now);
        breaker.refused(1, now, 0.5);
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn c6_an_endpoint_that_refuses_everything_opens_it_until_it_takes_something() {
        let now = Clock::system().instant();
        let mut breaker = Breaker::default();
        breaker.refused(REFUSED_MAX - 1, now, 0.5);
        assert_eq!(breaker.allows(now), Allows::Everything);
        breaker.refused(REFUSED_MAX, now, 0.5);
        assert_eq!(breaker.why(), Some(Why::Refusing));
        breaker.refused(1, now, 0.5);
        breaker.unavailable(now, NO_PAUSE, 0.5);
        assert_eq!(breaker.why(), Some(Why::Refusing));
        breaker.delivered();
        assert_eq!(breaker, Breaker::default());
    }

    #[test]
    fn c9_i_am_back_ends_the_waiting_at_once() {
        let now = Clock::system().instant();
        let mut breaker = open(now);
        breaker.back(now);
        assert_eq!(breaker.allows(now), Allows::Probe);
    }

    #[derive(Clone, Copy, Debug)]
    enum Happens {
        Delivered,
        Refused,
        Unavailable,
        Probe,
        Back,
        Passes(u64),
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            1 => Just(Happens::Delivered),
            2 => Just(Happens::Refused),
            30 => Just(Happens::Unavailable),
            8 => Just(Happens::Probe),
            1 => Just(Happens::Back),
            8 => (0_u64..40_000).prop_map(Happens::Passes),
        ]
    }

    proptest! {
        /// Whatever happens, an open breaker probes again within 36 s, and lets one through at a time.
        #[test]
        fn c6_an_open_breaker_never_forgets_to_probe(all in prop::collection::vec(happens(), 0..400), jitter in 0.0..1.0_f64) {
            let mut now = Clock::system().instant();
            let mut breaker = Breaker::default();
            for happens in all {
                match happens {
                    Happens::Delivered => breaker.delivered(),
                    Happens::Refused => breaker.refused(1, now, jitter),
                    Happens::Unavailable => breaker.unavailable(now, NO_PAUSE, jitter),
                    Happens::Probe if breaker.allows(now) == Allows::Probe => {
                        breaker.probe_starts();
                        prop_assert_eq!(breaker.allows(now), Allows::Nothing);
                        breaker.unavailable(now, NO_PAUSE, jitter);
                    }
                    Happens::Probe => {}
                    Happens::Back => breaker.back(now),
                    Happens::Passes(ms) => now += Duration::from_millis(ms),
                }
                if let Some(probe_at) = breaker.probe_at() {
                    prop_assert!(probe_at <= now + PROBE_PAUSE_LATER.mul_f64(1.2));
                }
            }
        }
    }
}
