//! `load soak`: one server under mixed load for an hour, while what is around it breaks again and again: whether it loses
//! something, and whether its memory stays what it was.
//!
//! `callers` send and recall, `readers` read, `watchers` are connected devices; `faults` break the receiver, the connections and the
//! server's time; `memory` looks at the server's process all the while; `report` says what came of it.

mod faults;
mod memory;
mod readers;
mod report;

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use tokio_util::sync::CancellationToken;
use unsaid::limits;

pub(crate) use self::report::Report;
use self::{faults::Faults, memory::Memory, readers::Readers, report::Outcome};
use crate::{
    account::Account,
    callers::{Callers, Way},
    clock,
    flags::SoakFlags,
    progress::Progress,
    single::Single,
    watchers::Watchers,
};

/// How long it may take until everything has come to rest.
const REST_MAX: Duration = Duration::from_secs(120);

pub(crate) async fn run(flags: &SoakFlags) -> anyhow::Result<Report> {
    let mut single = Single::prepare(flags.store, &flags.set, flags.callers + flags.watched).await?;
    single.start_again().await?;
    single.import_accounts(flags.accounts).await?;
    let watchers = Watchers::start(&[single.address], flags.watched.min(flags.accounts)).await?;
    let stop = CancellationToken::new();
    let way = Way {
        clients: [Arc::clone(&single.client)].into(),
        devices: watchers.devices(),
        ledger: Arc::clone(&single.ledger),
        accounts: flags.accounts,
        rate: Some(f64::from(flags.rate)),
        gives_up: 0.0,
    };
    let callers = Callers::start(way, flags.callers, flags.seed, stop.clone());
    let readers = Readers::start(&single.client, flags.accounts, flags.seed, &stop);
    let memory = Memory::watch(single.id()?);
    let began = clock::now();
    let minutes = move || ((clock::now() - began).as_secs() / 60) as u32;
    let progress = Progress::show("minutes", flags.minutes, minutes);
    let mut faults = Faults::default();
    let mut random = StdRng::seed_from_u64(flags.seed);
    let end = began + Duration::from_secs(60 * u64::from(flags.minutes));
    while clock::now() < end {
        let pause = Duration::from_secs(flags.calm_s).min(end.saturating_duration_since(clock::now()));
        tokio::time::sleep(pause).await;
        if clock::now() < end && !flags.no_faults {
            faults.next(&mut single, &watchers, &mut random).await?;
        }
        single.still_runs()?;
    }
    stop.cancel();
    callers.done().await;
    let reads = readers.done().await;
    drop(progress);
    let (seconds, memory) = ((clock::now() - began).as_secs_f64(), memory.end()?);

    let ledger = Arc::clone(&single.ledger);
    // What never comes is lost; the report says so.
    let _ = tokio::time::timeout(REST_MAX, ledger.at_rest()).await;
    ledger.is_quiet_for(limits::ATTEMPT_TIMEOUT).await;
    let sessions = watchers.judge(&ledger).await;
    let mut unread_wrong = 0;
    for (account, unread) in single.unread(flags.accounts).await?.into_iter().enumerate() {
        unread_wrong += u64::from(unread != ledger.unread(Account(account as u32)));
    }
    single.still_runs()?;
    let outcome = Outcome { seconds, tally: &ledger.tally(), faults, reads, sessions, unread_wrong, memory };
    Ok(Report::new(flags, outcome))
}
