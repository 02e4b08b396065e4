//! An app as an operator writes it down: in the configuration file, or to the operator API.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::Deserialize;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand};

use super::{
    AnswerRule, App, AppError, BeforeFailure, CallbackSettings, ClientCertificate, EndpointSettings, LaneBy, Origin,
    RecallBody, Retry, Secret, SecretKey,
    schema::{CommandName, UserName},
};

/// What is written down. What is left out has its default.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DeclaredApp {
    #[schemars(range(min = 1))]
    pub sdkappid: u32,
    #[serde(default)]
    name: String,
    #[schemars(length(min = 16, max = 128), regex(pattern = r"^[ -~]*$"))]
    secret_key: Option<String>,
    #[schemars(skip)]
    secret_key_file: Option<PathBuf>,
    #[schemars(length(min = 16, max = 128), regex(pattern = r"^[ -~]*$"))]
    previous_secret_key: Option<String>,
    #[schemars(skip)]
    previous_secret_key_file: Option<PathBuf>,
    #[schemars(with = "Option<Vec<UserName>>", length(min = 1))]
    admins: Option<Vec<UserId>>,
    #[schemars(range(max = 2_592_000))]
    recall_window_s: Option<u32>,
    #[serde(default)]
    recall_body: RecallBody,
    #[serde(default)]
    audit_days: u16,
    #[serde(default)]
    history_days: u16,
    #[schemars(range(min = 1))]
    sessions_per_platform: Option<u8>,
    #[serde(default)]
    lane: LaneBy,
    callback: Option<DeclaredCallback>,
}

/// Where callbacks go and which are switched on.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DeclaredCallback {
    url: Option<String>,
    token: Option<String>,
    #[schemars(skip)]
    token_file: Option<PathBuf>,
    previous_token: Option<String>,
    #[schemars(skip)]
    previous_token_file: Option<PathBuf>,
    webhook_secret: Option<String>,
    #[schemars(skip)]
    webhook_secret_file: Option<PathBuf>,
    previous_webhook_secret: Option<String>,
    #[schemars(skip)]
    previous_webhook_secret_file: Option<PathBuf>,
    ca_pem: Option<String>,
    #[schemars(skip)]
    ca_file: Option<PathBuf>,
    client_cert_pem: Option<String>,
    #[schemars(skip)]
    client_cert_file: Option<PathBuf>,
    client_key_pem: Option<String>,
    #[schemars(skip)]
    client_key_file: Option<PathBuf>,
    #[serde(default)]
    answer: AnswerRule,
    #[serde(default)]
    #[schemars(with = "BTreeSet<CommandName>")]
    commands: BTreeSet<CallbackCommand>,
    #[serde(default)]
    before_failure: BeforeFailure,
    #[serde(default)]
    retry: Retry,
    #[schemars(range(min = 60, max = 2_592_000))]
    age_max_s: Option<u32>,
    #[schemars(range(min = 1, max = 100_000))]
    rate_per_s_max: Option<u32>,
    #[schemars(range(min = 1, max = 100_000_000))]
    backlog_events_max: Option<u64>,
    #[schemars(range(min = 1, max = 1_099_511_627_776_u64))]
    backlog_bytes_max: Option<u64>,
}

/// Whether a setting of that path holds a secret, so that what is wrong with it is said without showing it.
pub fn is_secret(path: &str) -> bool {
    let name = path.rsplit('.').next().unwrap_or_default();
    ["secret_key", "previous_secret_key", "client_key_pem"].contains(&name)
        || name.ends_with("token")
        || name.ends_with("webhook_secret")
}

