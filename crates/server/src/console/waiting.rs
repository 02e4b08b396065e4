//! What waits, lane by lane: the event whose turn it is, how often it was tried, and when it is tried again.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    Console,
    deliveries::{lane, short},
    form::{encoded, query},
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment},
};
use crate::{
    limits,
    operator::lanes::{Shown, Which},
};

const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "waiting.html")]
struct Waiting {
    frame: Frame,
    sdkappid: u32,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    lane: String,
    waiting: String,
    id: String,
    command: String,
    created: Moment,
    attempts: u32,
    due: Moment,
    story: String,
}

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let which = Which { next: visit.query.filled("next"), limit: Some(ROWS) };
    let found = console.operator.list_lanes(app, which).await?;
    let (frame, _) = Frame::of_app(&console, &visit, app, ("waiting", "Waiting")).await?;
    let next = found.next.map(|next| query(&[("next", &next)]));
    let rows = found.lanes.into_iter().map(|lane| Row::new(app, lane)).collect();
    Ok(page::show(&Waiting { frame, sdkappid: app, rows, next }))
}

impl Row {
    fn new(app: u32, shown: Shown) -> Self {
        let Shown { lane: name, waiting, head } = shown;
        let more = if waiting >= limits::LANE_COUNT_MAX { " and more" } else { "" };
        Self {
            lane: lane(&name),
            waiting: format!("{waiting}{more}"),
            command: short(head.command.as_str()),
            created: Moment(head.created_ms),
            attempts: head.attempts,
            due: Moment(head.due_ms),
            story: format!("/console/apps/{app}/events/{}", encoded(&head.id)),
            id: head.id,
        }
    }
}
