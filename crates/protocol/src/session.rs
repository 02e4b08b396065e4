//! Sessions: what a client and the gateway say to each other, one JSON object in each text frame of a WebSocket.
//!
//! A client sends requests; each gets exactly one answer, which carries its id. The server pushes what happened
//! meanwhile. `docs/gateway.md` and its JSON Schema are made from these types. Units stand at the end of names: `_s` is
//! seconds, `_ms` milliseconds, both since 1970 where they name a moment.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

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

/// `login`: the first request of a connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Login {
    pub sdkappid: u32,
    pub user_id: String,
    pub user_sig: String,
    /// `Web`, `Android`, `iOS`, `Windows`, `Mac` or `iPad`; anything else counts as `Unknown`.
    #[serde(default)]
    pub platform: String,
    /// Of the latest answer or push that had one: what happened since is pushed. Left out by who holds nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// The session that this one goes on with after a break. It is ended without a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// What `login` is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LoggedIn {
    /// Names this session; to go on with it after a break.
    pub session: String,
    /// The number of this account, as text, for it has more digits than a double holds: the first part of `msg_id`.
    pub account_number: String,
    /// Where updates go on: behind the given cursor, or at the present if `reload` is set.
    pub cursor: String,
    /// What the client holds is of no use: it has to ask for conversations and histories anew. Always set where no cursor
    /// was given.
    pub reload: bool,
    /// The total of unread messages; behind a cursor it stands as of now, before the updates.
    pub unread: i64,
    pub time_ms: i64,
    /// For how long a message can be recalled.
    pub recall_window_s: u32,
    pub nick: String,
    pub face_url: String,
}

/// `send`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Send {
    pub to: String,
    /// With `random` and the content it tells a repeat from another message: within 120 s a repeat gets the first one's
    /// answer and is not sent twice.
    pub seq: u32,
    pub random: u32,
    /// The sender's clock, which becomes part of `msg_id`. The message's own time is given by the server.
    pub client_time_s: u32,
    /// Elements: at least one.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Element>"))]
    pub body: Box<RawValue>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub custom_data: String,
    /// Only who is online now gets it; it is stored nowhere.
    #[serde(default, skip_serializing_if = "is_false")]
    pub online_only: bool,
    /// It does not count as unread.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_unread: bool,
    /// It does not become the conversation's last message.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_last: bool,
    /// The sender wants a receipt.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_receipt: bool,
    /// `OfflinePushInfo`, kept as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<serde_json::Map<String, serde_json::Value>>"))]
    pub push_info: Option<Box<RawValue>>,
}

/// An element of a message, as the REST API writes it.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "PascalCase")]
#[expect(dead_code, reason = "it stands for what is carried unread")]
struct Element {
    msg_type: String,
    msg_content: serde_json::Map<String, serde_json::Value>,
}

/// What `send` is answered with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sent {
    pub msg_key: String,
    pub msg_id: String,
    pub time_s: u32,
}

/// `recall`: takes back a message that this account sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recall {
    pub to: String,
    pub msg_key: String,
}

/// `modify`: replaces what a message says that this account sent. What is left out stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Modify {
    pub to: String,
    pub msg_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<Element>>"))]
    pub body: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<String>,
}

/// `read`: this account has read what `peer` sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Read {
    pub peer: String,
    /// Messages of this second and before; everything that is stored if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_s: Option<u32>,
}

/// `receipt`: acknowledges messages that `peer` sent; at most 30.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    pub peer: String,
    pub msg_keys: Vec<String>,
}

/// `history`: messages of the conversation with `peer`, the newest ones.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct History {
    pub peer: String,
    /// Only what stands before this message: the first one of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// Only messages of this second and before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_time_s: Option<u32>,
    /// How many at most: 15 if left out, 50 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
}

/// What `history` is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HistoryPage {
    /// The oldest first.
    pub messages: Vec<Message>,
    /// Whether nothing older is left.
    pub complete: bool,
}

/// `conversations`: those in this account's list, the one that was touched last first.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conversations {
    /// `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// These alone, in or out of the list, in the given order; 50 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<Vec<String>>,
}

/// What `conversations` is answered with.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ConversationsPage {
    /// As of which update they stand.
    pub number: i64,
    /// The total of unread messages.
    pub unread: i64,
    pub conversations: Vec<Conversation>,
    /// Where the next page begins; left out on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// `delete_messages`: from this account's own history; at most 30.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeleteMessages {
    pub peer: String,
    pub msg_keys: Vec<String>,
}

