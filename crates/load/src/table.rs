//! Matches callbacks with what was asked for, recalls or sends: a row for each message, found by its `MsgRandom`, which is its number plus one.
//!
//! Connections and the receiver write to it at the same time, so all of it is atomics: no lock is ever waited for.
//! What was lost, late or out of order is only found by [`Table::tally`], after the run.

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
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

pub(crate) fn number_of(random: u32) -> Option<usize> {
    Some(random.checked_sub(1)? as usize)
}

pub(crate) struct Table {
    origin: Instant,
    times: Times,
    messages: Vec<Message>,
    /// One for each message.
    rows: Vec<Row>,
    /// For each account as the recipient, the number of the latest callback in its lane.
    lanes: Vec<AtomicI64>,
    /// How many requests were acknowledged or failed.
    answered: AtomicUsize,
    arrived: AtomicUsize,
    unreadable: AtomicU64,
    repeats: AtomicU64,
    order_violations: AtomicU64,
    first_failure: OnceLock<String>,
}

#[derive(Default)]
struct Row {
    due: Mark,
    asked: Mark,
    acknowledged: Mark,
    called_back: Mark,
}

/// Whether the seconds in the keys are known before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Times {
    Known,
    /// The messages are yet to be sent, and the server says when that was.
    Unknown,
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
    /// From a request's answer to its callback; 0 if the callback came first. In microseconds.
    pub(crate) callback_us: Histogram<u64>,
    /// From when a request was due to its answer.
    pub(crate) answer_us: Histogram<u64>,
    /// From when it was due to when it was sent.
    pub(crate) late_us: Histogram<u64>,
    /// From when the first request was due to the last answer or callback.
    pub(crate) seconds: f64,
}

impl Table {
    /// Of messages that are there.
    pub(crate) fn new(messages: Vec<Message>, accounts: u32) -> Self {
        Self::with(Times::Known, messages, accounts)
    }

    pub(crate) fn with(times: Times, messages: Vec<Message>, accounts: u32) -> Self {
        let rows = messages.iter().map(|_| Row::default()).collect();
        let lanes = (0..accounts).map(|_| AtomicI64::new(0)).collect();
        Self {
            origin: clock::now(),
            times,
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

    /// The request for this message was due, and is sent now.
    pub(crate) fn asked(&self, number: usize, due: Instant, at: Instant) {
        self.rows[number].due.0.store(self.moment(due), Relaxed);
        self.rows[number].asked.0.store(self.moment(at), Relaxed);
    }

    /// Its success has arrived.
    pub(crate) fn acknowledged(&self, number: usize, at: Instant) {
        self.rows[number].acknowledged.0.store(self.moment(at), Relaxed);
        self.answered.fetch_add(1, Relaxed);
    }

    /// A request was refused, or has no answer.
    pub(crate) fn failed(&self, why: impl FnOnce() -> String) {
        self.first_failure.get_or_init(why);
        self.answered.fetch_add(1, Relaxed);
    }

    pub(crate) fn first_failure(&self) -> Option<&str> {
        self.first_failure.get().map(String::as_str)
    }

    /// The callback for `message` has arrived, as the one with this number in the lane of its recipient.
    pub(crate) fn called_back(&self, message: &Message, lane_number: i64, at: Instant) {
        let number = number_of(message.key.random).filter(|&number| self.is_of(number, message));
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

    fn is_of(&self, number: usize, message: &Message) -> bool {
        let time_of = |known: &Message| match self.times {
            Times::Known => known.key.time,
            Times::Unknown => message.key.time,
        };
        self.messages.get(number).is_some_and(|known| {
            let key = MsgKey { time: time_of(known), ..known.key };
            Message { key, ..*known } == *message
        })
    }

    /// Something arrived that is for no message of this run.
    pub(crate) fn unreadable(&self) {
        self.unreadable.fetch_add(1, Relaxed);
        self.arrived.fetch_add(1, Relaxed);
    }

    /// When the success of a request arrived.
    pub(crate) fn acknowledged_at(&self, number: usize) -> Option<Instant> {
        self.rows.get(number)?.acknowledged.read().map(|moment| self.instant(moment))
    }

    /// When the first callback came.
    pub(crate) fn first_callback(&self) -> Option<Instant> {
        let first = self.rows.iter().filter_map(|row| row.called_back.read()).min()?;
        Some(self.instant(first))
    }

    /// When the last one came that was not a repeat.
    pub(crate) fn last_callback(&self) -> Option<Instant> {
        let last = self.rows.iter().filter_map(|row| row.called_back.read()).max()?;
        Some(self.instant(last))
    }

    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Relaxed)
    }

    /// Grows with each answer and each callback.
    pub(crate) fn happened(&self) -> usize {
        self.answered() + self.arrived()
    }

    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Relaxed)
    }

    /// Whether each acknowledged request has its callback.
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
            late_us: histogram(),
            seconds: 0.0,
        };
        let (mut first, mut last) = (u64::MAX, 0);
        for row in &self.rows {
            let due = row.due.read();
            first = first.min(due.unwrap_or(u64::MAX));
            last = last.max(row.acknowledged.read().max(row.called_back.read()).unwrap_or(0));
            if let Some((due, asked)) = due.zip(row.asked.read()) {
                tally.late_us += asked.saturating_sub(due) / 1000;
            }
            match (due.zip(row.acknowledged.read()), row.called_back.read()) {
                (None, None) => tally.failed += 1,
                (None, Some(_)) => {
                    tally.failed += 1;
                    tally.unknown += 1;
                }
                (Some((due, acknowledged)), called_back) => tally.count(due, acknowledged, called_back),
            }
        }
        tally.seconds = last.saturating_sub(first) as f64 / 1e9;
        tally
    }

    fn instant(&self, moment: u64) -> Instant {
        self.origin + Duration::from_nanos(moment - 1)
    }

    fn moment(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.origin).as_nanos();
        1 + u64::try_from(since).expect("a run takes less than 500 years")
    }
}

