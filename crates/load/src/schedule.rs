//! When requests are due. In an open loop they come whatever the server does, as people do; a request that a slow server
//! has kept from being sent is counted from when it was due, so that its slowness is seen and not left out.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::{
    clock,
    flags::{Arrivals, Pace},
};

pub(crate) enum Schedule {
    /// A closed loop: each is due when the one before it was answered.
    WhenAnswered,
    /// An open loop: after so long each.
    Due { began: Instant, after: Vec<Duration> },
}

impl Schedule {
    /// For so many requests, from now on.
    pub(crate) fn begin(pace: &Pace, requests: usize, seed: u64) -> Self {
        match pace.rate {
            None => Self::WhenAnswered,
            Some(rate) => Self::Due { began: clock::now(), after: due_after(pace.arrivals, rate, requests, seed) },
        }
    }

    /// Waits until a request is due, and says when that was.
    pub(crate) async fn due(&self, number: usize) -> Instant {
        let Self::Due { began, after } = self else {
            return clock::now();
        };
        let due = *began + after[number];
        tokio::time::sleep_until(due.into()).await;
        due
    }
}

fn due_after(arrivals: Arrivals, rate: u32, requests: usize, seed: u64) -> Vec<Duration> {
    let pause_s = 1.0 / f64::from(rate);
    match arrivals {
        Arrivals::Even => (0..requests).map(|number| Duration::from_secs_f64(number as f64 * pause_s)).collect(),
        Arrivals::Random => {
            let mut random = StdRng::seed_from_u64(seed);
            let pauses = std::iter::repeat_with(|| -(1.0 - random.random::<f64>()).ln() * pause_s);
            let moments = pauses.scan(0.0, |sum_s, pause_s| {
                *sum_s += pause_s;
                Some(Duration::from_secs_f64(*sum_s))
            });
            moments.take(requests).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_arrivals_have_the_same_pause() {
        let ms: Vec<_> = due_after(Arrivals::Even, 200, 4, 1).iter().map(Duration::as_millis).collect();
        assert_eq!(ms, [0, 5, 10, 15]);
    }

    #[test]
    fn random_arrivals_have_the_rate_and_the_spread_of_chance() {
        let due = due_after(Arrivals::Random, 1000, 100_000, 1);
        assert!(due.is_sorted());
        assert_eq!(due, due_after(Arrivals::Random, 1000, 100_000, 1));
        assert_ne!(due, due_after(Arrivals::Random, 1000, 100_000, 2));
        let seconds = due.last().expect("there are some").as_secs_f64();
        assert!((seconds - 100.0).abs() < 2.0, "{seconds}");
        // Pauses that are independent: a part of 1/e is longer than the average.
        let long = due.windows(2).filter(|pair| pair[1] - pair[0] > Duration::from_millis(1)).count();
        assert!((35_800..37_800).contains(&long), "{long}");
    }

    #[tokio::test]
    async fn what_is_late_was_due_when_it_was_due() {
        let began = clock::now();
        let schedule = Schedule::Due { began, after: vec![Duration::ZERO, Duration::from_millis(5)] };
        assert_eq!(schedule.due(1).await, began + Duration::from_millis(5));
        assert!(clock::now() >= began + Duration::from_millis(5));
        assert_eq!(schedule.due(0).await, began);
    }
}
