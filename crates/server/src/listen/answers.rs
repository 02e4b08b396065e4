//! What is answered: as a receiver should, or with the fault that was asked for.

use std::{str::FromStr, time::Duration};

use anyhow::ensure;
use bytes::Bytes;
use clap::Args;
use http::{Response, header};
use serde_json::json;
use unsaid_receiver::{Answer, OWN_CODES, Rejection, Replacement};

#[derive(Debug, Args)]
pub(super) struct AnswerFlags {
    /// Answer so many milliseconds late. A server waits two seconds.
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=600_000))]
    slow: u64,
    /// Answer with this HTTP status.
    #[arg(long, value_name = "STATUS", conflicts_with = "answer", value_parser = clap::value_parser!(u16).range(200..600))]
    fail: Option<u16>,
    /// OK; or FAIL, also with a code, as FAIL:7: HTTP 200 with ActionStatus FAIL and that ErrorCode.
    #[arg(long, value_name = "ANSWER", default_value = "OK")]
    answer: Said,
    /// Fail only the first N callbacks: with --fail, --answer FAIL, or else with HTTP 503.
    #[arg(long, value_name = "N", conflicts_with = "fail_every", value_parser = clap::value_parser!(u64).range(1..))]
    fail_first: Option<u64>,
    /// Fail only each Nth callback.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_every: Option<u64>,
    /// The ErrorCode for C2C.CallbackBeforeSendMsg: 0 sends the message, 1 refuses it, 2 drops it in silence, 120001 to
    /// 130000 refuse it with that code.
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    before: u32,
    /// Let C2C.CallbackBeforeSendMsg put this text in the place of the message's.
    #[arg(long, value_name = "TEXT", conflicts_with = "before")]
    before_text: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Said {
    Ok,
    Fail(u32),
}

impl FromStr for Said {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "write OK, FAIL, or FAIL with an ErrorCode from 1 on, as FAIL:7".to_owned();
        match text.split_once(':') {
            None if text.eq_ignore_ascii_case("ok") => Ok(Self::Ok),
            None if text.eq_ignore_ascii_case("fail") => Ok(Self::Fail(1)),
            Some((fail, code)) if fail.eq_ignore_ascii_case("fail") => {
                code.parse().ok().filter(|code| *code > 0).map(Self::Fail).ok_or_else(wrong)
            }
            None | Some(_) => Err(wrong()),
        }
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Fail(code) => write!(f, "FAIL:{code}"),
        }
    }
}

/// What goes wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    Status(u16),
    Refuse(u32),
}

/// Which callbacks it hits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Hits {
    All,
    First(u64),
    Every(u64),
}

/// How callbacks are answered.
#[derive(Clone, Debug)]
pub(super) struct Answers {
    slow: Duration,
    fault: Option<(Fault, Hits)>,
    /// To a question.
    before: Answer,
}

/// An answer, and whether it says that the callback is handled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Given {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) slow: Duration,
    retry_after_s: Option<u32>,
    pub(super) handled: bool,
}

/// What a callback is, as far as the answer depends on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind<'a> {
    Event,
    Question,
    Rejected(&'a Rejection),
}

impl AnswerFlags {
    pub(super) fn answers(&self) -> anyhow::Result<Answers> {
        let asked = match (self.fail, self.answer) {
            (Some(status), _) => Some(Fault::Status(status)),
            (None, Said::Fail(code)) => Some(Fault::Refuse(code)),
            (None, Said::Ok) => None,
        };
        let hits = match (self.fail_first, self.fail_every) {
            (Some(count), _) => Hits::First(count),
            (None, Some(count)) => Hits::Every(count),
            (None, None) => Hits::All,
        };
        let fault = asked.or((hits != Hits::All).then_some(Fault::Status(503)));
        let text = |text: &String| json!([{"MsgType": "TIMTextElem", "MsgContent": {"Text": text}}]);
        let before = match (self.before, &self.before_text) {
            (_, Some(replaced)) => {
                let body = serde_json::from_value(text(replaced))?;
                Answer::replace(Replacement { body: Some(body), custom_data: None })
            }
            (0, None) => Answer::accept(),
            (1, None) => Answer::refuse("unsaid listen --before 1"),
            (2, None) => Answer::discard(),
            (code, None) => {
                ensure!(OWN_CODES.contains(&code), "--before {code}: it is 0, 1, 2, or from 120001 to 130000");
                Answer::refuse_with(code, &format!("unsaid listen --before {code}"))?
            }
        };
        Ok(Answers { slow: Duration::from_millis(self.slow), fault: fault.map(|fault| (fault, hits)), before })
    }
}

