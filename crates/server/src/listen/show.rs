//! Callbacks as people read them, or as one line of JSON each.

use std::io::{Result, Write, stdout};

use serde_json::{Value, json};
use unsaid_receiver::Judgement;

use super::{desk::Taken, registration::Registration};
use crate::{
    calendar::time,
    operate::ServerFlags,
    terminal::{Colour, Style, printable},
};

/// How much of a body is shown to people; with --json it is whole.
const BODY_SHOWN_CHARACTERS: usize = 4096;

pub(super) struct Show {
    form: Form,
    /// What is not checked.
    unchecked: Vec<&'static str>,
}

enum Form {
    Text(Colour),
    Json,
}

impl Show {
    pub(super) fn new(flags: &ServerFlags, unchecked: Vec<&'static str>) -> Self {
        Self { form: if flags.json { Form::Json } else { Form::Text(Colour::of_stdout()) }, unchecked }
    }

    pub(super) fn begun(&self, url: &str, ca_pem: Option<String>) -> Result<()> {
        if let Form::Json = self.form {
            return self.line(&json!({"listening": url, "ca_pem": ca_pem, "unchecked": self.unchecked}));
        }
        let mut text = format!("receiving callbacks at {url}, until Ctrl-C\n");
        if let Some(pem) = ca_pem {
            text += &format!("the authority of its certificate, for callback.ca_pem or callback.ca_file:\n\n{pem}\n");
        }
        text.extend(self.unchecked.iter().map(|said| format!("{said}\n")));
        self.text(&(text + "\n"))
    }

    pub(super) fn registered(&self, url: &str, registration: &Registration) -> Result<()> {
        let Registration { app, waiting, by_status, unchecked, .. } = registration;
        let command = registration.command();
        if let Form::Json = self.form {
            return self.line(&json!({"listening": url, "registered": app, "waiting": waiting, "put_back": command,
                                     "unchecked": unchecked}));
        }
        let mut text = format!("receiving the callbacks of app {app} at {url}, until Ctrl-C\n");
        text += "what is accepted here is delivered, and does not come to its own endpoint any more\n";
        if *waiting > 0 {
            text += &format!("{waiting} that waited for its own endpoint come now, too\n");
        }
        if *by_status {
            text += "the app has callback.answer = \"status\": any answer with HTTP 200 counts as delivered\n";
        }
        for name in unchecked {
            let variable = name.to_uppercase();
            text += &format!(
                "callback.{name} of the app is left as it is; set UNSAID_CALLBACK_{variable} to check with it\n"
            );
        }
        self.text(&(text + &format!("at the end it is put back; if this is killed, with\n  {command}\n\n")))
    }

    pub(super) fn taken(&mut self, taken: &Taken) -> String {
        match self.form {
            Form::Json => format!("{}\n", as_json(taken)),
            Form::Text(colour) => as_text(taken, colour),
        }
    }

    fn line(&self, value: &Value) -> Result<()> {
        self.text(&format!("{value}\n"))
    }

    fn text(&self, text: &str) -> Result<()> {
        stdout().write_all(text.as_bytes())?;
        stdout().flush()
    }
}

