//! What was asked for, acknowledged and called back. Nothing here knows servers.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::Notify;
use unsaid_protocol::MsgKey;
use unsaid_testkit::Arrival;

use crate::{account::Account, callback, table::Message};

#[derive(Default)]
pub(crate) struct Ledger {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    messages: HashMap<u32, Row>,
    /// The latest number of each lane, by first arrivals.
    lanes: HashMap<String, i64>,
    events: HashSet<String>,
    arrivals: Vec<Instant>,
    repeats: Vec<Instant>,
    unknown: u64,
    out_of_order: u64,
    /// Recalls that a session was answered.
    by_sessions: u64,
    /// Sends without an answer that were not asked again.
    sends_in_doubt: HashSet<u32>,
    /// Calls that had no answer, or none that says what became of them.
    troubles: u64,
    /// What was refused although it should not be.
    failed: Vec<String>,
}

struct Row {
    message: Message,
    asked: bool,
    acknowledged: Option<Instant>,
    arrived: Option<Instant>,
    /// Events of this recall.
    events: u32,
}

impl Row {
    fn sent(message: Message) -> Self {
        Self { message, asked: false, acknowledged: None, arrived: None, events: 0 }
    }
}

/// A message as the server has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stored {
    pub(crate) message: Message,
    pub(crate) recalled: bool,
}

/// A message as its callers and the receiver know it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Standing {
    pub(crate) message: Message,
    /// Its recall was acknowledged, or found to be carried out.
    pub(crate) recalled: bool,
    /// Its callback came.
    pub(crate) told: bool,
}

/// Calls without an answer that were not asked again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub(crate) struct Doubts {
    pub(crate) sends: u64,
    pub(crate) recalls: u64,
    pub(crate) carried_out: u64,
}

/// One callback.
pub(crate) struct Callback<'a> {
    pub(crate) message: Message,
    pub(crate) event: &'a str,
    pub(crate) lane: &'a str,
    pub(crate) number: i64,
}

/// What came of it all.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    pub(crate) acknowledged: u64,
    pub(crate) lost: u64,
    pub(crate) unknown: u64,
    /// Recalls with more than one event.
    pub(crate) doubled: u64,
    pub(crate) out_of_order: u64,
    pub(crate) by_sessions: u64,
    pub(crate) troubles: u64,
    pub(crate) failed: Vec<String>,
    /// When something arrived that had come before.
    pub(crate) repeats: Vec<Instant>,
    /// When something arrived for the first time.
    pub(crate) arrivals: Vec<Instant>,
    /// From a recall's answer to its callback, with the moment of the answer.
    pub(crate) latencies: Vec<(Instant, Duration)>,
}

impl Ledger {
    pub(crate) fn sent(&self, message: Message) {
        self.state().messages.insert(message.key.random, Row::sent(message));
    }

    pub(crate) fn asked(&self, key: MsgKey) {
        self.state().messages.get_mut(&key.random).expect("it was sent").asked = true;
    }

    pub(crate) fn acknowledged(&self, key: MsgKey, at: Instant) {
        self.state().messages.get_mut(&key.random).expect("it was sent").acknowledged = Some(at);
    }

    pub(crate) fn acknowledged_to_a_session(&self, key: MsgKey, at: Instant) {
        self.acknowledged(key, at);
        self.state().by_sessions += 1;
    }

    /// The caller of this send gives up: it may be stored, or not.
    pub(crate) fn send_in_doubt(&self, random: u32) {
        self.state().sends_in_doubt.insert(random);
    }

    pub(crate) fn trouble(&self) {
        self.state().troubles += 1;
    }

    pub(crate) fn failed(&self, why: String) {
        self.state().failed.push(why);
    }

    /// Takes what the receiver got.
    pub(crate) fn take(&self, arrival: &Arrival) {
        let header = |name| arrival.header(name);
        let message = callback::recalled(&arrival.body);
        match (message, header("webhook-id"), header("unsaid-lane"), callback::number(arrival)) {
            (Some(message), Some(event), Some(lane), Some(number)) => {
                self.called_back(&Callback { message, event, lane, number }, arrival.at);
            }
            _ => self.unreadable(),
        }
    }

    pub(crate) fn called_back(&self, callback: &Callback<'_>, at: Instant) {
        self.state().called_back(callback, at);
        self.changed.notify_waiters();
    }

    pub(crate) fn unreadable(&self) {
        self.state().unknown += 1;
        self.changed.notify_waiters();
    }

    /// Until everything that is acknowledged by now has its callback.
    pub(crate) async fn at_rest(&self) {
        let owed: Vec<u32> = {
            let state = self.state();
            let owed = state.messages.iter().filter(|(_, row)| row.acknowledged.is_some() && row.arrived.is_none());
            owed.map(|(random, _)| *random).collect()
        };
        loop {
            let changed = self.changed.notified();
            let all_there = {
                let state = self.state();
                owed.iter().all(|random| state.messages[random].arrived.is_some())
            };
            if all_there {
                return;
            }
            changed.await;
        }
    }

    /// Until nothing has arrived for so long.
    pub(crate) async fn is_quiet_for(&self, pause: Duration) {
        while tokio::time::timeout(pause, self.changed.notified()).await.is_ok() {}
    }

    /// The acknowledged recalls that this account has to know of.
    pub(crate) fn recalls_of(&self, account: Account) -> HashSet<u32> {
        let state = self.state();
        let theirs = state.messages.iter().filter(|(_, row)| {
            row.acknowledged.is_some() && (row.message.from == account || row.message.to == account)
        });
        theirs.map(|(random, _)| *random).collect()
    }

