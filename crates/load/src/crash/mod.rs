//! `load crash`: a server dies under load, again and again, and what it has stored and told is held against what it acknowledged.
//!
//! `deaths` draws how it dies in each round, `ground` starts it again on what is there; `callers` go on meanwhile, and ask again or
//! give up where they get no answer. In the end `history` reads what is stored, and `judge` holds it against the `ledger`.

mod deaths;
mod ground;
mod history;
mod judge;
mod report;

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;
use unsaid::limits;

pub(crate) use self::report::Report;
use self::{deaths::Deaths, ground::Ground};
use crate::{callers::Callers, clock, flags::CrashFlags, progress::Progress};

/// How long it may take until all that is owed is told.
const REST_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn run(flags: &CrashFlags) -> anyhow::Result<Report> {
    let mut ground = Ground::start(flags).await?;
    ground.import_accounts(flags.accounts).await?;
    let stop = CancellationToken::new();
    let callers = Callers::start(ground.way(flags), flags.callers, flags.seed, stop.clone());
    let mut random = StdRng::seed_from_u64(flags.seed);
    let mut deaths = Deaths::default();
    let done = deaths.counter();
    let progress = Progress::show("died", flags.rounds, move || done.load(std::sync::atomic::Ordering::Relaxed));
    let began = clock::now();
    for _ in 0..flags.rounds {
        deaths.next(&mut ground, &mut random).await?;
    }
    drop(progress);
    ground.start_again().await?;
    stop.cancel();
    callers.done().await;
    let seconds = (clock::now() - began).as_secs_f64();

    let stored = history::read(&ground.client, flags.accounts).await?;
    let ledger = Arc::clone(&ground.ledger);
    let acknowledged = (ledger.standing().len() as u64, ledger.tally().acknowledged);
    let doubts = ledger.settle_doubts(&stored, clock::now());
    // What never comes is lost; the report says so.
    let _ = tokio::time::timeout(REST_MAX, ledger.at_rest()).await;
    // What comes too much would come until an attempt that a dead server began is known to have ended.
    ledger.is_quiet_for(limits::ATTEMPT_TIMEOUT).await;
    let unread = ground.unread(flags.accounts).await?;
    ground.still_runs()?;
    let verdict = judge::verdict(&ledger.standing(), &stored, &unread);
    Ok(Report::new(flags, seconds, acknowledged, &deaths, doubts, verdict, &ledger.tally()))
}
