//! What came of a run.

use std::{fmt, time::Duration};

use serde::Serialize;

use super::{
    deaths::{Counts, Deaths},
    judge::Verdict,
};
use crate::{
    flags::{CrashFlags, StoreKind},
    ledger::{Doubts, Tally},
};

#[derive(Debug, Serialize)]
pub(crate) struct Report {
    store: StoreKind,
    seed: u64,
    rounds: u32,
    died: Counts,
    /// From the start of a server to its first answer, under load.
    start_p50_ms: f64,
    start_max_ms: f64,
    seconds: f64,
    /// Acknowledged.
    sends: u64,
    recalls: u64,
    in_doubt: Doubts,
    calls_asked_again: u64,
    #[serde(flatten)]
    verdict: Verdict,
    /// Recalls without a callback.
    callbacks_lost: u64,
    /// Callbacks for what nobody asked to recall.
    callbacks_unknown: u64,
    /// Recalls with two events.
    doubled: u64,
    out_of_order: u64,
    /// Calls that were refused, or had no answer at last.
    failed: u64,
    /// Callbacks that came again, for their outcome was not stored.
    repeats: u64,
    #[serde(skip)]
    first_failure: Option<String>,
}

impl Report {
    /// `acknowledged`: sends and recalls.
    pub(crate) fn new(
        flags: &CrashFlags,
        seconds: f64,
        (sends, recalls): (u64, u64),
        deaths: &Deaths,
        in_doubt: Doubts,
        verdict: Verdict,
        tally: &Tally,
    ) -> Self {
        let mut starts = deaths.starts.clone();
        starts.sort_unstable();
        Self {
            store: flags.store,
            seed: flags.seed,
            rounds: flags.rounds,
            died: deaths.counts,
            start_p50_ms: starts.get(starts.len() / 2).copied().map_or(0.0, ms),
            start_max_ms: starts.last().copied().map_or(0.0, ms),
            seconds: rounded(seconds),
            sends,
            recalls,
            in_doubt,
            calls_asked_again: tally.troubles,
            verdict,
            callbacks_lost: tally.lost,
            callbacks_unknown: tally.unknown,
            doubled: tally.doubled,
            out_of_order: tally.out_of_order,
            failed: tally.failed.len() as u64,
            repeats: tally.repeats.len() as u64,
            first_failure: tally.failed.first().cloned(),
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        let Self { callbacks_lost, callbacks_unknown, doubled, out_of_order, failed, verdict, .. } = self;
        let wrong = callbacks_lost + callbacks_unknown + doubled + out_of_order + failed;
        self.recalls > 0 && wrong == 0 && verdict.is_good()
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
        let Self { seed, rounds, seconds, sends, recalls, repeats, start_p50_ms, start_max_ms, .. } = self;
        let store = match self.store {
            StoreKind::Sqlite => "SQLite",
            StoreKind::Postgres => "PostgreSQL",
        };
        writeln!(f, "one server on {store} that died {rounds} times in {seconds:.0} s, seed {seed}\n")?;
        let Counts { at_random, while_starting, before_commit, after_commit, with_postgres, too_few_commits } =
            self.died;
        writeln!(
            f,
            "died            {before_commit} before a commit   {after_commit} after one   {at_random} at a random moment   \
             {while_starting} while it started   {with_postgres} with PostgreSQL   {too_few_commits} after too few commits"
        )?;
        writeln!(f, "answers again   p50 {start_p50_ms:.0} ms   at most {start_max_ms:.0} ms")?;
        writeln!(f, "acknowledged    {sends} sends   {recalls} recalls")?;
        let Doubts { sends, recalls, carried_out } = self.in_doubt;
        writeln!(
            f,
            "no answer       {} calls asked again; {sends} sends and {recalls} recalls given up, {carried_out} of them carried out",
            self.calls_asked_again
        )?;
        let Verdict { sends_lost, sends_doubled, sends_unknown, recalls_lost, recalls_unknown, .. } = self.verdict;
        writeln!(
            f,
            "wrong, stored   sends lost {sends_lost}, doubled {sends_doubled}, unknown {sends_unknown}   recalls lost {recalls_lost}, \
             unknown {recalls_unknown}   unread {}   calls failed {}",
            self.verdict.unread_wrong, self.failed
        )?;
        let Self { callbacks_lost, callbacks_unknown, doubled, out_of_order, .. } = self;
        writeln!(
            f,
            "wrong, told     lost {callbacks_lost}   unknown {callbacks_unknown}   without a recall {}   two events {doubled}   \
             out of order {out_of_order}   (repeats {repeats})",
            self.verdict.events_without_recall
        )?;
        self.first_failure.iter().try_for_each(|why| writeln!(f, "the first that failed: {why}"))
    }
}
