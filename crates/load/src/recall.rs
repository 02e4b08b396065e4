//! `load recall` from its flags to its report: prepare, measure, wait for the callbacks, count.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context;
use clap::Args;
use unsaid_testkit::process::rss_peak_kb;

use crate::{
    cpu::cpu_s,
    measure, prepare,
    report::{Report, Resources},
    setup::Setup,
    table::Table,
};

#[derive(Clone, Debug, Args)]
pub(crate) struct Flags {
    /// Accounts that are imported; messages go between random pairs of them.
    #[arg(long, default_value_t = 10_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub(crate) accounts: u32,
    /// Messages that are sent before, and then recalled.
    #[arg(long, default_value_t = 100_000, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    pub(crate) recalls: u32,
    /// Connections that recall at the same time.
    #[arg(long, default_value_t = 64, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=256))]
    pub(crate) connections: u32,
    /// Print one line of JSON on standard output, instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
    /// An empty folder for the server's store, which is kept. Without it, a temporary folder beside this program is
    /// used, since the system's one may be in memory, where nothing is ever waited for.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Which pairs of accounts exchange messages; the same seed chooses the same pairs.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub(crate) seed: u64,
}

pub(crate) async fn run(flags: &Flags) -> anyhow::Result<Report> {
    let mut setup = Setup::start(flags).await?;
    prepare::import_accounts(&setup, flags).await?;
    let messages = prepare::send_messages(&setup, flags).await?;
    let table = Arc::new(Table::new(messages, flags.accounts));
    setup.inbox.expect(Arc::clone(&table));

    let server = setup.server.id();
    let cpu = || anyhow::Ok((cpu_s(server)?, cpu_s(std::process::id())?));
    let (server_before_s, load_before_s) = cpu().context("the server's processor time")?;
    measure::recall_all(&setup, &table, flags.connections).await?;
    measure::wait_for_callbacks(&table).await;
    setup.server.still_runs()?;
    let (server_after_s, load_after_s) = cpu().context("the server's processor time")?;

    let resources = Resources {
        server_rss_kb: rss_peak_kb(server).context("the server's memory")?,
        server_cpu_s: server_after_s - server_before_s,
        load_cpu_s: load_after_s - load_before_s,
    };
    if let Some(failure) = table.first_failure() {
        eprintln!("load: the first recall that failed: {failure}");
    }
    Ok(Report::new(flags, &table.tally(), setup.inbox.samples(), resources))
}
