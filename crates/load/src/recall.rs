//! `load recall` from its flags to its report: prepare, measure, wait for the callbacks, count.

use std::sync::Arc;

use anyhow::Context;
use unsaid_testkit::process::{rss_kb, rss_peak_kb};

use crate::{
    clock,
    cpu::cpu_s,
    flags::Flags,
    measure, prepare,
    report::{Drain, Report, Resources},
    setup::Setup,
    table::Table,
};

pub(crate) async fn run(flags: &Flags) -> anyhow::Result<Report> {
    let mut setup = Setup::start(&flags.ground, flags.connections).await?;
    prepare::import_accounts(&setup, flags).await?;
    let messages = prepare::send_messages(&setup, flags).await?;
    let table = Arc::new(Table::new(messages, flags.accounts));
    setup.inbox.expect(Arc::clone(&table));

    let server = setup.server.id();
    let cpu = || anyhow::Ok((cpu_s(server)?, cpu_s(std::process::id())?));
    let (server_before_s, load_before_s) = cpu().context("the server's processor time")?;
    if flags.receiver_down {
        setup.receiver.stop().await;
    }
    measure::recall_all(&setup, &table, flags.connections).await?;
    let waited_kb = rss_kb(server).context("the server's memory")?;
    let back = clock::now();
    if flags.receiver_down {
        setup.receiver.start_again().await.context("the receiver cannot be started again")?;
        setup.client.call("unsaid", "callback_back", &serde_json::json!({})).await?;
    }
    measure::wait_for_callbacks(&table).await;
    let drain = flags.receiver_down.then(|| Drain { seconds: (clock::now() - back).as_secs_f64(), waited_kb });
    setup.server.still_runs()?;
    let (server_after_s, load_after_s) = cpu().context("the server's processor time")?;

    let resources = Resources {
        drain,
        server_rss_kb: rss_peak_kb(server).context("the server's memory")?,
        server_cpu_s: server_after_s - server_before_s,
        load_cpu_s: load_after_s - load_before_s,
    };
    if let Some(failure) = table.first_failure() {
        eprintln!("load: the first recall that failed: {failure}");
    }
    Ok(Report::new(flags, &table.tally(), setup.inbox.samples(), resources))
}
