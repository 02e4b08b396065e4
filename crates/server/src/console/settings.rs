//! The settings of an app as a form: which there are and what is said of them stands in one table. What a form sends becomes
//! the changes that the operator API takes; what it does not send, or does not change, stays as it is.

use std::sync::Arc;

use axum::{body::Body, extract::State, http::Response};
use serde_json::{Map, Value, json};

use super::{
    Console,
    app::{self, SWITCHES_SENT},
    form::Fields,
    gate::{Named, Visit},
    page::{self, Answer, Said},
};
use crate::operator::{Problem, apps::Shown};

struct Setting {
    name: &'static str,
    /// Where it belongs: a setting of the app, or of its callbacks.
    of: Of,
    section: &'static str,
    group: &'static str,
    label: &'static str,
    hint: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    App,
    Callback,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Names,
    Secret,
    Pem,
    SecretPem,
    Number,
    Choice(&'static [(&'static str, &'static str)]),
}

const ANSWER: Kind = Kind::Choice(&[
    ("error_code", "status 200 and JSON with ErrorCode 0"),
    ("status", "status 200, whatever else it says"),
]);
const RETRY: Kind = Kind::Choice(&[("on", "until it is delivered, in order"), ("off", "once, then it is parked")]);
const BEFORE: Kind = Kind::Choice(&[("pass", "the message is sent"), ("refuse", "the message is refused (80003)")]);
const LANE: Kind = Kind::Choice(&[("account", "for each account"), ("conversation", "for each conversation")]);
const RECALL: Kind = Kind::Choice(&[
    ("all", "UnreadMsgNum and EventTime"),
    ("unread", "UnreadMsgNum alone"),
    ("time", "EventTime alone"),
    ("detail", "both, and who recalled, MsgSeq, MsgRandom, MsgTime, MsgId"),
]);

/// A line of the table.
const fn of(
    (of, section, group): (Of, &'static str, &'static str),
    name: &'static str,
    kind: Kind,
    label: &'static str,
    hint: &'static str,
) -> Setting {
    Setting { name, of, section, group, label, hint, kind }
}

const ENDPOINT: (Of, &str, &str) = (Of::Callback, "endpoint", "");
const SECURITY: (Of, &str, &str) = (Of::Callback, "more", "Signatures and client certificate");
const DELIVERY: (Of, &str, &str) = (Of::Callback, "more", "Delivery");
const APP: (Of, &str, &str) = (Of::App, "app", "");

const SETTINGS: &[Setting] = &[
    of(ENDPOINT, "url", Kind::Text, "URL", "Where callbacks are posted to. Its own query stays. Empty: no callbacks."),
    of(
        ENDPOINT,
        "ca_pem",
        Kind::Pem,
        "Own CA (PEM)",
        "Only for a certificate that no public authority has signed: paste the authority's certificate, or the receiver's own \
         if it signs itself. It begins with -----BEGIN CERTIFICATE-----.",
    ),
    of(ENDPOINT, "token", Kind::Secret, "Token", "The receiver checks Sign with it. Without one nothing is signed."),
    of(
        SECURITY,
        "previous_token",
        Kind::Secret,
        "Token of before",
        "While the token is being replaced: both are tried.",
    ),
    of(SECURITY, "webhook_secret", Kind::Secret, "Webhook secret", "whsec_...: signs as Standard Webhooks says, too."),
    of(SECURITY, "previous_webhook_secret", Kind::Secret, "Webhook secret of before", "While it is being replaced."),
    of(SECURITY, "client_cert_pem", Kind::Pem, "Client certificate (PEM)", "For a receiver that asks for one."),
    of(SECURITY, "client_key_pem", Kind::SecretPem, "Its private key (PEM)", "It is kept, and never shown again."),
    of(DELIVERY, "answer", ANSWER, "Delivered is", "What an answer needs."),
    of(DELIVERY, "retry", RETRY, "Tried", "What happens to a callback that was not delivered."),
    of(
        DELIVERY,
        "before_failure",
        BEFORE,
        "Without an answer before sending",
        "If the app backend does not say whether.",
    ),
    of(DELIVERY, "age_max_s", Kind::Number, "Oldest, in seconds", "What is older is parked instead of sent late."),
    of(DELIVERY, "rate_per_s_max", Kind::Number, "Callbacks a second, at most", "What the receiver can take."),
    of(
        DELIVERY,
        "backlog_events_max",
        Kind::Number,
        "Waiting callbacks, at most",
        "With more, recalls are refused (90992).",
    ),
    of(DELIVERY, "backlog_bytes_max", Kind::Number, "Their bytes, at most", "The same for the size of their bodies."),
    of(APP, "name", Kind::Text, "Name", "For you; nobody else sees it."),
    of(APP, "admins", Kind::Names, "Admin accounts", "May call the REST API. Several with commas between them."),
    of(APP, "recall_window_s", Kind::Number, "Recall window, in seconds", "How long a client may take a message back."),
    of(APP, "recall_body", RECALL, "A recall's callback says", "Narrow it for a strict receiver."),
    of(
        APP,
        "lane",
        LANE,
        "Order is kept",
        "By conversation for accounts that get more than the receiver's round trip allows.",
    ),
    of(APP, "sessions_per_platform", Kind::Number, "Devices of a kind, for each account", "One more ends the first."),
    of(APP, "history_days", Kind::Number, "Days that messages are kept", "0 is for ever."),
    of(APP, "audit_days", Kind::Number, "Days that recalled text is kept", "For the operator alone; 0 is not at all."),
];

impl Setting {
    /// As it is called where something is wrong with it.
    fn path(&self) -> String {
        match self.of {
            Of::App => self.name.to_owned(),
            Of::Callback => format!("callback.{}", self.name),
        }
    }
}

/// The field for what a setting is called in the configuration file, and its label: a text there may be in a file.
pub(super) fn field_of(setting: &str) -> Option<(&'static str, &'static str)> {
    let name = setting.strip_prefix("callback.").unwrap_or(setting);
    let name = name.split('[').next().unwrap_or_default();
    let names = [name.to_owned(), name.replace("_file", "_pem"), name.replace("_file", ""), format!("{name}_pem")];
    let found = names.iter().find_map(|name| SETTINGS.iter().find(|setting| setting.name == name));
    found.map(|setting| (setting.name, setting.label))
}

/// A form with what is filled in, and what is wrong with it.
pub(super) struct Form {
    sections: Vec<(&'static str, Vec<Group>)>,
    /// What is wrong where no field is.
    pub(super) wrong: Option<String>,
}

pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) fields: Vec<Field>,
}

