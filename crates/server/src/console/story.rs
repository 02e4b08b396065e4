//! The story of an event: what it is owed for, every attempt with its phases and what came back, and how it stands now.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    Console,
    deliveries::{class, lane},
    form::encoded,
    gate::{Named, Visit},
    page::{self, Answer, Frame, Moment, took},
};
use crate::{
    clock::Timestamp,
    operator::{deliveries::Story, parked},
    story::Found,
};

/// What a record says beyond its columns, as `story/attempt.rs` wrote it down.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Detail {
    pub(super) number: u32,
    pub(super) replay: bool,
    client_ip: String,
    platform: String,
    request: Option<String>,
    message: Option<String>,
    resolve_us: Option<u64>,
    connect_us: Option<u64>,
    tls_us: Option<u64>,
    answer_us: Option<u64>,
    pub(super) total_us: u64,
    kept_connection: bool,
    address: Option<String>,
    status: Option<u16>,
    answer: Option<String>,
    sent: Option<Box<RawValue>>,
}

impl Detail {
    /// One of a version that wrote it otherwise is shown without.
    pub(super) fn read(detail: &RawValue) -> Self {
        serde_json::from_str(detail.get()).unwrap_or_default()
    }

    /// The outcome in words.
    pub(super) fn outcome(&self, name: &str) -> String {
        match (name, self.status) {
            ("status" | "refused_status", Some(status)) => format!("HTTP {status}"),
            _ => name.replace('_', " "),
        }
    }
}

#[derive(Template)]
#[template(path = "story.html")]
struct StoryPage {
    frame: Frame,
    sdkappid: u32,
    id: String,
    command: String,
    /// What it is owed for.
    facts: Vec<(&'static str, String)>,
    owed: Option<Moment>,
    /// What every attempt sends.
    body: Option<String>,
    attempts: Vec<Attempt>,
    /// So many are left out behind the first ones.
    left_out: usize,
    now: Now,
}

/// How it stands.
struct Now {
    class: &'static str,
    word: &'static str,
    text: String,
    at: Option<Moment>,
    is_parked: bool,
}

struct Attempt {
    title: String,
    at: Moment,
    class: &'static str,
    outcome: String,
    /// What to do, if it was not delivered.
    message: String,
    phases: Vec<Phase>,
    total: String,
    facts: Vec<(&'static str, String)>,
    answer: Option<String>,
}

/// A part of an attempt's time, in percent of it.
struct Phase {
    name: &'static str,
    took: String,
    from: String,
    width: String,
}

pub(super) async fn show(
    State(console): State<Arc<Console>>,
    visit: Visit,
    Named((app, id)): Named<(u32, String)>,
) -> Answer {
    let Story { event, attempts } = console.operator.tell_story(app, id.clone()).await?;
    let (frame, _) = Frame::of_app(&console, &visit, app, ("story", "Story")).await?;
    let details: Vec<_> = attempts.iter().map(|found| Detail::read(&found.detail)).collect();
    let first = attempts.first();
    let command = event.as_ref().map(|event| event.command.as_str().to_owned());
    let command = command.or_else(|| first.map(|first| first.command.clone())).unwrap_or_default();
    let sent = event.as_ref().and_then(|event| event.body.as_deref());
    let sent = sent.or_else(|| details.iter().find_map(|detail| detail.sent.as_deref()));
    Ok(page::show(&StoryPage {
        frame,
        sdkappid: app,
        command,
        facts: facts(event.as_ref(), first, &details),
        owed: event.as_ref().map(|event| Moment(event.created_ms)),
        body: sent.map(pretty),
        now: now(event.as_ref()),
        left_out: attempts.len().saturating_sub(FIRST + LAST),
        attempts: shown(attempts.iter().zip(details).map(|(found, detail)| Attempt::new(found, detail)).collect()),
        id,
    }))
}

/// An endpoint that is away for days is tried thousands of times: the first attempts say how it began, the last how it is.
const FIRST: usize = 5;
const LAST: usize = 20;

fn shown(mut attempts: Vec<Attempt>) -> Vec<Attempt> {
    if attempts.len() > FIRST + LAST {
        attempts.drain(FIRST..attempts.len() - LAST);
    }
    attempts
}

impl StoryPage {
    /// Whether those that are left out come before this one.
    fn leaps(&self, index: &usize) -> bool {
        self.left_out > 0 && *index == FIRST
    }

    fn deliveries(&self) -> String {
        format!("/console/apps/{}/deliveries", self.sdkappid)
    }