fn as_text(taken: &Taken, colour: Colour) -> String {
    let Taken { arrival, checks, delivery, judgement, given, untold } = taken;
    let paint = |style, text: &str| colour.paint(style, text);
    let mut lines = Vec::new();
    if *untold > 0 {
        lines.push(paint(Style::Warning, &format!("{untold} were answered that are not shown: they came too fast")));
    }
    let at = time(Some(arrival.wall_ms));
    let clock = at.split_once(' ').map_or(at.as_str(), |(_, clock)| clock);
    let command = printable(&arrival.command().unwrap_or("no CallbackCommand".into()));
    lines.push(format!("{} {}  {}", paint(Style::Faint, clock), paint(Style::Bold, &command), says(&arrival.body)));
    let mut line = |text: String| lines.push(format!("  {text}"));
    if let Some(delivery) = delivery {
        let mut named = printable(&delivery.id);
        if let Some(place) = &delivery.place {
            named = format!("lane {} number {}, {named}", printable(&place.lane), place.number);
        }
        let replay = delivery.replay.map_or("", |_| ", sent again on request");
        line(paint(Style::Faint, &format!("{named}{replay}")));
    }
    match judgement {
        Some(Judgement::Repeat) => line(paint(Style::Warning, "a repeat: it was accepted before")),
        Some(Judgement::New { missed: Some(missed) }) => {
            let range = format!("behind number {} up to {}", missed.after, missed.through);
            line(paint(Style::Warning, &format!("what came {range} of its lane was delivered, but not here")));
        }
        Some(Judgement::New { missed: None }) | None => {}
    }
    let failed: Vec<_> = checks.iter().filter(|check| check.result.is_err()).collect();
    if failed.is_empty() {
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        line(paint(Style::Good, &format!("{} checks passed: {}", checks.len(), names.join("; "))));
    }
    for check in failed {
        line(paint(Style::Bad, &printable(&check.to_string())));
    }
    line(paint(Style::Faint, &printable(&format!("{} {}", arrival.method(), arrival.path_and_query()))));
    line(paint(Style::Faint, &shortened(&printable(&String::from_utf8_lossy(&arrival.body)))));
    let late = if given.slow.is_zero() { String::new() } else { format!(", {} ms late", given.slow.as_millis()) };
    let style = if given.handled { Style::Good } else { Style::Warning };
    line(paint(style, &format!("answered HTTP {} {}{late}", given.status, given.body)));
    lines.join("\n") + "\n"
}

/// The heart of a body: who, whom, which message, how many are unread.
fn says(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let first = |names: &[&str]| names.iter().find_map(|name| body.get(*name)).map(text);
    let info = |name: &str| body["Info"].get(name).map(text);
    let mut said = Vec::new();
    match (first(&["From_Account", "Report_Account"]), first(&["To_Account", "Peer_Account"])) {
        (Some(from), Some(to)) => said.push(format!("{from} -> {to}")),
        (Some(one), None) | (None, Some(one)) => said.push(one),
        (None, None) => said.extend([info("To_Account"), info("Action")].into_iter().flatten()),
    }
    said.extend(body.get("MsgKey").map(text));
    said.extend(body.get("UnreadMsgNum").map(|unread| format!("UnreadMsgNum {unread}")));
    shortened(&printable(&said.join("  ")))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(BODY_SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((at, _)) => format!("{} ... ({} bytes)", &text[..at], text.len()),
    }
}

fn as_json(taken: &Taken) -> Value {
    let Taken { arrival, checks, delivery, judgement, given, untold } = taken;
    let place = delivery.as_ref().and_then(|delivery| delivery.place.as_ref());
    let checks: Vec<_> = checks
        .iter()
        .map(|check| {
            let problem = check.result.as_ref().err().map(ToString::to_string);
            json!({"name": check.name, "passed": problem.is_none(), "problem": problem})
        })
        .collect();
    let missed = match judgement {
        Some(Judgement::New { missed: Some(missed) }) => json!({"after": missed.after, "through": missed.through}),
        Some(Judgement::New { missed: None } | Judgement::Repeat) | None => Value::Null,
    };
    let body = String::from_utf8_lossy(&arrival.body);
    json!({
        "at_ms": arrival.wall_ms,
        "method": arrival.method(),
        "path_and_query": arrival.path_and_query(),
        "command": arrival.command(),
        "id": delivery.as_ref().map(|delivery| &delivery.id),
        "replay": delivery.as_ref().and_then(|delivery| delivery.replay),
        "lane": place.map(|place| &place.lane),
        "number": place.map(|place| place.number),
        "previous": place.map(|place| place.previous),
        "repeat": judgement == &Some(Judgement::Repeat),
        "missed": missed,
        "checks": checks,
        "body": serde_json::from_slice::<Value>(&arrival.body).unwrap_or_else(|_| body.into()),
        "answered": {"status": given.status, "body": given.body, "slow_ms": u64::try_from(given.slow.as_millis()).ok(),
                     "handled": given.handled},
        "untold": untold,
    })
}
