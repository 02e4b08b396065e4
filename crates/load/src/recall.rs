//! `load recall` from its flags to its report: prepare, measure, wait for the callbacks, count.

use std::{fmt, sync::Arc};

use serde::Serialize;
use unsaid_protocol::callback::CallbackCommand;

use crate::{
    account::Account,
    bare::Bare,
    caller::Asking,
    effort::UsedForEach,
    figures::{Answers, Delivered, grouped, rate, rounded},
    flags::{By, Flags},
    measure::{self, Callbacks, How, Measured},
    prepare,
    setup::Site,
    table::Table,
};

/// One line of JSON, or a short table.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// Acknowledged recalls, divided by the time from the first request to the last callback.
    recalls_per_second: f64,
    #[serde(flatten)]
    delivered: Delivered,
    #[serde(flatten)]
    answers: Answers,
    #[serde(flatten)]
    used: UsedForEach,
    #[serde(flatten)]
    bare: Option<Bare>,
    /// Of the bare POSTs a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    recalls_to_bare_posts: Option<f64>,
    recalls: u32,
    by: By,
    connections: u32,
    accounts: u32,
    seed: u64,
    /// From the first request to the last callback.
    seconds: f64,
}

pub(crate) async fn run(flags: &Flags) -> anyhow::Result<Report> {
    measure::check_rate(flags.by, flags.connections, &flags.pace)?;
    let site = Site::prepare(&flags.ground, &[CallbackCommand::AfterMsgWithDraw]).await?;
    let mut setup = site.start(flags.connections).await?;
    prepare::import_accounts(&setup, flags.accounts.max(senders(flags)), flags.connections).await?;
    let messages = prepare::send_messages(&setup, pairs(flags), flags.connections).await?;
    let table = Arc::new(Table::new(messages, flags.accounts.max(senders(flags))));

    let Flags { by, connections, seed, .. } = *flags;
    let how = How { asking: Asking::Recall, by, connections, pace: &flags.pace, seed };
    let measured = measure::run(&mut setup, &table, how, Callbacks::Owed).await?;
    let bare = if flags.no_limits { None } else { Some(Bare::measure(&setup, flags.connections).await?) };
    Ok(Report::new(flags, &measured, bare))
}

/// Accounts that send: over sessions, each sends what it will recall.
fn senders(flags: &Flags) -> u32 {
    match flags.by {
        By::Rest => 0,
        By::Sessions => flags.connections,
    }
}

fn pairs(flags: &Flags) -> Vec<(Account, Account)> {
    let pairs = prepare::pairs(flags.seed, flags.accounts).take(flags.recalls as usize);
    match flags.by {
        By::Rest => pairs.collect(),
        By::Sessions => {
            let senders = (0..flags.connections).map(Account).cycle();
            pairs.zip(senders).map(|((from, to), sender)| (sender, if to == sender { from } else { to })).collect()
        }
    }
}

impl Report {
    fn new(flags: &Flags, measured: &Measured, bare: Option<Bare>) -> Self {
        let Measured { tally, samples, used } = measured;
        let recalls_per_second = rate(tally.acknowledged, tally.seconds);
        Self {
            recalls_per_second,
            delivered: Delivered::new(tally, *samples),
            answers: Answers::new(tally, &flags.pace),
            used: used.for_each(tally.acknowledged),
            recalls_to_bare_posts: bare.as_ref().map(|bare| bare.posts_ratio(recalls_per_second)),
            bare,
            recalls: flags.recalls,
            by: flags.by,
            connections: flags.connections,
            accounts: flags.accounts,
            seed: flags.seed,
            seconds: rounded::<3>(tally.seconds),
        }
    }

    /// Whether every recall was acknowledged and has its callback, in order and signed, and nothing else came.
    pub(crate) fn is_good(&self) -> bool {
        self.answers.failed == 0 && self.delivered.is_good()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: u32| grouped(number.into());
        let over = match self.by {
            By::Rest => "connections",
            By::Sessions => "sessions",
        };
        writeln!(
            f,
            "{} recalls over {} {over}, between {} accounts\n",
            count(self.recalls),
            self.connections,
            count(self.accounts)
        )?;
        let rate = grouped(self.recalls_per_second.round() as u64);
        writeln!(f, "recalls        {rate} a second, {:.2} s until the last callback", self.seconds)?;
        write!(f, "{}{}{}", self.answers, self.delivered, self.used)?;
        if let (Some(bare), Some(ratio)) = (&self.bare, self.recalls_to_bare_posts) {
            write!(f, "{bare}")?;
            writeln!(f, "recalls are    {:.0} % of the bare POSTs", ratio * 100.0)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        figures::tests::measured,
        flags::{Arrivals, Ground, Pace},
        table::Tally,
    };

    fn flags() -> Flags {
        Flags {
            accounts: 10_000,
            recalls: 1500,
            connections: 64,
            by: By::Rest,
            pace: Pace { rate: None, arrivals: Arrivals::Random },
            no_limits: false,
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        }
    }

    fn report(change: impl FnOnce(&mut Tally)) -> Report {
        let bare = Bare {
            bare_posts_per_second: 24_000.0,
            bare_commits_per_second: 4000.0,
            bare_grouped_rows_per_second: 300_000.0,
        };
        Report::new(&flags(), &measured(change), Some(bare))
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
1,500 recalls over 64 connections, between 10,000 accounts

recalls        6,000 a second, 0.25 s until the last callback
answer         p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   failed 0
then callback  p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   before answer 1,200
wrong          lost 0   unknown 0   out of order 0   badly signed 0 of 15   (repeats 3)
server         0.15 s of processor, at most 50 MB
for each       100 us of processor, 0.020 fsyncs of the log, 1.00 attempts, 2.0 KB written
this tool      0.50 s of processor, the receiver included
bare           24,000 POSTs a second; 4,000 commits of one row, 300,000 rows in commits of 512
recalls are    25 % of the bare POSTs
";
        assert_eq!(report(|_| {}).to_string(), expected);
    }

    #[test]
    fn machines_read_one_line() {
        let json = serde_json::to_string(&report(|_| {})).expect("numbers serialize");
        assert!(!json.contains('\n'));
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        for (name, expect) in [
            ("recalls_per_second", 6000.0),
            ("callback_p50_ms", 500.223),
            ("callback_p99_ms", 990.207),
            ("bare_posts_per_second", 24_000.0),
            ("bare_commits_per_second", 4000.0),
            ("lost", 0.0),
            ("unknown", 0.0),
            ("repeats", 3.0),
            ("server_rss_mb", 50.0),
            ("server_cpu_s", 0.15),
            ("log_fsyncs_for_each", 0.02),
            ("recalls_to_bare_posts", 0.25),
        ] {
            assert_eq!(json[name].as_f64(), Some(expect), "{name}");
        }
    }

    #[test]
    fn a_recall_that_failed_makes_it_bad() {
        assert!(report(|_| {}).is_good());
        assert!(!report(|tally| tally.failed = 1).is_good());
        assert!(!report(|tally| tally.lost = 1).is_good());
    }

    #[test]
    fn a_session_recalls_what_its_account_has_sent() {
        let pairs = pairs(&Flags { by: By::Sessions, connections: 3, accounts: 5, ..flags() });
        assert_eq!(pairs.len(), 1500);
        for (number, (from, to)) in pairs.iter().enumerate() {
            assert_eq!(from.index(), number % 3);
            assert!(from != to && to.0 < 5);
        }
    }
}
