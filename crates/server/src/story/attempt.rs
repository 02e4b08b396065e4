//! What is taken down of an attempt.

use std::borrow::Cow;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};
use unsaid_protocol::{SdkAppId, callback::CallbackCommand};

use crate::{
    chat::{EventId, Lane, Origin},
    clock::Timestamp,
};

/// One attempt at an event.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    pub at: Timestamp,
    pub event: EventId,
    pub app: SdkAppId,
    pub lane: Lane,
    pub command: CallbackCommand,
    /// 1 for the first.
    pub attempt: u32,
    pub replay: bool,
    pub origin: Origin,
    /// The outcome's class and name.
    pub class: &'static str,
    pub outcome: &'static str,
    /// What it means, if it was not delivered.
    pub message: Option<String>,
    pub phases: Phases,
    /// Whether the connection was one that was kept.
    pub kept: bool,
    /// Where it was dialled, if it was for this attempt.
    pub address: Option<String>,
    pub status: Option<u16>,
    /// Its first [`ANSWER_BYTES_MAX`] bytes.
    pub answer: Bytes,
    pub body: Bytes,
}

/// How long each phase that was reached took, in microseconds, also the one in which it ended. Over a kept connection there
/// is only the answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Phases {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer_us: Option<u64>,
    pub total_us: u64,
}

/// How much of an answer is kept. A receiver may repeat in it what it was sent, so that of a delivery is kept only if it
/// is the short one that is expected.
pub const ANSWER_BYTES_MAX: usize = 1024;
const DELIVERED_ANSWER_BYTES_MAX: usize = 128;

/// What a record says beyond its columns, as JSON.
#[derive(Serialize)]
struct Detail<'a> {
    number: u32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replay: bool,
    client_ip: std::net::IpAddr,
    platform: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(flatten)]
    phases: Phases,
    #[serde(rename = "kept_connection", skip_serializing_if = "std::ops::Not::not")]
    kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Cow<'a, str>>,
    /// As it was sent, at the first attempt; all others send the same bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    sent: Option<Cow<'a, RawValue>>,
}

impl AttemptRecord {
    /// What it holds in memory beyond itself.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + self.answer.len()
    }

    /// Everything that has no column of its own.
    pub(super) fn detail(&self) -> String {
        let delivered = self.class == "delivered";
        let most = if delivered { DELIVERED_ANSWER_BYTES_MAX } else { ANSWER_BYTES_MAX };
        // What replaces a message is its text, too.
        let replaces = delivered && self.command.is_waited_for();
        let shown = !self.answer.is_empty() && !replaces && (!delivered || self.answer.len() <= most);
        let answer = shown.then(|| String::from_utf8_lossy(&self.answer[..self.answer.len().min(most)]));
        let detail = Detail {
            number: self.attempt,
            replay: self.replay,
            client_ip: self.origin.client_ip,
            platform: self.origin.platform.as_str(),
            request: self.origin.request.name(),
            message: self.message.as_deref(),
            phases: self.phases,
            kept: self.kept,
            address: self.address.as_deref(),
            status: self.status,
            answer,
            sent: (self.attempt == 1).then(|| without_text(self.command, &self.body)).flatten(),
        };
        serde_json::to_string(&detail).expect("strings and numbers serialize")
    }

    /// The `MsgKey` that the body names, the first one if there are several. Inside a text its quotes would be escaped.
    pub(super) fn msg_key(&self) -> Option<&str> {
        const FIELD: &[u8] = b"\"MsgKey\":\"";
        let at = self.body.windows(FIELD.len()).position(|window| window == FIELD)? + FIELD.len();
        let length = self.body[at..].iter().position(|byte| *byte == b'"')?;
        std::str::from_utf8(&self.body[at..at + length]).ok()
    }
}

/// What a message says is left out; of its elements only the types stay.
fn without_text(command: CallbackCommand, body: &[u8]) -> Option<Cow<'_, RawValue>> {
    if !command.holds_text() {
        return serde_json::from_slice(body).ok().map(Cow::Borrowed);
    }
    let mut body: Value = serde_json::from_slice(body).ok()?;
    let fields = body.as_object_mut()?;
    fields.remove("CloudCustomData");
    let elements = fields.get_mut("MsgBody")?.as_array_mut()?;
    elements.iter_mut().for_each(|element| *element = element["MsgType"].take());
    serde_json::value::to_raw_value(&body).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c8_what_a_message_says_is_left_out() {
        let body = br#"{"CallbackCommand":"C2C.CallbackAfterSendMsg","MsgKey":"1_2_3","CloudCustomData":"mine",
                        "MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"a secret"}}]}"#;
        let kept = without_text(CallbackCommand::AfterSendMsg, body).expect("it is JSON").get().to_owned();
        assert!(kept.contains("TIMTextElem") && kept.contains("1_2_3"), "{kept}");
        assert!(!kept.contains("secret") && !kept.contains("mine"), "{kept}");
        for unknown in [&b"no JSON"[..], br#"{"MsgBody":"text"}"#, b"[]"] {
            assert!(without_text(CallbackCommand::AfterSendMsg, unknown).is_none());
        }
    }
}
