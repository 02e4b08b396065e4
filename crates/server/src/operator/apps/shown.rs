//! An app as it is shown: every setting, and of its secrets only which are set.

use schemars::JsonSchema;
use serde::Serialize;
use unsaid_protocol::callback::CallbackCommand;

use crate::apps::{
    AnswerRule, App, BeforeFailure, CallbackSettings, EndpointSettings, LaneBy, Origin, RecallBody, Retry, Secret,
    schema::CommandName,
};

/// An app, without its secrets.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) sdkappid: u32,
    pub(crate) name: String,
    /// An app of the configuration file is changed there.
    pub(crate) origin: Origin,
    pub(crate) disabled: bool,
    /// It is being deleted.
    pub(crate) erasing: bool,
    pub(crate) admins: Vec<String>,
    /// How many keys are valid.
    pub(crate) keys: usize,
    pub(crate) recall_window_s: u32,
    pub(crate) recall_body: RecallBody,
    pub(crate) audit_days: u16,
    pub(crate) history_days: u16,
    pub(crate) sessions_per_platform: u8,
    pub(crate) lane: LaneBy,
    pub(crate) callback: Callback,
}

/// Its callbacks: where they go, and which are switched on.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Callback {
    pub(crate) url: Option<String>,
    /// The names of the secrets that are set; never what they are.
    pub(crate) secrets_set: Vec<&'static str>,
    pub(crate) ca_pem: Option<String>,
    pub(crate) client_cert_pem: Option<String>,
    pub(crate) answer: AnswerRule,
    #[schemars(with = "Vec<CommandName>")]
    pub(crate) commands: Vec<CallbackCommand>,
    pub(crate) before_failure: BeforeFailure,
    pub(crate) retry: Retry,
    pub(crate) age_max_s: u32,
    pub(crate) rate_per_s_max: u32,
    pub(crate) backlog_events_max: u64,
    pub(crate) backlog_bytes_max: u64,
}

impl Shown {
    pub(crate) fn new(app: &App) -> Self {
        Self {
            sdkappid: app.sdkappid.0,
            name: app.name.clone(),
            origin: app.origin,
            disabled: app.disabled,
            erasing: app.erasing,
            admins: app.admins.iter().map(ToString::to_string).collect(),
            keys: app.keys.len(),
            recall_window_s: app.recall_window_s,
            recall_body: app.recall_body,
            audit_days: app.audit_days,
            history_days: app.history_days,
            sessions_per_platform: app.sessions_per_platform,
            lane: app.lane,
            callback: Callback::new(&app.callback),
        }
    }
}

impl Callback {
    fn new(settings: &CallbackSettings) -> Self {
        let endpoint = settings.endpoint.as_ref();
        Self {
            url: endpoint.map(|endpoint| endpoint.url.clone()),
            secrets_set: endpoint.map_or_else(Vec::new, |endpoint| {
                secrets(endpoint).into_iter().filter_map(|(name, secret)| secret.map(|_| name)).collect()
            }),
            ca_pem: endpoint.and_then(|endpoint| endpoint.ca_pem.clone()),
            client_cert_pem: endpoint
                .and_then(|endpoint| endpoint.client_certificate.as_ref())
                .map(|certificate| certificate.chain_pem.clone()),
            answer: settings.answer,
            commands: settings.commands.iter().copied().collect(),
            before_failure: settings.before_failure,
            retry: settings.retry,
            age_max_s: settings.age_max_s,
            rate_per_s_max: settings.rate_per_s_max,
            backlog_events_max: settings.backlog_events_max,
            backlog_bytes_max: settings.backlog_bytes_max,
        }
    }
}

/// The secrets of an endpoint, each as it is called in what is declared.
pub(super) fn secrets(endpoint: &EndpointSettings) -> [(&'static str, Option<&Secret>); 5] {
    [
        ("token", endpoint.token.as_ref()),
        ("previous_token", endpoint.previous_token.as_ref()),
        ("webhook_secret", endpoint.webhook_secret.as_ref()),
        ("previous_webhook_secret", endpoint.previous_webhook_secret.as_ref()),
        ("client_key_pem", endpoint.client_certificate.as_ref().map(|certificate| &certificate.key_pem)),
    ]
}
