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
pub(crate) struct Which {
    /// Whose lane; where lanes are conversations, both names with a tab between them.
    pub(crate) account: Option<String>,
    pub(crate) msg_key: Option<String>,
    #[schemars(with = "Option<CommandName>")]
    pub(crate) command: Option<CallbackCommand>,
    /// `delivered`, `refused`, `unavailable`, or the name of one outcome.
    pub(crate) outcome: Option<String>,
    pub(crate) since_ms: Option<i64>,
    pub(crate) until_ms: Option<i64>,
    /// From the page before.
    #[schemars(regex(pattern = r"^[0-9]{1,18}$"))]
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

/// Attempts, the latest first.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Attempts {
    pub(crate) attempts: Vec<Found>,
    /// To be asked for as `next`; none if everything was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
    Asked(asked): Asked<Which>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.find_deliveries(app, asked).await?))
}

/// An event and every attempt at it that is kept.
#[derive(Serialize, JsonSchema)]
pub(crate) struct Story {
    /// None once it is no longer kept.
    pub(crate) event: Option<parked::Shown>,
    pub(crate) attempts: Vec<Found>,
}

pub(super) async fn story(
    State(operator): State<Arc<Operator>>,
    Named((app, id)): Named<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.tell_story(app, id).await?))
}

impl Operator {
    /// The latest first. A page may be empty and yet name a `next`: then that many records were looked at in vain.
    pub(crate) async fn find_deliveries(&self, app: u32, asked: Which) -> Result<Attempts, Problem> {
        let app = self.app(app)?;
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
        let Page { attempts, next } = self.stories.find(filter).await?;
        Ok(Attempts { attempts, next: next.map(|next| next.to_string()) })
    }

    pub(crate) async fn tell_story(&self, app: u32, id: String) -> Result<Story, Problem> {
        let app = self.app(app)?;
        let event = self.chat.store().event(app.sdkappid, EventId(id.clone())).await?;
        let attempts = self.stories.of_event(app.sdkappid, EventId(id)).await?;
        if event.is_none() && attempts.is_empty() {
            let missing = "there is no such event: it is no longer kept, or never was; its name begins with evt_";
            return Err(Problem::new(StatusCode::NOT_FOUND, missing));
        }
        Ok(Story { event: event.map(parked::Shown::from), attempts })
    }
}
