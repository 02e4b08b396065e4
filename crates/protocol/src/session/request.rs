//! What clients ask for, and what they are answered.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Conversation, Message, is_false};

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
pub(super) struct Element {
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