    /// How many messages to this account were sent and not recalled.
    pub(crate) fn unread(&self, account: Account) -> i64 {
        let state = self.state();
        let kept = state.messages.values().filter(|row| row.message.to == account && row.acknowledged.is_none());
        i64::try_from(kept.count()).expect("few")
    }

    /// What is stored says what became of sends and recalls without an answer. Answers how many had none, and of how many it
    /// says that they were carried out.
    pub(crate) fn settle_doubts(&self, stored: &[Stored], now: Instant) -> Doubts {
        let State { messages, sends_in_doubt, .. } = &mut *self.state();
        let recalls_in_doubt = messages.values().filter(|row| row.asked && row.acknowledged.is_none()).count();
        let mut doubts =
            Doubts { sends: sends_in_doubt.len() as u64, recalls: recalls_in_doubt as u64, carried_out: 0 };
        for Stored { message, recalled } in stored {
            if sends_in_doubt.remove(&message.key.random) {
                messages.insert(message.key.random, Row::sent(*message));
                doubts.carried_out += 1;
            }
            if let Some(row) = messages.get_mut(&message.key.random)
                && *recalled
                && row.asked
                && row.acknowledged.is_none()
            {
                row.acknowledged = Some(now);
                doubts.carried_out += 1;
            }
        }
        doubts
    }

    /// How each message stands that is known to be sent.
    pub(crate) fn standing(&self) -> Vec<Standing> {
        let state = self.state();
        let rows = state.messages.values().map(|row| Standing {
            message: row.message,
            recalled: row.acknowledged.is_some(),
            told: row.arrived.is_some(),
        });
        rows.collect()
    }

    pub(crate) fn tally(&self) -> Tally {
        let state = self.state();
        let mut tally = Tally {
            unknown: state.unknown,
            out_of_order: state.out_of_order,
            by_sessions: state.by_sessions,
            troubles: state.troubles,
            failed: state.failed.clone(),
            repeats: state.repeats.clone(),
            arrivals: state.arrivals.clone(),
            ..Tally::default()
        };
        for row in state.messages.values() {
            tally.doubled += u64::from(row.events > 1);
            let Some(acknowledged) = row.acknowledged else {
                continue;
            };
            tally.acknowledged += 1;
            match row.arrived {
                Some(arrived) => {
                    tally.latencies.push((acknowledged, arrived.saturating_duration_since(acknowledged)));
                }
                None => tally.lost += 1,
            }
        }
        tally
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn called_back(&mut self, callback: &Callback<'_>, at: Instant) {
        let Self { messages, lanes, events, arrivals, repeats, unknown, out_of_order, .. } = self;
        let Some(row) =
            messages.get_mut(&callback.message.key.random).filter(|row| row.message == callback.message && row.asked)
        else {
            *unknown += 1;
            return;
        };
        if !events.insert(callback.event.to_owned()) {
            repeats.push(at);
            return;
        }
        row.events += 1;
        row.arrived.get_or_insert(at);
        arrivals.push(at);
        let last = lanes.entry(callback.lane.to_owned()).or_default();
        *out_of_order += u64::from(callback.number <= *last);
        *last = callback.number.max(*last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn message(random: u32) -> Message {
        Message { from: Account(1), to: Account(2), key: MsgKey { seq: 1, random, time: 1 } }
    }

    /// Two messages whose recalls were acknowledged.
    fn ledger() -> Ledger {
        let ledger = Ledger::default();
        for random in [1, 2] {
            ledger.sent(message(random));
            ledger.asked(message(random).key);
            ledger.acknowledged(message(random).key, clock::now());
        }
        ledger
    }

    impl Ledger {
        fn arrives(&self, random: u32, event: &str, number: i64) {
            self.called_back(&Callback { message: message(random), event, lane: "lane", number }, clock::now());
        }

        fn wrong(&self) -> (u64, u64, u64, u64, usize) {
            let Tally { lost, unknown, doubled, out_of_order, repeats, .. } = self.tally();
            (lost, unknown, doubled, out_of_order, repeats.len())
        }
    }

    #[test]
    fn what_comes_once_and_in_order_is_right() {
        let ledger = ledger();
        ledger.arrives(1, "a", 1);
        ledger.arrives(2, "b", 2);
        assert_eq!(ledger.wrong(), (0, 0, 0, 0, 0));
        assert_eq!(ledger.recalls_of(Account(2)), HashSet::from([1, 2]));
    }

    #[test]
    fn what_never_comes_is_lost() {
        let ledger = ledger();
        ledger.arrives(1, "a", 1);
        assert_eq!(ledger.wrong(), (1, 0, 0, 0, 0));
    }

    #[test]
    fn what_nobody_asked_for_is_unknown() {
        let ledger = ledger();
        ledger.sent(message(3));
        ledger.arrives(1, "a", 1);
        ledger.arrives(2, "b", 2);
        ledger.arrives(3, "c", 3);
        ledger.arrives(4, "d", 4);
        assert_eq!(ledger.wrong(), (0, 2, 0, 0, 0));
        assert_eq!(ledger.unread(Account(2)), 1);
    }

    #[test]
    fn a_repeat_is_counted_and_may_come_at_any_time() {
        let ledger = ledger();
        ledger.arrives(1, "a", 1);
        ledger.arrives(2, "b", 2);
        ledger.arrives(1, "a", 1);
        assert_eq!(ledger.wrong(), (0, 0, 0, 0, 1));
    }

    #[test]
    fn what_is_overtaken_is_out_of_order_and_a_second_event_is_one_too_many() {
        let ledger = ledger();
        ledger.arrives(2, "b", 2);
        ledger.arrives(1, "a", 1);
        assert_eq!(ledger.wrong(), (0, 0, 0, 1, 0));
        ledger.arrives(1, "c", 3);
        assert_eq!(ledger.wrong(), (0, 0, 1, 1, 0));
    }
}
