//! Logs. Never in them: message bodies, tokens, keys, UserSigs.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Config, LogFormat};

/// Sends this process's log to standard error. Once for a process.
pub fn start(config: &Config) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&config.log).context("log must be like \"info\" or \"info,unsaid=debug\"")?;
    let colour = std::io::stderr().is_terminal();
    let log = fmt().with_env_filter(filter).with_ansi(colour).with_writer(std::io::stderr);
    let started = match config.log_format {
        LogFormat::Text => log.try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("the log cannot be started: {error}"))
}
