//! The endpoint of every app: a sample is sent to it, by the server that runs, or from here the way a server would.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use unsaid_protocol::{callback::CallbackCommand, sign::SIGN_AGE_MAX_S};

use super::{Findings, configuration};
use crate::{
    callback::test_declared,
    certificate::Validity,
    clock::{Timestamp, World},
    config::Config,
    operate::{Failure, Server},
};

/// A receiver's clock that is off by more is named.
const AHEAD_MAX_S: u64 = 10;

const COMMAND: CallbackCommand = CallbackCommand::AfterMsgWithDraw;

/// All that the server has, by itself: its connections, its rules, its address.
pub(super) async fn of_server(server: &Server, now: Timestamp, findings: &mut Findings) {
    if !server.has_token {
        let next = "set UNSAID_API_TOKEN to one with the role operator";
        return findings.warning("apps", "there is no token, so the server's endpoints are not tried", next);
    }
    let apps = match server.ask(Method::GET, "/apps", Value::Null).await {
        Ok(answer) => answer["apps"].as_array().cloned().unwrap_or_default(),
        Err(error) => return findings.problem("apps", format!("{error:#}"), "set UNSAID_API_TOKEN to a valid token"),
    };
    if apps.is_empty() {
        findings.ok("apps", "there is none");
    }
    for app in &apps {
        let about = format!("app {}", app["sdkappid"]);
        if app["disabled"] == true || app["erasing"] == true {
            findings.ok(&about, "it is switched off");
        } else if app["callback"]["url"].is_null() {
            findings.warning(
                &about,
                "nobody hears of its recalls: callback.url is not set",
                "set it, with unsaid app set",
            );
        } else if let Err(error) = of_app(server, app, &about, now, findings).await {
            match error.downcast_ref() {
                Some(Failure::NotAllowed(_)) => {
                    let next = "set UNSAID_API_TOKEN to one with the role operator";
                    findings.warning(&about, format!("its endpoint is not tried: {error:#}"), next);
                }
                Some(Failure::NotReached(_)) | None => findings.problem(&about, format!("{error:#}"), ""),
            }
        }
    }
}

async fn of_app(
    server: &Server,
    app: &Value,
    about: &str,
    now: Timestamp,
    findings: &mut Findings,
) -> anyhow::Result<()> {
    let (id, url) = (&app["sdkappid"], app["callback"]["url"].as_str().unwrap_or_default());
    flow(&server.ask(Method::GET, &format!("/apps/{id}/callback"), Value::Null).await?, id, about, findings);
    let path = format!("/apps/{id}/callback/test");
    let report = server.ask(Method::POST, &path, json!({"command": COMMAND.as_str()})).await?;
    let signed = app["callback"]["secrets_set"].as_array().is_some_and(|set| set.iter().any(|name| name == "token"));
    let next = format!("unsaid callback test {id} shows each step");
    Tried { report, url, signed: Signed::of(signed), next }.tell(about, now, findings);
    Ok(())
}

/// How what is owed stands.
fn flow(state: &Value, id: &Value, about: &str, findings: &mut Findings) {
    if state["state"] != "flowing" {
        let waiting = &state["waiting"];
        let says = format!("the breaker is open, and {waiting} callbacks wait");
        findings.warning(about, says, format!("mend the endpoint, then unsaid callback back {id}"));
    }
    if state["parked"].as_u64().is_some_and(|parked| parked > 0) {
        let says = format!("{} callbacks are parked, and no longer tried", state["parked"]);
        findings.warning(about, says, format!("unsaid parked {id} says why; unsaid replay {id} sends them again"));
    }
}

/// Those that are declared, where no server runs.
pub(super) async fn of_configuration(config: &Config, world: &World, findings: &mut Findings) {
    for app in &config.apps {
        let about = format!("app {}", app.sdkappid);
        configuration::app(app, world.clock.now(), findings);
        let Some(endpoint) = &app.callback.endpoint else {
            continue;
        };
        let report = test_declared(&Arc::new(app.clone()), config.callback.clone(), world, COMMAND).await;
        let signed = Signed::of(endpoint.token.is_some());
        let report = serde_json::to_value(report).unwrap_or_default();
        let tried = Tried { report, url: &endpoint.url, signed, next: String::new() };
        tried.tell(&about, world.clock.now(), findings);
    }
    let next = "start the server, and examine it with a token";
    findings.warning("apps", "those that were made at run time are known to a running server only", next);
}

/// Whether `Sign` and its time are checked by the receiver.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signed {
    Yes,
    No,
}

impl Signed {
    fn of(is_set: bool) -> Self {
        if is_set { Self::Yes } else { Self::No }
    }
}

/// What came of a sample.
struct Tried<'a> {
    report: Value,
    url: &'a str,
    signed: Signed,
    /// What tells more.
    next: String,
}

impl Tried<'_> {
    fn tell(self, about: &str, now: Timestamp, findings: &mut Findings) {
        let Self { report, url, signed, next } = self;
        let text = |name: &str| report[name].as_str().unwrap_or_default();
        if text("class") == "delivered" {
            let ms = report["total_us"].as_u64().unwrap_or(0) as f64 / 1e3;
            findings.ok(about, format!("{url} accepts a sample, in {ms:.1} ms"));
        } else {
            findings.problem(about, format!("{url}: {}: {}", text("outcome"), text("message")), next);
        }
        if let Some(until_ms) = report["certificate_until_ms"].as_i64() {
            findings.certificate(about, Validity { from_s: 0, until_s: until_ms / 1000 }, now);
        }
        if let Some(ahead_s) = report["clock_ahead_s"].as_i64().filter(|ahead| ahead.unsigned_abs() > AHEAD_MAX_S) {
            clock(ahead_s, signed, about, findings);
        }
    }
}

fn clock(ahead_s: i64, signed: Signed, about: &str, findings: &mut Findings) {
    let way = if ahead_s > 0 { "ahead of" } else { "behind" };
    let says = format!("the receiver's clock is {} s {way} the server's", ahead_s.unsigned_abs());
    let next = "set both by NTP: a Sign whose time is off by more than 60 s is refused";
    if signed == Signed::Yes && ahead_s.unsigned_abs() > SIGN_AGE_MAX_S {
        findings.problem(about, says, next);
    } else {
        findings.warning(about, says, next);
    }
}
