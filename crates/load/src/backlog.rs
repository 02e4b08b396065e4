//! `load backlog`: callbacks that wait because the receiver is down, and what happens when it is back; with --restart, when the
//! server was killed meanwhile.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, ensure};
use http::Request;
use http_body_util::Full;
use serde::Serialize;
use unsaid_client::RestClient;
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::process::{rss_kb, rss_peak_kb};

use crate::{
    callback::Samples,
    caller::Asking,
    clock, effort,
    figures::{Answers, Delivered, grouped, rate, rounded},
    flags::{Arrivals, BacklogFlags, By, Pace},
    measure::{self, How},
    setup::{Setup, Site},
    stock::{self, Stock},
    table::{Table, Tally},
};

/// How long a server that was started again may take until it is ready, and until it delivers.
const BACK_MAX: Duration = Duration::from_secs(60);

const POLL: Duration = Duration::from_millis(5);

#[derive(Debug, Serialize)]
pub(crate) struct BacklogReport {
    /// Of what waited: callbacks a second, from when the receiver and the server were both there to the last one.
    drained_per_second: f64,
    /// Callbacks that waited, as the server counted them.
    waited: u64,
    /// From when the receiver and the server's new process were there (without --restart: only the receiver was missing).
    first_callback_s: f64,
    #[serde(flatten)]
    restarted: Option<Restarted>,
    #[serde(flatten)]
    delivered: Delivered,
    /// While nothing could be delivered.
    #[serde(flatten)]
    answers: Answers,
    recalls_per_second: f64,
    waiting_rss_mb: f64,
    /// The most that the server has held, of both its processes if it was killed.
    server_rss_mb: f64,
    events: u32,
    connections: u32,
    accounts: u32,
    seed: u64,
}

/// Of a server that was killed and started again; from the start of its new process.
#[derive(Clone, Copy, Debug, Serialize)]
struct Restarted {
    /// Until it said that it is ready (`/readyz`).
    ready_s: f64,
    /// Until it was ready, counted all that waits, and had begun to deliver.
    recovered_s: f64,
    /// Callbacks that it said were waiting, when it was ready, and those that it had delivered by then.
    counted: u64,
}

/// What happened when all was back.
struct Back {
    at: Instant,
    first_callback_s: f64,
    restarted: Option<Restarted>,
}

/// What is known of the server while they wait.
struct Waiting {
    events: u64,
    rss_kb: u64,
    rss_peak_kb: u64,
}

pub(crate) async fn run(flags: &BacklogFlags) -> anyhow::Result<BacklogReport> {
    let BacklogFlags { accounts, events, connections, seed, .. } = *flags;
    let site = Site::prepare(&flags.ground, &[CallbackCommand::AfterMsgWithDraw]).await?;
    let messages = stock::fill(&site, Stock { accounts, staying: 0, recalled: events, seed }).await?;
    let mut setup = site.start(connections).await?;
    let table = Arc::new(Table::new(messages, accounts));
    setup.inbox.expect(Arc::clone(&table));

    setup.receiver.stop().await;
    let pace = Pace { rate: None, arrivals: Arrivals::Random };
    let how = How { asking: Asking::Recall, by: By::Rest, connections, pace: &pace, seed };
    let began = clock::now();
    measure::ask_all(&setup, &table, how).await?;
    let recalls_per_second = rate(table.answered() as u64, (clock::now() - began).as_secs_f64());
    let waiting = Waiting::look(&setup).await?;

    let back = if flags.restart { restart(&mut setup, &table).await? } else { reopen(&mut setup, &table).await? };
    measure::wait_for_callbacks(&table).await;
    let drained_s = table.last_callback().map_or(0.0, |last| (last - back.at).as_secs_f64());
    setup.server.still_runs()?;
    let peak_kb = rss_peak_kb(setup.server.id()).context("the server's memory")?.max(waiting.rss_peak_kb);
    if let Some(failure) = table.first_failure() {
        eprintln!("load: the first recall that failed: {failure}");
    }
    let tally = table.tally();
    let report = BacklogReport::new(flags, &tally, setup.inbox.samples(), &back);
    Ok(BacklogReport {
        drained_per_second: rate(tally.acknowledged - tally.lost, drained_s),
        recalls_per_second,
        waited: waiting.events,
        waiting_rss_mb: megabytes(waiting.rss_kb),
        server_rss_mb: megabytes(peak_kb),
        ..report
    })
}

