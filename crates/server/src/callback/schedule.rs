//! When an event is tried again: the pauses of rule C6. Pure.

use std::time::Duration;

use super::{Outcome, Unavailable};
use crate::chat::Tries;

/// What follows an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing: it was delivered.
    Done,
    /// Another attempt after this pause. The lane waits.
    Again(Duration),
    /// No further attempt; the event makes way for the next one of its lane.
    Park,
}

/// A refused event is tried at 0, 1 and 5 s, so that one bad event does not hold its lane.
const REFUSED_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A `Retry-After` is honoured up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// No pause is longer.
pub(super) const PAUSE_LONGEST: Duration = RETRY_AFTER_MAX;

/// What follows the attempt that made `tries` what they are. `jitter` is from 0 to just below 1.
pub(super) fn next(outcome: &Outcome, tries: Tries, jitter: f64) -> Next {
    match outcome {
        Outcome::Delivered => Next::Done,
        Outcome::Refused(_) => {
            let pause = REFUSED_PAUSES.get(tries.refusals.saturating_sub(1) as usize);
            pause.map_or(Next::Park, |pause| Next::Again(*pause))
        }
        Outcome::Unavailable(unavailable) => {
            let pause = pause(tries.attempts.saturating_sub(tries.refusals), jitter);
            let mut asked = Duration::ZERO;
            if let Unavailable::Status { retry_after: Some(after), .. } = unavailable {
                asked = RETRY_AFTER_MAX.min(*after);
            }
            Next::Again(pause.max(asked))
        }
    }
}

/// From 0.2 s, doubling to 60 s, and up to a fifth less or more.
fn pause(unavailable: u32, jitter: f64) -> Duration {
    let doublings = unavailable.saturating_sub(1).min(16);
    let pause = (PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX);
    pause.mul_f64(0.8 + 0.4 * jitter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::Refused;

    const REFUSED: Outcome = Outcome::Refused(Refused::ErrorCode(1));
    const DOWN: Outcome = Outcome::Unavailable(Unavailable::ConnectionRefused);

    fn tries(attempts: u32, refusals: u32) -> Tries {
        Tries { attempts, refusals, unavailable_since: None }
    }

    #[test]
    fn c6_a_refused_event_is_tried_at_0_1_and_5_s_then_parked() {
        assert_eq!(next(&REFUSED, tries(1, 1), 0.5), Next::Again(Duration::from_secs(1)));
        assert_eq!(next(&REFUSED, tries(2, 2), 0.5), Next::Again(Duration::from_secs(4)));
        assert_eq!(next(&REFUSED, tries(3, 3), 0.5), Next::Park);
        assert_eq!(next(&REFUSED, tries(9, 1), 0.5), Next::Again(Duration::from_secs(1)));
    }

    #[test]
    fn c6_pauses_double_from_200_ms_to_60_s() {
        let pauses: Vec<_> = (1..=11).map(|attempts| pause(attempts, 0.5).as_millis()).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000]);
    }

    #[test]
    fn c6_retry_after_is_honoured_up_to_ten_minutes() {
        let busy = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Outcome::Unavailable(Unavailable::Status { status: 503, retry_after })
        };
        assert_eq!(next(&busy(7), tries(1, 0), 0.0), Next::Again(Duration::from_secs(7)));
        assert_eq!(next(&busy(86_400), tries(1, 0), 0.0), Next::Again(RETRY_AFTER_MAX));
    }

    proptest! {
        #[test]
        fn c6_what_is_unavailable_is_never_given_up(attempts in 1_u32.., jitter in 0.0..1.0_f64) {
            let Next::Again(pause) = next(&DOWN, tries(attempts, 0), jitter) else {
                return Err(TestCaseError::fail("it was given up"));
            };
            prop_assert!(pause >= PAUSE_MIN.mul_f64(0.8) && pause <= PAUSE_MAX.mul_f64(1.2));
        }
    }
}
