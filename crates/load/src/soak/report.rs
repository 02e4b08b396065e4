//! What came of a run.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{faults::Faults, memory::Seen, readers::Reads};
use crate::{
    flags::{SoakFlags, StoreKind},
    ledger::Tally,
    watchers::Sessions,
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    store: StoreKind,
    seed: u64,
    minutes: f64,
    recalls: u64,
    /// How many of them a session asked for; the others go by REST.
    recalls_by_sessions: u64,
    recalls_per_second: f64,
    /// Histories, contacts and unread counts that were asked for and answered, and those that were not.
    reads: u64,
    reads_unanswered: u64,
    callback_p50_ms: f64,
    /// With all faults.
    callback_max_ms: f64,
    lost: u64,
    unknown: u64,
    /// Recalls with two events.
    doubled: u64,
    out_of_order: u64,
    repeats: u64,
    /// Recalls and sends that were refused, or had no answer at last.
    failed: u64,
    /// Accounts whose total is not what their messages say.
    unread_wrong: u64,
    sessions: u64,
    session_logins: u64,
    session_reloads: u64,
    recalls_seen_by_sessions: u64,
    recalls_missed_by_sessions: u64,
    /// Calls that had no answer, and were asked again.
    calls_asked_again: u64,
    faults: Faults,
    /// The mean of each twelfth of the run.
    memory_mb: Vec<f64>,
    server_rss_mb: f64,
    /// From the seventh twelfth to the last one.
    memory_growth_percent: f64,
    memory_flat: bool,
    /// Of the server: the most in the first half of the run, and in the second.
    descriptors_max: (u64, u64),
    #[serde(skip_serializing_if = "Option::is_none")]
    first_failure: Option<String>,
}

/// What is known of a run when it is over.
pub(crate) struct Outcome<'a> {
    pub(crate) seconds: f64,
    pub(crate) tally: &'a Tally,
    pub(crate) faults: Faults,
    pub(crate) reads: Reads,
    pub(crate) sessions: Sessions,
    pub(crate) unread_wrong: u64,
    pub(crate) memory: Seen,
}