/// The receiver listens again, and says so.
async fn reopen(setup: &mut Setup, table: &Table) -> anyhow::Result<Back> {
    let at = clock::now();
    setup.receiver.start_again().await.context("the receiver cannot be started again")?;
    setup.client.call("unsaid", "callback_back", &serde_json::json!({})).await?;
    let first = first_callback(table).await?;
    Ok(Back { at, first_callback_s: rounded::<3>((first - at).as_secs_f64()), restarted: None })
}

/// The server is killed; when the receiver listens, it is started again. Nobody tells it anything.
async fn restart(setup: &mut Setup, table: &Table) -> anyhow::Result<Back> {
    setup.server.kill();
    setup.receiver.start_again().await.context("the receiver cannot be started again")?;
    let at = clock::now();
    setup.start_server()?;
    ready(setup, at).await?;
    let ready_s = (clock::now() - at).as_secs_f64();
    let counted = waiting_events(&setup.client).await? + table.arrived() as u64;
    let counted_s = (clock::now() - at).as_secs_f64();
    let first_callback_s = (first_callback(table).await? - at).as_secs_f64();
    let restarted = Restarted {
        ready_s: rounded::<3>(ready_s),
        recovered_s: rounded::<3>(counted_s.max(first_callback_s)),
        counted,
    };
    Ok(Back { at, first_callback_s: rounded::<3>(first_callback_s), restarted: Some(restarted) })
}

/// Asked over and over, until it says yes.
async fn ready(setup: &mut Setup, since: Instant) -> anyhow::Result<()> {
    loop {
        setup.server.still_runs()?;
        let request = Request::get("/readyz").body(Full::default()).context("the question whether it is ready")?;
        if setup.client.raw(request).await.is_ok_and(|(status, _, _)| status.is_success()) {
            return Ok(());
        }
        ensure!(clock::now() - since < BACK_MAX, "the server is not ready within {} s", BACK_MAX.as_secs());
        tokio::time::sleep(POLL).await;
    }
}

async fn first_callback(table: &Table) -> anyhow::Result<Instant> {
    let since = clock::now();
    while table.arrived() == 0 {
        ensure!(clock::now() - since < BACK_MAX, "no callback came within {} s", BACK_MAX.as_secs());
        tokio::time::sleep(POLL).await;
    }
    table.first_callback().context("what came is for no message of this run")
}

async fn waiting_events(client: &RestClient) -> anyhow::Result<u64> {
    Ok(effort::sum(&effort::metrics(client).await?, "unsaid_backlog_events"))
}

impl Waiting {
    async fn look(setup: &Setup) -> anyhow::Result<Self> {
        let server = setup.server.id();
        Ok(Self {
            events: waiting_events(&setup.client).await?,
            rss_kb: rss_kb(server).context("the server's memory")?,
            rss_peak_kb: rss_peak_kb(server).context("the server's memory")?,
        })
    }
}

fn megabytes(kb: u64) -> f64 {
    rounded::<1>(kb as f64 / 1024.0)
}

impl BacklogReport {
    /// What was measured by the clock and of the server is still to be filled in.
    fn new(flags: &BacklogFlags, tally: &Tally, samples: Samples, back: &Back) -> Self {
        let pace = Pace { rate: None, arrivals: Arrivals::Random };
        Self {
            drained_per_second: 0.0,
            waited: 0,
            first_callback_s: back.first_callback_s,
            restarted: back.restarted,
            delivered: Delivered::new(tally, samples),
            answers: Answers::new(tally, &pace),
            recalls_per_second: 0.0,
            waiting_rss_mb: 0.0,
            server_rss_mb: 0.0,
            events: flags.events,
            connections: flags.connections,
            accounts: flags.accounts,
            seed: flags.seed,
        }
    }

