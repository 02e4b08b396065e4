//! `unsaid serve`: a server that runs until it is told to stop.

use std::path::PathBuf;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    clock::World,
    config::{Config, Sources},
    descriptors,
    server::Server,
    supervisor, telemetry, terminal,
};

/// Where the configuration comes from.
#[derive(Debug, Args)]
pub struct ServeFlags {
    /// A configuration file, laid over the default one.
    #[arg(long, value_name = "FILE", env = "UNSAID_CONFIG")]
    config: Option<PathBuf>,
    /// Where to listen; the same as --set listen=ADDRESS.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The folder of the server; the same as --set data_dir=FOLDER.
    #[arg(long, value_name = "FOLDER")]
    data_dir: Option<String>,
    /// The database of PostgreSQL where messages are stored; the same as --set store=URL.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// The NATS over which servers that share a store talk to each other; the same as --set bus=URL.
    #[arg(long, value_name = "URL")]
    bus: Option<String>,
    /// A setting, laid over file and environment; may be repeated.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl ServeFlags {
    /// The layers of the configuration that these flags and the environment name.
    pub fn sources(self) -> Sources {
        let mut set = self.set;
        set.extend(self.listen.map(|listen| format!("listen={listen}")));
        set.extend(self.data_dir.map(|folder| format!("data_dir={folder}")));
        set.extend(self.store.map(|store| format!("store={store}")));
        set.extend(self.bus.map(|bus| format!("bus={bus}")));
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            // UNSAID_API_... is for those who call a server.
            .filter(|(name, _)| name.starts_with("UNSAID_") && !name.starts_with("UNSAID_API_"))
            .collect();
        Sources { file: self.config, environment, set }
    }
}

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
        terminal::show(&format!(
            "\nThe first operator token of this server, shown only this once:\n\n    {}\n\n\
             export UNSAID_API_TOKEN to use it; unsaid token create makes others, unsaid token revoke ends one.\n\n",
            token.expose()
        ));
    }
    let apps = config.apps.len();
    let data_dir = config.data_dir.display();
    tracing::info!(address = %server.address(), %data_dir, store = %config.store, apps, "Unsaid is ready");
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
