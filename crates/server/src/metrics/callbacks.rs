//! What callbacks count.

use std::time::Duration;

use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    book::{Book, Entry, Kind, Measure},
    counters::{Axis, CountersByApp},
    histogram::{Histograms, TIMES},
};
use crate::callback::{Outcome, Phase};

#[derive(Clone, Debug)]
pub struct CallbackMetrics {
    attempts: CountersByApp<2>,
    /// The names of outcomes in the order of their places.
    outcomes: Axis,
    phases: Histograms,
    seconds: Histograms,
    deliveries: Histograms,
}

/// In the order of their places.
const PHASES: [&str; 4] = ["resolve", "connect", "tls", "answer"];

impl CallbackMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let commands = || Axis::new("command", CallbackCommand::ALL.map(CallbackCommand::as_str));
        let outcomes = Axis::new("outcome", Outcome::names());
        let metrics = Self {
            attempts: CountersByApp::new([commands(), outcomes.clone()]),
            outcomes,
            phases: Histograms::new(Axis::new("phase", PHASES), TIMES),
            seconds: Histograms::new(commands(), TIMES),
            deliveries: Histograms::new(commands(), TIMES),
        };
        let entry = Entry {
            name: "unsaid_callback_attempts",
            kind: Kind::Counter,
            unit: Measure::Count,
            labels: &["app", "command", "outcome"],
            about: "Attempts at callbacks by what came of them; docs/callbacks.md has the outcomes",
        };
        book.enter(entry, metrics.attempts.clone());
        let histogram =
            |name, labels, about| Entry { name, kind: Kind::Histogram, unit: Measure::Seconds, labels, about };
        let about = "How long each phase of an attempt took, also the one in which it ended. Over a kept connection there is \
                     only `answer`";
        book.enter(histogram("unsaid_callback_phase", &["phase"], about), metrics.phases.clone());
        let about = "How long attempts took in all";
        book.enter(histogram("unsaid_callback_attempt", &["command"], about), metrics.seconds.clone());
        let about = "From the commit that owed a callback to its delivery, retries and waiting included; a recall is \
                     `C2C.CallbackAfterMsgWithDraw`. What was sent again counts from when that was asked for";
        book.enter(histogram("unsaid_callback_delivery", &["command"], about), metrics.deliveries.clone());
        metrics
    }

    pub fn attempted(&self, app: SdkAppId, command: CallbackCommand, outcome: &Outcome, took: Duration) {
        let name = outcome.name();
        let place = self.outcomes.values.iter().position(|one| *one == name);
        self.attempts.count(app, [place_of(command), place.expect("every outcome has its name")]);
        self.seconds.at(place_of(command)).took(took);
    }

    pub fn phase(&self, phase: Phase, took: Duration) {
        let place = match phase {
            Phase::Resolve => 0,
            Phase::Connect => 1,
            Phase::Tls => 2,
            Phase::Answer => 3,
        };
        self.phases.at(place).took(took);
    }

    /// Attempts that delivered, and those that did not.
    pub(super) fn attempts(&self) -> (u64, u64) {
        let of_outcome = |outcome| (0..CallbackCommand::ALL.len()).map(|at| self.attempts.counted([at, outcome])).sum();
        let delivered = of_outcome(0);
        (delivered, (1..self.outcomes.values.len()).map(of_outcome).sum())
    }

    /// How long deliveries took, of all callbacks together: the largest of each bucket in seconds, and how many there were.
    pub(super) fn delivery_times(&self) -> Vec<(f64, u64)> {
        let mut times = self.deliveries.at(0).counts();
        for place in 1..CallbackCommand::ALL.len() {
            times.iter_mut().zip(self.deliveries.at(place).counts()).for_each(|(sum, (_, count))| sum.1 += count);
        }
        times
    }

    /// `after`: since its commit, or since it was asked for again.
    pub fn delivered(&self, command: CallbackCommand, after: Duration) {
        self.deliveries.at(place_of(command)).took(after);
    }
}

/// Its place among all.
fn place_of(command: CallbackCommand) -> usize {
    command as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_in_their_places() {
        for (place, command) in CallbackCommand::ALL.into_iter().enumerate() {
            assert_eq!(place_of(command), place);
        }
    }
}
