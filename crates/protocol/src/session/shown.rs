//! What clients are shown: messages, conversations, and what happened.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};

use super::is_false;
#[cfg(feature = "schema")]
use super::request::Element;

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
