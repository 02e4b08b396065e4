//! What receivers answer.

use http::{HeaderMap, HeaderValue, header};
use serde_json::value::RawValue;
use unsaid_protocol::element::MsgBody;

use super::{
    Outcome,
    attempt::{AnswerSeen, Report, clock_ahead_s, retry_after},
    before::verdict,
};
use crate::{apps::AnswerRule, chat::Verdict, clock::Timestamp, fuzz::Reader, limits};

const NOW: Timestamp = Timestamp(1_764_500_000_000);

/// A status, Retry-After and Date, each a line, and the body. It has an outcome; and what it puts in the place of a message could
/// have been sent.
pub(crate) fn open() -> Reader {
    Box::new(|bytes| {
        let mut lines = bytes.splitn(4, |byte| *byte == b'\n');
        let mut line = || lines.next().unwrap_or_default();
        let status = std::str::from_utf8(line()).ok().and_then(|status| status.parse().ok()).unwrap_or(200);
        let mut headers = HeaderMap::new();
        for name in [header::RETRY_AFTER, header::DATE] {
            if let Ok(value) = HeaderValue::from_bytes(line()) {
                headers.insert(name, value);
            }
        }
        let body = line();
        let (pause, _) = (retry_after(&headers, NOW), clock_ahead_s(&headers, NOW));
        for rule in [AnswerRule::ErrorCode, AnswerRule::Status] {
            let outcome = Outcome::of_answer(status, pause, body, rule);
            assert!(Outcome::names().contains(&outcome.name()), "{outcome:?}");
            assert!(!outcome.to_string().is_empty());
            let answer = Some(AnswerSeen { status, body: body.to_vec().into() });
            check(&verdict(&Report { answer, ..Report::without_call(outcome) }, 0, 0));
        }
    })
}

fn check(verdict: &Verdict) {
    match verdict {
        Verdict::Pass { body, custom_data } => {
            let bytes = body.as_ref().map_or(0, |body| body.json.len()) + custom_data.as_ref().map_or(0, String::len);
            assert!(bytes <= limits::MESSAGE_BYTES_MAX);
            if let Some(body) = body {
                let stored: &RawValue = serde_json::from_str(&body.json).expect("what is stored is JSON");
                assert_eq!(MsgBody::parse(stored).as_ref(), Ok(body));
            }
        }
        Verdict::Refuse(refusal) => assert!(refusal.code.0 != 0 && !refusal.info.is_empty()),
        Verdict::Unanswered(why) => assert!(!why.is_empty()),
        Verdict::Discard => {}
    }
}
