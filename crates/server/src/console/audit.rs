//! The audit log: who changed what, when and from where.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    Console,
    form::query,
    gate::Visit,
    page::{self, Answer, Frame, Moment},
};
use crate::operator::{
    Problem,
    audit::{Shown, Which},
};

const ROWS: u32 = 100;

#[derive(Template)]
#[template(path = "audit.html")]
struct Audit {
    frame: Frame,
    actor: String,
    action: String,
    app: String,
    entries: Vec<Shown>,
    next: Option<String>,
}

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit) -> Answer {
    let asked = &visit.query;
    let app = asked.filled("app").map(|app| app.parse()).transpose();
    let app = app.map_err(|_| Problem::unprocessable("app: is no number; leave it empty for all"))?;
    let which = Which {
        actor: asked.filled("actor"),
        action: asked.filled("action"),
        app,
        since_ms: None,
        until_ms: None,
        next: asked.filled("next"),
        limit: Some(ROWS),
    };
    let log = console.operator.read_audit(which).await?;
    let text = |name| asked.text(name).to_owned();
    let (actor, action, app) = (text("actor"), text("action"), text("app"));
    let next = log.next.map(|next| query(&[("actor", &actor), ("action", &action), ("app", &app), ("next", &next)]));
    let frame = Frame::new(&visit, "audit", "Audit log");
    Ok(page::show(&Audit { frame, actor, action, app, entries: log.entries, next }))
}

fn moment(entry: &Shown) -> Moment {
    Moment(entry.at_ms)
}
