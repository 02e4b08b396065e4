//! What the store counts.

use std::time::Duration;

use super::{
    book::{Book, Entry, Kind, Measure},
    counters::{Axis, Counters},
    histogram::{Histogram, SIZES, TIMES},
};

#[derive(Clone, Debug)]
pub struct StoreMetrics {
    commits: Counters<1>,
    seconds: Histogram,
    batches: Histogram,
}

impl StoreMetrics {
    pub(super) fn new(book: &mut Book) -> Self {
        let metrics = Self {
            commits: Counters::new([Axis::new("result", ["done", "failed"])]),
            seconds: Histogram::new(TIMES),
            batches: Histogram::new(SIZES),
        };
        let entry = Entry {
            name: "unsaid_store_commits",
            kind: Kind::Counter,
            unit: Measure::Count,
            labels: &["result"],
            about: "Transactions of the store's writer, by whether they were committed. One of several commands that fails is \
                    followed by one for each of them",
        };
        book.enter(entry, metrics.commits.clone());
        let entry = Entry {
            name: "unsaid_store_commit",
            kind: Kind::Histogram,
            unit: Measure::Seconds,
            labels: &[],
            about: "How long a transaction of the writer took from its begin until it was durable; its fsync is most of it",
        };
        book.enter(entry, metrics.seconds.clone());
        let entry = Entry {
            name: "unsaid_store_batch_commands",
            kind: Kind::Histogram,
            unit: Measure::Count,
            labels: &[],
            about: "How many commands shared a transaction, and so its fsync",
        };
        book.enter(entry, metrics.batches.clone());
        metrics
    }

    pub fn committed(&self, commands: usize, took: Duration) {
        self.commits.count([0]);
        self.seconds.took(took);
        self.batches.observe(commands as u64);
    }

    pub fn failed(&self) {
        self.commits.count([1]);
    }
}
