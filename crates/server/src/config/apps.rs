//! The apps that a configuration file declares.

use std::{
    collections::{BTreeSet, HashSet},
    path::{Path, PathBuf},
};

use serde::Deserialize;
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand};

use super::layers::{ConfigError, Layers, Place, Sources};
use crate::apps::{AnswerRule, App, CallbackSettings, EndpointSettings, LaneBy, Origin, RecallBody, Secret};

/// One `[[apps]]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declared {
    sdkappid: u32,
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

/// `[apps.callback]`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredCallback {
    url: Option<String>,
    token: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    answer: AnswerRule,
    #[serde(default)]
    commands: BTreeSet<CallbackCommand>,
}

/// All declared apps, with what they refer to read.
pub(super) fn declared(layers: &Layers, sources: &Sources) -> Result<Vec<App>, ConfigError> {
    let mut apps = Vec::new();
    let mut seen = HashSet::new();
    for (number, value) in layers.apps.iter().enumerate() {
        let reader = Reader { number, place: &layers.apps_place, sources };
        let declared: Declared = serde_path_to_error::deserialize(value.clone()).map_err(|error| {
            let setting = error.path().to_string();
            reader.error(setting.trim_matches('.'), error.inner().message().trim().replace('\n', " "))
        })?;
        if !seen.insert(declared.sdkappid) {
            return Err(reader.error("sdkappid", format!("{} is declared twice", declared.sdkappid)));
        }
        let app = reader.app(declared)?;
        app.check().map_err(|error| reader.error(error.setting, error.problem))?;
        apps.push(app);
    }
    Ok(apps)
}

/// Reads one app.
struct Reader<'a> {
    number: usize,
    place: &'a Place,
    sources: &'a Sources,
}

impl Reader<'_> {
    fn error(&self, setting: &str, problem: impl Into<String>) -> ConfigError {
        let key = format!("apps[{}]{}{setting}", self.number, if setting.is_empty() { "" } else { "." });
        ConfigError { place: self.place.to_string(), key, problem: problem.into() }
    }

    fn app(&self, declared: Declared) -> Result<App, ConfigError> {
        let id = declared.sdkappid;
        let variable = format!("UNSAID_APP_{id}_SECRET_KEY");
        let secret = self.secret(&variable, "secret_key_file", declared.secret_key, declared.secret_key_file)?;
        let secret = secret.ok_or_else(|| {
            self.error(
                "secret_key",
                format!("is missing: set it, or secret_key_file, or {variable} in the environment"),
            )
        })?;
        let defaults = App::new(SdkAppId(id), secret, Origin::File);
        Ok(App {
            name: declared.name,
            admins: declared.admins.unwrap_or(defaults.admins),
            recall_window_s: declared.recall_window_s.unwrap_or(defaults.recall_window_s),
            recall_body: declared.recall_body,
            audit_days: declared.audit_days,
            lane: declared.lane,
            callback: self.callback(id, declared.callback.unwrap_or_default())?,
            ..defaults
        })
    }

    fn callback(&self, id: u32, declared: DeclaredCallback) -> Result<CallbackSettings, ConfigError> {
        let variable = format!("UNSAID_APP_{id}_CALLBACK_TOKEN");
        let token = self.secret(&variable, "callback.token_file", declared.token, declared.token_file)?;
        let ca_pem = declared.ca_file.map(|path| self.read("callback.ca_file", &path)).transpose()?;
        let endpoint = declared.url.map(|url| EndpointSettings { url, token, ca_pem });
        Ok(CallbackSettings { endpoint, answer: declared.answer, commands: declared.commands })
    }

    /// The environment comes first, then a file, then the text that stands in the configuration.
    fn secret(
        &self,
        variable: &str,
        setting: &str,
        text: Option<String>,
        file: Option<PathBuf>,
    ) -> Result<Option<Secret>, ConfigError> {
        if let Some(value) = self.sources.environment.get(variable) {
            return Ok(Some(Secret::new(value.trim())));
        }
        let of_file = file.map(|path| self.read(setting, &path)).transpose()?;
        Ok(of_file.map(|text| text.trim().to_owned()).or(text).map(Secret::new))
    }

    fn read(&self, setting: &str, path: &Path) -> Result<String, ConfigError> {
        let folder = match self.place {
            Place::File(file) => file.parent().unwrap_or(Path::new("")),
            Place::Default | Place::Environment(_) | Place::Flag => Path::new(""),
        };
        let path = folder.join(path);
        std::fs::read_to_string(&path)
            .map_err(|error| self.error(setting, format!("{} cannot be read: {error}", path.display())))
    }
}
