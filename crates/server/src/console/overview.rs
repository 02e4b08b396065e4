//! The first page: whether callbacks flow, how it went over the last minutes or hours, and how each app stands.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;

use super::{
    Console,
    chart::{Chart, Scale, Series},
    form::query,
    gate::Visit,
    page::{self, Answer, Frame, Moment, ago, name_of, number, state},
};
use crate::{
    metrics::{Recent, Step},
    operator::{Problem, apps, callback},
};

/// What a chart may span: its name, how many steps, and of how many looks each.
const SPANS: [(&str, usize, usize); 3] = [("15 min", 90, 1), ("1 h", 120, 3), ("3 h", 120, 9)];

/// A chart of a server that has just begun spans as little as this.
const STEPS_LEAST: usize = 12;

/// What the figures are about: the last minute.
const MINUTE_LOOKS: usize = 6;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    spans: Vec<(&'static str, bool)>,
    figures: Figures,
}

/// The part that is live.
#[derive(Template)]
#[template(path = "overview_figures.html")]
struct Figures {
    verdict: (&'static str, String),
    tiles: Vec<Tile>,
    charts: Vec<Chart>,
    /// How far back the charts go.
    span: String,
    apps: Vec<Row>,
}

/// A figure.
struct Tile {
    name: &'static str,
    value: String,
    about: String,
}

/// An app.
struct Row {
    sdkappid: u32,
    name: String,
    state: (&'static str, &'static str),
    waiting: u64,
    oldest_s: Option<u64>,
    parked: u64,
    delivered: Option<Moment>,
}

pub(super) async fn show(State(console): State<Arc<Console>>, visit: Visit) -> Answer {
    let asked = visit.query.text("span");
    let chosen = SPANS.iter().position(|(name, ..)| *name == asked).unwrap_or(0);
    let (span, steps, looks) = SPANS[chosen];
    let apps = rows(&console).await?;
    let minute = console.recent.steps(1, MINUTE_LOOKS).pop().unwrap_or_default();
    let taken = console.recent.steps(steps, looks);
    let room = taken.len().clamp(STEPS_LEAST, steps);
    let span = if room == steps { span.to_owned() } else { ago((room * looks) as u64 * Recent::PAUSE.as_secs()) };
    let charts = charts(&taken, room);
    let figures = Figures { verdict: verdict(&apps), tiles: tiles(&minute, &apps), charts, span, apps };
    if visit.wants_fragment() {
        return Ok(page::show(&figures));
    }
    let spans = SPANS.iter().enumerate().map(|(at, (name, ..))| (*name, at == chosen)).collect();
    Ok(page::show(&Overview { frame: Frame::new(&visit, "overview", "Overview"), spans, figures }))
}

impl Overview {
    fn span_query(&self, span: &str) -> String {
        query(&[("span", span)])
    }
}

async fn rows(console: &Console) -> Result<Vec<Row>, Problem> {
    let all = console.operator.show_all_callbacks().await?;
    let mut rows: Vec<_> = all.iter().map(|(app, callbacks)| Row::new(app, callbacks)).collect();
    // What needs somebody comes first.
    rows.sort_by_key(|row| ["bad", "warn", "good", "idle"].iter().position(|class| *class == row.state.0));
    Ok(rows)
}

impl Row {
    fn oldest(&self) -> String {
        self.oldest_s.map_or_else(|| "–".to_owned(), ago)
    }

