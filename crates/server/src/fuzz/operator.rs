//! What operators send: bodies, queries and the cursors in them.

use axum::http::StatusCode;
use serde_json::Value;

use super::Reader;
use crate::stage::Lasting;

/// So many requests of one input are made.
const REQUESTS_MAX: usize = 16;

/// Requests of an operator, one a line: a method, a blank, a path behind `/api/v1`, a blank, a body. Each is answered by JSON,
/// which says what to do where the request was wrong.
pub(super) fn open() -> Reader {
    let lasting = Lasting::new();
    Box::new(move |bytes| {
        let stage = lasting.stage();
        for line in bytes.split(|byte| *byte == b'\n').take(REQUESTS_MAX) {
            let mut words = line.splitn(3, |byte| *byte == b' ');
            let mut word = || std::str::from_utf8(words.next().unwrap_or_default()).unwrap_or_default();
            let (method, path) = (word(), word());
            if leads_outside(path) {
                continue;
            }
            let body = words.next().unwrap_or_default();
            if let Some((status, answer)) = lasting.runtime.block_on(stage.operator(method, path, body)) {
                check(method, status, &answer);
            }
        }
    })
}

/// Tests dial, backups and a reload touch files: there is none of it on a stage. Nor are the routes of others.
fn leads_outside(path: &str) -> bool {
    !path.starts_with('/') || ["test", "backups", "reload"].iter().any(|word| path.contains(word))
}

fn check(method: &str, status: StatusCode, answer: &str) {
    assert!(status.as_u16() < 500, "{status} {answer}");
    // The head alone was asked for.
    if method == "HEAD" && answer.is_empty() {
        return;
    }
    let fields: Value = serde_json::from_str(answer).unwrap_or_else(|error| panic!("{status}, {error}: {answer}"));
    if !status.is_success() {
        assert!(fields["message"].as_str().is_some_and(|message| !message.is_empty()), "{status} {answer}");
    }
}
