//! The last hours: what was counted is looked at every ten seconds, and two looks make a step of a chart.
//!
//! It is for the console, and no more than a glance: Prometheus keeps more, for longer. It is bounded in memory, and begins anew
//! with each start.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Metrics;
use crate::clock::Clock;

/// As many looks are remembered: three hours of them.
const LOOKS_MAX: usize = 3 * 360 + 1;

/// What is closer to now than this is no step of its own yet.
const STEP_LEAST: Duration = Duration::from_secs(1);

/// What was counted over the last hours.
#[derive(Debug)]
pub struct Recent {
    metrics: Arc<Metrics>,
    clock: Clock,
    looks: Mutex<VecDeque<Look>>,
}

/// What was counted up to a moment.
#[derive(Clone, Debug)]
struct Look {
    at: Instant,
    recalls: u64,
    delivered: u64,
    failed: u64,
    /// Deliveries by how long they took.
    times: Vec<(f64, u64)>,
}

/// What happened between two looks.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Step {
    pub recalls_per_s: f64,
    /// Attempts that delivered.
    pub delivered_per_s: f64,
    /// Attempts that did not.
    pub failed_per_s: f64,
    /// The share of attempts that delivered; none if there was no attempt.
    pub success: Option<f64>,
    /// How long half of the deliveries took at most, in seconds; none if there was no delivery.
    pub p50_s: Option<f64>,
    /// The same of 99 of 100.
    pub p99_s: Option<f64>,
}

impl Recent {
    /// How often is looked.
    pub const PAUSE: Duration = Duration::from_secs(10);

    pub fn new(metrics: Arc<Metrics>, clock: Clock) -> Arc<Self> {
        let recent = Self { metrics, clock, looks: Mutex::default() };
        recent.look();
        Arc::new(recent)
    }

    /// Looks every ten seconds until the server stops.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Self::PAUSE) => self.look(),
            }
        }
    }

    /// The latest `steps` steps of `looks_each` looks, the oldest first, the last one until now. There are fewer if the server
    /// has not run for that long.
    pub fn steps(&self, steps: usize, looks_each: usize) -> Vec<Step> {
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.take();
        if looks.back().is_none_or(|last| now.at - last.at >= STEP_LEAST) {
            looks.push_back(now);
        }
        let mut chosen: Vec<_> = looks.iter().rev().step_by(looks_each).take(steps + 1).collect();
        chosen.reverse();
        chosen.windows(2).map(|pair| step(pair[0], pair[1])).collect()
    }

    fn look(&self) {
        let look = self.take();
        let mut looks = self.looks.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() == LOOKS_MAX {
            looks.pop_front();
        }
        looks.push_back(look);
    }

    fn take(&self) -> Look {
        let (delivered, failed) = self.metrics.callbacks.attempts();
        Look {
            at: self.clock.instant(),
            recalls: self.metrics.rest.recalls() + self.metrics.gateway.recalls(),
            delivered,
            failed,
            times: self.metrics.callbacks.delivery_times(),
        }
    }
}

fn step(before: &Look, after: &Look) -> Step {
    let seconds = (after.at - before.at).as_secs_f64();
    let (delivered, failed) = (after.delivered - before.delivered, after.failed - before.failed);
    let attempts = delivered + failed;
    let between = before.times.iter().zip(&after.times);
    let times: Vec<_> = between.map(|((bound, before), (_, after))| (*bound, after - before)).collect();
    Step {
        recalls_per_s: (after.recalls - before.recalls) as f64 / seconds,
        delivered_per_s: delivered as f64 / seconds,
        failed_per_s: failed as f64 / seconds,
        success: (attempts > 0).then(|| delivered as f64 / attempts as f64),
        p50_s: quantile(&times, 0.5),
        p99_s: quantile(&times, 0.99),
    }
}