impl Tally {
    /// Adds an acknowledged request; moments in nanoseconds.
    fn count(&mut self, due: u64, acknowledged: u64, called_back: Option<u64>) {
        self.acknowledged += 1;
        self.answer_us += (acknowledged - due) / 1000;
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
            self.asked(number, self.after(asked_ms), self.after(asked_ms));
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
        table.asked(1, table.after(1), table.after(1));
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
    fn what_is_sent_late_counts_from_when_it_was_due() {
        let table = table();
        table.asked(0, table.after(10), table.after(40));
        table.acknowledged(0, table.after(42));
        table.asked(1, table.after(20), table.after(20));
        table.acknowledged(1, table.after(50));
        table.call_back(0, 1, 43);

        let tally = table.tally();

        assert!(tally.answer_us.equivalent(tally.answer_us.max(), 32_000), "{}", tally.answer_us.max());
        assert!(tally.late_us.equivalent(tally.late_us.max(), 30_000), "{}", tally.late_us.max());
        assert!(tally.callback_us.equivalent(tally.callback_us.max(), 1_000), "{}", tally.callback_us.max());
        assert_eq!(table.first_callback(), Some(table.after(43)));
        assert!((tally.seconds - 0.040).abs() < 1e-6, "{}", tally.seconds);
    }

    #[test]
    fn a_message_that_is_yet_to_be_sent_has_no_time() {
        let message = Message { from: Account(0), to: Account(1), key: MsgKey { seq: 9, random: 1, time: 0 } };
        let sent = |seq| Message { key: MsgKey { seq, random: 1, time: 1_795_305_600 }, ..message };
        for (times, seq, unknown) in [(Times::Unknown, 9, 0), (Times::Unknown, 8, 1), (Times::Known, 9, 1)] {
            let table = Table::with(times, vec![message], 2);
            table.recall(0, 1, 2);
            table.called_back(&sent(seq), 1, table.after(3));
            assert_eq!(table.tally().unknown, unknown, "{times:?} {seq}");
        }
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
