//! Deliveries: attempts as they were taken down, and the whole story of an event (rule C8).

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
    json, parked,
};
use crate::{
    apps::schema::CommandName,
    chat::EventId,
    clock::Timestamp,
    story::{Filter, Found, Page},
};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Whose lane; where lanes are conversations, both names with a tab between them.
    account: Option<String>,
    msg_key: Option<String>,
    #[schemars(with = "Option<CommandName>")]
    command: Option<CallbackCommand>,
    /// `delivered`, `refused`, `unavailable`, or the name of one outcome.
    outcome: Option<String>,
    since_ms: Option<i64>,
    until_ms: Option<i64>,
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,18}$"))]
    next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// Attempts, the latest first.
#[derive(Serialize, JsonSchema)]
pub(super) struct Attempts {
    attempts: Vec<Found>,
    /// To be asked for as `next`; none if everything was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// The latest first. A page may be empty and yet name a `next`: then that many
/// records were looked at in vain.
pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
    Asked(asked): Asked<Which>,
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
        before: ask::number(asked.next.as_deref())?,
        limit: ask::page(asked.limit)?,
    };
    let Page { attempts, next } = operator.stories.find(filter).await?;
    Ok(json(StatusCode::OK, &Attempts { attempts, next: next.map(|next| next.to_string()) }))
}

/// An event and every attempt at it that is kept.
#[derive(Serialize, JsonSchema)]
pub(super) struct Story {
    /// None once it is no longer kept.
    event: Option<parked::Shown>,
    attempts: Vec<Found>,
}

pub(super) async fn story(
    State(operator): State<Arc<Operator>>,
    Named((app, id)): Named<(u32, String)>,
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