/// The value below which that share lies, taken as if what is in a bucket were spread evenly in it.
fn quantile(counts: &[(f64, u64)], share: f64) -> Option<f64> {
    let total: u64 = counts.iter().map(|(_, count)| count).sum();
    let wanted = share * total as f64;
    let (mut below, mut lower) = (0.0, 0.0);
    for (bound, count) in counts.iter().filter(|_| total > 0) {
        let count = *count as f64;
        if count > 0.0 && below + count >= wanted {
            // Nothing is known of how far the last bucket reaches.
            let upper = if bound.is_finite() { *bound } else { lower };
            return Some(lower + (upper - lower) * (wanted - below) / count);
        }
        below += count;
        lower = *bound;
    }
    None
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::{ErrorCode, SdkAppId, callback::CallbackCommand};

    use super::*;
    use crate::{
        callback::{Outcome, Unavailable},
        clock::Timestamp,
    };

    #[tokio::test(start_paused = true)]
    async fn a_step_is_what_happened_between_two_looks() {
        let metrics = Arc::new(Metrics::new());
        let recent = Recent::new(Arc::clone(&metrics), Clock::standing_at(Timestamp(0)));
        assert!(recent.steps(10, 1).is_empty(), "nothing has passed yet");
        let recall = crate::rest::COMMANDS.iter().position(|command| command.name == RECALL).expect("it is there");
        for _ in 0..20 {
            metrics.rest.answered(Some(recall), ErrorCode(0), Duration::ZERO);
            attempted(&metrics, &Outcome::Delivered);
        }
        metrics.rest.answered(Some(recall), ErrorCode(20023), Duration::ZERO);
        (0..5).for_each(|_| attempted(&metrics, &Outcome::Unavailable(Unavailable::NotJson)));
        tokio::time::advance(Recent::PAUSE).await;
        recent.look();
        tokio::time::advance(Duration::from_secs(5)).await;
        let steps = recent.steps(10, 1);
        assert_eq!(steps.len(), 2);
        assert_eq!(steps[0].recalls_per_s, 2.0);
        assert_eq!((steps[0].delivered_per_s, steps[0].failed_per_s), (2.0, 0.5));
        assert_eq!(steps[0].success, Some(0.8));
        assert!(steps[0].p50_s.is_some_and(|p50| (0.001..=0.0025).contains(&p50)), "{steps:?}");
        assert_eq!(steps[1], Step::default(), "nothing happened afterwards");
        assert_eq!(recent.steps(10, 2).len(), 1);
        assert_eq!(recent.steps(1, 1), steps[1..]);
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_last_hours_are_remembered() {
        let recent = Recent::new(Arc::new(Metrics::new()), Clock::standing_at(Timestamp(0)));
        for _ in 0..2 * LOOKS_MAX {
            tokio::time::advance(Recent::PAUSE).await;
            recent.look();
        }
        assert_eq!(recent.steps(usize::MAX - 1, 1).len(), LOOKS_MAX - 1);
    }

    #[test]
    fn quantiles_lie_within_their_bucket() {
        for (counts, share, expected) in [
            (&[(1.0, 0), (2.0, 0)][..], 0.5, None),
            (&[(1.0, 10), (2.0, 0)], 0.5, Some(0.5)),
            (&[(1.0, 10), (2.0, 10)], 0.5, Some(1.0)),
            (&[(1.0, 10), (2.0, 10)], 0.75, Some(1.5)),
            (&[(1.0, 0), (2.0, 4)], 1.0, Some(2.0)),
            (&[(1.0, 1), (f64::INFINITY, 9)], 0.99, Some(1.0)),
        ] {
            assert_eq!(quantile(counts, share), expected, "{counts:?} {share}");
        }
    }

    const RECALL: &str = "admin_msgwithdraw";

    fn attempted(metrics: &Metrics, outcome: &Outcome) {
        let took = Duration::from_millis(2);
        metrics.callbacks.attempted(SdkAppId(1), CallbackCommand::AfterMsgWithDraw, outcome, took);
        if *outcome == Outcome::Delivered {
            metrics.callbacks.delivered(CallbackCommand::AfterMsgWithDraw, took);
        }
    }
}
