//! What an app is made of, and what must hold of it before it is saved.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use unsaid_protocol::{SdkAppId, UserId, callback::CallbackCommand, webhook::WebhookSecret};

use super::Secret;
use crate::limits;

/// One app.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct App {
    pub sdkappid: SdkAppId,
    pub name: String,
    /// Who declared it, and so who may change it.
    pub origin: Origin,
    /// A disabled app keeps its data and answers nobody.
    pub disabled: bool,
    /// It is being deleted: what it has is erased piece by piece.
    #[serde(default)]
    pub erasing: bool,
    /// What UserSigs are verified with; each is tried.
    pub keys: Vec<SecretKey>,
    /// The accounts that may call the REST API.
    pub admins: Vec<UserId>,
    /// How long a client may recall, in seconds from the message's time (rule R1).
    pub recall_window_s: u32,
    /// Which fields the callback of a recall has (rule R5).
    pub recall_body: RecallBody,
    /// For how many days the text of a recalled message is kept for the operator; 0 is not at all (rule R3).
    pub audit_days: u16,
    /// For how many days messages are kept; 0 is for ever.
    #[serde(default)]
    pub history_days: u16,
    /// How many sessions an account may have on one platform; one more ends the one that logged in first.
    #[serde(default = "one")]
    pub sessions_per_platform: u8,
    /// What makes a lane (rule C5).
    pub lane: LaneBy,
    pub callback: CallbackSettings,
}

/// What an app had that was saved before there was a choice.
fn one() -> u8 {
    1
}

/// A key that UserSigs are made with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SecretKey {
    /// Made of the secret, so that what was proven with another key is not taken for proven with this one.
    pub generation: u64,
    pub secret: Secret,
}

impl SecretKey {
    pub fn new(secret: Secret) -> Self {
        let digest = Sha256::digest(secret.expose().as_bytes());
        let generation = u64::from_be_bytes(digest[..8].try_into().expect("a digest has 32 bytes"));
        Self { generation, secret }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The configuration file: read-only at run time.
    File,
    /// Made at run time.
    Runtime,
}

/// The two generations of the documented recall body differ in `UnreadMsgNum` and `EventTime`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecallBody {
    /// Both.
    #[default]
    All,
    /// `UnreadMsgNum` alone.
    Unread,
    /// `EventTime` alone.
    Time,
    /// Both, and the operator, MsgSeq, MsgRandom, MsgTime and MsgId.
    Detail,
}

/// What makes a lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LaneBy {
    /// The account whose unread count the event reports.
    #[default]
    Account,
    /// The conversation, for apps whose single accounts get more than their receiver's round trip allows.
    Conversation,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct CallbackSettings {
    pub endpoint: Option<EndpointSettings>,
    /// What an answer needs to count as delivered (rule C4).
    pub answer: AnswerRule,
    /// The switches that are on.
    pub commands: BTreeSet<CallbackCommand>,
    /// Without a usable answer to `C2C.CallbackBeforeSendMsg` (rule C2).
    pub before_failure: BeforeFailure,
    pub retry: Retry,
    /// An event that is older is parked instead of sent late, in seconds (rule C9).
    pub age_max_s: u32,
    /// Callbacks a second that the endpoint gets at most.
    pub rate_per_s_max: u32,
    /// With as many events waiting, commands that would owe another one are refused (rule C9).
    pub backlog_events_max: u64,
    /// The same for the bytes of their bodies.
    pub backlog_bytes_max: u64,
}

impl Default for CallbackSettings {
    fn default() -> Self {
        Self {
            endpoint: None,
            answer: AnswerRule::default(),
            commands: BTreeSet::new(),
            before_failure: BeforeFailure::default(),
            retry: Retry::default(),
            age_max_s: limits::EVENT_AGE_DEFAULT_S,
            rate_per_s_max: limits::CALLBACK_RATE_DEFAULT,
            backlog_events_max: limits::BACKLOG_EVENTS_MAX,
            backlog_bytes_max: limits::BACKLOG_BYTES_MAX,
        }
    }
}

/// What an answer needs to count as delivered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AnswerRule {
    /// Status 200 and JSON whose `ErrorCode` is 0.
    #[default]
    ErrorCode,
    /// Status 200 alone, since the original service ignores what such a callback is answered.
    Status,
}

/// What becomes of a message if the app backend does not say whether it may be sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BeforeFailure {
    /// It is sent.
    #[default]
    Pass,
    /// It is refused with 80003.
    Refuse,
}

