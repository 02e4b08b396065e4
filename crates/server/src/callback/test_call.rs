//! Testing an endpoint: a sample is sent, and what happened at each step is told (rule C10).

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{
    Connector, EndpointRules, Outcome, Phase, Unavailable,
    attempt::{Attempts, Call, Report},
    endpoints::Endpoints,
    sample,
};
use crate::{
    apps::{App, Apps},
    calendar,
    certificate::Validity,
    chat::{EventId, Origin},
    clock::{Entropy, World},
    live::Live,
};

/// What happened at each step of a test.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct TestReport {
    pub command: &'static str,
    /// `webhook-id` of the sample.
    pub id: String,
    /// The name of the outcome, its class, and what it means.
    pub outcome: &'static str,
    pub class: &'static str,
    pub message: String,
    /// The setting of the app that mends it, as the configuration file calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub setting: Option<&'static str>,
    pub steps: Vec<Step>,
    pub total_us: u64,
    /// Until when the receiver's certificate is valid, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_until_ms: Option<i64>,
    /// How far the receiver's clock is ahead of the server's, in seconds, where its answer has a date.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<i64>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, JsonSchema)]
pub struct Step {
    /// `name`, `connection`, `tls`, `status` or `answer`.
    pub step: &'static str,
    pub state: StepState,
    /// How long it took, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_us: Option<u64>,
    /// The address, the status, the first bytes of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    Done,
    Failed,
    NotReached,
    /// Plain HTTP has no TLS.
    NotNeeded,
}

/// How much of an answer is shown.
const ANSWER_SHOWN_BYTES: usize = 1024;

const STEPS: [&str; 5] = ["name", "connection", "tls", "status", "answer"];

/// Sends a sample of `command` to the app's endpoint, whether or not its switch is on. Nothing is owed for it, and it
/// belongs to no lane.
pub(super) async fn test(
    attempts: &Attempts,
    endpoints: &Endpoints,
    entropy: &Entropy,
    app: SdkAppId,
    command: CallbackCommand,
) -> TestReport {
    let now = attempts.clock.now();
    let id = EventId::new(now, 0, entropy.next_u32()).0.replacen("evt_", "test_", 1);
    let (report, is_tls) = match endpoints.fresh(app) {
        Ok(endpoint) => {
            let body = sample::body(command, now).into();
            let call = Call { app, command, id: id.clone(), body, origin: Origin::LOCAL, lane: None };
            (attempts.call(&endpoint, &call).await, endpoint.target.tls.is_some())
        }
        Err(why) => (Report::without_call(Outcome::Unavailable(Unavailable::NoEndpoint(why))), true),
    };
    TestReport {
        command: command.as_str(),
        id,
        outcome: report.outcome.name(),
        class: report.outcome.class(),
        message: report.outcome.to_string(),
        setting: report.outcome.setting(),
        steps: steps(&report, is_tls),
        total_us: micros(report.total),
        certificate_until_ms: until_s(&report).map(|s| s * 1000),
        clock_ahead_s: report.receiver.clock_ahead_s,
    }
}

/// The same for an app as it is declared, without a server.
pub async fn test_declared(
    app: &Arc<App>,
    rules: EndpointRules,
    world: &World,
    command: CallbackCommand,
) -> TestReport {
    let (apps, connector) = (Arc::new(Apps::default()), Arc::new(Connector::new(Live::new(rules))));
    apps.put(app);
    let attempts = Attempts { connector: Arc::clone(&connector), clock: world.clock.clone(), epoch: String::new() };
    test(&attempts, &Endpoints::new(apps, connector), &world.entropy, app.sdkappid, command).await
}

fn steps(report: &Report, is_tls: bool) -> Vec<Step> {
    let failed = failed_step(&report.outcome).map_or(STEPS.len(), position);
    let describe = |(at, step): (usize, &'static str)| {
        let state = match at.cmp(&failed) {
            _ if step == "tls" && !is_tls => StepState::NotNeeded,
            std::cmp::Ordering::Less => StepState::Done,
            std::cmp::Ordering::Equal => StepState::Failed,
            std::cmp::Ordering::Greater => StepState::NotReached,
        };
        let times = &report.phases;
        let (took, seen) = match step {
            "name" => (times.resolve, None),
            "connection" => (times.connect, report.address.map(|address| address.to_string())),
            "tls" => (times.tls, until_s(report).map(|s| format!("certificate valid until {}", calendar::minute(s)))),
            "status" => (times.answer, report.answer.as_ref().map(|answer| answer.status.to_string())),
            _ => (None, report.answer.as_ref().map(|answer| shown(&answer.body))),
        };
        Step { step, state, took_us: took.map(micros), seen }
    };
    STEPS.into_iter().enumerate().map(describe).collect()
}

fn until_s(report: &Report) -> Option<i64> {
    Some(Validity::of(report.receiver.certificate.as_ref()?)?.until_s)
}

/// The step at which it went wrong.
fn failed_step(outcome: &Outcome) -> Option<&'static str> {
    let Outcome::Unavailable(unavailable) = outcome else {
        return match outcome {
            Outcome::Refused(super::Refused::Status(_)) => Some("status"),
            Outcome::Refused(super::Refused::ErrorCode(_)) => Some("answer"),
            Outcome::Delivered | Outcome::Unavailable(_) => None,
        };
    };
    Some(match unavailable {
        Unavailable::NoEndpoint(_)
        | Unavailable::AddressForbidden(_)
        | Unavailable::NameNotResolved(_)
        | Unavailable::TimedOut(Phase::Resolve) => "name",
        Unavailable::ConnectionRefused | Unavailable::ConnectionFailed(_) | Unavailable::TimedOut(Phase::Connect) => {
            "connection"
        }
        Unavailable::TlsFailed(_) | Unavailable::TimedOut(Phase::Tls) => "tls",
        Unavailable::ConnectionLost(_)
        | Unavailable::NotHttp(_)
        | Unavailable::Status { .. }
        | Unavailable::TimedOut(Phase::Answer) => "status",
        Unavailable::AnswerTooLarge | Unavailable::NotJson | Unavailable::NoErrorCode => "answer",
    })
}

fn position(name: &str) -> usize {
    STEPS.iter().position(|step| *step == name).expect("it is one of them")
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(ANSWER_SHOWN_BYTES)]).into_owned()
}

fn micros(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
