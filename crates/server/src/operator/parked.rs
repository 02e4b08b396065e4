//! Events that were parked, and sending events again.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{Response, StatusCode},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use unsaid_protocol::{UserId, callback::CallbackCommand};

use super::{Operator, Problem, body, json};
use crate::{
    chat::{ChatError, EventId, KeptEvent, Lane, ParkedFilter, ParkedPiece, Replay, Rows, Standing, What},
    clock::Timestamp,
};

/// An event as it is shown: what a message says is left out (rule C8).
#[derive(Serialize)]
pub(super) struct Shown {
    id: String,
    command: CallbackCommand,
    lane: String,
    number: i64,
    created_ms: Timestamp,
    /// What caused it: `X-Request-Id` of its answer, and `request` in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    /// `waiting`, `parked` or `delivered`.
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_ms: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parked_ms: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of commands that hold no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Box<RawValue>>,
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
#[derive(Clone, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct Filter {
    id: Option<String>,
    /// Whose lane; where lanes are conversations, both names with a tab between them.
    account: Option<String>,
    command: Option<CallbackCommand>,
    /// Parked at that moment or later, in milliseconds.
    since_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    id: Option<String>,
    account: Option<String>,
    command: Option<CallbackCommand>,
    since_ms: Option<i64>,
    /// From the page before.
    after: Option<String>,
    limit: Option<u32>,
}

#[derive(Serialize)]
struct Events {
    events: Vec<Shown>,
    /// What to ask for as `after`; none if this is the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// `GET /api/v1/apps/{sdkappid}/parked`.
pub(super) async fn list(
    State(operator): State<Arc<Operator>>,
    Path(app): Path<u32>,
    Query(page): Query<Page>,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let Page { id, account, command, since_ms, after, limit } = page;
    let filter = Filter { id, account, command, since_ms }.parse()?;
    let after = after.map(|after| parse_place(&after)).transpose()?;
    let limit = limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let store = operator.chat.store();
    let mut piece = store.parked(app.sdkappid, filter.clone(), after, limit).await?;
    // A page without events would read as if there were none.
    while piece.events.is_empty()
        && let Some(after) = piece.next
    {
        piece = store.parked(app.sdkappid, filter.clone(), Some(after), limit).await?;
    }
    let ParkedPiece { events, next } = piece;
    let next = next.map(|(lane, at)| place(&lane, at));
    Ok(json(StatusCode::OK, &Events { events: events.into_iter().map(Shown::from).collect(), next }))
}

/// What is to be sent again: parked events, or delivered ones from a time on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Again {
    parked: Option<Filter>,
    delivered_since_ms: Option<i64>,
    /// From the answer before, to go on.
    next: Option<String>,
}

#[derive(Serialize)]
struct Sent {
    replayed: u64,
    /// Events whose account is gone.
    skipped: u64,
    /// To be sent with the same request, to go on; none if that was all.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// How long one request goes on piece by piece.
const REPLAY_TIME: Duration = Duration::from_secs(1);

/// `POST /api/v1/apps/{sdkappid}/replay`.
pub(super) async fn replay(
    State(operator): State<Arc<Operator>>,
    Path(app): Path<u32>,
    body: Body,
) -> Result<Response<Body>, Problem> {
    let app = operator.app(app)?;
    let mut next = Some(body::read::<Again>(body).await?.what()?);
    let (mut sent, began) = (Sent { replayed: 0, skipped: 0, next: None }, operator.clock.instant());
    while let Some(what) = next {
        let piece = operator.chat.replay(Replay { app: app.sdkappid, what }).await?;
        sent.replayed += u64::from(piece.count);
        sent.skipped += u64::from(piece.skipped);
        next = piece.next;
        if operator.clock.instant() - began > REPLAY_TIME {
            break;
        }
    }
    sent.next = next.map(|what| cursor(&what));
    tracing::info!(app = %app.sdkappid, replayed = sent.replayed, "events are sent again on the operator's word");
    Ok(json(StatusCode::OK, &sent))
}

impl Filter {
    fn parse(self) -> Result<ParkedFilter, Problem> {
        let lane = self.account.map(|account| {
            let names = account.split('\t').map(UserId::new).collect::<Result<Vec<_>, _>>();
            names.map(|_| Lane(account.clone())).map_err(|error| unprocessable(format!("account: {error}")))
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
                    Some(None) => return Err(broken_cursor()),
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
                    Some(None) => return Err(broken_cursor()),
                };
                Ok(What::Delivered { since: Timestamp(since_ms), rows })
            }
            _ => Err(unprocessable("say either parked (a filter, {} for all) or delivered_since_ms".to_owned())),
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
    let (place, lane) = text.split_once(' ').ok_or_else(broken_cursor)?;
    Ok((Lane(lane.to_owned()), parse_number(place)?))
}

fn parse_number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| broken_cursor())
}

fn broken_cursor() -> Problem {
    unprocessable("this is not the cursor that the answer before gave: send that one as it is".to_owned())
}

fn unprocessable(message: String) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message)
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Refused(refusal) => Self::new(StatusCode::CONFLICT, refusal.to_string()),
            ChatError::Failed(fault) => fault.into(),
        }
    }
}