    fn discard(&self) -> String {
        format!("/console/apps/{}/parked/{}/discard", self.sdkappid, encoded(&self.id))
    }
}

fn facts(event: Option<&parked::Shown>, first: Option<&Found>, details: &[Detail]) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let lane_name = event.map(|event| &event.lane).or(first.map(|first| &first.lane));
    facts.extend(lane_name.map(|name| ("Lane", lane(name))));
    facts.extend(event.map(|event| ("Number in the lane", format!("{} (unsaid-number)", event.number))));
    facts.extend(first.and_then(|first| first.msg_key.clone()).map(|key| ("MsgKey", key)));
    let request = event.and_then(|event| event.request.clone());
    let request = request.or_else(|| details.iter().find_map(|detail| detail.request.clone()));
    facts.extend(request.map(|request| ("Request", format!("{request} (unsaid-request)"))));
    let caller = details.first().filter(|detail| !detail.client_ip.is_empty());
    facts.extend(caller.map(|detail| ("Caused by", format!("{} from {}", detail.platform, detail.client_ip))));
    facts
}

fn now(event: Option<&parked::Shown>) -> Now {
    let gone = || Now {
        class: "idle",
        word: "gone",
        text: "The event itself is no longer kept; its attempts still are.".to_owned(),
        at: None,
        is_parked: false,
    };
    let Some(event) = event else {
        return gone();
    };
    let tried = event.attempts.unwrap_or(0);
    match event.state {
        "waiting" => Now {
            class: "warn",
            word: "waiting",
            text: format!("Tried {tried} times so far. Not tried again before"),
            at: event.due_ms.map(Moment),
            is_parked: false,
        },
        "parked" => Now {
            class: "bad",
            word: "parked",
            text: format!(
                "Not tried any more, after {tried} attempts: {}. Since",
                event.reason.as_deref().unwrap_or("no reason is kept")
            ),
            at: event.parked_ms.map(Moment),
            is_parked: true,
        },
        _ => Now {
            class: "good",
            word: "delivered",
            text: "The receiver has it.".to_owned(),
            at: None,
            is_parked: false,
        },
    }
}

impl Attempt {
    fn new(found: &Found, detail: Detail) -> Self {
        let replay = if detail.replay { ", sent again" } else { "" };
        let connection = if detail.kept_connection { "one that was kept".to_owned() } else { String::new() };
        let facts = [
            ("Address", detail.address.clone().unwrap_or_default()),
            ("Connection", connection),
            ("Status", detail.status.map(|status| status.to_string()).unwrap_or_default()),
        ];
        Self {
            title: format!("Attempt {}{replay}", detail.number),
            at: Moment(Timestamp(found.at_ms)),
            class: class(&found.class),
            outcome: detail.outcome(&found.outcome),
            phases: phases(&detail),
            total: took(detail.total_us),
            message: detail.message.unwrap_or_default(),
            facts: facts.into_iter().filter(|(_, text)| !text.is_empty()).collect(),
            answer: detail.answer.filter(|answer| !answer.is_empty()),
        }
    }
}

fn phases(detail: &Detail) -> Vec<Phase> {
    let times = [
        ("name", detail.resolve_us),
        ("connection", detail.connect_us),
        ("TLS", detail.tls_us),
        ("answer", detail.answer_us),
    ];
    let total: u64 = times.iter().filter_map(|(_, time)| *time).sum();
    let mut from = 0.0;
    let mut phases = Vec::new();
    for (name, time) in times {
        let Some(time) = time else {
            continue;
        };
        let width = 100.0 * time as f64 / total.max(1) as f64;
        phases.push(Phase { name, took: took(time), from: format!("{from:.2}%"), width: format!("{width:.2}%") });
        from += width;
    }
    phases
}

fn pretty(json: &RawValue) -> String {
    let read = serde_json::from_str::<Value>(json.get());
    read.and_then(|value| serde_json::to_string_pretty(&value)).unwrap_or_else(|_| json.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_share_the_width() {
        let detail = Detail { resolve_us: Some(100), connect_us: Some(300), answer_us: Some(600), ..Detail::default() };
        let shown: Vec<_> = phases(&detail).into_iter().map(|phase| (phase.name, phase.from, phase.width)).collect();
        let expected =
            [("name", "0.00%", "10.00%"), ("connection", "10.00%", "30.00%"), ("answer", "40.00%", "60.00%")];
        assert_eq!(shown, expected.map(|(name, from, width)| (name, from.to_owned(), width.to_owned())));
    }

    #[test]
    fn of_thousands_of_attempts_the_first_and_the_last_are_shown() {
        let attempts = |count: i64| {
            let detail = || RawValue::from_string("{}".to_owned()).expect("JSON");
            let found = |at_ms| Found {
                record: at_ms,
                at_ms,
                event: String::new(),
                lane: String::new(),
                command: String::new(),
                class: String::new(),
                outcome: String::new(),
                msg_key: None,
                detail: detail(),
            };
            let all = (0..count).map(|at_ms| Attempt::new(&found(at_ms), Detail::default())).collect();
            shown(all).iter().map(|attempt| attempt.at.0.0).collect::<Vec<_>>()
        };
        assert_eq!(attempts(25), (0..25).collect::<Vec<_>>());
        assert_eq!(attempts(4000), (0..5).chain(3980..4000).collect::<Vec<_>>());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_shown_without() {
        let odd = RawValue::from_string(r#"{"number":"seven"}"#.to_owned()).expect("JSON");
        assert_eq!(Detail::read(&odd).number, 0);
    }
}
