//! `load recall` from its flags to its report: prepare, measure, wait for the callbacks, count.

use std::sync::Arc;

use anyhow::Context;
use unsaid_testkit::process::rss_peak_kb;

use crate::{
    cpu::cpu_s,
    flags::Flags,
    measure, prepare,
    report::{Report, Resources},
    setup::Setup,
    table::Table,
};

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