/// A field, ready to be shown.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) hint: &'static str,
    /// How it is shown: `text`, `number`, `secret`, `pem`, `secret_pem`, `choice`.
    pub(super) kind: &'static str,
    pub(super) value: String,
    /// A secret that is set is not shown.
    pub(super) is_set: bool,
    pub(super) choices: &'static [(&'static str, &'static str)],
    pub(super) wrong: String,
}

impl Form {
    pub(super) fn new(app: &Shown, refused: Option<(&Fields, &Problem)>) -> Self {
        let shown = serde_json::to_value(app).expect("an app serializes");
        let problem = refused.map(|(_, problem)| located(problem));
        let mut sections: Vec<(&'static str, Vec<Group>)> = Vec::new();
        for setting in SETTINGS {
            let mut field = setting.field(app, &shown);
            if let Some((typed, _)) = refused
                && typed.has(setting.name)
                && !setting.is_secret()
            {
                typed.text(setting.name).clone_into(&mut field.value);
            }
            if let Some((Some(name), message)) = &problem
                && *name == setting.name
            {
                field.wrong.clone_from(message);
            }
            if sections.last().is_none_or(|(section, _)| *section != setting.section) {
                sections.push((setting.section, Vec::new()));
            }
            let groups = &mut sections.last_mut().expect("one was just put there").1;
            if groups.last().is_none_or(|group| group.name != setting.group) {
                groups.push(Group { name: setting.group, fields: Vec::new() });
            }
            groups.last_mut().expect("one was just put there").fields.push(field);
        }
        let wrong = problem.and_then(|(name, message)| name.is_none().then_some(message));
        Self { sections, wrong }
    }

    pub(super) fn groups(&self, section: &str) -> &[Group] {
        let found = self.sections.iter().find(|(name, _)| *name == section);
        found.map_or(&[], |(_, groups)| groups.as_slice())
    }

    /// Whether something is wrong in a section that is folded away.
    pub(super) fn is_wrong(&self, section: &str) -> bool {
        self.groups(section).iter().any(|group| group.is_wrong())
    }
}

impl Group {
    fn is_wrong(&self) -> bool {
        self.fields.iter().any(|field| !field.wrong.is_empty())
    }
}

impl Setting {
    fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret | Kind::SecretPem)
    }

    fn field(&self, app: &Shown, shown: &Value) -> Field {
        let (kind, choices) = match self.kind {
            Kind::Text | Kind::Names => ("text", &[][..]),
            Kind::Number => ("number", &[][..]),
            Kind::Secret => ("secret", &[][..]),
            Kind::Pem => ("pem", &[][..]),
            Kind::SecretPem => ("secret_pem", &[][..]),
            Kind::Choice(choices) => ("choice", choices),
        };
        Field {
            name: self.name,
            label: self.label,
            hint: self.hint,
            kind,
            value: self.value(shown),
            is_set: app.callback.secrets_set.contains(&self.name),
            choices,
            wrong: String::new(),
        }
    }

    /// What it is now, as it is typed.
    fn value(&self, shown: &Value) -> String {
        let value = match self.of {
            Of::App => &shown[self.name],
            Of::Callback => &shown["callback"][self.name],
        };
        match value {
            Value::Null | Value::Object(_) => String::new(),
            Value::String(text) => text.trim().to_owned(),
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other @ (Value::Bool(_) | Value::Number(_)) => other.to_string(),
        }
    }

    /// What becomes of it, if it changes.
    fn change(&self, form: &Fields, now: &str) -> Result<Option<Value>, Problem> {
        if self.is_secret() {
            let takes_away = form.has(&format!("{}_clear", self.name)).then_some(Value::Null);
            return Ok(form.filled(self.name).map(Value::String).or(takes_away));
        }
        let typed = form.text(self.name);
        if !form.has(self.name) || typed == now {
            return Ok(None);
        }
        if typed.is_empty() {
            return Ok(Some(Value::Null));
        }
        Ok(Some(match self.kind {
            Kind::Number => self.number(typed)?,
            Kind::Names => typed.split(',').map(str::trim).filter(|name| !name.is_empty()).collect(),
            Kind::Text | Kind::Pem | Kind::Choice(_) | Kind::Secret | Kind::SecretPem => typed.into(),
        }))
    }

    fn number(&self, typed: &str) -> Result<Value, Problem> {
        let plain: String = typed.chars().filter(|digit| ![',', ' ', '_'].contains(digit)).collect();
        plain.parse::<u64>().map(Value::from).map_err(|_| Problem {
            setting: Some(self.path()),
            ..Problem::unprocessable(format!("{}: {typed:?} is no whole number", self.path()))
        })
    }
}

