//! `load crash`: a server dies under load, again and again, and what it has stored and told is held against what it acknowledged.
//!
//! `deaths` draws how it dies in each round, `single` starts it again on what is there; `callers` go on meanwhile, and ask again or
//! give up where they get no answer. In the end `history` reads what is stored, and `judge` holds it against the `ledger`.

mod deaths;
mod history;
mod judge;
mod report;

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;
use unsaid::limits;

use self::deaths::Deaths;
pub(crate) use self::report::Report;
use crate::{
    callers::{Callers, Way},
    clock,
    device::Devices,
    flags::CrashFlags,
    progress::Progress,
    single::Single,
};

/// How long it may take until all that is owed is told.
const REST_MAX: Duration = Duration::from_secs(60);

/// How likely a caller without an answer gives up.
const GIVES_UP: f64 = 0.3;

pub(crate) async fn run(flags: &CrashFlags) -> anyhow::Result<Report> {
    let mut single = Single::prepare(flags.store, &flags.set, flags.callers).await?;
    single.start_again().await?;
    single.import_accounts(flags.accounts).await?;
    single.kill();
    let stop = CancellationToken::new();
    let way = Way {
        clients: [Arc::clone(&single.client)].into(),
        devices: Devices::default(),
        ledger: Arc::clone(&single.ledger),
        accounts: flags.accounts,
        rate: None,
        gives_up: GIVES_UP,
    };
    let callers = Callers::start(way, flags.callers, flags.seed, stop.clone());
    let mut random = StdRng::seed_from_u64(flags.seed);
    let mut deaths = Deaths::default();
    let done = deaths.counter();
    let progress = Progress::show("died", flags.rounds, move || done.load(std::sync::atomic::Ordering::Relaxed));
    let began = clock::now();
    for _ in 0..flags.rounds {
        deaths.next(&mut single, &mut random).await?;
    }
    drop(progress);
    single.start_again().await?;
    stop.cancel();
    callers.done().await;
    let seconds = (clock::now() - began).as_secs_f64();

    let stored = history::read(&single.client, flags.accounts).await?;
    let ledger = Arc::clone(&single.ledger);
    let acknowledged = (ledger.standing().len() as u64, ledger.tally().acknowledged);
    let doubts = ledger.settle_doubts(&stored, clock::now());
    // What never comes is lost; the report says so.
    let _ = tokio::time::timeout(REST_MAX, ledger.at_rest()).await;
    // What comes too much would come until an attempt that a dead server began is known to have ended.
    ledger.is_quiet_for(limits::ATTEMPT_TIMEOUT).await;
    let unread = single.unread(flags.accounts).await?;
    single.still_runs()?;
    let verdict = judge::verdict(&ledger.standing(), &stored, &unread);
    Ok(Report::new(flags, seconds, acknowledged, &deaths, doubts, verdict, &ledger.tally()))
}
