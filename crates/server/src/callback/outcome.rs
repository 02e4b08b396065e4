//! What came of an attempt: rule C4. Each outcome has a name for metrics and a sentence that tells a person what to do.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use unsaid_protocol::callback::Answer;

use super::{
    Phase,
    address::{self, Forbidden},
};
use crate::apps::AnswerRule;

/// What came of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// The receiver does not want this event; it may want others.
    Refused(Refused),
    /// The receiver could not be asked, or did not answer in the right form.
    Unavailable(Unavailable),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refused {
    ErrorCode(i64),
    Status(u16),
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unavailable {
    /// The app has no endpoint any more, or one that cannot be used.
    NoEndpoint(String),
    AddressForbidden(Forbidden),
    NameNotResolved(String),
    ConnectionRefused,
    ConnectionFailed(String),
    TlsFailed(TlsFailure),
    ConnectionLost(String),
    NotHttp(String),
    TimedOut(Phase),
    Status {
        status: u16,
        retry_after: Option<Duration>,
    },
    AnswerTooLarge,
    NotJson,
    NoErrorCode,
}

/// Why there is no TLS with the receiver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFailure {
    /// What happened, and what to do.
    pub why: String,
    /// The setting that mends it, where one does.
    pub setting: Option<&'static str>,
}

impl Outcome {
    /// What an answer means. `body` was read whole.
    pub fn of_answer(status: u16, retry_after: Option<Duration>, body: &[u8], rule: AnswerRule) -> Self {
        match status {
            200 if rule == AnswerRule::Status => Self::Delivered,
            200 => Self::of_body(body),
            400 | 413 | 422 => Self::Refused(Refused::Status(status)),
            _ => Self::Unavailable(Unavailable::Status { status, retry_after }),
        }
    }

    fn of_body(body: &[u8]) -> Self {
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
            return Self::Unavailable(Unavailable::NotJson);
        };
        match serde_json::from_value::<Answer>(json).map(|answer| answer.error_code) {
            Ok(0) => Self::Delivered,
            Ok(code) => Self::Refused(Refused::ErrorCode(code)),
            Err(_) => Self::Unavailable(Unavailable::NoErrorCode),
        }
    }

    /// `delivered`, `refused` or `unavailable`.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused(_) => "refused",
            Self::Unavailable(_) => "unavailable",
        }
    }

    /// One of each, for the table in the documentation.
    fn one_of_each() -> Vec<Self> {
        let forbidden = Forbidden { address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), kind: address::Kind::Internal };
        let why = || "...".to_owned();
        let status = |status| Unavailable::Status { status, retry_after: None };
        let unavailable = [
            Unavailable::NoEndpoint(why()),
            Unavailable::AddressForbidden(forbidden),
            Unavailable::NameNotResolved(why()),
            Unavailable::ConnectionRefused,
            Unavailable::ConnectionFailed(why()),
            Unavailable::TlsFailed(TlsFailure {
                why: "...; ... (what to do about it: renew, `callback.ca_file`, ...)".to_owned(),
                setting: None,
            }),
            Unavailable::ConnectionLost(why()),
            Unavailable::NotHttp(why()),
            Unavailable::TimedOut(Phase::Resolve),
            Unavailable::TimedOut(Phase::Connect),
            Unavailable::TimedOut(Phase::Tls),
            Unavailable::TimedOut(Phase::Answer),
            status(302),
            status(404),
            status(500),
            Unavailable::AnswerTooLarge,
            Unavailable::NotJson,
            Unavailable::NoErrorCode,
        ];
        let answers = [Self::Delivered, Self::Refused(Refused::ErrorCode(1)), Self::Refused(Refused::Status(400))];
        answers.into_iter().chain(unavailable.map(Self::Unavailable)).collect()
    }

    /// The names of all outcomes, each once; `delivered` is the first.
    pub fn names() -> Vec<&'static str> {
        let mut names: Vec<_> = Self::one_of_each().iter().map(Self::name).collect();
        names.dedup();
        names
    }

    /// All outcomes as a table in Markdown: name, class, and what a person is told.
    pub fn table() -> String {
        let mut table = "| outcome | class | what it means, and what to do |\n|---|---|---|\n".to_owned();
        for outcome in Self::one_of_each() {
            let (name, class) = (outcome.name(), outcome.class());
            table += &format!("| `{name}` | {class} | {outcome} |\n");
        }
        table
    }

    /// The setting of the app that mends it, as the configuration file calls it; none where something else has to be mended.
    pub fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Delivered | Self::Refused(_) => None,
            Self::Unavailable(unavailable) => unavailable.setting(),
        }
    }

    /// The label of metrics and stories.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Refused(Refused::ErrorCode(_)) => "refused_error_code",
            Self::Refused(Refused::Status(_)) => "refused_status",
            Self::Unavailable(unavailable) => unavailable.name(),
        }
    }
}

