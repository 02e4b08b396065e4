//! `load idle`: many sessions that do nothing, and what they cost the server.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use anyhow::Context;
use hdrhistogram::Histogram;
use serde::Serialize;
use tokio::task::JoinSet;
use unsaid_client::{Pushes, SessionClient, SessionConfig};
use unsaid_protocol::callback::CallbackCommand;
use unsaid_testkit::process::rss_kb;

use crate::{
    account::Account,
    clock,
    device::{self, PLATFORMS},
    flags::IdleFlags,
    progress::Progress,
    setup::Site,
};

/// Logins at the same time: so many people do not come at once.
const AT_ONCE: u32 = 64;

#[derive(Debug, Serialize)]
pub(crate) struct IdleReport {
    sessions: u32,
    /// Those that could not log in, and those that were closed before the end.
    failed: u32,
    closed: u32,
    logins_per_second: f64,
    login_p50_ms: f64,
    login_p99_ms: f64,
    /// Memory of the server's process before the first login, and with all of them there.
    server_rss_before_mb: f64,
    server_rss_mb: f64,
    kb_per_session: f64,
    hold_s: u64,
}

/// What all logins share.
struct Logins {
    gateway: SessionConfig,
    sessions: u32,
    next: AtomicU32,
    done: AtomicU32,
}

/// Sessions that are there, and how long each took to log in, in microseconds.
type Open = (Vec<(SessionClient, Pushes)>, Vec<u64>);

pub(crate) async fn run(flags: &IdleFlags) -> anyhow::Result<IdleReport> {
    unsaid::descriptors::raise();
    let mut setup = Site::prepare(&flags.ground, &[CallbackCommand::AfterMsgWithDraw]).await?.start(1).await?;
    let server = setup.server.id();
    let before_kb = rss_kb(server).context("the server's memory")?;
    let gateway = device::gateway(&setup);
    let logins =
        Arc::new(Logins { gateway, sessions: flags.sessions, next: AtomicU32::new(0), done: AtomicU32::new(0) });
    let began = clock::now();
    let (mut open, took_us) = log_in_all(&logins).await;
    let seconds = (clock::now() - began).as_secs_f64();
    let failed = flags.sessions - u32::try_from(open.len()).expect("no more than were asked for");

    // Nothing is waited for: what is measured is doing nothing.
    tokio::time::sleep(Duration::from_secs(flags.hold_s)).await;
    setup.server.still_runs()?;
    let after_kb = rss_kb(server).context("the server's memory")?;
    let mut closed = 0;
    for (_, pushes) in &mut open {
        closed += u32::from(is_closed(pushes).await);
    }
    let mut histogram = Histogram::<u64>::new(3).context("a histogram")?;
    took_us.iter().for_each(|us| histogram.record(*us).unwrap_or_default());
    let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1000.0;
    let mb = |kb: u64| (kb as f64 / 102.4).round() / 10.0;
    Ok(IdleReport {
        sessions: flags.sessions,
        failed,
        closed,
        logins_per_second: (open.len() as f64 / seconds).round(),
        login_p50_ms: ms(0.5),
        login_p99_ms: ms(0.99),
        server_rss_before_mb: mb(before_kb),
        server_rss_mb: mb(after_kb),
        kb_per_session: (after_kb.saturating_sub(before_kb) as f64 * 10.0 / f64::from(flags.sessions)).round() / 10.0,
        hold_s: flags.hold_s,
    })
}

async fn log_in_all(logins: &Arc<Logins>) -> Open {
    let shown = Arc::clone(logins);
    let _progress = Progress::show("logging in", logins.sessions, move || shown.done.load(Ordering::Relaxed));
    let mut workers: JoinSet<Open> = (0..AT_ONCE).map(|_| log_in(Arc::clone(logins))).collect();
    let mut open = Open::default();
    while let Some(part) = workers.join_next().await {
        let (sessions, took_us) = part.expect("a login does not panic");
        open.0.extend(sessions);
        open.1.extend(took_us);
    }
    open
}

/// One after the other, until all are there.
async fn log_in(logins: Arc<Logins>) -> Open {
    let mut open = Open::default();
    loop {
        let number = logins.next.fetch_add(1, Ordering::Relaxed);
        if number >= logins.sessions {
            return open;
        }
        let began = clock::now();
        match device::log_in(&logins.gateway, Account(number), PLATFORMS[0]).await {
            Ok(session) => {
                open.0.push(session);
                open.1.push(u64::try_from((clock::now() - began).as_micros()).unwrap_or(u64::MAX));
            }
            Err(error) => eprintln!("load: a login failed: {error}"),
        }
        logins.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether something was said meanwhile, which can only be that it was closed.
async fn is_closed(pushes: &mut Pushes) -> bool {
    tokio::time::timeout(Duration::ZERO, pushes.next()).await.is_ok()
}

impl IdleReport {
    pub(crate) fn is_good(&self) -> bool {
        self.failed + self.closed == 0
    }
}

impl fmt::Display for IdleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, failed, closed, hold_s, .. } = self;
        writeln!(f, "{sessions} sessions that do nothing for {hold_s} s\n")?;
        writeln!(f, "logins a second          {:>10}", self.logins_per_second)?;
        writeln!(f, "login, p50 / p99         {:>10.1} / {:.1} ms", self.login_p50_ms, self.login_p99_ms)?;
        writeln!(f, "server's memory before   {:>10.1} MB", self.server_rss_before_mb)?;
        writeln!(f, "server's memory with all {:>10.1} MB", self.server_rss_mb)?;
        writeln!(f, "for each session         {:>10.1} KB", self.kb_per_session)?;
        writeln!(f, "failed / closed          {failed:>10} / {closed}")
    }
}
