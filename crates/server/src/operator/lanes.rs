//! What waits, lane by lane.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use unsaid_protocol::callback::CallbackCommand;

use super::{
    Operator, Problem,
    ask::{self, Asked, Named},
    json,
};
use crate::{
    apps::schema::CommandName,
    chat::{Lane, LaneHead},
    clock::Timestamp,
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// From the page before.
    next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// A lane in which something waits.
#[derive(Serialize, JsonSchema)]
struct Shown {
    lane: String,
    /// Counted up to 1000.
    waiting: u32,
    head: Head,
}

/// The event whose turn it is.
#[derive(Serialize, JsonSchema)]
struct Head {
    id: String,
    number: i64,
    #[schemars(with = "CommandName")]
    command: CallbackCommand,
    #[schemars(with = "i64")]
    created_ms: Timestamp,
    attempts: u32,
    /// Not before then; it may be later, while the breaker is open.
    #[schemars(with = "i64")]
    due_ms: Timestamp,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct LaneList {
    lanes: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
    Asked(Which { next, limit }): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let limit = ask::page(limit)?;
    let heads = operator.chat.store().lane_heads(app.sdkappid, next.map(Lane), limit).await?;
    let last = heads.last().filter(|_| heads.len() >= limit as usize).map(|last| last.head.lane.0.clone());
    Ok(json(StatusCode::OK, &LaneList { lanes: heads.into_iter().map(Shown::from).collect(), next: last }))
}

impl From<LaneHead> for Shown {
    fn from(LaneHead { waiting, head }: LaneHead) -> Self {
        Self {
            lane: head.lane.0,
            waiting,
            head: Head {
                id: head.id.0,
                number: head.number,
                command: head.command,
                created_ms: head.created,
                attempts: head.tries.attempts,
                due_ms: head.due,
            },
        }
    }
}