impl Report {
    pub(crate) fn new(flags: &SoakFlags, outcome: Outcome<'_>) -> Self {
        let Outcome { seconds, tally, faults, reads, sessions, unread_wrong, memory } = outcome;
        let mut latencies: Vec<Duration> = tally.latencies.iter().map(|(_, latency)| *latency).collect();
        latencies.sort_unstable();
        Self {
            store: flags.store,
            seed: flags.seed,
            minutes: rounded(seconds / 60.0),
            recalls: tally.acknowledged,
            recalls_by_sessions: tally.by_sessions,
            recalls_per_second: rounded(tally.acknowledged as f64 / seconds),
            reads: reads.answered,
            reads_unanswered: reads.unanswered,
            callback_p50_ms: latencies.get(latencies.len() / 2).copied().map_or(0.0, ms),
            callback_max_ms: latencies.last().copied().map_or(0.0, ms),
            lost: tally.lost,
            unknown: tally.unknown,
            doubled: tally.doubled,
            out_of_order: tally.out_of_order,
            repeats: tally.repeats.len() as u64,
            failed: tally.failed.len() as u64,
            unread_wrong,
            sessions: sessions.sessions,
            session_logins: sessions.logins,
            session_reloads: sessions.reloads,
            recalls_seen_by_sessions: sessions.seen,
            recalls_missed_by_sessions: sessions.missed,
            calls_asked_again: tally.troubles,
            faults,
            memory_growth_percent: rounded(memory.growth_percent()),
            memory_flat: memory.is_flat(),
            memory_mb: memory.parts_mb,
            server_rss_mb: memory.peak_mb,
            descriptors_max: memory.descriptors,
            first_failure: tally.failed.first().cloned(),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        let Self { lost, unknown, doubled, out_of_order, failed, unread_wrong, .. } = self;
        let sessions = self.recalls_missed_by_sessions + self.session_reloads;
        let wrong = lost + unknown + doubled + out_of_order + failed + unread_wrong + sessions;
        self.recalls > 0 && wrong == 0 && self.memory_flat
    }
}

fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, seed, recalls, recalls_per_second, recalls_by_sessions, repeats, .. } = self;
        writeln!(f, "one server under mixed load for {minutes:.0} minutes, seed {seed}\n")?;
        writeln!(
            f,
            "recalls           {recalls}, {recalls_per_second:.0} a second; {recalls_by_sessions} of them by sessions; repeats {repeats}"
        )?;
        writeln!(f, "reads             {}; without an answer {}", self.reads, self.reads_unanswered)?;
        writeln!(
            f,
            "callback          p50 {:.2} ms, at most {:.1} s after the answer",
            self.callback_p50_ms,
            self.callback_max_ms / 1000.0
        )?;
        let Faults {
            receiver_away,
            receiver_fails,
            receiver_hangs,
            receiver_cuts,
            receiver_slow,
            devices_cut,
            server_stands,
        } = self.faults;
        writeln!(
            f,
            "receiver          away {receiver_away} times, failed {receiver_fails}, hung {receiver_hangs}, cut {receiver_cuts}, was slow {receiver_slow}"
        )?;
        writeln!(
            f,
            "others            devices were cut {devices_cut} times, the server stood still {server_stands}; calls asked again {}",
            self.calls_asked_again
        )?;
        writeln!(
            f,
            "sessions          {}, {} logins; they saw {} recalls",
            self.sessions, self.session_logins, self.recalls_seen_by_sessions
        )?;
        let parts: Vec<String> = self.memory_mb.iter().map(|mb| format!("{mb:.0}")).collect();
        writeln!(f, "memory            {} MB, at most {:.0} MB", parts.join(" "), self.server_rss_mb)?;
        let (first, second) = self.descriptors_max;
        writeln!(f, "descriptors       at most {first} in the first half, {second} in the second\n")?;
        let Self { lost, unknown, doubled, out_of_order, failed, unread_wrong, .. } = self;
        writeln!(
            f,
            "lost {lost}   unknown {unknown}   doubled {doubled}   out of order {out_of_order}   failed {failed}   wrong totals {unread_wrong}   missed by sessions {}   begun anew {}",
            self.recalls_missed_by_sessions, self.session_reloads
        )?;
        let flat = if self.memory_flat { "flat" } else { "NOT flat" };
        writeln!(f, "memory is {flat}: {:+.1} % from the middle to the end", self.memory_growth_percent)?;
        self.first_failure.iter().try_for_each(|failure| writeln!(f, "the first failure: {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(lost: u64, last_mb: f64) -> Report {
        let flags = SoakFlags {
            minutes: 60,
            store: StoreKind::Sqlite,
            accounts: 200,
            watched: 100,
            callers: 32,
            rate: 200,
            calm_s: 20,
            no_faults: false,
            json: false,
            set: Vec::new(),
            seed: 1,
        };
        let tally = Tally { acknowledged: 540_000, lost, by_sessions: 270_000, ..Tally::default() };
        let memory = Seen { parts_mb: vec![80.0, 99.0, 100.0, last_mb], peak_mb: 120.0, descriptors: (300, 301) };
        let outcome = Outcome {
            seconds: 3600.0,
            tally: &tally,
            faults: Faults { receiver_away: 3, ..Faults::default() },
            reads: Reads { answered: 7, unanswered: 1 },
            sessions: Sessions { sessions: 100, missed: 0, seen: 9, reloads: 0, logins: 200 },
            unread_wrong: 0,
            memory,
        };
        Report::new(&flags, outcome)
    }

    #[test]
    fn people_read_what_happened_and_what_is_wrong() {
        let expected = "\
one server under mixed load for 60 minutes, seed 1

recalls           540000, 150 a second; 270000 of them by sessions; repeats 0
reads             7; without an answer 1
callback          p50 0.00 ms, at most 0.0 s after the answer
receiver          away 3 times, failed 0, hung 0, cut 0, was slow 0
others            devices were cut 0 times, the server stood still 0; calls asked again 0
sessions          100, 200 logins; they saw 9 recalls
memory            80 99 100 101 MB, at most 120 MB
descriptors       at most 300 in the first half, 301 in the second

lost 0   unknown 0   doubled 0   out of order 0   failed 0   wrong totals 0   missed by sessions 0   begun anew 0
memory is flat: +1.0 % from the middle to the end
";
        assert_eq!(report(0, 101.0).to_string(), expected);
    }

    #[test]
    fn a_run_is_good_if_nothing_is_lost_and_memory_is_flat() {
        assert!(report(0, 101.0).is_good());
        assert!(!report(1, 101.0).is_good());
        assert!(!report(0, 120.0).is_good());
    }
}