/// Whether a callback that was not delivered is tried again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Until it is delivered, refused for good, or too old (rule C6).
    #[default]
    On,
    /// One attempt, as the original service does; then it is parked.
    Off,
}

/// Where callbacks go, with what secures them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EndpointSettings {
    pub url: String,
    /// Where it is set, attempts carry `Sign` and `RequestTime`.
    pub token: Option<Secret>,
    /// The token of before, while it is being replaced: what is rejected with one is sent with the other at once.
    pub previous_token: Option<Secret>,
    /// Where it is set, attempts are signed as Standard Webhooks says (`whsec_...`).
    pub webhook_secret: Option<Secret>,
    /// The secret of before; attempts carry the signatures of both.
    pub previous_webhook_secret: Option<Secret>,
    /// The app's own certificate authority, in PEM; the system's are used where it is not set.
    pub ca_pem: Option<String>,
    /// What the server shows to a receiver that asks for a certificate (mutual TLS).
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate chain and its private key, in PEM.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ClientCertificate {
    pub chain_pem: String,
    pub key_pem: Secret,
}

impl EndpointSettings {
    /// An endpoint with nothing but an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            token: None,
            previous_token: None,
            webhook_secret: None,
            previous_webhook_secret: None,
            ca_pem: None,
            client_certificate: None,
        }
    }

    /// The tokens, the one in use first.
    pub fn tokens(&self) -> Vec<&Secret> {
        [&self.token, &self.previous_token].into_iter().flatten().collect()
    }

    fn check(&self) -> Result<(), AppError> {
        let error = |setting, problem: &str| Err(AppError { setting, problem: problem.to_owned() });
        for (setting, token) in [("callback.token", &self.token), ("callback.previous_token", &self.previous_token)] {
            if token.as_ref().is_some_and(|token| token.expose().is_empty()) {
                return error(setting, "is empty, so anyone could sign with it: leave it out, or set one");
            }
        }
        if self.previous_token.is_some() && self.token.is_none() {
            return error("callback.previous_token", "is set without callback.token, which replaces it");
        }
        if self.previous_webhook_secret.is_some() && self.webhook_secret.is_none() {
            let problem = "is set without callback.webhook_secret, which replaces it";
            return error("callback.previous_webhook_secret", problem);
        }
        for (setting, secret) in [
            ("callback.webhook_secret", &self.webhook_secret),
            ("callback.previous_webhook_secret", &self.previous_webhook_secret),
        ] {
            if let Some(Err(problem)) = secret.as_ref().map(|secret| WebhookSecret::parse(secret.expose())) {
                return error(setting, &problem.to_string());
            }
        }
        Ok(())
    }
}

/// Why an app cannot be saved. The text names the setting and what was expected.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{setting}: {problem}")]
pub struct AppError {
    pub setting: &'static str,
    pub problem: String,
}

impl App {
    /// An app with one key and the default settings.
    pub fn new(sdkappid: SdkAppId, secret: Secret, origin: Origin) -> Self {
        Self {
            sdkappid,
            name: String::new(),
            origin,
            disabled: false,
            erasing: false,
            keys: vec![SecretKey::new(secret)],
            admins: vec![UserId::new("administrator").expect("a valid UserID")],
            recall_window_s: limits::RECALL_WINDOW_DEFAULT_S,
            recall_body: RecallBody::default(),
            audit_days: 0,
            history_days: 0,
            sessions_per_platform: 1,
            lane: LaneBy::default(),
            callback: CallbackSettings::default(),
        }
    }

    /// Whether the switch of `command` is on.
    pub fn owes(&self, command: CallbackCommand) -> bool {
        self.callback.endpoint.is_some() && self.callback.commands.contains(&command)
    }

    pub fn is_admin(&self, user: &str) -> bool {
        self.admins.iter().any(|admin| admin.as_str() == user)
    }