/// `delete_conversation`: from this account's own list, and on wish its own history.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeleteConversation {
    pub peer: String,
    #[serde(default)]
    pub clear_history: bool,
}

/// `profiles`, `online`, `block` and `unblock`: what they are about; at most 100.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Users {
    pub users: Vec<String>,
}

/// What `profiles` is answered with. Who is no account is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profiles {
    pub profiles: Vec<Profile>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Profile {
    pub user_id: String,
    pub nick: String,
    pub face_url: String,
}

/// `set_profile`: this account's own. What is left out stays.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SetProfile {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nick: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub face_url: Option<String>,
}

/// What `online` is answered with. Who is no account is left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OnlineStates {
    pub states: Vec<OnlineState>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OnlineState {
    pub user_id: String,
    pub online: bool,
}

/// What `blocklist`, `block` and `unblock` are answered with: whose messages this account does not want.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Blocklist {
    pub users: Vec<String>,
}

/// What `heartbeat` is answered with.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Beat {
    pub time_ms: i64,
}

/// A message as a client sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Message {
    pub from: String,
    pub to: String,
    /// Names it, together with sender and recipient: `{seq}_{random}_{time_s}`.
    pub msg_key: String,
    pub msg_id: String,
    /// Its number in the commit order of its conversation; 0 if it is stored nowhere.
    pub position: i64,
    pub client_time_s: u32,
    /// Empty in a tombstone.
    #[serde(deserialize_with = "any_json")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<Element>"))]
    pub body: Box<RawValue>,
    /// The types of its elements, separated by commas; they stay in a tombstone.
    pub types: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub custom_data: String,
    /// Who took it back: it is a tombstone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recalled_by: Option<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub modified: bool,
    /// Its sender wants a receipt.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_receipt: bool,
    /// Its recipient has acknowledged it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_receipt: bool,
    /// It does not count as unread.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_unread: bool,
    /// It does not become the conversation's last message.
    #[serde(default, skip_serializing_if = "is_false")]
    pub no_last: bool,
}

/// A conversation as this account sees it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Conversation {
    pub peer: String,
    pub nick: String,
    pub face_url: String,
    pub unread: i64,
    /// What the peer sent is read up to this position.
    pub read_position: i64,
    /// What this account sent is read by the peer up to this position.
    pub peer_read_position: i64,
    /// When a message touched it last; 0 if it is not in the list.
    pub time_s: u32,
    /// Messages up to this position are not in this account's history any more.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cleared_position: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_message: Option<Message>,
}

/// What happened behind one cursor and up to another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Updates {
    /// Behind the last of these updates.
    pub cursor: String,
    /// As of which update `unread` and `conversations` stand.
    pub number: i64,
    /// The total of unread messages.
    pub unread: i64,
    pub updates: Vec<Update>,
    /// Those that the updates touched, as they stand now.
    pub conversations: Vec<Conversation>,
}

/// One thing that happened. Each message stands as it is now, so one that was recalled since is a tombstone already when
/// its `message` comes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Update {
    /// Counts the updates of this account. One that comes again has the same number.
    pub number: i64,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum What {
    /// A message was stored: received, or sent by this account from any of its devices or by REST.
    Message { message: Message },
    /// A message was recalled.
    Recall { message: Message },
    /// A message says something else.
    Modify { message: Message },
    /// The recipient of a message has acknowledged it.
    Receipt { message: Message },
    /// This account has read what `peer` sent, on this or another device.
    Read { peer: String, time_s: u32 },
    /// `peer` has read what this account sent.
    ReadByPeer { peer: String, time_s: u32 },
    /// This account has read everything.
    ReadAll { time_s: u32 },
    /// This account has deleted a message from its own history.
    Delete { peer: String, from: String, to: String, msg_key: String },
    /// This account has deleted a conversation from its list.
    DeleteConversation { peer: String },
}

/// Why a login has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kicked {
    pub reason: KickReason,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum KickReason {
    /// The account logged in on another device of the same platform.
    OtherLogin,
    /// The app backend ended its logins, or deleted it.
    AppBackend,
    /// The UserSig has expired.
    UserSigExpired,
    /// The app is disabled.
    AppDisabled,
}

/// Where a frame is read by its tag, it is no text any more, and cannot be kept as it stands.
fn any_json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<RawValue>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    to_raw_value(&value).map_err(serde::de::Error::custom)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(value: &i64) -> bool {
    *value == 0
}

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
