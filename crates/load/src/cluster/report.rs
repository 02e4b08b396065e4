//! What came of a run.

use std::{
    fmt,
    time::{Duration, Instant},
};

use serde::Serialize;
use unsaid::limits;

use super::{faults::Happened, ground::Cpu};
use crate::{
    flags::{ClusterFlags, Fault},
    ledger::Tally,
    watchers::Sessions,
};

/// A lease that has to end, what is searched for then, and PostgreSQL that is away meanwhile.
const LATEST: Duration = limits::LEASE.saturating_add(Duration::from_secs(6));

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    servers: u32,
    bus: bool,
    seed: u64,
    seconds: f64,
    recalls: u64,
    /// How many of them a session asked for; the others go by REST.
    recalls_by_sessions: u64,
    recalls_per_second: f64,
    /// From a recall's answer to its callback, outside of faults.
    callback_p50_ms: f64,
    callback_p99_ms: f64,
    /// Of the whole run.
    callback_max_ms: f64,
    /// Callbacks that came later than any take-over takes.
    late: u64,
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
    /// Calls that had no answer, and went to another server.
    calls_without_answer: u64,
    cpu: Cpu,
    faults: Vec<FaultReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_failure: Option<String>,
}

#[derive(Debug, Serialize)]
struct FaultReport {
    fault: Fault,
    /// Until everything acknowledged by its end had its callback.
    seconds: f64,
    /// The longest time in which no callback came for the first time.
    longest_gap_s: f64,
    repeats: u64,
}

impl Report {
    pub(crate) fn new(flags: &ClusterFlags, tally: &Tally, happened: &[Happened], seconds: f64, cpu: Cpu) -> Self {
        let is_calm = |at: &Instant| happened.iter().all(|fault| *at < fault.began || *at > fault.at_rest);
        let calm = tally.latencies.iter().filter(|(at, _)| is_calm(at)).map(|(_, latency)| *latency);
        let mut calm: Vec<_> = calm.collect();
        calm.sort_unstable();
        let longest = tally.latencies.iter().map(|(_, latency)| *latency).max().unwrap_or_default();
        Self {
            servers: flags.servers,
            bus: false,
            seed: flags.seed,
            seconds: rounded(seconds),
            recalls: tally.acknowledged,
            recalls_by_sessions: tally.by_sessions,
            recalls_per_second: rounded(tally.acknowledged as f64 / seconds),
            callback_p50_ms: quantile_ms(&calm, 0.5),
            callback_p99_ms: quantile_ms(&calm, 0.99),
            callback_max_ms: ms(longest),
            late: tally.latencies.iter().filter(|(_, latency)| *latency > LATEST).count() as u64,
            lost: tally.lost,
            unknown: tally.unknown,
            doubled: tally.doubled,
            out_of_order: tally.out_of_order,
            repeats: tally.repeats.len() as u64,
            failed: tally.failed.len() as u64,
            unread_wrong: 0,
            sessions: 0,
            session_logins: 0,
            session_reloads: 0,
            recalls_seen_by_sessions: 0,
            recalls_missed_by_sessions: 0,
            calls_without_answer: tally.troubles,
            cpu,
            faults: happened.iter().map(|fault| FaultReport::new(fault, tally)).collect(),
            first_failure: tally.failed.first().cloned(),
        }
    }

    pub(crate) fn sessions(&mut self, sessions: Sessions, unread_wrong: u64, bus: bool) {
        self.sessions = sessions.sessions;
        self.session_logins = sessions.logins;
        self.session_reloads = sessions.reloads;
        self.recalls_seen_by_sessions = sessions.seen;
        self.recalls_missed_by_sessions = sessions.missed;
        self.unread_wrong = unread_wrong;
        self.bus = bus;
    }

    pub(crate) fn is_good(&self) -> bool {
        let Self { late, lost, unknown, doubled, out_of_order, failed, unread_wrong, .. } = self;
        let sessions = self.recalls_missed_by_sessions + self.session_reloads;
        self.recalls > 0 && late + lost + unknown + doubled + out_of_order + failed + unread_wrong + sessions == 0
    }
}

impl FaultReport {
    fn new(happened: &Happened, tally: &Tally) -> Self {
        let within = |at: &&Instant| (happened.began..=happened.at_rest).contains(*at);
        let mut arrivals: Vec<_> = tally.arrivals.iter().filter(within).copied().collect();
        arrivals.extend([happened.began, happened.at_rest]);
        arrivals.sort_unstable();
        let gaps = arrivals.windows(2).map(|pair| pair[1] - pair[0]);
        Self {
            fault: happened.fault,
            seconds: rounded((happened.at_rest - happened.began).as_secs_f64()),
            longest_gap_s: rounded(gaps.max().unwrap_or_default().as_secs_f64()),
            repeats: tally.repeats.iter().filter(within).count() as u64,
        }
    }
}

fn quantile_ms(sorted: &[Duration], quantile: f64) -> f64 {
    let place = (sorted.len() as f64 * quantile) as usize;
    sorted.get(place.min(sorted.len().saturating_sub(1))).map_or(0.0, |latency| ms(*latency))
}

fn ms(duration: Duration) -> f64 {
    rounded(duration.as_secs_f64() * 1000.0)
}

fn rounded(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { servers, seed, recalls, seconds, recalls_per_second, .. } = self;
        let bus = if self.bus { "with NATS" } else { "without NATS" };
        writeln!(f, "{servers} servers on one PostgreSQL, {bus}, seed {seed}\n")?;
        let by_sessions = self.recalls_by_sessions;
        writeln!(
            f,
            "recalls         {recalls} in {seconds:.1} s, {recalls_per_second:.0} a second, {by_sessions} by sessions"
        )?;
        let (p50, p99, max) = (self.callback_p50_ms, self.callback_p99_ms, self.callback_max_ms);
        writeln!(
            f,
            "then callback   p50 {p50:.2} ms   p99 {p99:.2} ms outside of faults; at most {:.1} s",
            max / 1000.0
        )?;
        let Self { late, lost, unknown, doubled, out_of_order, repeats, failed, unread_wrong, .. } = self;
        writeln!(
            f,
            "wrong           late {late}   lost {lost}   unknown {unknown}   two events {doubled}   out of order {out_of_order}   \
             failed {failed}   unread {unread_wrong}   (repeats {repeats})"
        )?;
        writeln!(
            f,
            "sessions        {} saw {} recalls, missed {}, in {} logins, {} of them anew",
            self.sessions,
            self.recalls_seen_by_sessions,
            self.recalls_missed_by_sessions,
            self.session_logins,
            self.session_reloads
        )?;
        writeln!(f, "asked again     {} calls", self.calls_without_answer)?;
        let Cpu { servers_s, postgres_s, nats_s, tool_s } = self.cpu;
        writeln!(
            f,
            "processor       servers {servers_s:.1} s   PostgreSQL {postgres_s:.1} s   NATS {nats_s:.1} s   \
             this tool {tool_s:.1} s"
        )?;
        for FaultReport { fault, seconds, longest_gap_s, repeats } in &self.faults {
            writeln!(
                f,
                "{:<15} {seconds:.1} s until all was told, at most {longest_gap_s:.1} s without a callback, {repeats} repeats",
                format!("{fault:?}")
            )?;
        }
        self.first_failure.iter().try_for_each(|why| writeln!(f, "the first that failed: {why}"))
    }
}
