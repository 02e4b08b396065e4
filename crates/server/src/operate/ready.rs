//! `unsaid ready`: for a supervisor that has no `curl`, such as a container.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use unsaid_client::{OperatorClient, OperatorConfig};

use super::Failure;
use crate::terminal;

#[derive(Debug, Args)]
pub struct ReadyFlags {
    /// Where the server is: [operator] listen, or its own address.
    #[arg(long, value_name = "URL", env = "UNSAID_API_URL", default_value = "http://127.0.0.1:8080")]
    api: String,
    /// The authority of the server's certificate, in PEM; else those that the system trusts.
    #[arg(long, value_name = "FILE", env = "UNSAID_API_CA_FILE")]
    ca_file: Option<PathBuf>,
}

const TIMEOUT: Duration = Duration::from_secs(4);

/// Ends well if the server can serve; needs no token.
pub async fn ready(ReadyFlags { api, ca_file }: ReadyFlags) -> anyhow::Result<()> {
    let ca_pem = ca_file
        .map(|file| std::fs::read(&file).with_context(|| format!("--ca-file {} cannot be read", file.display())));
    let config =
        OperatorConfig { base: api.clone(), ca_pem: ca_pem.transpose()?, token: String::new(), timeout: TIMEOUT };
    let seen = OperatorClient::new(&config)?.look("/readyz").await;
    let seen = seen.map_err(|error| Failure::NotReached(format!("{api}: {error}")))?;
    let said = String::from_utf8_lossy(&seen.body);
    anyhow::ensure!(seen.status.is_success(), "{}", said.trim());
    terminal::show(&said);
    Ok(())
}
