//! Events that were parked, and sending events again.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{Response, StatusCode},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unsaid_protocol::{UserId, callback::CallbackCommand};

use super::{
    Operator, Problem,
    admit::Caller,
    ask::{self, Asked, Named},
    body, json,
};
use crate::{
    apps::schema::CommandName,
    chat::{
        ChatError, Command, Discard, EventId, KeptEvent, Lane, ParkedFilter, ParkedPiece, Replay, Rows, Standing, What,
    },
    clock::Timestamp,
};

/// An event as it is shown: what a message says is left out (rule C8).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Event")]
pub(crate) struct Shown {
    pub(crate) id: String,
    #[schemars(with = "CommandName")]
    pub(crate) command: CallbackCommand,
    pub(crate) lane: String,
    pub(crate) number: i64,
    #[schemars(with = "i64")]
    pub(crate) created_ms: Timestamp,
    /// What caused it: `X-Request-Id` of its answer, and `request` in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<String>,
    /// `waiting`, `parked` or `delivered`.
    pub(crate) state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub(crate) due_ms: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<i64>")]
    pub(crate) parked_ms: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Of commands that hold no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub(crate) body: Option<Box<RawValue>>,
}

impl From<KeptEvent> for Shown {
    fn from(event: KeptEvent) -> Self {
        let body = (!event.command.holds_text())
            .then(|| String::from_utf8(event.body.to_vec()).ok().and_then(|text| RawValue::from_string(text).ok()));
        let shown = Self {
            id: event.id.0,
            command: event.command,
            lane: event.lane.0,
            number: event.number,
            created_ms: event.created,
            request: event.origin.request.name(),
            state: "delivered",
            attempts: None,
            due_ms: None,
            parked_ms: None,
            reason: None,
            body: body.flatten(),
        };
        match event.standing {
            Standing::Delivered => shown,
            Standing::Waiting { tries, due, .. } => {
                Self { state: "waiting", attempts: Some(tries.attempts), due_ms: Some(due), ..shown }
            }
            Standing::Parked { attempts, at, reason, .. } => Self {
                state: "parked",
                attempts: Some(attempts),
                parked_ms: Some(at),
                reason: Some(reason.to_string()),
                ..shown
            },
        }
    }
}

/// Which parked events; what is left out holds for all.
#[derive(Clone, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ParkedFilter")]
pub(crate) struct Filter {
    pub(crate) id: Option<String>,
    /// Whose lane; where lanes are conversations, both names with a tab between them.
    pub(crate) account: Option<String>,
    #[schemars(with = "Option<CommandName>")]
    pub(crate) command: Option<CallbackCommand>,
    /// Parked at that moment or later, in milliseconds.
    pub(crate) since_ms: Option<i64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Page {
    pub(crate) id: Option<String>,
    #[schemars(length(min = 1))]
    pub(crate) account: Option<String>,
    #[schemars(with = "Option<CommandName>")]
    pub(crate) command: Option<CallbackCommand>,
    pub(crate) since_ms: Option<i64>,
    /// From the page before.
    pub(crate) next: Option<String>,
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) limit: Option<u32>,
}

#[derive(Serialize, JsonSchema)]
pub(crate) struct Events {
    pub(crate) events: Vec<Shown>,
    /// To be asked for as `next`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Named(app): Named<u32>,
    Asked(page): Asked<Page>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.list_parked(app, page).await?))
}

/// What is to be sent again: parked events, or delivered ones from a time on.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["parked"]}, {"required": ["delivered_since_ms"]}]))]
pub(crate) struct Again {
    #[serde(default)]
    #[schemars(with = "Filter")]
    pub(crate) parked: Option<Filter>,
    #[serde(default)]
    #[schemars(with = "i64")]
    pub(crate) delivered_since_ms: Option<i64>,
    /// From the answer before, to go on.
    pub(crate) next: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Replayed")]
pub(crate) struct Sent {
    pub(crate) replayed: u64,
    /// Events whose account is gone.
    pub(crate) skipped: u64,
    /// To be sent with the same request, to go on; none if that was all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<String>,
}

/// How long one request goes on piece by piece.
const REPLAY_TIME: Duration = Duration::from_secs(1);

pub(super) async fn replay(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named(app): Named<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.replay(&caller, app, body::read(body).await?).await?))
}

pub(super) async fn discard(
    State(operator): State<Arc<Operator>>,
    caller: Caller,
    Named((app, id)): Named<(u32, String)>,
) -> Result<Response<Body>, Problem> {
    Ok(json(StatusCode::OK, &operator.discard(&caller, app, id).await?))
}

impl Operator {
    pub(crate) async fn list_parked(&self, app: u32, page: Page) -> Result<Events, Problem> {
        let app = self.app(app)?;
        let Page { id, account, command, since_ms, next, limit } = page;
        let filter = Filter { id, account, command, since_ms }.parse()?;
        let after = next.map(|next| parse_place(&next)).transpose()?;
        let limit = ask::page(limit)?;
        let store = self.chat.store();
        let mut piece = store.parked(app.sdkappid, filter.clone(), after, limit).await?;
        // A page without events would read as if there were none.
        while piece.events.is_empty()
            && let Some(after) = piece.next
        {
            piece = store.parked(app.sdkappid, filter.clone(), Some(after), limit).await?;
        }
        let ParkedPiece { events, next } = piece;
        let next = next.map(|(lane, at)| place(&lane, at));
        Ok(Events { events: events.into_iter().map(Shown::from).collect(), next })
    }

