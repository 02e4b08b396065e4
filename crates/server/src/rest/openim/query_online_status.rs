//! `openim/query_online_status`, and its older form `querystate` (rest 3.6).

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;
use unsaid_protocol::{ErrorCode, UserId, callback::Platform, error};

use super::{Answer, Call, Command, Example, Field, Fields, Kind, Service, required};
use crate::{
    chat::{ChatError, Session},
    limits,
};

pub(in crate::rest) const COMMAND: Command = Command {
    service: "openim",
    name: "query_online_status",
    about: "Whether up to 500 accounts are online. Those that are no accounts are named in `ErrorList`.",
    fields: &[&TO_ACCOUNT, &IS_NEED_DETAIL],
    refusals: &[],
    examples: &[Example {
        body: r#"{"To_Account":["mira","ghost"],"IsNeedDetail":1}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"QueryResult":[{"To_Account":"mira","Status":"Offline"}],"ErrorList":[{"To_Account":"ghost","ErrorCode":70107}]}"#,
        note: "",
    }],
    get: false,
    answer: |call| Box::pin(answer(call, Form::Newer)),
};

pub(in crate::rest) const OLDER: Command = Command {
    name: "querystate",
    about: "The same in its older form: `State` stands where the newer one has `Status`.",
    examples: &[Example {
        body: r#"{"To_Account":["mira"]}"#,
        answer: r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"QueryResult":[{"To_Account":"mira","State":"Offline"}]}"#,
        note: "",
    }],
    answer: |call| Box::pin(answer(call, Form::Older)),
    ..COMMAND
};

const TO_ACCOUNT: Field = Field::required("To_Account", Kind::Texts, error::BODY_NOT_JSON, "the accounts; at most 500")
    .at_most(limits::BATCH_ACCOUNTS_MAX, error::TOO_MANY_TARGETS);
const IS_NEED_DETAIL: Field = Field::optional(
    "IsNeedDetail",
    Kind::Integer,
    error::BODY_NOT_JSON,
    "1: with the platforms, for those that are online",
);

#[derive(Serialize)]
struct Found<'a> {
    #[serde(rename = "QueryResult")]
    accounts: Vec<Account<'a>>,
    #[serde(rename = "ErrorList", skip_serializing_if = "Vec::is_empty")]
    errors: Vec<NotFound<'a>>,
}

/// Its state stands under one of two names.
#[derive(Serialize)]
struct Account<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "Status", skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(rename = "State", skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(rename = "Detail", skip_serializing_if = "Vec::is_empty")]
    devices: Vec<Device>,
}

#[derive(Serialize)]
struct Device {
    #[serde(rename = "Platform")]
    platform: &'static str,
    #[serde(rename = "Status")]
    status: &'static str,
}

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Newer,
    Older,
}

#[derive(Serialize)]
struct NotFound<'a> {
    #[serde(rename = "To_Account")]
    name: &'a str,
    #[serde(rename = "ErrorCode")]
    code: ErrorCode,
}

/// Nothing is pushed to phones here, so whoever has no session is offline.
async fn answer(call: Call<'_>, form: Form) -> Result<Answer, ChatError> {
    let fields = Fields::parse(Service::Openim, call.body)?;
    let names = required(fields.texts(&TO_ACCOUNT))?;
    let detailed = fields.integer(&IS_NEED_DETAIL)? == Some(1);
    let users: Vec<UserId> = names.iter().filter_map(|name| UserId::new(name).ok()).collect();
    let (store, app) = (call.rest.chat.store(), call.caller.app.sdkappid);
    let there = store.exist(app, users.clone()).await?;
    let sessions = store.sessions(app, users.clone()).await?;
    let found: HashMap<&str, &Vec<Session>> = users
        .iter()
        .zip(there.iter().zip(&sessions))
        .filter_map(|(user, (there, sessions))| there.then_some((user.as_str(), sessions)))
        .collect();
    let (there, gone): (Vec<_>, Vec<_>) = names.iter().partition(|name| found.contains_key(name.as_ref()));
    let accounts = there.iter().map(|name| {
        let sessions = found[name.as_ref()];
        let state = if sessions.is_empty() { "Offline" } else { "Online" };
        let in_form = |wanted: Form| (form == wanted).then_some(state);
        let devices = if detailed { devices(sessions) } else { Vec::new() };
        Account { name, status: in_form(Form::Newer), state: in_form(Form::Older), devices }
    });
    let accounts = accounts.collect();
    let errors = gone.iter().map(|name| NotFound { name, code: error::ACCOUNT_NOT_FOUND }).collect();
    Ok(Answer::with(Found { accounts, errors }))
}

/// One entry for each platform, by its name here (rest 3.6).
fn devices(sessions: &[Session]) -> Vec<Device> {
    let platforms: BTreeSet<&'static str> = sessions.iter().map(|session| called(session.platform)).collect();
    platforms.into_iter().map(|platform| Device { platform, status: "Online" }).collect()
}

const fn called(platform: Platform) -> &'static str {
    match platform {
        Platform::Ios => "iPhone",
        Platform::Windows => "PC",
        Platform::RestApi | Platform::Web | Platform::Android | Platform::Mac | Platform::Ipad | Platform::Unknown => {
            platform.as_str()
        }
    }
}
