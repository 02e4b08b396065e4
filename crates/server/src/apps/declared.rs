//! An app as an operator writes it down: in the configuration file, or to the operator API.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand};

use super::{AnswerRule, App, AppError, CallbackSettings, EndpointSettings, LaneBy, Origin, RecallBody, Retry, Secret};

/// What is written down. What is left out has its default.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredApp {
    pub sdkappid: u32,
    #[serde(default)]
    name: String,
    secret_key: Option<String>,
    secret_key_file: Option<PathBuf>,
    admins: Option<Vec<UserId>>,
    recall_window_s: Option<u32>,
    #[serde(default)]
    recall_body: RecallBody,
    #[serde(default)]
    audit_days: u16,
    #[serde(default)]
    lane: LaneBy,
    callback: Option<DeclaredCallback>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredCallback {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    ca_pem: Option<String>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    answer: AnswerRule,
    #[serde(default)]
    commands: BTreeSet<CallbackCommand>,
    #[serde(default)]
    retry: Retry,
    age_max_s: Option<u32>,
    rate_per_s_max: Option<u32>,
    backlog_events_max: Option<u64>,
    backlog_bytes_max: Option<u64>,
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
    /// The app, checked as far as that is possible without its endpoint.
    pub fn into_app(self, origin: Origin, around: &dyn Surroundings) -> Result<App, AppError> {
        let id = self.sdkappid;
        let kept = around.secret(id, "secret_key");
        let secret = match secret(around, kept, "secret_key_file", self.secret_key_file, self.secret_key)? {
            Some(secret) => secret,
            None => around.missing_key(id)?,
        };
        let defaults = App::new(SdkAppId(id), secret, origin);
        let app = App {
            name: self.name,
            admins: self.admins.unwrap_or(defaults.admins),
            recall_window_s: self.recall_window_s.unwrap_or(defaults.recall_window_s),
            recall_body: self.recall_body,
            audit_days: self.audit_days,
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
        let kept = around.secret(id, "callback.token");
        let token = secret(around, kept, "callback.token_file", self.token_file, self.token)?;
        let of_file = self.ca_file.map(|file| around.read("callback.ca_file", &file)).transpose()?;
        let ca_pem = of_file.or(self.ca_pem);
        let endpoint = self.url.map(|url| EndpointSettings { url, token, ca_pem });
        let defaults = CallbackSettings::default();
        Ok(CallbackSettings {
            endpoint,
            answer: self.answer,
            commands: self.commands,
            retry: self.retry,
            age_max_s: self.age_max_s.unwrap_or(defaults.age_max_s),
            rate_per_s_max: self.rate_per_s_max.unwrap_or(defaults.rate_per_s_max),
            backlog_events_max: self.backlog_events_max.unwrap_or(defaults.backlog_events_max),
            backlog_bytes_max: self.backlog_bytes_max.unwrap_or(defaults.backlog_bytes_max),
        })
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
