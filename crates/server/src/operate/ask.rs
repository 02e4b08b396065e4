//! Asking a running server, and what its refusals mean to a script.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use unsaid_client::{OperatorClient, OperatorConfig};

/// Which server, and how its answers are shown.
#[derive(Clone, Debug, Args)]
pub struct ServerFlags {
    /// Where the operator API is: [operator] listen, or the server's own address.
    #[arg(long, value_name = "URL", env = "UNSAID_API_URL", default_value = "http://127.0.0.1:8080")]
    api: String,
    /// A token of the operator API; better in the environment, where other users of this machine do not see it.
    #[arg(long, value_name = "TOKEN", env = "UNSAID_API_TOKEN", hide_env_values = true, default_value = "")]
    token: String,
    /// The authority of the server's certificate, in PEM; else those that the system trusts.
    #[arg(long, value_name = "FILE", env = "UNSAID_API_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Show the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Why a command has failed, where a script may want to know it.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("{0}")]
    NotAllowed(String),
    #[error("{0}")]
    NotReached(String),
}

impl Failure {
    /// 1 is everything else: the server refuses it, or a test was not accepted. 2 is a command line that is wrong.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::NotReached(_) => 3,
            Self::NotAllowed(_) => 4,
        }
    }
}

impl ServerFlags {
    /// An answer that is no success is an error with what it says.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let Self { api, token, ca_file, .. } = self;
        if token.is_empty() {
            let message = "there is no token: set UNSAID_API_TOKEN; the first one was printed at the first start";
            return Err(Failure::NotAllowed(message.to_owned()).into());
        }
        let ca_pem = ca_file
            .as_ref()
            .map(|file| std::fs::read(file).with_context(|| format!("--ca-file {} cannot be read", file.display())));
        let client = OperatorClient::new(&OperatorConfig {
            base: api.clone(),
            ca_pem: ca_pem.transpose()?,
            token: token.clone(),
            timeout: Duration::from_secs(30),
        })?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = client.call(method, path, body).await;
        let (status, answer) = answer.map_err(|error| Failure::NotReached(format!("{api}: {error}")))?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|_| {
            let message = format!("{api} answers with HTTP {status}, but not as an operator API: check --api");
            Failure::NotReached(message)
        })?;
        if status.is_success() {
            return Ok(answer);
        }
        let message = answer["message"].as_str().unwrap_or("the server refuses this").to_owned();
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS => {
                Err(Failure::NotAllowed(message).into())
            }
            _ => Err(anyhow::anyhow!(message)),
        }
    }

    pub(super) fn show(&self, answer: &Value, text: fn(&Value) -> String) {
        if self.json {
            println!("{answer:#}");
        } else {
            print!("{}", text(answer));
        }
    }
}
