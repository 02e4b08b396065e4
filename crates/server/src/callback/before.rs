//! Asking the app backend before a message is sent: `C2C.CallbackBeforeSendMsg` (rule C2, callbacks 4.1).
//!
//! Two seconds in all, waiting for a turn included, and no retry: whoever sends is waiting.

use std::{future::Future, pin::Pin};

use serde::Deserialize;
use serde_json::value::RawValue;
use unsaid_protocol::{
    ErrorCode, SdkAppId,
    callback::{BeforeSendMsg, CallbackCommand},
    element::MsgBody,
    error,
};

use super::{
    Callbacks, Outcome, Refused, Unavailable,
    attempt::{Call, Report},
    record::record,
};
use crate::{
    chat::{self, Before, EventId, Lane, Lifetime, Question, Refusal, Verdict},
    limits,
};

/// What the app backend answers, beyond what every answer has.
#[derive(Deserialize)]
struct Answer<'a> {
    /// Whatever it is: what it says matters only to the sender of a message that is refused.
    #[serde(rename = "ErrorInfo", default, borrow)]
    error_info: Option<&'a RawValue>,
    #[serde(rename = "MsgBody", default, borrow)]
    body: Option<&'a RawValue>,
    #[serde(rename = "CloudCustomData", default)]
    custom_data: Option<String>,
}

/// Codes that the app backend may choose for its own refusals.
const OWN_CODES: std::ops::RangeInclusive<i64> = 120_001..=130_000;

impl Before for Callbacks {
    fn ask<'a>(&'a self, app: SdkAppId, question: Question<'a>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'a>> {
        Box::pin(async move {
            let call = self.call(app, &question);
            let verdict = match self.put(&call).await {
                Ok(report) => {
                    report.count(app, call.command, &self.metrics);
                    let chat::Send { to, custom_data, body, .. } = question.send;
                    let verdict = verdict(&report, custom_data.len(), body.json.len());
                    let now = self.attempts.clock.now();
                    self.stories.attempted(record(&call, Lane::of_account(to), 1, report, now));
                    verdict
                }
                Err(why) => Verdict::Unanswered(why),
            };
            if let Verdict::Unanswered(why) = &verdict {
                tracing::warn!(%app, id = call.id, "a message was not asked about: {why}");
            }
            verdict
        })
    }
}

impl Callbacks {
    /// Asks once, when it is its turn.
    async fn put(&self, call: &Call) -> Result<Report, String> {
        let deadline = self.attempts.clock.instant() + limits::ATTEMPT_TIMEOUT;
        let endpoint = match self.endpoints.of(call.app) {
            Ok(endpoint) => endpoint,
            Err(why) => return Ok(Report::without_call(Outcome::Unavailable(Unavailable::NoEndpoint(why)))),
        };
        let Ok(_turn) = tokio::time::timeout_at(deadline, endpoint.questions.acquire()).await else {
            return Err(format!(
                "{} messages are being asked about, and none was answered in time",
                limits::APP_QUESTIONS_MAX
            ));
        };
        Ok(self.attempts.call_until(&endpoint, call, deadline).await)
    }

    fn call(&self, app: SdkAppId, question: &Question<'_>) -> Call {
        let Question { send, key, id } = question;
        let now = self.attempts.clock.now();
        let command = CallbackCommand::BeforeSendMsg;
        let body: &RawValue = serde_json::from_str(&send.body.json).expect("what was checked is valid JSON");
        let body = serde_json::to_vec(&BeforeSendMsg {
            command,
            from: &send.from,
            to: &send.to,
            seq: key.seq,
            random: key.random,
            time_s: key.time,
            key: &key.to_string(),
            id,
            online_only: u8::from(send.lifetime == Lifetime::OnlineOnly),
            body,
            custom_data: &send.custom_data,
            event_time_ms: now.0,
        })
        .expect("strings and numbers serialize");
        let id = EventId::new(now, 0, self.entropy.next_u32()).0.replacen("evt_", "ask_", 1);
        Call { app, command, id, body: body.into(), origin: send.origin, lane: None }
    }
}

