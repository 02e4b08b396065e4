//! Matches callbacks with recalls: a row for each message, found by its `MsgRandom`, which is its number plus one.
//!
//! Connections and the receiver write to it at the same time, so all of it is atomics: no lock is ever waited for.
//! What was lost, late or out of order is only found by [`Table::tally`], after the run.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use hdrhistogram::Histogram;
use unsaid_protocol::MsgKey;

use crate::{account::Account, clock};

/// What names a message within an app.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) from: Account,
    pub(crate) to: Account,
    pub(crate) key: MsgKey,
}

/// The `MsgRandom` of a message.
pub(crate) fn random_of(number: u32) -> u32 {
    number + 1
}

fn number_of(random: u32) -> Option<usize> {
    Some(random.checked_sub(1)? as usize)
}

pub(crate) struct Table {
    origin: Instant,
    messages: Vec<Message>,
    /// One for each message.
    rows: Vec<Row>,
    /// For each account as the recipient, the number of the latest callback in its lane.
    lanes: Vec<AtomicI64>,
    /// How many recalls were acknowledged or failed.
    answered: AtomicUsize,
    arrived: AtomicUsize,
    unreadable: AtomicU64,
    repeats: AtomicU64,
    order_violations: AtomicU64,
    first_failure: OnceLock<String>,
}

#[derive(Default)]
struct Row {
    asked: Mark,
    acknowledged: Mark,
    called_back: Mark,
}

/// A moment in nanoseconds after the table's origin; 0 is never.
#[derive(Default)]
struct Mark(AtomicU64);

impl Mark {
    fn read(&self) -> Option<u64> {
        Some(self.0.load(Relaxed)).filter(|&moment| moment != 0)
    }
}

/// What came of a run.
pub(crate) struct Tally {
    pub(crate) acknowledged: u64,
    pub(crate) failed: u64,
    pub(crate) lost: u64,
    pub(crate) unknown: u64,
    pub(crate) repeats: u64,
    pub(crate) order_violations: u64,
    pub(crate) before_answer: u64,
    /// From a recall's answer to its callback; 0 if the callback came first. In microseconds.
    pub(crate) callback_us: Histogram<u64>,
    /// From a recall to its answer.
    pub(crate) answer_us: Histogram<u64>,
    /// From the first request to the last callback.
    pub(crate) seconds: f64,
}

impl Table {
    pub(crate) fn new(messages: Vec<Message>, accounts: u32) -> Self {
        let rows = messages.iter().map(|_| Row::default()).collect();
        let lanes = (0..accounts).map(|_| AtomicI64::new(0)).collect();
        Self {
            origin: clock::now(),
            messages,
            rows,
            lanes,
            answered: AtomicUsize::new(0),
            arrived: AtomicUsize::new(0),
            unreadable: AtomicU64::new(0),
            repeats: AtomicU64::new(0),
            order_violations: AtomicU64::new(0),
            first_failure: OnceLock::new(),
        }
    }

    pub(crate) fn messages(&self) -> &[Message] {
        &self.messages
    }

    /// The recall of this message is sent now.
    pub(crate) fn asked(&self, number: usize, at: Instant) {
        self.rows[number].asked.0.store(self.moment(at), Relaxed);
    }

    /// Its success has arrived.
    pub(crate) fn acknowledged(&self, number: usize, at: Instant) {
        self.rows[number].acknowledged.0.store(self.moment(at), Relaxed);
        self.answered.fetch_add(1, Relaxed);
    }

    /// A recall was refused, or has no answer.
    pub(crate) fn failed(&self, why: impl FnOnce() -> String) {
        self.first_failure.get_or_init(why);
        self.answered.fetch_add(1, Relaxed);
    }

    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.first_failure.get().map(String::as_str)
    }

    /// The callback for `message` has arrived, as the one with this number in the lane of its recipient.
    pub(crate) fn called_back(&self, message: &Message, lane_number: i64, at: Instant) {
        let number = number_of(message.key.random).filter(|&number| self.messages.get(number) == Some(message));
        let Some(number) = number else {
            return self.unreadable();
        };
        let mark = &self.rows[number].called_back.0;
        if mark.compare_exchange(0, self.moment(at), Relaxed, Relaxed).is_err() {
            self.repeats.fetch_add(1, Relaxed);
        } else if self.lanes[message.to.index()].fetch_max(lane_number, Relaxed) >= lane_number {
            self.order_violations.fetch_add(1, Relaxed);
        }
        self.arrived.fetch_add(1, Relaxed);
    }

    /// Something arrived that is for no message of this run.
    pub(crate) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Relaxed);
        self.arrived.fetch_add(1, Relaxed);
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Relaxed)
    }

    /// Grows with each answer and each callback.
    pub(crate) fn happened(&self) -> usize {
        self.answered() + self.arrived.load(Relaxed)
    }

    /// Whether each acknowledged recall has its callback.
    pub(crate) fn is_complete(&self) -> bool {
        self.rows.iter().all(|row| row.acknowledged.read().is_none() || row.called_back.read().is_some())
    }

    pub(crate) fn tally(&self) -> Tally {
        let histogram = || Histogram::<u64>::new(3).expect("three digits are valid");
        let mut tally = Tally {
            acknowledged: 0,
            failed: 0,
            lost: 0,
            unknown: self.unreadable.load(Relaxed),
            repeats: self.repeats.load(Relaxed),
            order_violations: self.order_violations.load(Relaxed),
            before_answer: 0,
            callback_us: histogram(),
            answer_us: histogram(),
            seconds: 0.0,
        };
        let (mut first, mut last) = (u64::MAX, 0);
        for row in &self.rows {
            let asked = row.asked.read();
            first = first.min(asked.unwrap_or(u64::MAX));
            last = last.max(row.called_back.read().unwrap_or(0));
            match (asked.zip(row.acknowledged.read()), row.called_back.read()) {
                (None, None) => tally.failed += 1,
                (None, Some(_)) => {
                    tally.failed += 1;
                    tally.unknown += 1;
                }
                (Some((asked, acknowledged)), called_back) => tally.count(asked, acknowledged, called_back),
            }
        }
        tally.seconds = last.saturating_sub(first) as f64 / 1e9;
        tally
    }

    fn moment(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin).as_nanos();
        1 + u64::try_from(since).expect("a run takes less than 500 years")
    }
}