/// What stands around a declaration: the files that it names, and secrets that are kept elsewhere.
pub trait Surroundings {
    fn read(&self, setting: &'static str, file: &Path) -> Result<String, AppError>;

    /// A secret that comes before the declared one.
    fn secret(&self, sdkappid: u32, setting: &'static str) -> Option<String>;

    /// The key of an app that declares none.
    fn missing_key(&self, sdkappid: u32) -> Result<Secret, AppError>;
}

impl DeclaredApp {
    /// Whether it says anything of the app's keys.
    pub fn gives_keys(&self) -> bool {
        self.secret_key.is_some()
            || self.secret_key_file.is_some()
            || self.previous_secret_key.is_some()
            || self.previous_secret_key_file.is_some()
    }

    /// The app, checked as far as that is possible without its endpoint.
    pub fn into_app(self, origin: Origin, around: &dyn Surroundings) -> Result<App, AppError> {
        let id = self.sdkappid;
        let kept = around.secret(id, "secret_key");
        let secret = match secret(around, kept, "secret_key_file", self.secret_key_file, self.secret_key)? {
            Some(secret) => secret,
            None => around.missing_key(id)?,
        };
        let kept = around.secret(id, "previous_secret_key");
        let (file, text) = (self.previous_secret_key_file, self.previous_secret_key);
        let previous = self::secret(around, kept, "previous_secret_key_file", file, text)?;
        let defaults = App::new(SdkAppId(id), secret, origin);
        let mut keys: Vec<_> = defaults.keys.iter().cloned().chain(previous.map(SecretKey::new)).collect();
        // One that is given twice is one.
        keys.dedup();
        let app = App {
            keys,
            name: self.name,
            admins: self.admins.unwrap_or(defaults.admins),
            recall_window_s: self.recall_window_s.unwrap_or(defaults.recall_window_s),
            recall_body: self.recall_body,
            audit_days: self.audit_days,
            history_days: self.history_days,
            sessions_per_platform: self.sessions_per_platform.unwrap_or(defaults.sessions_per_platform),
            lane: self.lane,
            callback: self.callback.unwrap_or_default().into_settings(id, around)?,
            ..defaults
        };
        app.check()?;
        Ok(app)
    }
}

impl DeclaredCallback {
    fn into_settings(self, id: u32, around: &dyn Surroundings) -> Result<CallbackSettings, AppError> {
        let kept = |setting| around.secret(id, setting);
        let text = |setting, file: Option<PathBuf>, text| match file {
            Some(file) => around.read(setting, &file).map(Some),
            None => Ok(text),
        };
        let endpoint = EndpointSettings {
            token: secret(around, kept("callback.token"), "callback.token_file", self.token_file, self.token)?,
            previous_token: secret(
                around,
                kept("callback.previous_token"),
                "callback.previous_token_file",
                self.previous_token_file,
                self.previous_token,
            )?,
            webhook_secret: secret(
                around,
                kept("callback.webhook_secret"),
                "callback.webhook_secret_file",
                self.webhook_secret_file,
                self.webhook_secret,
            )?,
            previous_webhook_secret: secret(
                around,
                kept("callback.previous_webhook_secret"),
                "callback.previous_webhook_secret_file",
                self.previous_webhook_secret_file,
                self.previous_webhook_secret,
            )?,
            ca_pem: text("callback.ca_file", self.ca_file, self.ca_pem)?,
            client_certificate: client_certificate(
                text("callback.client_cert_file", self.client_cert_file, self.client_cert_pem)?,
                secret(
                    around,
                    kept("callback.client_key"),
                    "callback.client_key_file",
                    self.client_key_file,
                    self.client_key_pem,
                )?,
            )?,
            ..EndpointSettings::new("")
        };
        if self.url.is_none() && endpoint != EndpointSettings::new("") {
            let problem = "must be set where tokens, secrets or certificates are".to_owned();
            return Err(AppError { setting: "callback.url", problem });
        }
        let endpoint = self.url.map(|url| EndpointSettings { url, ..endpoint });
        let defaults = CallbackSettings::default();
        Ok(CallbackSettings {
            endpoint,
            answer: self.answer,
            commands: self.commands,
            before_failure: self.before_failure,
            retry: self.retry,
            age_max_s: self.age_max_s.unwrap_or(defaults.age_max_s),
            rate_per_s_max: self.rate_per_s_max.unwrap_or(defaults.rate_per_s_max),
            backlog_events_max: self.backlog_events_max.unwrap_or(defaults.backlog_events_max),
            backlog_bytes_max: self.backlog_bytes_max.unwrap_or(defaults.backlog_bytes_max),
        })
    }
}

/// Both, or neither.
fn client_certificate(
    chain_pem: Option<String>,
    key_pem: Option<Secret>,
) -> Result<Option<ClientCertificate>, AppError> {
    let missing = |setting, other| {
        let problem = format!("must be set where {other} is");
        Err(AppError { setting, problem })
    };
    match (chain_pem, key_pem) {
        (None, None) => Ok(None),
        (Some(chain_pem), Some(key_pem)) => Ok(Some(ClientCertificate { chain_pem, key_pem })),
        (Some(_), None) => missing("callback.client_key_file", "callback.client_cert_file"),
        (None, Some(_)) => missing("callback.client_cert_file", "callback.client_key_file"),
    }
}

/// What is kept elsewhere comes first, then a file, then the text itself.
fn secret(
    around: &dyn Surroundings,
    kept: Option<String>,
    setting: &'static str,
    file: Option<PathBuf>,
    text: Option<String>,
) -> Result<Option<Secret>, AppError> {
    if kept.is_some() {
        return Ok(kept.map(|secret| Secret::new(secret.trim())));
    }
    let of_file = file.map(|file| around.read(setting, &file)).transpose()?;
    Ok(of_file.map(|text| text.trim().to_owned()).or(text).map(Secret::new))
}
