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

use super::{Operator, Problem, admit::Caller, ask::Named, body, json};
use crate::{
    apps::schema::CommandName,
    callback::FlowState,
    chat::{Backlog, Fault},
    clock::Timestamp,
};

/// How an app's callbacks stand.
#[derive(Serialize, JsonSchema)]
pub(super) struct Shown {
    sdkappid: u32,
    /// `flowing`, `unavailable`, `refusing`; the last two while the breaker is open.
    state: &'static str,
    /// Until the next probe of an open breaker, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_in_ms: Option<u64>,
    waiting: u64,
    waiting_bytes: u64,
    parked: u64,
    /// How long the event that waits longest has waited, in seconds.
    oldest_waits_s: Option<u64>,
    in_flight: usize,
    /// How many attempts may be under way at once.
    at_once: usize,
    #[schemars(with = "Option<i64>")]
    delivered_last_ms: Option<Timestamp>,
}

pub(super) async fn show(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    Ok(json(StatusCode::OK, &shown(&operator, app.sdkappid).await?))
}

/// The endpoint is back, so what waits is tried at once (rule C9).
pub(super) async fn back(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    operator.chat.noted(caller.note("callback.back", Some(app.sdkappid), ""), None).await?;
    tracing::info!(app = %app.sdkappid, "the operator says that the endpoint is back");
    operator.callbacks.back(app.sdkappid).await;
    Ok(json(StatusCode::OK, &shown(&operator, app.sdkappid).await?))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    /// Which callback; a recall's unless it is said.
    #[serde(default = "recall")]
    #[schemars(with = "CommandName")]
    command: CallbackCommand,
}

fn recall() -> CallbackCommand {
    CallbackCommand::AfterMsgWithDraw
}

/// Sends a sample, and tells what happened at each step (rule C10).
pub(super) async fn test(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let Test { command } = body::read(body).await?;
    operator.chat.noted(caller.note("callback.test", Some(app.sdkappid), command.as_str()), None).await?;
    Ok(json(StatusCode::OK, &operator.callbacks.test(app.sdkappid, command).await))
}

async fn shown(operator: &Operator, app: SdkAppId) -> Result<Shown, Fault> {
    let store = operator.chat.store();
    let backlog = store.backlogs().await?.get(&app).copied().unwrap_or_default();
    let Backlog { waiting, waiting_bytes, parked } = backlog;
    let oldest = store.oldest_of_all(app).await?;
    let flow = operator.callbacks.state(app).await;
    let FlowState { breaker, in_flight, at_once, delivered_last, .. } = flow.unwrap_or_default();
    let now = operator.clock.now();
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
