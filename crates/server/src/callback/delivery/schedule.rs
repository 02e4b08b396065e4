//! What follows an attempt: again after a pause, or parked (rule C6). Pure.

use std::{fmt, time::Duration};

use crate::{
    apps::Retry,
    callback::{Outcome, Unavailable},
    chat::Tries,
    clock::Timestamp,
};

/// What follows an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing: it was delivered.
    Done,
    /// Another attempt after this pause. The lane waits.
    Again(Duration, Pause),
    /// No further attempt; the event makes way for the next one of its lane.
    Park(Parking),
}

/// Why a lane waits, and so what ends its waiting early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pause {
    /// It is the endpoint's fault; that it is back ends it.
    UntilBack,
    /// The endpoint asked for it, or the event was refused; only its time, or someone who says so, ends it.
    Fixed,
}

/// Why an event is parked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Parking {
    Refused(Outcome),
    /// The endpoint takes others.
    Poisonous(Outcome),
    RetryOff(Outcome),
    TooOld {
        age_max: Duration,
    },
    Removed(&'static str),
}

/// What surrounds an attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances {
    pub(super) retry: Retry,
    /// It refuses every event, so none of them is to blame.
    pub(super) endpoint_refuses: bool,
    pub(super) now: Timestamp,
    /// When the endpoint took an event for the last time.
    pub(super) delivered_last: Option<Timestamp>,
    /// From 0 to just below 1.
    pub(super) jitter: f64,
}

/// A refused event is tried at 0, 1 and 5 s, so that one bad event does not hold its lane.
const REFUSED_PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// The pause of a refused event whose endpoint refuses everything.
const REFUSING_PAUSE: Duration = Duration::from_secs(30);

const PAUSE_MIN: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// A `Retry-After` is honoured up to this.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(600);

/// No pause is longer.
pub(super) const PAUSE_LONGEST: Duration = RETRY_AFTER_MAX;

/// An event that was unavailable so often, over so long a time, is to blame itself.
const POISONOUS_UNAVAILABLE_MIN: u32 = 10;
const POISONOUS_MIN: Duration = Duration::from_secs(30 * 60);

/// What follows the attempt that made `tries` what they are.
pub(super) fn next(outcome: &Outcome, tries: Tries, around: Circumstances) -> Next {
    match outcome {
        Outcome::Delivered => Next::Done,
        _ if around.retry == Retry::Off => Next::Park(Parking::RetryOff(outcome.clone())),
        Outcome::Refused(_) if around.endpoint_refuses => {
            Next::Again(jittered(REFUSING_PAUSE, around.jitter), Pause::UntilBack)
        }
        Outcome::Refused(_) => {
            let pause = REFUSED_PAUSES.get(tries.refusals.saturating_sub(1) as usize);
            pause.map_or(Next::Park(Parking::Refused(outcome.clone())), |pause| Next::Again(*pause, Pause::Fixed))
        }
        Outcome::Unavailable(_) if is_poisonous(tries, around) => Next::Park(Parking::Poisonous(outcome.clone())),
        Outcome::Unavailable(_) => {
            let pause = pause(tries.attempts.saturating_sub(tries.refusals), around.jitter);
            let asked = asked(outcome);
            if asked > pause { Next::Again(asked, Pause::Fixed) } else { Next::Again(pause, Pause::UntilBack) }
        }
    }
}

/// The pause that the endpoint asked for, as far as it is honoured.
pub(super) fn asked(outcome: &Outcome) -> Duration {
    match outcome {
        Outcome::Unavailable(Unavailable::Status { retry_after: Some(after), .. }) => RETRY_AFTER_MAX.min(*after),
        Outcome::Unavailable(_) | Outcome::Refused(_) | Outcome::Delivered => Duration::ZERO,
    }
}

/// Up to a fifth less or more.
pub(super) fn jittered(pause: Duration, jitter: f64) -> Duration {
    pause.mul_f64(0.8 + 0.4 * jitter)
}

/// From 0.2 s, doubling to 60 s.
fn pause(unavailable: u32, jitter: f64) -> Duration {
    let doublings = unavailable.saturating_sub(1).min(16);
    jittered((PAUSE_MIN * 2_u32.pow(doublings)).min(PAUSE_MAX), jitter)
}

fn is_poisonous(tries: Tries, around: Circumstances) -> bool {
    let Some(since) = tries.unavailable_since else {
        return false;
    };
    let unavailable = tries.attempts.saturating_sub(tries.refusals);
    unavailable >= POISONOUS_UNAVAILABLE_MIN
        && around.now.after(since) >= POISONOUS_MIN
        && around.delivered_last.is_some_and(|delivered| delivered > since)
}