    /// Refuses what cannot work, with the reason.
    ///
    /// Whether its endpoint can be reached at all is checked where endpoints are built (`callback/endpoint.rs`).
    pub fn check(&self) -> Result<(), AppError> {
        let error = |setting, problem: String| Err(AppError { setting, problem });
        if self.sdkappid.0 == 0 {
            return error("sdkappid", "must be a number from 1 to 4294967295".to_owned());
        }
        if self.keys.is_empty() {
            return error("secret_key", "an app needs a key to verify UserSigs with".to_owned());
        }
        for key in &self.keys {
            let key = key.secret.expose();
            let (least, most) = (limits::SECRET_KEY_BYTES_MIN, limits::SECRET_KEY_BYTES_MAX);
            if key.len() < least {
                return error("secret_key", format!("is too short to be secret: at least {least} characters"));
            }
            if key.len() > most || !key.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                let problem = format!("must be at most {most} letters, digits, signs and blanks, all ASCII");
                return error("secret_key", problem);
            }
        }
        if self.admins.is_empty() {
            return error("admins", "an app needs an admin account to be called by".to_owned());
        }
        if self.recall_window_s > limits::RECALL_WINDOW_MAX_S {
            return error("recall_window_s", format!("is at most {} (30 days)", limits::RECALL_WINDOW_MAX_S));
        }
        if self.sessions_per_platform == 0 {
            return error("sessions_per_platform", "is 0, so nobody could log in: at least 1".to_owned());
        }
        if self.callback.endpoint.is_none() && !self.callback.commands.is_empty() {
            return error("callback.commands", "callbacks are switched on, but callback.url is not set".to_owned());
        }
        self.callback.check()
    }
}

impl CallbackSettings {
    fn check(&self) -> Result<(), AppError> {
        self.endpoint.as_ref().map_or(Ok(()), EndpointSettings::check)?;
        let within = |setting, value: u64, least: u64, most: u64| {
            let problem = || format!("is {value}, but must be from {least} to {most}");
            if (least..=most).contains(&value) { Ok(()) } else { Err(AppError { setting, problem: problem() }) }
        };
        let (least, most) = (limits::EVENT_AGE_MIN_S.into(), limits::EVENT_AGE_MAX_S.into());
        within("callback.age_max_s", self.age_max_s.into(), least, most)?;
        within("callback.rate_per_s_max", self.rate_per_s_max.into(), 1, limits::CALLBACK_RATE_MAX.into())?;
        within("callback.backlog_events_max", self.backlog_events_max, 1, limits::BACKLOG_EVENTS_CEILING)?;
        within("callback.backlog_bytes_max", self.backlog_bytes_max, 1, limits::BACKLOG_BYTES_CEILING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app() -> App {
        App::new(SdkAppId(1_400_000_001), Secret::new("0123456789abcdef"), Origin::Runtime)
    }

    #[test]
    fn c1_a_switch_without_a_url_is_refused() {
        let mut app = app();
        assert_eq!(app.check(), Ok(()));
        app.callback.commands.insert(CallbackCommand::AfterMsgWithDraw);
        assert_eq!(app.check().expect_err("refused").setting, "callback.commands");
        assert!(!app.owes(CallbackCommand::AfterMsgWithDraw));
    }

    #[test]
    fn c9_bounds_that_cannot_work_are_refused() {
        for change in [
            |callback: &mut CallbackSettings| callback.age_max_s = 59,
            |callback: &mut CallbackSettings| callback.age_max_s = u32::MAX,
            |callback: &mut CallbackSettings| callback.rate_per_s_max = 0,
            |callback: &mut CallbackSettings| callback.backlog_events_max = 0,
            |callback: &mut CallbackSettings| callback.backlog_bytes_max = 0,
        ] {
            let mut app = app();
            change(&mut app.callback);
            assert!(app.check().is_err(), "{app:?}");
        }
    }

    #[test]
    fn a_key_is_long_enough_to_be_secret_and_can_be_typed() {
        let check = |key: &str, good: bool| {
            let app = App { keys: vec![SecretKey::new(Secret::new(key))], ..app() };
            assert_eq!(app.check().is_ok(), good, "{key:?}");
        };
        check(&"k".repeat(16), true);
        check(&"k".repeat(128), true);
        check(&"k".repeat(15), false);
        check(&"k".repeat(129), false);
        check("a key with blanks", true);
        check("0123456789abcdef\n", false);
        check("0123456789abcdef\u{e9}", false);
    }

    #[test]
    fn an_app_that_was_saved_by_an_earlier_version_can_be_read() {
        let mut saved = serde_json::to_value(app()).expect("it serializes");
        let callback = saved["callback"].as_object_mut().expect("an object");
        callback.retain(|key, _| ["endpoint", "answer", "commands"].contains(&key.as_str()));
        assert_eq!(serde_json::from_value::<App>(saved).expect("it can be read"), app());
    }

    #[test]
    fn secrets_are_not_shown() {
        assert!(!format!("{:?}", app()).contains("0123456789abcdef"));
    }
}