/// The field that a problem is about, and what is wrong, without the name of the setting before it.
fn located(problem: &Problem) -> (Option<&'static str>, String) {
    let Some(setting) = &problem.setting else {
        return (None, problem.message.clone());
    };
    let prefix = format!("{setting}: ");
    let message = problem.message.strip_prefix(&prefix).unwrap_or(&problem.message);
    // What is said of switches is said where they are: beside the whole form.
    (field_of(setting).map(|(name, _)| name), message.to_owned())
}

/// What a form changes of an app.
fn changes(form: &Fields, app: &Shown) -> Result<Map<String, Value>, Problem> {
    let shown = serde_json::to_value(app).expect("an app serializes");
    let (mut of_app, mut of_callback) = (Map::new(), Map::new());
    for setting in SETTINGS {
        let changes = if setting.of == Of::App { &mut of_app } else { &mut of_callback };
        if let Some(value) = setting.change(form, &setting.value(&shown))? {
            changes.insert(setting.name.to_owned(), value);
        }
    }
    if form.has(SWITCHES_SENT) {
        let now: Vec<_> = app.callback.commands.iter().map(|command| command.as_str()).collect();
        let ticked: Vec<_> = form.all("commands").collect();
        if ticked.len() != now.len() || !now.iter().all(|command| ticked.contains(command)) {
            of_callback.insert("commands".to_owned(), json!(ticked));
        }
    }
    // Without an address nothing is left to be trusted or shown there.
    if of_callback.get("url").is_some_and(Value::is_null) {
        of_callback.extend(["ca_pem", "client_cert_pem"].map(|name| (name.to_owned(), Value::Null)));
    }
    if !of_callback.is_empty() {
        of_app.insert("callback".to_owned(), of_callback.into());
    }
    Ok(of_app)
}