impl Unavailable {
    fn setting(&self) -> Option<&'static str> {
        match self {
            Self::NoEndpoint(_)
            | Self::NameNotResolved(_)
            | Self::ConnectionRefused
            | Self::NotHttp(_)
            | Self::Status { status: 300..=399 | 404 | 405, .. } => Some("callback.url"),
            Self::TlsFailed(failure) => failure.setting,
            Self::Status { status: 401 | 403, .. } => Some("callback.token"),
            Self::NotJson | Self::NoErrorCode => Some("callback.answer"),
            Self::AddressForbidden(_)
            | Self::ConnectionFailed(_)
            | Self::ConnectionLost(_)
            | Self::TimedOut(_)
            | Self::Status { .. }
            | Self::AnswerTooLarge => None,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::NoEndpoint(_) => "no_endpoint",
            Self::AddressForbidden(_) => "address_forbidden",
            Self::NameNotResolved(_) => "name_not_resolved",
            Self::ConnectionRefused => "connection_refused",
            Self::ConnectionFailed(_) => "connection_failed",
            Self::TlsFailed(_) => "tls_failed",
            Self::ConnectionLost(_) => "connection_lost",
            Self::NotHttp(_) => "not_http",
            Self::TimedOut(Phase::Resolve) => "timed_out_resolve",
            Self::TimedOut(Phase::Connect) => "timed_out_connect",
            Self::TimedOut(Phase::Tls) => "timed_out_tls",
            Self::TimedOut(Phase::Answer) => "timed_out_answer",
            Self::Status { .. } => "status",
            Self::AnswerTooLarge => "answer_too_large",
            Self::NotJson => "not_json",
            Self::NoErrorCode => "no_error_code",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("delivered"),
            Self::Refused(Refused::ErrorCode(code)) => {
                write!(
                    f,
                    "the receiver answered ErrorCode {code}, so it does not want this event; if it should, look there \
                     for why (a wrong token or SDKAppID?), then replay it"
                )
            }
            Self::Refused(Refused::Status(status)) => {
                write!(
                    f,
                    "the receiver answered HTTP {status}, so it cannot use this event; look in its log for why, then \
                     replay it"
                )
            }
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEndpoint(why) => write!(f, "the app has no endpoint that can be used: {why}"),
            Self::AddressForbidden(forbidden) => forbidden.fmt(f),
            Self::NameNotResolved(why) => {
                write!(f, "the name in callback.url could not be resolved: {why}; check the name and the DNS")
            }
            Self::ConnectionRefused => {
                f.write_str("the connection was refused: no server listens on that port; check callback.url")
            }
            Self::ConnectionFailed(why) => write!(f, "the connection failed: {why}; check firewall and routes"),
            Self::TlsFailed(TlsFailure { why, .. }) => write!(f, "TLS failed: {why}"),
            Self::ConnectionLost(why) => {
                write!(f, "the connection was lost before the answer was complete: {why}; see the receiver's log")
            }
            Self::NotHttp(why) => write!(
                f,
                "what answers there does not speak HTTP/1.1 ({why}): if the port is for TLS, begin callback.url with \
                 https://"
            ),
            Self::TimedOut(phase) => write!(f, "timed out {}", phase.timed_out()),
            Self::Status { status, .. } => {
                write!(f, "the receiver answered HTTP {status}, and 200 is what accepts; {}", status_advice(*status))
            }
            Self::AnswerTooLarge => f.write_str("the answer is too large; answer with the short JSON object alone"),
            Self::NotJson => f.write_str(
                "the answer is not JSON; answer {\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}, or set \
                 answer = \"status\"",
            ),
            Self::NoErrorCode => f.write_str(
                "the answer has no integer ErrorCode; answer \
                 {\"ActionStatus\":\"OK\",\"ErrorInfo\":\"\",\"ErrorCode\":0}, or set answer = \"status\"",
            ),
        }
    }
}

