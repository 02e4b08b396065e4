//! `unsaid serve`: a server that runs until it is told to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clock::World,
    config::{Config, Sources},
    descriptors,
    server::Server,
    supervisor, telemetry,
};

/// Runs until SIGTERM or SIGINT, then finishes what was accepted. SIGHUP reads the configuration again.
pub async fn run(sources: &Sources) -> anyhow::Result<()> {
    let mut config = Config::load(sources)?;
    let log = telemetry::start(&config)?;
    let most = descriptors::raise();
    if most < config.listener.connections_max {
        let asked = config.listener.connections_max;
        tracing::warn!(
            asked,
            most,
            "limits.connections_max is lowered: the system allows too few file descriptors (ulimit -n)"
        );
        config.listener.connections_max = most;
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let server = Server::start(&config, World::system()?).await?;
    if let Some(token) = server.first_token() {
        // Not the log: it is read by others, and kept.
        println!(
            "\nThe first operator token of this server, shown only this once:\n\n    {}\n\n\
             export UNSAID_API_TOKEN to use it; unsaid token create makes others, unsaid token revoke ends one.\n",
            token.expose()
        );
    }
    let apps = config.apps.len();
    tracing::info!(address = %server.address(), data_dir = %config.data_dir.display(), apps, "Unsaid is ready");
    supervisor::tell("READY=1");
    let mut filter = server.log();
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // What came of it is in the log.
            _ = hang_up.recv() => drop(server.reload().await),
            Ok(()) = filter.changed() => log.change(&filter.borrow_and_update()),
            broken = server.broken() => return Err(broken.context("the server has to stop; start it again to recover")),
        }
    }
    tracing::info!("stopping: what was accepted is finished");
    supervisor::tell("STOPPING=1");
    server.stop().await;
    Ok(())
}
