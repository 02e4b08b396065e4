//! What app backends send: bodies of all commands, and the elements of messages.

use axum::http::StatusCode;
use serde_json::{Value, value::RawValue};
use unsaid_protocol::element::{MsgBody, carried};

use super::Reader;
use crate::stage::Lasting;

/// So many requests of one input are made.
const REQUESTS_MAX: usize = 16;

/// Requests of the admin, one a line: a command, a blank, its body. Each is answered as rest 1.2 says.
pub(super) fn open() -> Reader {
    let lasting = Lasting::new();
    Box::new(move |bytes| {
        let stage = lasting.stage();
        for line in bytes.split(|byte| *byte == b'\n').take(REQUESTS_MAX) {
            let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
            let Some(command) = std::str::from_utf8(&line[..end]).ok().filter(|command| !command.contains(['?', '#']))
            else {
                continue;
            };
            let body = line.get(end + 1..).unwrap_or_default();
            if let Some((status, answer)) = lasting.runtime.block_on(stage.rest(command, body)) {
                check_answer(status, &answer);
            }
        }
    })
}

/// It is an envelope: its code says whether it succeeded, and so does its status.
pub(super) fn check_answer(status: StatusCode, answer: &str) {
    assert_eq!(status, StatusCode::OK, "{answer}");
    let fields: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{error}: {answer}"));
    let code = fields["ErrorCode"].as_i64().unwrap_or_else(|| panic!("no ErrorCode: {answer}"));
    let info = fields["ErrorInfo"].as_str().unwrap_or_else(|| panic!("no ErrorInfo: {answer}"));
    match fields["ActionStatus"].as_str() {
        Some("OK") => assert!(code == 0 && info.is_empty(), "{answer}"),
        Some("FAIL") => assert!(code != 0 && !info.is_empty(), "{answer}"),
        Some("SomeError") => {}
        _ => panic!("no ActionStatus: {answer}"),
    }
}

/// A `MsgBody`. What is taken has one form, which is taken again as it is and means what was given.
pub(super) fn open_elements() -> Reader {
    Box::new(|bytes| {
        let Ok(given) = serde_json::from_slice::<&RawValue>(bytes) else { return };
        if let Ok(form) = carried(given) {
            let again: &RawValue = serde_json::from_str(&form).expect("what is carried is JSON");
            assert_eq!(carried(again).as_ref(), Ok(&form), "it has one form");
            let meaning = |json: &RawValue| serde_json::from_str::<Value>(json.get()).expect("it was taken");
            assert_eq!(meaning(given), meaning(again), "it means the same");
        }
        let Ok(body) = MsgBody::parse(given) else { return };
        let stored: &RawValue = serde_json::from_str(&body.json).expect("what is stored is JSON");
        assert_eq!(MsgBody::parse(stored).as_ref(), Ok(&body), "what is stored is read back");
        assert!(!body.types.is_empty());
    })
}
