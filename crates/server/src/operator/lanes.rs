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
pub(crate) struct Which {
    /// From the page before.
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

/// A lane in which something waits.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) lane: String,
    /// Counted up to 1000.
    pub(crate) waiting: u32,
    pub(crate) head: Head,
}

/// The event whose turn it is.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) number: i64,
    #[schemars(with = "CommandName")]
    pub(crate) command: CallbackCommand,
    #[schemars(with = "i64")]
    pub(crate) created_ms: Timestamp,
    pub(crate) attempts: u32,
    /// Not before then; it may be later, while the breaker is open.
    #[schemars(with = "i64")]
    pub(crate) due_ms: Timestamp,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct LaneList {
    pub(crate) lanes: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
    Asked(which): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.list_lanes(app, which).await?))
}

impl Operator {
    pub(crate) async fn list_lanes(&self, app: u32, Which { next, limit }: Which) -> Result<LaneList, Problem> {
        let app = self.app(app)?;
        let limit = ask::page(limit)?;
        let heads = self.chat.store().lane_heads(app.sdkappid, next.map(Lane), limit).await?;
        let last = heads.last().filter(|_| heads.len() >= limit as usize).map(|last| last.head.lane.0.clone());
        Ok(LaneList { lanes: heads.into_iter().map(Shown::from).collect(), next: last })
    }
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
