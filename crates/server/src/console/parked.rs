//! Parked events: what is no longer tried and why; sending it again, one by one, by filter or all; throwing one away.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    Console,
    app::Confirm,
    deliveries::{command, commands, lane, short},
    form::{Fields, encoded, query},
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment, Said, number},
};
use crate::operator::{
    Problem,
    parked::{Again, Filter, Page, Shown},
};

const ROWS: u32 = 50;

#[derive(Template)]
#[template(path = "parked.html")]
struct Parked {
    frame: Frame,
    sdkappid: u32,
    account: String,
    commands: Vec<(&'static str, bool)>,
    is_filtered: bool,
    /// What the filter says, for sending all of it again.
    command: String,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: String,
    command: String,
    lane: String,
    created: Moment,
    parked: Option<Moment>,
    attempts: u32,
    reason: String,
    story: String,
    discard: String,
}

pub(super) async fn list(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let asked = &visit.query;
    let page = Page {
        id: None,
        account: asked.filled("account"),
        command: command(asked)?,
        since_ms: None,
        next: asked.filled("next"),
        limit: Some(ROWS),
    };
    let found = console.operator.list_parked(app, page).await?;
    let (frame, _) = Frame::of_app(&console, &visit, app, ("parked", "Parked")).await?;
    let (account, chosen) = (asked.text("account"), asked.text("command"));
    let next = found.next.map(|next| query(&[("account", account), ("command", chosen), ("next", &next)]));
    Ok(page::show(&Parked {
        frame,
        sdkappid: app,
        account: account.to_owned(),
        commands: commands(chosen),
        is_filtered: !account.is_empty() || !chosen.is_empty(),
        command: chosen.to_owned(),
        rows: found.events.into_iter().map(|event| Row::new(app, event)).collect(),
        next,
    }))
}

impl Row {
    fn new(app: u32, event: Shown) -> Self {
        let id = encoded(&event.id);
        Self {
            command: short(event.command.as_str()),
            lane: lane(&event.lane),
            created: Moment(event.created_ms),
            parked: event.parked_ms.map(Moment),
            attempts: event.attempts.unwrap_or(0),
            reason: event.reason.unwrap_or_default(),
            story: format!("/console/apps/{app}/events/{id}"),
            discard: format!("/console/apps/{app}/parked/{id}/discard"),
            id: event.id,
        }
    }
}

/// One event, those of a filter, or all.
fn again(form: &Fields) -> Result<Again, Problem> {
    let filter =
        Filter { id: form.filled("id"), account: form.filled("account"), command: command(form)?, since_ms: None };
    Ok(Again { parked: Some(filter), delivered_since_ms: None, next: None })
}

pub(super) async fn replay(State(console): State<Arc<Console>>, visit: Visit, Named(app): Named<u32>) -> Answer {
    let sent = console.operator.replay(&visit.caller, app, again(&visit.form)?).await?;
    let mut said = match sent.replayed {
        0 => "Nothing was sent again: no such event is parked any more.".to_owned(),
        1 => "One event is sent again, at the end of its lane. Deliveries show what comes of it.".to_owned(),
        count => format!("{} events are sent again, each at the end of its lane.", number(count)),
    };
    if sent.skipped > 0 {
        said += &format!(" {} are left, for their account is gone.", number(sent.skipped));
    }
    if sent.next.is_some() {
        said += " There are more: send again once more.";
    }
    Ok(page::then(&console, &visit, &format!("/console/apps/{app}/parked"), Said::Done(said)))
}

pub(super) async fn ask_discard(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named((app, id)): Named<(u32, String)>,
) -> Answer {
    let (frame, _) = Frame::of_app(&console, &visit, app, ("parked", "Throw away")).await?;
    let parked = format!("/console/apps/{app}/parked");
    Ok(page::show(&Confirm {
        frame,
        question: format!("Throw {id} away?"),
        consequence: "Your app backend never hears of it. The audit log notes that you did this.".to_owned(),
        button: "Throw it away",
        typed: None,
        wrong: String::new(),
        action: format!("{parked}/{}/discard", encoded(&id)),
        back: parked,
    }))
}

pub(super) async fn discard(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named((app, id)): Named<(u32, String)>,
) -> Answer {
    let event = console.operator.discard(&visit.caller, app, id).await?;
    let said = Said::Done(format!("{} was thrown away.", event.id));
    Ok(page::then(&console, &visit, &format!("/console/apps/{app}/parked"), said))
}