/// What an answer means for the message, which says as much as those bytes now.
pub(super) fn verdict(report: &Report, custom_data_bytes: usize, body_bytes: usize) -> Verdict {
    let answer = report.answer.as_ref().and_then(|answer| serde_json::from_slice::<Answer<'_>>(&answer.body).ok());
    let info = answer.as_ref().and_then(|answer| serde_json::from_str::<String>(answer.error_info?.get()).ok());
    let info = info.filter(|info| !info.is_empty());
    match &report.outcome {
        Outcome::Delivered => replacement(answer, custom_data_bytes, body_bytes),
        Outcome::Refused(Refused::ErrorCode(2)) => Verdict::Discard,
        Outcome::Refused(Refused::ErrorCode(code)) => {
            let own = OWN_CODES.contains(code).then(|| i32::try_from(*code).ok()).flatten().map(ErrorCode);
            let info = info.unwrap_or_else(|| "the app backend refuses this message".to_owned());
            Verdict::Refuse(Refusal::new(own.unwrap_or(error::BEFORE_REFUSED), info))
        }
        Outcome::Refused(Refused::Status(_)) | Outcome::Unavailable(_) => {
            Verdict::Unanswered(report.outcome.to_string())
        }
    }
}

/// A replacement that no sender could send is passed over: the message goes as it is.
fn replacement(answer: Option<Answer<'_>>, custom_data_bytes: usize, body_bytes: usize) -> Verdict {
    let as_it_is = Verdict::Pass { body: None, custom_data: None };
    let Some(Answer { body, custom_data, .. }) = answer else {
        tracing::warn!("MsgBody or CloudCustomData of an answer have the wrong type; the message goes as it is");
        return as_it_is;
    };
    let body = match body.map(MsgBody::parse).transpose() {
        Ok(body) => body,
        Err(problem) => {
            tracing::warn!("MsgBody of an answer cannot replace the message's: {}", problem.info);
            return as_it_is;
        }
    };
    let bytes = body.as_ref().map_or(body_bytes, |body| body.json.len())
        + custom_data.as_ref().map_or(custom_data_bytes, String::len);
    if bytes > limits::MESSAGE_BYTES_MAX {
        tracing::warn!(bytes, "the replacement in an answer is too long; the message goes as it is");
        return as_it_is;
    }
    Verdict::Pass { body, custom_data }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{apps::AnswerRule, callback::attempt::AnswerSeen};

    fn of(status: u16, body: &str) -> Verdict {
        let outcome = Outcome::of_answer(status, None, body.as_bytes(), AnswerRule::ErrorCode);
        let answer = Some(AnswerSeen { status, body: body.to_owned().into() });
        verdict(&Report { answer, ..Report::without_call(outcome) }, 10, 100)
    }

    #[test]
    fn c2_the_codes_of_an_answer() {
        for (code, expected) in [
            (1, 20006),
            (-1, 20006),
            (3, 20006),
            (120_000, 20006),
            (120_001, 120_001),
            (130_000, 130_000),
            (130_001, 20006),
        ] {
            let answer = format!(r#"{{"ActionStatus":"OK","ErrorCode":{code},"ErrorInfo":"quota"}}"#);
            let Verdict::Refuse(refusal) = of(200, &answer) else { panic!("{code} is no refusal") };
            assert_eq!((refusal.code.0, &*refusal.info), (expected, "quota"));
        }
        assert!(matches!(of(200, r#"{"ErrorCode":2}"#), Verdict::Discard));
        assert!(matches!(of(200, r#"{"ErrorCode":0}"#), Verdict::Pass { body: None, custom_data: None }));
    }

    #[test]
    fn c2_without_a_usable_answer_the_policy_decides() {
        for (status, body) in [
            (500, ""),
            (302, ""),
            (204, ""),
            (400, r#"{"ErrorCode":1}"#),
            (200, "ok"),
            (200, "{}"),
            (200, r#"{"ErrorCode":"1"}"#),
        ] {
            assert!(matches!(of(status, body), Verdict::Unanswered(_)), "{status} {body}");
        }
    }

    #[test]
    fn c2_what_an_answer_replaces() {
        let text = r#"{"ErrorCode":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"l***h"}}],"CloudCustomData":"x"}"#;
        let Verdict::Pass { body: Some(body), custom_data } = of(200, text) else { panic!("it is replaced") };
        assert!(body.json.contains("l***h") && custom_data.as_deref() == Some("x"));
        // What is null is as good as absent, and ErrorInfo says nothing of what is replaced.
        for info in ["null", "7", r#""""#] {
            let text = format!(r#"{{"ErrorCode":0,"ErrorInfo":{info},"CloudCustomData":"x","MsgBody":null}}"#);
            let verdict = of(200, &text);
            let Verdict::Pass { body: None, custom_data } = &verdict else { panic!("{info}: {verdict:?}") };
            assert_eq!(custom_data.as_deref(), Some("x"), "{info}");
        }
        let long = format!(r#"{{"ErrorCode":0,"CloudCustomData":"{}"}}"#, "x".repeat(9000));
        for unusable in [
            r#"{"ErrorCode":0,"MsgBody":[]}"#,
            r#"{"ErrorCode":0,"MsgBody":"text"}"#,
            r#"{"ErrorCode":0,"MsgBody":[{"MsgType":"TIMTextElem"}]}"#,
            r#"{"ErrorCode":0,"CloudCustomData":7}"#,
            &long,
        ] {
            assert!(matches!(of(200, unusable), Verdict::Pass { body: None, custom_data: None }), "{unusable}");
        }
    }
}