pub(super) async fn save(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let changes = match changes(&visit.form, &console.operator.show_app(app)?) {
        Ok(changes) => changes,
        Err(problem) => return app::shown(&console, &visit, app, problem.status, Some(&problem)).await,
    };
    let is_changed = !changes.is_empty();
    if is_changed && let Err(problem) = console.operator.change_app(&visit.caller, app, changes).await {
        return app::shown(&console, &visit, app, problem.status, Some(&problem)).await;
    }
    if visit.form.has("then_test") {
        return app::test(State(console), visit, Named(app)).await;
    }
    let said = if is_changed { "Saved. It holds from now on." } else { "Nothing was changed." };
    Ok(page::then(&console, &visit, &format!("/console/apps/{app}"), Said::Done(said.to_owned())))
}

/// Whether a form would be saved: for whoever is still typing.
pub(super) async fn check(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Response<Body> {
    let checked = console.operator.show_app(app).and_then(|shown| {
        let changes = changes(&visit.form, &shown)?;
        console.operator.check_change(app, changes)
    });
    let answer = match checked {
        Ok(()) => json!({}),
        Err(problem) => {
            let (field, message) = located(&problem);
            json!({"field": field, "message": message})
        }
    };
    page::json(&answer)
}

#[cfg(test)]
mod tests {
    use unsaid_protocol::SdkAppId;

    use super::*;
    use crate::apps::{App, EndpointSettings, Origin, Secret};

    fn app() -> Shown {
        let mut app = App::new(SdkAppId(7), Secret::new("0123456789abcdef"), Origin::Runtime);
        app.callback.endpoint = Some(EndpointSettings {
            token: Some(Secret::new("a token")),
            ca_pem: Some("an authority\n".to_owned()),
            ..EndpointSettings::new("https://a.example/")
        });
        Shown::new(&app)
    }

    #[test]
    fn only_what_changes_is_changed() {
        for (form, expected) in [
            ("url=https%3A%2F%2Fa.example%2F&ca_pem=an+authority&token=&recall_window_s=120&name=", json!({})),
            ("name=Seven&recall_window_s=60", json!({"name": "Seven", "recall_window_s": 60})),
            ("admins=administrator,+ann", json!({"admins": ["administrator", "ann"]})),
            ("token=new", json!({"callback": {"token": "new"}})),
            ("token=&token_clear=1", json!({"callback": {"token": null}})),
            ("ca_pem=", json!({"callback": {"ca_pem": null}})),
            ("url=", json!({"callback": {"url": null, "ca_pem": null, "client_cert_pem": null}})),
            ("switches=1&commands=State.StateChange", json!({"callback": {"commands": ["State.StateChange"]}})),
            ("switches=1", json!({})),
        ] {
            let changes = changes(&Fields::parse(form), &app()).expect("it can be read");
            assert_eq!(Value::from(changes), expected, "{form}");
        }
        let problem = changes(&Fields::parse("age_max_s=soon"), &app()).expect_err("no number");
        assert_eq!(problem.setting.as_deref(), Some("callback.age_max_s"));
    }

    #[test]
    fn every_setting_of_an_app_is_in_the_table() {
        let shown = serde_json::to_value(app()).expect("it serializes");
        let names = |value: &Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        let elsewhere = ["sdkappid", "origin", "disabled", "erasing", "keys", "callback", "secrets_set", "commands"];
        for name in names(&shown).into_iter().chain(names(&shown["callback"])) {
            let is_known = SETTINGS.iter().any(|setting| setting.name == name) || elsewhere.contains(&name.as_str());
            assert!(is_known, "{name} has no field");
        }
    }

    #[test]
    fn what_is_wrong_stands_beside_its_field() {
        for (setting, expected) in [
            ("callback.url", Some("url")),
            ("callback.ca_file", Some("ca_pem")),
            ("callback.client_key_file", Some("client_key_pem")),
            ("callback.client_key", Some("client_key_pem")),
            ("callback.token_file", Some("token")),
            ("callback.webhook_secret", Some("webhook_secret")),
            ("admins[0]", Some("admins")),
            ("recall_window_s", Some("recall_window_s")),
            ("callback.commands", None),
        ] {
            assert_eq!(field_of(setting).map(|(name, _)| name), expected, "{setting}");
        }
    }
}
