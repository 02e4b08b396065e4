//! `load cluster`: several servers on one PostgreSQL, under load, while things break.
//!
//! `ground` starts PostgreSQL, NATS and the servers; `callers` send and recall at any of them, `watchers` are sessions at each;
//! `faults` break one thing after the other; the `ledger` holds what was acknowledged against what the receiver got, and `report`
//! says what came of it.

mod faults;
mod ground;
mod report;

use std::{sync::Arc, time::Duration};

use anyhow::Context;
use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;
use unsaid::limits;

pub(crate) use self::report::Report;
use self::{faults::Happened, ground::Ground};
use crate::{callers::Callers, clock, flags::ClusterFlags, watchers::Watchers};

/// How long it may take until everything has come to rest.
const REST_MAX: Duration = Duration::from_secs(60);

pub(crate) async fn run(flags: &ClusterFlags) -> anyhow::Result<Report> {
    let mut ground = Ground::start(flags).await?;
    ground.import_accounts(flags.accounts).await?;
    let servers: Vec<_> = ground.servers.iter().map(|server| server.address).collect();
    let watchers = Watchers::start(&servers, flags.watched.min(flags.accounts)).await?;
    let stop = CancellationToken::new();
    let callers = Callers::start(ground.way(watchers.devices(), flags), flags.callers, flags.seed, stop.clone());
    let began = clock::now();
    let cpu_before = ground.cpu().context("processor times")?;

    let mut happened: Vec<Happened> = Vec::new();
    tokio::time::sleep(Duration::from_secs(flags.calm_s)).await;
    if !flags.no_faults {
        let mut random = StdRng::seed_from_u64(flags.seed);
        for fault in faults::in_order(&flags.faults, &mut random) {
            if fault.is_possible(&ground) {
                happened.push(faults::happens(fault, &mut ground, &mut random).await?);
            }
        }
    }
    stop.cancel();
    callers.done().await;
    let seconds = (clock::now() - began).as_secs_f64();
    let cpu = ground.cpu().context("processor times")?.since(&cpu_before);

    let ledger = Arc::clone(&ground.ledger);
    // What never comes is lost; the report says so.
    let _ = tokio::time::timeout(REST_MAX, ledger.at_rest()).await;
    // What comes too much, or too late, would come until whoever was silent is known to be so.
    ledger.is_quiet_for(limits::LEASE).await;
    let sessions = watchers.judge(&ledger).await;
    let unread_wrong = ground.unread_wrong(flags.accounts).await?;
    ground.servers.iter_mut().try_for_each(ground::Member::still_runs)?;
    let mut report = Report::new(flags, &ledger.tally(), &happened, seconds, cpu);
    report.sessions(sessions, unread_wrong, ground.has_bus());
    Ok(report)
}
