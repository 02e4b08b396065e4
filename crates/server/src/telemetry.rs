//! Logs. Never in them: message bodies, tokens, keys, UserSigs.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Registry, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::config::{Config, LogFormat};

/// What is logged, which may be changed.
#[derive(Debug)]
pub struct Log(reload::Handle<EnvFilter, Registry>);

/// Refuses what is no level, with what is one.
pub fn check_log(log: &str) -> Result<(), &'static str> {
    EnvFilter::try_new(log).map(drop).map_err(|_| "must be like \"info\" or \"info,unsaid=debug\"")
}

/// Sends this process's log to standard error. Once for a process.
pub fn start(config: &Config) -> anyhow::Result<Log> {
    let (filter, handle) = reload::Layer::new(EnvFilter::new(&config.log));
    let colour = std::io::stderr().is_terminal();
    let layer = fmt::layer().with_ansi(colour).with_writer(std::io::stderr);
    let log = tracing_subscriber::registry().with(filter);
    let started = match config.log_format {
        LogFormat::Text => log.with(layer).try_init(),
        LogFormat::Json => log.with(layer.json().flatten_event(true)).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))?;
    Ok(Log(handle))
}

impl Log {
    pub fn change(&self, log: &str) {
        // It fails only where the log has ended.
        let _ = self.0.reload(EnvFilter::new(log));
    }
}
