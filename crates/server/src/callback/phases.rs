//! The phases of an attempt, and how long each took, also the one in which it ended.

use std::time::Duration;

use tokio::time::Instant;

use crate::clock::Clock;

/// A part of an attempt. A kept connection begins with the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    Resolve,
    Connect,
    Tls,
    /// Sending the request and reading the answer to its end.
    Answer,
}

/// How long each phase took; nothing for one that was not reached, or not needed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct PhaseTimes {
    pub(super) resolve: Option<Duration>,
    pub(super) connect: Option<Duration>,
    pub(super) tls: Option<Duration>,
    pub(super) answer: Option<Duration>,
}

/// Measures the phases of one attempt. A phase that is entered again, for a second try within the attempt, counts on.
#[derive(Debug)]
pub(super) struct Stopwatch {
    clock: Clock,
    /// Nothing until the first one is entered.
    phase: Option<Phase>,
    since: Instant,
    times: PhaseTimes,
}

impl Phase {
    /// What a person reads about an attempt that ended in it for lack of time.
    pub(super) fn timed_out(self) -> &'static str {
        match self {
            Self::Resolve => "while the name was resolved; check the DNS",
            Self::Connect => "while connecting; check firewall and routes",
            Self::Tls => "during the TLS handshake; check that the port speaks TLS",
            Self::Answer => "while waiting for the answer; answer first and work afterwards",
        }
    }
}

impl Stopwatch {
    pub(super) fn start(clock: &Clock) -> Self {
        Self { clock: clock.clone(), phase: None, since: clock.instant(), times: PhaseTimes::default() }
    }

    /// Ends the phase that is under way and begins this one.
    pub(super) fn enter(&mut self, phase: Phase) {
        self.end_phase();
        self.phase = Some(phase);
    }

    /// What is under way.
    pub(super) fn phase(&self) -> Phase {
        self.phase.unwrap_or(Phase::Resolve)
    }

    pub(super) fn stop(mut self) -> PhaseTimes {
        self.end_phase();
        self.times
    }

    fn end_phase(&mut self) {
        let now = self.clock.instant();
        let time = match self.phase {
            None => None,
            Some(Phase::Resolve) => Some(&mut self.times.resolve),
            Some(Phase::Connect) => Some(&mut self.times.connect),
            Some(Phase::Tls) => Some(&mut self.times.tls),
            Some(Phase::Answer) => Some(&mut self.times.answer),
        };
        if let Some(time) = time {
            *time = Some(time.unwrap_or_default() + (now - self.since));
        }
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    #[tokio::test(start_paused = true)]
    async fn c8_the_phase_in_which_it_ended_has_its_time_too() {
        let mut watch = Stopwatch::start(&Clock::standing_at(Timestamp(0)));
        watch.enter(Phase::Resolve);
        tokio::time::advance(Duration::from_millis(3)).await;
        watch.enter(Phase::Connect);
        tokio::time::advance(Duration::from_millis(5)).await;
        assert_eq!(watch.phase(), Phase::Connect);
        let ms = |ms| Some(Duration::from_millis(ms));
        assert_eq!(watch.stop(), PhaseTimes { resolve: ms(3), connect: ms(5), tls: None, answer: None });
    }
}
