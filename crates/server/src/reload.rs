//! Reading the configuration again while the server runs (SIGHUP, `POST /api/v1/reload`).
//!
//! Everything is read and checked before anything is changed, so a broken file changes nothing. What cannot change is
//! named: it holds after the next start. `unsaid.default.toml` says of each setting which it is.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Mutex, watch};
use unsaid_protocol::SdkAppId;

use crate::{
    apps::{App, Apps, Origin},
    callback::{AlarmSettings, EndpointRules},
    chat::{Chat, ChatError, Fault, Store},
    config::{Config, ConfigError},
    listener::Certificate,
    live::Live,
    rest::RestSettings,
};

/// Settings that hold at once. Others hold after the next start.
const APPLIED: [&str; 10] = [
    "log",
    "tls.cert_file",
    "tls.key_file",
    "proxy.trusted",
    "limits.request_bytes_max",
    "limits.body_timeout_s",
    "rates.",
    "callback.",
    "alarm.",
    "operator.show_text",
];

/// Puts into place what was changed in the configuration.
pub struct Reload {
    /// What holds now; whoever changes it has it locked.
    config: Mutex<Config>,
    live: LiveSettings,
    apps: Arc<Apps>,
    chat: Chat,
    store: Arc<dyn Store>,
    /// Whoever changes apps has it locked.
    making: Arc<Mutex<()>>,
    log: watch::Sender<String>,
}

/// Where each part of the server looks.
#[derive(Clone)]
pub struct LiveSettings {
    pub rules: Live<EndpointRules>,
    pub rest: Live<RestSettings>,
    pub trusted_proxies: Live<Vec<ipnet::IpNet>>,
    pub alarm: Live<AlarmSettings>,
    pub show_text: Live<bool>,
    pub certificate: Option<Live<Certificate>>,
}

/// What a server is made of that is told of changes.
pub struct ReloadParts {
    pub live: LiveSettings,
    pub apps: Arc<Apps>,
    pub chat: Chat,
    pub store: Arc<dyn Store>,
    pub making: Arc<Mutex<()>>,
}

