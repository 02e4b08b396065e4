//! Asking a running server, and what its refusals mean to a script.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use clap::Args;
use http::{Method, StatusCode};
use serde_json::Value;
use unsaid_client::{OperatorClient, OperatorConfig, Seen};

use super::profile::Profile;
use crate::terminal;

/// Where the operator API is unless something else is said.
pub(crate) const API: &str = "http://127.0.0.1:8080";

/// Which server, and how its answers are shown.
#[derive(Clone, Debug, Args)]
pub struct ServerFlags {
    /// A server of profiles.toml (docs/cli.md); else the one that is called default there.
    #[arg(long, value_name = "NAME", env = "UNSAID_PROFILE")]
    profile: Option<String>,
    /// Where the operator API is: [operator] listen, or the server's own address. http://127.0.0.1:8080 unless set.
    #[arg(long, value_name = "URL", env = "UNSAID_API_URL")]
    api: Option<String>,
    /// A token of the operator API; better in the environment, where other users of this machine do not see it.
    #[arg(long, value_name = "TOKEN", env = "UNSAID_API_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The authority of the server's certificate, in PEM; else those that the system trusts.
    #[arg(long, value_name = "FILE", env = "UNSAID_API_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Show the answer as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A server that can be asked.
pub(crate) struct Server {
    pub(crate) api: String,
    /// Whether there is a token to ask with.
    pub(crate) has_token: bool,
    client: OperatorClient,
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
    /// What the flags, the environment and the profile say, the former first.
    pub(crate) fn server(&self) -> anyhow::Result<Server> {
        self.server_or(API)
    }

    /// The same, at that address where none is said.
    pub(crate) fn server_or(&self, address: &str) -> anyhow::Result<Server> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let mut profile = Profile::load(given(&self.profile).as_deref())?;
        let own = given(&self.api);
        if own.as_ref().is_some_and(|own| profile.api.as_ref() != Some(own)) {
            // It was made for another server, and is not shown to this one.
            profile = Profile::default();
        }
        let api = own.or(profile.api).unwrap_or_else(|| address.to_owned());
        let token = given(&self.token).or(profile.token);
        let ca_file = self.ca_file.clone().filter(|path| !path.as_os_str().is_empty()).or(profile.ca_file);
        let read = |file: PathBuf| {
            std::fs::read(&file).with_context(|| format!("the authority {} cannot be read", file.display()))
        };
        let has_token = token.is_some();
        let client = OperatorClient::new(&OperatorConfig {
            base: api.clone(),
            ca_pem: ca_file.map(read).transpose()?,
            token: token.unwrap_or_default(),
            timeout: Duration::from_secs(30),
        })?;
        Ok(Server { api, has_token, client })
    }

    /// An answer that is no success is an error with what it says.
    pub(super) async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        self.server()?.ask(method, path, body).await
    }

    pub(super) fn show(&self, answer: &Value, text: fn(&Value) -> String) {
        terminal::show(&if self.json { format!("{answer:#}\n") } else { text(answer) });
    }
}

impl Server {
    /// An answer that is no success is an error with what it says.
    pub(crate) async fn ask(&self, method: Method, path: &str, body: Value) -> anyhow::Result<Value> {
        let api = &self.api;
        if !self.has_token {
            let message = "there is no token: set UNSAID_API_TOKEN; the first one was printed at the first start";
            return Err(Failure::NotAllowed(message.to_owned()).into());
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = self.client.call(method, path, body).await;
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

    /// Looks at a path that needs no token.
    pub(crate) async fn look(&self, path: &str) -> Result<Seen, Failure> {
        self.client.look(path).await.map_err(|error| Failure::NotReached(format!("{}: {error}", self.api)))
    }
}
