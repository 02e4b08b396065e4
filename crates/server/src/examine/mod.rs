//! `unsaid check` and `unsaid doctor`: what is wrong with a configuration, or with a whole deployment, and what to do about it.
//!
//! They never harm a server that runs: the store is looked at from outside, and what is written to measure the disk has no name.

mod bus;
mod check;
mod configuration;
mod database;
mod disk;
mod doctor;
mod endpoints;
mod running;

use anyhow::bail;
pub use check::{CheckFlags, check};
pub use doctor::{DoctorFlags, doctor};
use serde::Serialize;

use crate::{
    calendar,
    certificate::Validity,
    clock::Timestamp,
    terminal::{Colour, Style, printable, show},
};

/// A certificate that is not renewed by then was forgotten: what renews by itself does so a month before.
const RENEWED_BEFORE_S: i64 = 21 * 86_400;

/// What was found out, in the order of looking.
#[derive(Default)]
struct Findings(Vec<Finding>);

#[derive(Serialize)]
struct Finding {
    state: State,
    /// What was looked at.
    about: String,
    /// What was seen.
    says: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Problem,
}

/// How the findings are shown.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Json,
}

impl Findings {
    fn ok(&mut self, about: &str, says: impl Into<String>) {
        self.0.push(Finding { state: State::Ok, about: about.to_owned(), says: says.into(), next: None });
    }

    fn warning(&mut self, about: &str, says: impl Into<String>, next: impl Into<String>) {
        self.found(State::Warning, about, says, next);
    }

    fn problem(&mut self, about: &str, says: impl Into<String>, next: impl Into<String>) {
        self.found(State::Problem, about, says, next);
    }

    fn found(&mut self, state: State, about: &str, says: impl Into<String>, next: impl Into<String>) {
        let next = Some(next.into()).filter(|next| !next.is_empty());
        self.0.push(Finding { state, about: about.to_owned(), says: says.into(), next });
    }

    /// Whether a certificate is valid now, and for a while.
    fn certificate(&mut self, about: &str, validity: Validity, now: Timestamp) {
        let Validity { from_s, until_s } = validity;
        let (now_s, until) = (now.0.div_euclid(1000), calendar::minute(until_s));
        let days = (until_s - now_s).div_euclid(86_400);
        if until_s <= now_s {
            self.problem(about, format!("the certificate has expired: it was valid until {until}"), "renew it");
        } else if from_s > now_s {
            let from = calendar::minute(from_s);
            self.problem(about, format!("the certificate is not valid before {from}"), "check the clock, or renew it");
        } else if until_s - now_s < RENEWED_BEFORE_S {
            self.warning(about, format!("the certificate is valid until {until}, {days} days from now"), "renew it");
        } else {
            self.ok(about, format!("the certificate is valid until {until}"));
        }
    }

    fn count(&self, state: State) -> usize {
        self.0.iter().filter(|finding| finding.state == state).count()
    }

    /// Shows all of them. An error if there is a problem.
    fn end(&self, form: Form) -> anyhow::Result<()> {
        let (problems, warnings) = (self.count(State::Problem), self.count(State::Warning));
        match form {
            Form::Json => {
                let shown = serde_json::json!({"findings": self.0, "problems": problems, "warnings": warnings});
                show(&format!("{shown:#}\n"));
            }
            Form::Text => show(&self.text(Colour::of_stdout())),
        }
        match problems {
            0 => Ok(()),
            1 => bail!("there is a problem"),
            _ => bail!("there are {problems} problems"),
        }
    }

    fn text(&self, colour: Colour) -> String {
        let width = self.0.iter().map(|finding| finding.about.chars().count()).max().unwrap_or(0);
        let mut text = String::new();
        for Finding { state, about, says, next } in &self.0 {
            let (style, word) = match state {
                State::Ok => (Style::Good, "ok"),
                State::Warning => (Style::Warning, "warning"),
                State::Problem => (Style::Bad, "PROBLEM"),
            };
            let word = colour.paint(style, format!("{word:<7}"));
            text += &format!("{word}  {about:<width$}  {}\n", printable(says));
            if let Some(next) = next {
                text += &format!("         {:<width$}  -> {}\n", "", printable(next));
            }
        }
        text
    }
}

impl Form {
    fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_lines_with_what_to_do() {
        let mut findings = Findings::default();
        findings.ok("clock", "it is right");
        findings.warning("app 7", "the answer was \u{1b}[2J", "look at it");
        findings.problem("x", "broken", "");
        let expected = "ok       clock  it is right\n\
                        warning  app 7  the answer was \\u{1b}[2J\n                -> look at it\n\
                        PROBLEM  x      broken\n";
        assert_eq!(findings.text(Colour::Off), expected);
        assert!(findings.end(Form::Json).is_err());
    }

    #[test]
    fn a_certificate_is_renewed_in_time_or_named() {
        let now = Timestamp(1_795_395_723_004);
        let now_s = now.0 / 1000;
        for (from_s, until_s, expected) in [
            (0, now_s, State::Problem),
            (0, now_s + 20 * 86_400, State::Warning),
            (0, now_s + 22 * 86_400, State::Ok),
            (now_s + 1, now_s + 99 * 86_400, State::Problem),
        ] {
            let mut findings = Findings::default();
            findings.certificate("tls", Validity { from_s, until_s }, now);
            assert!(findings.0[0].state == expected, "{}", findings.0[0].says);
        }
    }
}
