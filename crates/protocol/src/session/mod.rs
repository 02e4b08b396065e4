//! Sessions: what a client and the gateway say to each other, one JSON object in each text frame of a WebSocket.
//!
//! A client sends requests; each gets exactly one answer, which carries its id. The server pushes what happened
//! meanwhile. `docs/gateway.md` and its JSON Schema are made from these types. Units stand at the end of names: `_s` is
//! seconds, `_ms` milliseconds, both since 1970 where they name a moment.

mod request;
mod shown;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use self::{
    request::{
        Beat, Blocklist, Conversations, ConversationsPage, DeleteConversation, DeleteMessages, History, HistoryPage,
        LoggedIn, Login, Modify, OnlineState, OnlineStates, Profile, Profiles, Read, Recall, Receipt, Send, Sent,
        SetProfile, Users,
    },
    shown::{Conversation, KickReason, Kicked, Message, Update, Updates, What},
};
use crate::ErrorCode;

/// The path of the gateway on the listener for clients.
pub const PATH: &str = "/ws";

/// The longest frame that the gateway reads, in bytes. What it sends may be longer.
pub const FRAME_BYTES_MAX: usize = 64 * 1024;

/// Why the gateway closes a connection, as the code of the close frame.
pub mod close {
    /// The server stops: connect again, after a moment.
    pub const GOING_AWAY: u16 = 1001;
    /// A frame that is no text.
    pub const NOT_TEXT: u16 = 1003;
    /// A frame that is no request: not JSON, or without `id` or `request`.
    pub const NOT_A_REQUEST: u16 = 1007;
    /// Too many frames in too short a time.
    pub const TOO_MANY_FRAMES: u16 = 1008;
    /// A frame longer than [`super::FRAME_BYTES_MAX`].
    pub const FRAME_TOO_LONG: u16 = 1009;
    /// The server could not go on with this session: connect again.
    pub const FAILED: u16 = 1011;
    /// Nobody logged in within the time for that.
    pub const NO_LOGIN: u16 = 4001;
    /// Nothing was heard from the client for too long.
    pub const SILENT: u16 = 4002;
    /// The login has ended, and the push `kicked` has said why: log in anew.
    pub const KICKED: u16 = 4003;
    /// It logged out.
    pub const LOGGED_OUT: u16 = 4004;

    /// All of them, with their meaning.
    pub const ALL: [(u16, &str); 10] = [
        (GOING_AWAY, "the server stops: connect again after a moment, and log in with the cursor"),
        (NOT_TEXT, "a frame was not text"),
        (NOT_A_REQUEST, "a frame was no request: not a JSON object, or without `id` or `request`"),
        (TOO_MANY_FRAMES, "too many frames in too short a time"),
        (FRAME_TOO_LONG, "a frame was longer than 65536 bytes"),
        (FAILED, "the server could not go on with this session: connect again"),
        (NO_LOGIN, "nobody logged in within 10 s"),
        (SILENT, "nothing was heard from the client for 60 s"),
        (KICKED, "the login has ended; the push `kicked` has said why"),
        (LOGGED_OUT, "it logged out"),
    ];
}

/// What a client sends.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestFrame<'a> {
    /// Chosen by the client; its answer carries it.
    pub id: u64,
    /// The name of the request.
    #[serde(borrow)]
    pub request: Cow<'a, str>,
    /// Its fields; may be left out where there are none.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub data: Option<&'a RawValue>,
}

/// What a request is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AnswerFrame {
    pub id: u64,
    /// 0 is success.
    pub code: ErrorCode,
    /// What to do about it, for a developer; only where it did not succeed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub info: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub data: Option<Box<RawValue>>,
}

/// What the server says unasked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "push", content = "data", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Push {
    /// What happened, in its order.
    Updates(Updates),
    /// A message that is stored nowhere (`online_only`).
    Online(Message),
    /// The login has ended; the connection is closed next.
    Kicked(Kicked),
    /// The server stops; the connection is closed next.
    GoingAway(Nothing),
}

/// No fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Nothing {}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_has_its_number_and_kind_beside_its_fields() {
        let update = Update { number: 7, what: What::Read { peer: "jared".to_owned(), time_s: 1_700_000_000 } };
        let json = serde_json::to_string(&update).expect("it serializes");
        assert_eq!(json, r#"{"number":7,"kind":"read","peer":"jared","time_s":1700000000}"#);
    }

    #[test]
    fn a_push_names_itself() {
        let push = Push::Kicked(Kicked { reason: KickReason::UserSigExpired });
        let json = serde_json::to_string(&push).expect("it serializes");
        assert_eq!(json, r#"{"push":"kicked","data":{"reason":"user_sig_expired"}}"#);
        assert_eq!(
            serde_json::to_string(&Push::GoingAway(Nothing {})).expect("it serializes"),
            r#"{"push":"going_away","data":{}}"#
        );
    }

    #[test]
    fn a_push_is_read_back() {
        let message = Message {
            from: "jared".to_owned(),
            to: "Jonh".to_owned(),
            msg_key: "1_2_3".to_owned(),
            msg_id: "1-3-2".to_owned(),
            position: 1,
            client_time_s: 3,
            body: RawValue::from_string(r#"[{"MsgType":"TIMTextElem","MsgContent":{"Text":"hi"}}]"#.to_owned())
                .expect("JSON"),
            types: "TIMTextElem".to_owned(),
            custom_data: String::new(),
            recalled_by: None,
            modified: false,
            needs_receipt: true,
            has_receipt: false,
            no_unread: false,
            no_last: false,
        };
        let push = Push::Updates(Updates {
            cursor: "e-0-1".to_owned(),
            number: 1,
            unread: 0,
            updates: vec![Update { number: 1, what: What::Message { message } }],
            conversations: Vec::new(),
        });
        let json = serde_json::to_value(&push).expect("it serializes");
        let read: Push = serde_json::from_str(&json.to_string()).expect("it is read back");
        assert_eq!(serde_json::to_value(&read).expect("it serializes"), json);
    }

    #[test]
    fn a_request_may_have_no_data() {
        let frame: RequestFrame<'_> = serde_json::from_str(r#"{"request":"heartbeat","id":1}"#).expect("a request");
        assert_eq!((frame.id, &*frame.request, frame.data.is_none()), (1, "heartbeat", true));
        assert!(serde_json::from_str::<RequestFrame<'_>>(r#"{"id":-1,"request":"x"}"#).is_err());
    }
}
