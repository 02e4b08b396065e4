//! How the story is told: on standard output, in colour where that is a terminal.

use std::{fmt::Display, time::Duration};

use tokio::time::Instant;
use unsaid_testkit::Arrival;

use crate::terminal::{Colour, Style};

pub(super) struct Story {
    chapters: u32,
}

impl Story {
    pub(super) fn begin() -> Self {
        println!("{}", styled(Style::Bold, "Unsaid: a recall reaches the app backend"));
        Self { chapters: 0 }
    }

    pub(super) fn chapter(&mut self, title: &str) {
        self.chapters += 1;
        println!("\n{} {}", styled(Style::Faint, format!("{}.", self.chapters)), styled(Style::Bold, title));
    }

    pub(super) fn fact(&self, name: &str, value: impl Display) {
        println!("   {name:<13} {value}");
    }

    pub(super) fn request(&self, service: &str, command: &str, body: &str) {
        println!("   POST /v4/{service}/{command}");
        println!("        {}", styled(Style::Faint, body));
    }

    /// What a client sends over its session.
    pub(super) fn said(&self, who: &str, request: &str, data: &str) {
        println!("   {who}'s device: {request}");
        println!("        {}", styled(Style::Faint, data));
    }

    pub(super) fn answer(&self, body: &[u8]) {
        println!("     -> {}", String::from_utf8_lossy(body));
    }

    /// That a callback arrived, what it says, and whether every check of it passed.
    pub(super) fn callback_in_short(&self, arrival: &Arrival) {
        let command = arrival.command().unwrap_or_default();
        let body = arrival.json();
        let says = match body.get("Info") {
            Some(info) => format!("{} {}", info["To_Account"], info["Action"]),
            None => format!("UnreadMsgNum {}", body["UnreadMsgNum"]),
        };
        let passed = arrival.checks.iter().filter(|check| check.result.is_ok()).count();
        let checks = format!("{passed} of {} checks passed", arrival.checks.len());
        println!("   {} {command}: {says}, {checks}", styled(Style::Bold, "callback"));
    }

    /// A callback as it arrived, and what a receiver checks of it.
    pub(super) fn callback(&self, arrival: &Arrival) {
        println!("   {} {} {}", styled(Style::Bold, "callback"), arrival.method(), arrival.path_and_query());
        for (name, value) in &arrival.head.headers {
            let line = format!("{name}: {}", String::from_utf8_lossy(value.as_bytes()));
            println!("        {}", styled(Style::Faint, line));
        }
        println!("        {}", String::from_utf8_lossy(&arrival.body));
        for check in &arrival.checks {
            let style = if check.result.is_ok() { Style::Good } else { Style::Bad };
            println!("        {}", styled(style, check));
        }
    }

    /// How long after the answer the callback was there.
    pub(super) fn latency(&self, arrived: Instant, answered: Instant) {
        let ms = |duration: Duration| format!("{:.2} ms", duration.as_secs_f64() * 1e3);
        let text = match arrived.checked_duration_since(answered) {
            Some(after) => format!("{} after the recall's answer", ms(after)),
            None => format!("{} before the recall's answer was read", ms(answered - arrived)),
        };
        self.fact("it arrived", styled(Style::Bold, text));
    }

    pub(super) fn end(&self) {
        println!("\n{}", styled(Style::Good, "Everything that was owed arrived, and was right."));
    }
}

fn styled(style: Style, text: impl Display) -> String {
    Colour::of_stdout().paint(style, text)
}