impl Answers {
    /// To the callback of that number; the first is 1.
    pub(super) fn to(&self, number: u64, kind: Kind<'_>) -> Given {
        let hit = self.fault.filter(|(_, hits)| match hits {
            Hits::All => true,
            Hits::First(count) => number <= *count,
            Hits::Every(count) => number.is_multiple_of(*count),
        });
        match (hit, kind) {
            (Some((Fault::Status(status), _)), _) => self.given(status, String::new(), None),
            (Some((Fault::Refuse(code), _)), _) => {
                let body =
                    json!({"ActionStatus": "FAIL", "ErrorInfo": "unsaid listen --answer FAIL", "ErrorCode": code});
                self.given(200, body.to_string(), None)
            }
            (None, Kind::Rejected(rejection)) => self.of(&Answer::reject(rejection)),
            (None, Kind::Question) => self.of(&self.before),
            (None, Kind::Event) => Given { handled: true, ..self.of(&Answer::accept()) },
        }
    }

    fn of(&self, answer: &Answer) -> Given {
        self.given(answer.status(), answer.body().to_owned(), answer.retry_after_s())
    }

    fn given(&self, status: u16, body: String, retry_after_s: Option<u32>) -> Given {
        Given { status, body, slow: self.slow, retry_after_s, handled: false }
    }
}

impl Given {
    /// As it is sent.
    pub(super) fn sent(&self) -> unsaid_testkit::Answer {
        let mut response = Response::builder().status(self.status).header(header::CONTENT_TYPE, "application/json");
        if let Some(seconds) = self.retry_after_s {
            response = response.header(header::RETRY_AFTER, seconds);
        }
        let response = response.body(Bytes::from(self.body.clone())).expect("a status from 200 to 599");
        let answer = unsaid_testkit::Answer::Response(response);
        if self.slow.is_zero() { answer } else { unsaid_testkit::Answer::Delay(self.slow, Box::new(answer)) }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        answers: AnswerFlags,
    }

    fn answers(flags: &str) -> Answers {
        let line = std::iter::once("listen").chain(flags.split_whitespace());
        Line::try_parse_from(line).expect("valid").answers.answers().expect("valid")
    }

    #[test]
    fn a_fault_hits_those_that_it_was_asked_for() {
        for (flags, failed) in [
            ("", &[][..]),
            ("--fail 500", &[1, 2, 3, 4, 5, 6]),
            ("--answer FAIL", &[1, 2, 3, 4, 5, 6]),
            ("--fail-first 2", &[1, 2]),
            ("--answer FAIL --fail-every 3", &[3, 6]),
        ] {
            let answers = answers(flags);
            let handled = |number: &u64| answers.to(*number, Kind::Event).handled;
            let found: Vec<u64> = (1..=6).filter(|number| !handled(number)).collect();
            assert_eq!(found, failed, "{flags}");
        }
    }

    #[test]
    fn each_fault_has_its_form() {
        let seen = |flags: &str, kind| {
            let given = answers(flags).to(1, kind);
            (given.status, given.body.contains("\"ErrorCode\":0"), given.slow.as_millis())
        };
        assert_eq!(seen("", Kind::Event), (200, true, 0));
        assert_eq!(seen("--fail 503 --slow 7", Kind::Event), (503, false, 7));
        assert_eq!(seen("", Kind::Rejected(&Rejection::Sign)), (403, false, 0));
        assert!(answers("--answer FAIL:7").to(1, Kind::Event).body.contains("\"ErrorCode\":7"));
        for (flags, expected) in [
            ("", "\"ErrorCode\":0"),
            ("--before 1", "\"ErrorCode\":1"),
            ("--before 120001", "\"ErrorCode\":120001"),
            ("--before-text l***h?", "l***h?"),
        ] {
            let given = answers(flags).to(1, Kind::Question);
            assert!(given.body.contains(expected) && !given.handled, "{flags}: {given:?}");
        }
        let line = Line::try_parse_from(["listen", "--before", "7"]).expect("a number");
        assert!(line.answers.answers().is_err(), "7 is no code that a receiver may choose");
        for wrong in ["--answer=FAIL:0", "--answer=maybe", "--fail=99", "--fail-every=0"] {
            assert!(Line::try_parse_from(["listen", wrong]).is_err(), "{wrong}");
        }
    }
}
