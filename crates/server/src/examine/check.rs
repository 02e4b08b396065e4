//! `unsaid check`: a configuration, without starting. Nothing is opened, made or dialled.

use clap::Args;

use super::{Findings, Form, bus, configuration};
use crate::{clock::Clock, config::Config, serve::ServeFlags};

#[derive(Debug, Args)]
pub struct CheckFlags {
    #[command(flatten)]
    config: ServeFlags,
    /// Show the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// `unsaid check`: an error if the server would not start with it, or not serve.
pub fn check(flags: CheckFlags) -> anyhow::Result<()> {
    let CheckFlags { config, json } = flags;
    let sources = config.sources();
    let mut findings = Findings::default();
    let (config, problems) = Config::examine(&sources);
    configuration::problems(&problems, &mut findings);
    if let Some(config) = config {
        let now = Clock::system().now();
        configuration::file(&sources, &config, &mut findings);
        configuration::store(&config, &mut findings);
        bus::settings(&config, &mut findings);
        configuration::listeners(&config, &mut findings);
        configuration::tls(&config, now, &mut findings);
        configuration::rules(&config, &mut findings);
        for app in &config.apps {
            configuration::app(app, now, &mut findings);
        }
        if config.apps.is_empty() {
            findings.ok("apps", "none is declared; they are made at run time, with unsaid app create");
        }
    }
    findings.end(Form::of(json))
}
