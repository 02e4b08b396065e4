//! What a receiver answers (callbacks 1.4 and 4.1).

use serde::Serialize;
use unsaid_protocol::callback::ANSWER_OK;

use crate::{Element, Rejection};

/// The codes that a receiver may choose to refuse a message with; the sender gets them as they are.
pub const OWN_CODES: std::ops::RangeInclusive<u32> = 120_001..=130_000;

/// What is answered to a callback: an HTTP status, and a body of JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "it has to be sent"]
pub struct Answer {
    status: u16,
    error_code: u32,
    retry_after_s: Option<u32>,
    body: String,
}

/// What a message shall say instead. What is left out stays as it is.
#[derive(Clone, PartialEq, Default, Debug, Serialize)]
pub struct Replacement {
    #[serde(rename = "MsgBody", skip_serializing_if = "Option::is_none")]
    pub body: Option<Vec<Element>>,
    #[serde(rename = "CloudCustomData", skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<String>,
}

/// Not a code that a receiver may refuse a message with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0} is not a code of your own: choose one from 120001 to 130000")]
pub struct CodeError(pub u32);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "ActionStatus")]
    action_status: &'static str,
    #[serde(rename = "ErrorInfo")]
    error_info: &'a str,
    #[serde(rename = "ErrorCode")]
    error_code: u32,
    #[serde(flatten)]
    replacement: Replacement,
}

impl Answer {
    /// The callback is handled. To a question: the message may be sent.
    pub fn accept() -> Self {
        Self { status: 200, error_code: 0, retry_after_s: None, body: ANSWER_OK.to_owned() }
    }

    /// To a question: the message may be sent with this content.
    pub fn replace(replacement: Replacement) -> Self {
        Self::with(200, 0, "", replacement)
    }

    /// This callback is not accepted: it is tried twice more, then put aside with the reason, until someone replays it.
    /// To a question: the message is refused, and its sender gets 20006.
    pub fn refuse(reason: &str) -> Self {
        Self::with(200, 1, reason, Replacement::default())
    }

    /// To a question: the message is refused, and its sender gets this code and reason.
    pub fn refuse_with(code: u32, reason: &str) -> Result<Self, CodeError> {
        if OWN_CODES.contains(&code) {
            Ok(Self::with(200, code, reason, Replacement::default()))
        } else {
            Err(CodeError(code))
        }
    }

    /// To a question: the message is dropped, but its sender is told that it was sent.
    pub fn discard() -> Self {
        Self::with(200, 2, "", Replacement::default())
    }

    /// Not now: the callback comes again, after so many seconds if given. To a question: as if there were no answer.
    pub fn later(retry_after_s: Option<u32>, reason: &str) -> Self {
        Self { retry_after_s, ..Self::with(503, 1, reason, Replacement::default()) }
    }

    /// What is no callback of this app is refused with HTTP 403, and what is none at all with 400.
    pub fn reject(rejection: &Rejection) -> Self {
        let status = match rejection {
            Rejection::Method { .. } => 405,
            Rejection::OtherApp { .. }
            | Rejection::Unsigned { .. }
            | Rejection::Sign
            | Rejection::Age { .. }
            | Rejection::WebhookUnsigned { .. }
            | Rejection::WebhookSignature
            | Rejection::WebhookAge { .. } => 403,
            Rejection::ParameterMissing { .. }
            | Rejection::ParameterRepeated { .. }
            | Rejection::ParameterNotText { .. }
            | Rejection::RequestTimeFormat { .. }
            | Rejection::Header { .. }
            | Rejection::Body { .. }
            | Rejection::CommandsDiffer { .. } => 400,
        };
        Self::with(status, 1, &rejection.to_string(), Replacement::default())
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The value of the header `Retry-After`, in seconds, if there is one.
    pub fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    /// The body, JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Whether a callback that is no question is handled by it and need not come again.
    pub(crate) fn accepts(&self) -> bool {
        self.status == 200 && self.error_code == 0
    }

    /// Another request has brought the same callback, and is still being handled.
    pub(crate) fn under_way() -> Self {
        Self::later(Some(1), "this callback is being handled; it may come again")
    }

    fn with(status: u16, error_code: u32, error_info: &str, replacement: Replacement) -> Self {
        let action_status = if error_code == 0 { "OK" } else { "FAIL" };
        let body = Body { action_status, error_info, error_code, replacement };
        let body = serde_json::to_string(&body).expect("keys are text");
        Self { status, error_code, retry_after_s: None, body }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_has_the_form_that_is_specified() {
        let text = Element {
            kind: "TIMTextElem".into(),
            content: serde_json::json!({"Text": "l***h?"}),
            other: Default::default(),
        };
        let replacement = Replacement { body: Some(vec![text]), custom_data: None };
        let both = Replacement { custom_data: Some("{}".into()), ..replacement.clone() };
        for (answer, status, body) in [
            (Answer::accept(), 200, r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#),
            (
                Answer::refuse("no \"such\" tenant"),
                200,
                r#"{"ActionStatus":"FAIL","ErrorInfo":"no \"such\" tenant","ErrorCode":1}"#,
            ),
            (Answer::discard(), 200, r#"{"ActionStatus":"FAIL","ErrorInfo":"","ErrorCode":2}"#),
            (
                Answer::refuse_with(120_044, "quota exhausted").expect("own"),
                200,
                r#"{"ActionStatus":"FAIL","ErrorInfo":"quota exhausted","ErrorCode":120044}"#,
            ),
            (
                Answer::later(Some(7), "starting"),
                503,
                r#"{"ActionStatus":"FAIL","ErrorInfo":"starting","ErrorCode":1}"#,
            ),
            (
                Answer::replace(replacement),
                200,
                r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"l***h?"}}]}"#,
            ),
            (
                Answer::replace(both),
                200,
                r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0,"MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"l***h?"}}],"CloudCustomData":"{}"}"#,
            ),
        ] {
            assert_eq!((answer.status(), answer.body()), (status, body));
        }
        assert_eq!(Answer::later(Some(7), "").retry_after_s(), Some(7));
    }

    #[test]
    fn only_own_codes_can_be_chosen() {
        for (code, allowed) in
            [(0, false), (1, false), (120_000, false), (120_001, true), (130_000, true), (130_001, false)]
        {
            assert_eq!(Answer::refuse_with(code, "").is_ok(), allowed, "{code}");
        }
    }

    #[test]
    fn a_rejection_says_why() {
        let answer = Answer::reject(&Rejection::Sign);
        assert_eq!(answer.status(), 403);
        assert!(answer.body().contains("another token"), "{}", answer.body());
        assert_eq!(Answer::reject(&Rejection::Method { method: "GET".into() }).status(), 405);
        assert_eq!(Answer::reject(&Rejection::Body { reason: "x".into() }).status(), 400);
    }
}