fn status_advice(status: u16) -> &'static str {
    match status {
        201..=299 => "answer 200 with the short JSON object",
        300..=399 => "redirects are not followed: set callback.url to where it leads",
        401 | 403 => "check that both sides have the same callback.token",
        404 | 405 => "check the path of callback.url, and that it takes POST",
        429 => "it asks to be called less often, which Retry-After can say how long",
        _ => "see the receiver's log",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(status: u16, body: &str, rule: AnswerRule) -> &'static str {
        Outcome::of_answer(status, None, body.as_bytes(), rule).name()
    }

    #[test]
    fn c4_what_an_answer_means() {
        for (status, body, expected) in [
            (200, r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#, "delivered"),
            (200, r#"{"ErrorCode":0}"#, "delivered"),
            (200, r#"{"ActionStatus":"FAIL","ErrorCode":0}"#, "delivered"),
            (200, r#"{"ActionStatus":null,"ErrorInfo":null,"ErrorCode":0}"#, "delivered"),
            (200, r#"{"ActionStatus":1,"ErrorInfo":{},"ErrorCode":7}"#, "refused_error_code"),
            (200, r#"{"ActionStatus":"OK","ErrorCode":1}"#, "refused_error_code"),
            (200, r#"{"ActionStatus":"OK","ErrorCode":-1}"#, "refused_error_code"),
            (200, r#"{"ActionStatus":"OK"}"#, "no_error_code"),
            (200, r#"{"ActionStatus":"OK","ErrorCode":"0"}"#, "no_error_code"),
            (200, "[]", "no_error_code"),
            (200, "ok", "not_json"),
            (200, "", "not_json"),
            (400, "", "refused_status"),
            (413, "", "refused_status"),
            (422, "", "refused_status"),
            (204, "", "status"),
            (302, "", "status"),
            (404, r#"{"ErrorCode":0}"#, "status"),
            (500, "", "status"),
            (503, "", "status"),
        ] {
            assert_eq!(name(status, body, AnswerRule::ErrorCode), expected, "{status} {body}");
        }
    }

    #[test]
    fn c4_the_table_of_the_documentation_has_every_outcome() {
        let docs = include_str!("../../../../docs/callbacks.md");
        let fresh = Outcome::table();
        assert!(docs.contains(&fresh), "replace the table in docs/callbacks.md by:\n\n{fresh}");
        // The names of the source are those of the table.
        let source = include_str!("outcome.rs");
        let names = source.lines().filter_map(|line| line.split_once(" => \"")?.1.strip_suffix("\","));
        let names: std::collections::BTreeSet<_> = names.filter(|name| !name.contains(' ')).collect();
        for name in names.iter().filter(|name| !["refused", "unavailable"].contains(name)) {
            assert!(fresh.contains(&format!("| `{name}` |")), "{name} is not in the table");
        }
    }

    #[test]
    fn c4_with_the_rule_status_200_alone_suffices() {
        assert_eq!(name(200, "ok", AnswerRule::Status), "delivered");
        assert_eq!(name(204, "", AnswerRule::Status), "status");
        assert_eq!(name(400, "", AnswerRule::Status), "refused_status");
    }
}