/// What came of it: names of settings, as `callback.allow_http` and `apps.1400000001`.
#[derive(Serialize, JsonSchema, Clone, PartialEq, Eq, Debug, Default)]
pub struct Reloaded {
    /// What holds from now on.
    pub applied: Vec<String>,
    /// What was changed, too, and holds after the next start.
    pub restart: Vec<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    #[error("the configuration stays as it is: {0}; mend that, and reload again")]
    Config(#[from] ConfigError),
    #[error("the configuration stays as it is: {0:#}; mend that, and reload again")]
    Certificate(anyhow::Error),
    #[error("only a part of the configuration holds now: {0}; reload again")]
    Apps(#[from] TakeOverError),
}

impl LiveSettings {
    pub fn new(config: &Config) -> anyhow::Result<Self> {
        Ok(Self {
            rules: Live::new(config.callback.clone()),
            rest: Live::new(config.rest.clone()),
            trusted_proxies: Live::new(config.trusted_proxies.clone()),
            alarm: Live::new(config.alarm.clone()),
            show_text: Live::new(config.operator.show_text),
            certificate: config.tls.as_ref().map(Certificate::read).transpose()?.map(Live::new),
        })
    }

    fn put(&self, config: &Config, certificate: Option<Certificate>) {
        self.rules.put(config.callback.clone());
        self.rest.put(config.rest.clone());
        self.trusted_proxies.put(config.trusted_proxies.clone());
        self.alarm.put(config.alarm.clone());
        self.show_text.put(config.operator.show_text);
        if let (Some(live), Some(certificate)) = (&self.certificate, certificate) {
            live.put(certificate);
        }
    }
}

impl Reload {
    pub fn new(config: &Config, parts: ReloadParts) -> Arc<Self> {
        let ReloadParts { live, apps, chat, store, making } = parts;
        let log = watch::Sender::new(config.log.clone());
        Arc::new(Self { config: Mutex::new(config.clone()), live, apps, chat, store, making, log })
    }

    /// Held by whoever changes apps.
    pub fn making(&self) -> Arc<Mutex<()>> {
        Arc::clone(&self.making)
    }

    /// The apps of the store, with those of the file over them. One that is no longer declared is disabled (rule C11).
    /// Answers which were changed.
    pub async fn take_over_apps(&self, declared: &[App]) -> Result<Vec<SdkAppId>, TakeOverError> {
        let _making = self.making.lock().await;
        let stored = self.store.apps().await?;
        for app in stored.iter().filter(|app| self.apps.get(app.sdkappid).is_none()) {
            self.apps.put(&Arc::new(app.clone()));
        }
        let is_declared = |app: &App| declared.iter().any(|declared| declared.sdkappid == app.sdkappid);
        let gone = stored.iter().filter(|app| app.origin == Origin::File && !app.disabled && !is_declared(app));
        let gone = gone.map(|app| App { disabled: true, ..app.clone() });
        let new = declared.iter().filter(|app| !stored.contains(app)).cloned();
        let mut changed = Vec::new();
        for app in gone.chain(new) {
            let sdkappid = app.sdkappid;
            if app.disabled {
                tracing::warn!(app = %sdkappid, "the app is no longer declared; it is disabled, and nothing of it deleted");
            }
            self.chat.save_app(app).await.map_err(|error| TakeOverError::App(sdkappid, error))?;
            changed.push(sdkappid);
        }
        Ok(changed)
    }

    /// What is logged, whenever that was changed.
    pub fn log(&self) -> watch::Receiver<String> {
        self.log.subscribe()
    }

    /// Reads the configuration from where it was read at the start.
    pub async fn run(&self) -> Result<Reloaded, ReloadError> {
        let reloaded = self.read_again().await;
        match &reloaded {
            Ok(Reloaded { applied, restart }) => {
                tracing::info!(?applied, "the configuration was read again");
                if !restart.is_empty() {
                    tracing::warn!(?restart, "these settings were changed, too, and hold after the next start");
                }
            }
            Err(error) => tracing::error!("{error}"),
        }
        reloaded
    }

    async fn read_again(&self) -> Result<Reloaded, ReloadError> {
        let mut before = self.config.lock().await;
        let mut after = Config::load(&before.sources)?;
        // A listener with TLS does not become one without.
        let is_tls_same = self.live.certificate.is_some() == after.tls.is_some();
        let certificate = after.tls.as_ref().filter(|_| is_tls_same).map(Certificate::read).transpose();
        let certificate = certificate.map_err(ReloadError::Certificate)?;

        let is_applied = |key: &String| {
            let fits = |name: &str| key == name || (name.ends_with('.') && key.starts_with(name));
            APPLIED.into_iter().any(fits) && (is_tls_same || !key.starts_with("tls."))
        };
        let (mut applied, restart): (Vec<_>, Vec<_>) =
            after.settings.differing_from(&before.settings).into_iter().partition(is_applied);
        if let (Some(live), Some(certificate)) = (&self.live.certificate, &certificate)
            && *live.now() != *certificate
        {
            applied.push("the certificate in tls.cert_file".to_owned());
        }
        let rules_changed = before.callback != after.callback;
        self.live.put(&after, certificate);
        self.log.send_if_modified(|log| {
            let changed = *log != after.log;
            log.clone_from(&after.log);
            changed
        });
        let changed = self.take_over_apps(&after.apps).await?;
        applied.extend(changed.iter().map(|app| format!("apps.{app}")));
        if rules_changed {
            // Their endpoints are made anew: no connection is kept that the rules do not allow any more.
            let _making = self.making.lock().await;
            self.apps.list().iter().for_each(|app| self.apps.put(&Arc::new(App::clone(app))));
        }
        // What needs a start is named again the next time.
        for key in &restart {
            after.settings.take_back(key, &before.settings);
        }
        *before = after;
        Ok(Reloaded { applied, restart })
    }
}

/// Why the declared apps do not all hold.
#[derive(Debug, thiserror::Error)]
pub enum TakeOverError {
    #[error("the apps cannot be read: {0}")]
    Store(#[from] Fault),
    #[error("app {0} was not saved: {1}")]
    App(SdkAppId, ChatError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{DEFAULT_TOML, Sources};

    #[test]
    fn what_holds_at_once_is_a_setting_and_the_default_file_says_so() {
        let settings = Config::load(&Sources::default()).expect("valid").settings;
        let said: String = DEFAULT_TOML.lines().take_while(|line| line.starts_with('#')).collect();
        for name in APPLIED {
            assert!(settings.names().any(|key| key.starts_with(name)), "{name} is no setting");
            let written = name.strip_suffix('.').map_or_else(|| name.to_owned(), |section| format!("[{section}]"));
            assert!(said.contains(&written), "{written} is not in the head of unsaid.default.toml");
        }
    }
}
