//! Deliveries: the attempts at an app's callbacks, the latest first, live, with a filter.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use unsaid_protocol::callback::CallbackCommand;

use super::{
    Console,
    form::{Fields, encoded, query},
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment, took},
    story::Detail,
};
use crate::{
    clock::Timestamp,
    operator::{
        Problem,
        deliveries::{Attempts, Which},
    },
    story::Found,
};

const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "deliveries.html")]
struct Deliveries {
    frame: Frame,
    sdkappid: u32,
    account: String,
    msg_key: String,
    outcome: String,
    commands: Vec<(&'static str, bool)>,
    is_filtered: bool,
    /// Only the first page changes by itself.
    is_live: bool,
    rows: Rows,
}

/// The part that is live.
#[derive(Template)]
#[template(path = "deliveries_rows.html")]
struct Rows {
    rows: Vec<Row>,
    is_filtered: bool,
    newest: i64,
    next: Option<String>,
}

struct Row {
    at: Moment,
    command: String,
    lane: String,
    msg_key: String,
    class: &'static str,
    outcome: String,
    attempt: String,
    took: String,
    story: String,
}

/// What may be asked for as an outcome.
const OUTCOMES: [(&str, &str); 4] =
    [("", "all"), ("delivered", "delivered"), ("refused", "refused"), ("unavailable", "unavailable")];

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let asked = &visit.query;
    let found = console.operator.find_deliveries(app, which(asked)?).await?;
    let is_filtered = ["account", "msg_key", "command", "outcome"].iter().any(|name| asked.filled(name).is_some());
    let rows = Rows::new(app, found, asked, is_filtered);
    if visit.wants_fragment() {
        return Ok(page::show(&rows));
    }
    let (frame, _) = Frame::of_app(&console, &visit, app, ("deliveries", "Deliveries")).await?;
    let chosen = asked.text("command");
    Ok(page::show(&Deliveries {
        frame,
        sdkappid: app,
        account: asked.text("account").to_owned(),
        msg_key: asked.text("msg_key").to_owned(),
        outcome: asked.text("outcome").to_owned(),
        commands: commands(chosen),
        is_filtered,
        is_live: !asked.has("next"),
        rows,
    }))
}

/// All callbacks, with the one that was chosen.
pub(super) fn commands(chosen: &str) -> Vec<(&'static str, bool)> {
    CallbackCommand::ALL.map(|command| (command.as_str(), command.as_str() == chosen)).into()
}

/// A callback that was asked for, or none.
pub(super) fn command(asked: &Fields) -> Result<Option<CallbackCommand>, Problem> {
    let command = asked.filled("command").map(|name| name.parse::<CallbackCommand>()).transpose();
    command.map_err(|unknown| Problem::unprocessable(unknown.to_string()))
}

fn which(asked: &Fields) -> Result<Which, Problem> {
    Ok(Which {
        account: asked.filled("account"),
        msg_key: asked.filled("msg_key"),
        command: command(asked)?,
        outcome: asked.filled("outcome"),
        since_ms: None,
        until_ms: None,
        next: asked.filled("next"),
        limit: Some(ROWS),
    })
}

impl Deliveries {
    fn outcomes(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        OUTCOMES.iter().map(|(value, name)| (*value, *name, *value == self.outcome))
    }
}

impl Rows {
    fn new(app: u32, found: Attempts, asked: &Fields, is_filtered: bool) -> Self {
        let Attempts { attempts, next } = found;
        let next = next.map(|next| {
            let names = ["account", "msg_key", "command", "outcome"];
            let mut pairs: Vec<_> = names.iter().map(|name| (*name, asked.text(name))).collect();
            pairs.push(("next", &next));
            query(&pairs)
        });
        let newest = attempts.first().map_or(0, |attempt| attempt.record);
        Self { rows: attempts.into_iter().map(|found| Row::new(app, found)).collect(), is_filtered, newest, next }
    }
}

impl Row {
    fn new(app: u32, found: Found) -> Self {
        let detail = Detail::read(&found.detail);
        Self {
            at: Moment(Timestamp(found.at_ms)),
            command: short(&found.command),
            lane: lane(&found.lane),
            msg_key: found.msg_key.unwrap_or_default(),
            class: class(&found.class),
            outcome: detail.outcome(&found.outcome),
            attempt: format!("{}{}", detail.number, if detail.replay { ", sent again" } else { "" }),
            took: took(detail.total_us),
            story: format!("/console/apps/{app}/events/{}", encoded(&found.event)),
        }
    }
}

/// A callback's name without what all have in common.
pub(super) fn short(command: &str) -> String {
    command.rsplit('.').next().unwrap_or(command).trim_start_matches("Callback").to_owned()
}

/// Whose lane: two accounts where lanes are conversations.
pub(super) fn lane(lane: &str) -> String {
    lane.replace('\t', " – ")
}

/// The colour of a class of outcomes.
pub(super) fn class(class: &str) -> &'static str {
    match class {
        "delivered" => "good",
        "refused" => "warn",
        _ => "bad",
    }
}