impl fmt::Display for Parking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(outcome) => write!(f, "refused three times: {outcome}"),
            Self::Poisonous(outcome) => {
                write!(
                    f,
                    "unavailable for half an hour, while the endpoint took others; see what it does with this one: {outcome}"
                )
            }
            Self::RetryOff(outcome) => write!(f, "not tried again, since callback.retry is \"off\": {outcome}"),
            Self::TooOld { age_max } => {
                write!(f, "older than callback.age_max_s ({} s): replay it if it is still wanted", age_max.as_secs())
            }
            Self::Removed(what) => write!(f, "{what}: replay it when there is an endpoint again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::callback::Refused;

    const REFUSED: Outcome = Outcome::Refused(Refused::ErrorCode(1));
    const DOWN: Outcome = Outcome::Unavailable(Unavailable::ConnectionRefused);
    const AROUND: Circumstances = Circumstances {
        retry: Retry::On,
        endpoint_refuses: false,
        now: Timestamp(10_000_000),
        delivered_last: None,
        jitter: 0.5,
    };

    fn tries(attempts: u32, refusals: u32) -> Tries {
        Tries { attempts, refusals, unavailable_since: None }
    }

    #[test]
    fn c6_a_refused_event_is_tried_at_0_1_and_5_s_then_parked() {
        let again = |seconds| Next::Again(Duration::from_secs(seconds), Pause::Fixed);
        assert_eq!(next(&REFUSED, tries(1, 1), AROUND), again(1));
        assert_eq!(next(&REFUSED, tries(2, 2), AROUND), again(4));
        assert_eq!(next(&REFUSED, tries(3, 3), AROUND), Next::Park(Parking::Refused(REFUSED)));
        assert_eq!(next(&REFUSED, tries(9, 1), AROUND), again(1));
    }

    #[test]
    fn c6_nothing_is_parked_while_the_endpoint_refuses_everything() {
        let around = Circumstances { endpoint_refuses: true, ..AROUND };
        assert_eq!(next(&REFUSED, tries(9, 9), around), Next::Again(REFUSING_PAUSE, Pause::UntilBack));
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
        assert_eq!(next(&busy(7), tries(1, 0), AROUND), Next::Again(Duration::from_secs(7), Pause::Fixed));
        assert_eq!(next(&busy(86_400), tries(1, 0), AROUND), Next::Again(RETRY_AFTER_MAX, Pause::Fixed));
        assert_eq!(next(&busy(0), tries(1, 0), AROUND), Next::Again(PAUSE_MIN, Pause::UntilBack));
    }

    #[test]
    fn c6_with_retry_off_there_is_one_attempt() {
        let around = Circumstances { retry: Retry::Off, ..AROUND };
        assert_eq!(next(&Outcome::Delivered, tries(1, 0), around), Next::Done);
        for outcome in [REFUSED, DOWN] {
            assert_eq!(next(&outcome, tries(1, 0), around), Next::Park(Parking::RetryOff(outcome.clone())));
        }
    }

    #[test]
    fn c6_an_event_that_alone_is_unavailable_for_half_an_hour_is_poisonous() {
        let Timestamp(now) = AROUND.now;
        let half_an_hour_ago = Some(Timestamp(now - 1_800_000));
        let a_moment_ago = Some(Timestamp(now - 1_000));
        let parked = |attempts, unavailable_since, delivered_last| {
            let tries = Tries { attempts, refusals: 0, unavailable_since };
            matches!(next(&DOWN, tries, Circumstances { delivered_last, ..AROUND }), Next::Park(Parking::Poisonous(_)))
        };
        assert!(parked(10, half_an_hour_ago, a_moment_ago));
        assert!(!parked(9, half_an_hour_ago, a_moment_ago), "ten times");
        assert!(!parked(10, Some(Timestamp(now - 1_799_999)), a_moment_ago), "over half an hour");
        assert!(!parked(10, half_an_hour_ago, None), "while the endpoint delivered others");
        assert!(!parked(10, half_an_hour_ago, Some(Timestamp(now - 1_800_000))), "since then");
    }

    proptest! {
        #[test]
        fn c6_what_is_unavailable_is_never_given_up(attempts in 1_u32.., jitter in 0.0..1.0_f64) {
            let Next::Again(pause, _) = next(&DOWN, tries(attempts, 0), Circumstances { jitter, ..AROUND }) else {
                return Err(TestCaseError::fail("it was given up"));
            };
            prop_assert!(pause >= PAUSE_MIN.mul_f64(0.8) && pause <= PAUSE_MAX.mul_f64(1.2));
        }
    }
}