    /// Whether every recall was acknowledged and has its callback in the end, and a server that was killed knew of all of them.
    pub(crate) fn is_good(&self) -> bool {
        let counted = self.restarted.is_none_or(|restarted| restarted.counted >= self.waited);
        counted && self.answers.failed == 0 && self.delivered.is_good()
    }
}

impl fmt::Display for BacklogReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = |number: f64| grouped(number.round() as u64);
        writeln!(
            f,
            "{} recalls over {} connections while the receiver is down\n",
            grouped(self.events.into()),
            self.connections
        )?;
        let (rate, waiting_mb) = (count(self.recalls_per_second), self.waiting_rss_mb);
        writeln!(f, "recalls        {rate} a second; then {} wait, in {waiting_mb:.0} MB", grouped(self.waited))?;
        write!(f, "{}", self.answers)?;
        if let Some(Restarted { ready_s, recovered_s, counted }) = self.restarted {
            let counted = grouped(counted);
            writeln!(
                f,
                "killed         ready after {ready_s:.2} s, recovered after {recovered_s:.2} s, knows of {counted}"
            )?;
        }
        let (rate, first) = (count(self.drained_per_second), self.first_callback_s);
        writeln!(f, "all is back    first callback after {first:.2} s, {rate} callbacks a second")?;
        let Delivered { lost, unknown, repeats, .. } = self.delivered;
        writeln!(f, "wrong          lost {lost}   unknown {unknown}   (repeats {repeats})")?;
        writeln!(f, "server         at most {:.0} MB", self.server_rss_mb)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{figures::tests::measured, flags::Ground};

    fn report(counted: u64) -> BacklogReport {
        let flags = BacklogFlags {
            accounts: 10_000,
            events: 1500,
            connections: 64,
            restart: true,
            json: false,
            ground: Ground { data_dir: None, set: Vec::new() },
            seed: 1,
        };
        let measured = measured(|_| {});
        let restarted = Restarted { ready_s: 0.25, recovered_s: 0.5, counted };
        let back = Back { at: clock::now(), first_callback_s: 0.5, restarted: Some(restarted) };
        BacklogReport {
            drained_per_second: 6000.0,
            recalls_per_second: 3000.0,
            waited: 1500,
            waiting_rss_mb: 40.0,
            server_rss_mb: 50.0,
            ..BacklogReport::new(&flags, &measured.tally, measured.samples, &back)
        }
    }

    #[test]
    fn people_read_a_table() {
        let expected = "\
1,500 recalls over 64 connections while the receiver is down

recalls        3,000 a second; then 1,500 wait, in 40 MB
answer         p50 500.22 ms   p99 990.21 ms   p99.9 999.42 ms   failed 0
killed         ready after 0.25 s, recovered after 0.50 s, knows of 1,500
all is back    first callback after 0.50 s, 6,000 callbacks a second
wrong          lost 0   unknown 0   (repeats 3)
server         at most 50 MB
";
        assert_eq!(report(1500).to_string(), expected);
    }

    #[test]
    fn machines_read_how_it_recovered() {
        let json = serde_json::to_value(report(1500)).expect("numbers serialize");
        assert_eq!((json["recovered_s"].as_f64(), json["drained_per_second"].as_f64()), (Some(0.5), Some(6000.0)));
        assert_eq!((json["lost"].as_u64(), json["server_rss_mb"].as_f64()), (Some(0), Some(50.0)));
    }

    #[test]
    fn a_server_that_has_forgotten_something_is_no_good() {
        assert!(report(1500).is_good());
        assert!(!report(1499).is_good());
    }
}