    pub(crate) async fn replay(&self, caller: &Caller, app: u32, again: Again) -> Result<Sent, Problem> {
        let app = self.app(app)?;
        let what = again.what()?;
        self.chat.noted(caller.note("event.replay", Some(app.sdkappid), told(&what)), None).await?;
        let mut next = Some(what);
        let (mut sent, began) = (Sent { replayed: 0, skipped: 0, next: None }, self.clock.instant());
        while let Some(what) = next {
            let piece = self.chat.replay(Replay { app: app.sdkappid, what }).await?;
            sent.replayed += u64::from(piece.count);
            sent.skipped += u64::from(piece.skipped);
            next = piece.next;
            if self.clock.instant() - began > REPLAY_TIME {
                break;
            }
        }
        sent.next = next.map(|what| cursor(&what));
        tracing::info!(app = %app.sdkappid, replayed = sent.replayed, "events are sent again on the operator's word");
        Ok(sent)
    }

    /// It is never sent.
    pub(crate) async fn discard(&self, caller: &Caller, app: u32, id: String) -> Result<Shown, Problem> {
        let (app, id) = (self.app(app)?.sdkappid, EventId(id));
        let event = self.chat.store().event(app, id.clone()).await?;
        let Some(event) = event.filter(|event| matches!(event.standing, Standing::Parked { .. })) else {
            let message = format!("no event {} is parked: it was replayed, thrown away, or never was", id.0);
            return Err(Problem::new(StatusCode::NOT_FOUND, message));
        };
        let what = format!("{} {} in lane {}", id.0, event.command, event.lane.0);
        let note = caller.note("event.discard", Some(app), what);
        self.chat.noted(note, Some(Command::Discard(Discard { app, id }))).await?;
        Ok(Shown::from(event))
    }
}

/// What is replayed, for the audit log.
fn told(what: &What) -> String {
    match what {
        What::Delivered { since, .. } => format!("delivered since {} ms", since.0),
        What::Parked { filter: ParkedFilter { id, lane, command, since, .. }, .. } => {
            let id = id.as_ref().map(|id| format!(" {}", id.0));
            let lane = lane.as_ref().map(|lane| format!(" of lane {}", lane.0));
            let command = command.map(|command| format!(" {command}"));
            let since = since.map(|since| format!(" since {} ms", since.0));
            let parts = [id, lane, command, since].into_iter().flatten();
            parts.fold("parked".to_owned(), |told, part| told + &part)
        }
    }
}

impl Filter {
    fn parse(self) -> Result<ParkedFilter, Problem> {
        let lane = self.account.map(|account| {
            let names = account.split('\t').map(UserId::new).collect::<Result<Vec<_>, _>>();
            names.map(|_| Lane(account.clone())).map_err(|error| Problem::unprocessable(format!("account: {error}")))
        });
        Ok(ParkedFilter {
            id: self.id.map(EventId),
            lane: lane.transpose()?,
            command: self.command,
            since: self.since_ms.map(Timestamp),
            until: None,
        })
    }
}

impl Again {
    fn what(self) -> Result<What, Problem> {
        let next = self.next.as_deref();
        match (self.parked, self.delivered_since_ms) {
            (Some(filter), None) => {
                let (until, after) = match next.map(|next| next.split_once(' ')) {
                    None => (None, None),
                    Some(Some((until, after))) => (Some(parse_number(until)?), Some(parse_place(after)?)),
                    Some(None) => return Err(Problem::broken_next()),
                };
                let filter = ParkedFilter { until: until.map(Timestamp), ..filter.parse()? };
                Ok(What::Parked { filter, after })
            }
            (None, Some(since_ms)) => {
                let rows = match next.map(|next| next.split_once(' ')) {
                    None => None,
                    Some(Some((after, through))) => {
                        Some(Rows { after: parse_number(after)?, through: parse_number(through)? })
                    }
                    Some(None) => return Err(Problem::broken_next()),
                };
                Ok(What::Delivered { since: Timestamp(since_ms), rows })
            }
            _ => Err(Problem::malformed("say either parked (a filter, {} for all) or delivered_since_ms".to_owned())),
        }
    }
}

fn cursor(what: &What) -> String {
    match what {
        What::Parked { filter, after } => {
            let after = after.as_ref().map_or(String::new(), |(lane, at)| place(lane, *at));
            format!("{} {after}", filter.until.unwrap_or_default().0)
        }
        What::Delivered { rows, .. } => rows.map_or(String::new(), |rows| format!("{} {}", rows.after, rows.through)),
    }
}

fn place(lane: &Lane, place: i64) -> String {
    format!("{place} {}", lane.0)
}

fn parse_place(text: &str) -> Result<(Lane, i64), Problem> {
    let (place, lane) = text.split_once(' ').ok_or_else(Problem::broken_next)?;
    Ok((Lane(lane.to_owned()), parse_number(place)?))
}

fn parse_number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::broken_next())
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Refused(refusal) => Self::new(StatusCode::CONFLICT, refusal.to_string()),
            ChatError::Failed(fault) => fault.into(),
        }
    }
}
