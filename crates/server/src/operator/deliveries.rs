//! Deliveries: attempts as they were taken down, and the whole story of an event (rule C8).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{Response, StatusCode},
};
use serde::{Deserialize, Serialize};
use unsaid_protocol::callback::CallbackCommand;

use super::{Operator, Problem, json, parked};
use crate::{
    chat::EventId,
    clock::Timestamp,
    story::{Filter, Found},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    account: Option<String>,
    msg_key: Option<String>,
    command: Option<CallbackCommand>,
    /// `delivered`, `refused`, `unavailable`, or the name of one outcome.
    outcome: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    before: Option<i64>,
    limit: Option<u32>,
}

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// `GET /api/v1/apps/{sdkappid}/deliveries`: the latest first. A page may be empty and yet name a `next`: then that many
/// records were looked at in vain.
pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Path(app): Path<u32>,
    Query(asked): Query<Asked>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let filter = Filter {
        app: app.sdkappid,
        lane: asked.account,
        msg_key: asked.msg_key,
        command: asked.command.map(|command| command.as_str().to_owned()),
        outcome: asked.outcome,
        since: asked.since_ms.map(Timestamp),
        until: asked.until_ms.map(Timestamp),
        before: asked.before,
        limit: asked.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX),
    };
    Ok(json(StatusCode::OK, &operator.stories.find(filter).await?))
}

/// An event and every attempt at it that is kept.
#[derive(Serialize)]
struct Story {
    /// None once it is no longer kept.
    event: Option<parked::Shown>,
    attempts: Vec<Found>,
}

/// `GET /api/v1/apps/{sdkappid}/events/{event}`.
pub(super) async fn story(
    State(operator): State<Arc<Operator>>,
    Path((app, id)): Path<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let event = operator.chat.store().event(app.sdkappid, EventId(id.clone())).await?;
    let attempts = operator.stories.of_event(app.sdkappid, EventId(id)).await?;
    if event.is_none() && attempts.is_empty() {
        let missing = "there is no such event: it is no longer kept, or never was; its name begins with evt_";
        return Err(Problem::new(StatusCode::NOT_FOUND, missing));
    }
    Ok(json(StatusCode::OK, &Story { event: event.map(parked::Shown::from), attempts }))
}