    fn new(app: &apps::Shown, callbacks: &callback::Shown) -> Self {
        Self {
            sdkappid: app.sdkappid,
            name: name_of(app),
            state: state(app, callbacks),
            waiting: callbacks.waiting,
            oldest_s: callbacks.oldest_waits_s,
            parked: callbacks.parked,
            delivered: callbacks.delivered_last_ms.map(Moment),
        }
    }
}

/// All of it in a sentence.
fn verdict(apps: &[Row]) -> (&'static str, String) {
    let bad: Vec<_> = apps.iter().filter(|app| app.state.0 == "bad").map(|app| app.name.as_str()).collect();
    let parked = apps.iter().filter(|app| app.parked > 0).count();
    match (bad.is_empty(), parked, apps.is_empty()) {
        (_, _, true) => ("idle", "There is no app yet.".to_owned()),
        (false, ..) => ("bad", format!("Callbacks do not flow: {}.", bad.join(", "))),
        (true, 0, _) => ("good", "Callbacks flow.".to_owned()),
        (true, 1, _) => ("warn", "Callbacks flow, and one app has parked ones.".to_owned()),
        (true, parked, _) => ("warn", format!("Callbacks flow, and {parked} apps have parked ones.")),
    }
}

fn tiles(minute: &Step, apps: &[Row]) -> Vec<Tile> {
    let tile = |name, value, about| Tile { name, value, about };
    let unknown = || "–".to_owned();
    let parked: u64 = apps.iter().map(|app| app.parked).sum();
    let waiting: u64 = apps.iter().map(|app| app.waiting).sum();
    let oldest = apps.iter().filter_map(|app| app.oldest_s).max();
    let wait =
        oldest.map_or_else(|| "for their delivery".to_owned(), |oldest| format!("the oldest for {}", ago(oldest)));
    let most = minute.p99_s.map_or_else(|| "of its commit".to_owned(), |p99| format!("99 % within {}", seconds(p99)));
    vec![
        tile("Recalls", a_second(minute.recalls_per_s), "in the last minute".to_owned()),
        tile("Callbacks", a_second(minute.delivered_per_s), "delivered in the last minute".to_owned()),
        tile("Success", minute.success.map_or_else(unknown, percent), "of the attempts of the last minute".to_owned()),
        tile("Half delivered within", minute.p50_s.map_or_else(unknown, seconds), most),
        tile("Waiting", number(waiting), wait),
        tile("Parked", number(parked), "not tried any more".to_owned()),
    ]
}

fn charts(steps: &[Step], room: usize) -> Vec<Chart> {
    let series = |name, class, value: fn(&Step) -> Option<f64>| Series {
        name,
        class,
        values: steps.iter().map(value).collect(),
    };
    let rate = Scale { write: a_second, top: None };
    vec![
        Chart::new("Recalls a second", rate, room, &[series("recalls", "main", |step| Some(step.recalls_per_s))]),
        Chart::new(
            "Callbacks a second",
            rate,
            room,
            &[
                series("delivered", "main", |step| Some(step.delivered_per_s)),
                series("failed", "bad", |step| Some(step.failed_per_s)),
            ],
        ),
        Chart::new(
            "Attempts that delivered",
            Scale { write: percent, top: Some(1.0) },
            room,
            &[series("success", "main", |step| step.success)],
        ),
        Chart::new(
            "From the commit to the delivery",
            Scale { write: seconds, top: None },
            room,
            &[series("half", "main", |step| step.p50_s), series("99 %", "warn", |step| step.p99_s)],
        ),
    ]
}

fn a_second(rate: f64) -> String {
    match rate {
        0.0 => "0/s".to_owned(),
        rate if rate < 10.0 => format!("{}/s", (rate * 100.0).round() / 100.0),
        rate => format!("{}/s", number(rate.round() as u64)),
    }
}

fn percent(share: f64) -> String {
    // What is not everything never reads as if it were.
    let percent = (share * 1000.0).floor() / 10.0;
    format!("{percent} %")
}

fn seconds(seconds: f64) -> String {
    page::took((seconds * 1e6).round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_written_for_people() {
        assert_eq!([0.0, 0.1, 0.333_3, 12.4, 12_345.6].map(a_second), ["0/s", "0.1/s", "0.33/s", "12/s", "12,346/s"]);
        assert_eq!([1.0, 0.999_99, 0.5].map(percent), ["100 %", "99.9 %", "50 %"]);
        assert_eq!([0.0012, 1.5].map(seconds), ["1.2 ms", "1.5 s"]);
    }
}