impl Tally {
    /// Adds an acknowledged recall; moments in nanoseconds.
    fn count(&mut self, asked: u64, acknowledged: u64, called_back: Option<u64>) {
        self.acknowledged += 1;
        self.answer_us += (acknowledged - asked) / 1000;
        let Some(called_back) = called_back else {
            self.lost += 1;
            return;
        };
        self.before_answer += u64::from(called_back < acknowledged);
        self.callback_us += called_back.saturating_sub(acknowledged) / 1000;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Three messages: two to account 1, one to account 2.
    fn table() -> Table {
        let message =
            |random, to| Message { from: Account(0), to: Account(to), key: MsgKey { seq: 9, random, time: 5 } };
        Table::new(vec![message(1, 1), message(2, 1), message(3, 2)], 3)
    }

    impl Table {
        fn after(&self, ms: u64) -> Instant {
            self.origin + Duration::from_millis(ms)
        }

        fn recall(&self, number: usize, asked_ms: u64, acknowledged_ms: u64) {
            self.asked(number, self.after(asked_ms));
            self.acknowledged(number, self.after(acknowledged_ms));
        }

        fn call_back(&self, number: usize, lane_number: i64, ms: u64) {
            self.called_back(&self.messages[number], lane_number, self.after(ms));
        }
    }

    #[test]
    fn callbacks_are_matched_and_timed() {
        let table = table();
        table.recall(0, 10, 12);
        table.recall(1, 10, 20);
        table.recall(2, 15, 25);
        table.call_back(0, 1, 16);
        table.call_back(2, 1, 24);
        assert!(!table.is_complete());
        table.call_back(1, 2, 30);
        assert!(table.is_complete());

        let tally = table.tally();

        assert_eq!((tally.acknowledged, tally.failed, tally.lost, tally.unknown), (3, 0, 0, 0));
        assert_eq!((tally.repeats, tally.order_violations, tally.before_answer), (0, 0, 1));
        assert_eq!((tally.callback_us.min(), tally.callback_us.len()), (0, 3));
        assert!(tally.callback_us.equivalent(tally.callback_us.max(), 10_000));
        assert!(tally.answer_us.equivalent(tally.answer_us.min(), 2_000));
        assert!((tally.seconds - 0.020).abs() < 1e-6, "{}", tally.seconds);
    }

    #[test]
    fn what_is_missing_or_too_much_is_counted() {
        let table = table();
        table.recall(0, 1, 2);
        table.asked(1, table.after(1));
        table.failed(|| "the first".to_owned());
        table.failed(|| "the second".to_owned());
        table.call_back(1, 1, 3);
        table.called_back(&Message { from: Account(1), ..table.messages[0] }, 1, table.after(3));
        table.called_back(
            &Message { key: MsgKey { seq: 9, random: 0, time: 5 }, ..table.messages[0] },
            1,
            table.after(3),
        );
        table.unreadable();

        let tally = table.tally();

        assert_eq!((tally.acknowledged, tally.lost, tally.failed), (1, 1, 2));
        assert_eq!(tally.unknown, 4, "two for no message, one unreadable, one for a recall that failed");
        assert_eq!(table.first_failure(), Some("the first"));
        assert!(!table.is_complete());
    }

    #[test]
    fn order_is_judged_by_first_arrivals_within_a_lane() {
        let table = table();
        table.call_back(1, 2, 1);
        table.call_back(0, 1, 2);
        table.call_back(0, 1, 3);
        table.call_back(2, 1, 4);
        let tally = table.tally();
        assert_eq!((tally.order_violations, tally.repeats), (1, 1));
    }
}
