//! An app's callbacks: how they stand, a test, and saying that the endpoint is back.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use super::{Operator, Problem, admit::Caller, apps, ask::Named, body, json};
use crate::{
    apps::schema::CommandName,
    callback::{FlowState, TestReport},
    chat::Backlog,
    clock::Timestamp,
};

/// How an app's callbacks stand.
#[derive(Clone, Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) sdkappid: u32,
    /// `flowing`, `unavailable`, `refusing`; the last two while the breaker is open.
    pub(crate) state: &'static str,
    /// Until the next probe of an open breaker, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) probe_in_ms: Option<u64>,
    pub(crate) waiting: u64,
    pub(crate) waiting_bytes: u64,
    pub(crate) parked: u64,
    /// How long the event that waits longest has waited, in seconds.
    pub(crate) oldest_waits_s: Option<u64>,
    pub(crate) in_flight: usize,
    /// How many attempts may be under way at once.
    pub(crate) at_once: usize,
    #[schemars(with = "Option<i64>")]
    pub(crate) delivered_last_ms: Option<Timestamp>,
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.show_callbacks(app).await?))
}

pub(super) async fn back(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.say_back(&caller, app).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Test {
    /// Which callback; a recall's unless it is said.
    #[serde(default = "recall")]
    #[schemars(with = "CommandName")]
    pub(crate) command: CallbackCommand,
}

fn recall() -> CallbackCommand {
    CallbackCommand::AfterMsgWithDraw
}

pub(super) async fn test(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let Test { command } = body::read(body).await?;
    Ok(json(StatusCode::OK, &operator.test_callback(&caller, app, command).await?))
}

impl Operator {
    pub(crate) async fn show_callbacks(&self, app: u32) -> Result<Shown, Problem> {
        let app = self.app(app)?.sdkappid;
        let backlog = self.chat.store().backlogs().await?.get(&app).copied().unwrap_or_default();
        let flow = self.callbacks.state(app).await.unwrap_or_default();
        self.standing(app, backlog, flow).await
    }

    /// Every app with how its callbacks stand.
    pub(crate) async fn show_all_callbacks(&self) -> Result<Vec<(apps::Shown, Shown)>, Problem> {
        let backlogs = self.chat.store().backlogs().await?;
        let mut flows = self.callbacks.states().await;
        let mut all = Vec::new();
        for app in self.list_apps() {
            let sdkappid = SdkAppId(app.sdkappid);
            let backlog = backlogs.get(&sdkappid).copied().unwrap_or_default();
            let flow = flows.remove(&sdkappid).unwrap_or_default();
            all.push((app, self.standing(sdkappid, backlog, flow).await?));
        }
        Ok(all)
    }

    async fn standing(&self, app: SdkAppId, backlog: Backlog, flow: FlowState) -> Result<Shown, Problem> {
        let Backlog { waiting, waiting_bytes, parked } = backlog;
        // Where nothing waits nothing is searched.
        let oldest = if waiting > 0 { self.chat.store().oldest_of_all(app).await? } else { None };
        let FlowState { breaker, in_flight, at_once, delivered_last, .. } = flow;
        let now = self.clock.now();
        Ok(Shown {
            sdkappid: app.0,
            state: breaker.as_ref().map_or("flowing", |breaker| breaker.why),
            probe_in_ms: breaker.map(|breaker| u64::try_from(breaker.probe_in.as_millis()).unwrap_or(u64::MAX)),
            waiting,
            waiting_bytes,
            parked,
            oldest_waits_s: oldest.map(|since| now.after(since).as_secs()),
            in_flight,
            at_once,
            delivered_last_ms: delivered_last,
        })
    }

    /// The endpoint is back, so what waits is tried at once (rule C9).
    pub(crate) async fn say_back(&self, caller: &Caller, app: u32) -> Result<Shown, Problem> {
        let sdkappid = self.app(app)?.sdkappid;
        self.chat.noted(caller.note("callback.back", Some(sdkappid), ""), None).await?;
        tracing::info!(app = %sdkappid, "the operator says that the endpoint is back");
        self.callbacks.back(sdkappid).await;
        self.show_callbacks(app).await
    }

    /// Sends a sample, and tells what happened at each step (rule C10).
    pub(crate) async fn test_callback(
        &self,
        caller: &Caller,
        app: u32,
        command: CallbackCommand,
    ) -> Result<TestReport, Problem> {
        let app = self.app(app)?.sdkappid;
        self.chat.noted(caller.note("callback.test", Some(app), command.as_str()), None).await?;
        Ok(self.callbacks.test(app, command).await)
    }
}
