//! The bodies of REST answers (rest 1.2 and 4). Requests are read field by field at the edge, since each field has a
//! code of its own.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::ErrorCode;

/// `ActionStatus`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub enum ActionStatus {
    #[serde(rename = "OK")]
    Ok,
    #[serde(rename = "FAIL")]
    Fail,
    /// Of `batchsendmsg` alone: not everybody got it.
    SomeError,
}

/// What every answer has, and what is special to a command behind it.
#[derive(Debug, Serialize)]
pub struct Envelope<'a, T> {
    #[serde(rename = "ActionStatus")]
    pub status: ActionStatus,
    #[serde(rename = "ErrorInfo")]
    pub info: &'a str,
    #[serde(rename = "ErrorCode")]
    pub code: ErrorCode,
    #[serde(flatten)]
    pub rest: T,
}

/// Nothing beyond the envelope.
#[derive(Debug, Serialize)]
pub struct Nothing {}

/// What the answers of `recentcontact` and `sns` have besides (rest 1.2).
#[derive(Debug, Serialize)]
pub struct Displayed<T> {
    #[serde(rename = "ErrorDisplay")]
    pub display: &'static str,
    #[serde(flatten)]
    pub rest: T,
}

impl<T> Displayed<T> {
    pub fn new(rest: T) -> Self {
        Self { display: "", rest }
    }
}

/// `sendmsg` (rest 4.1).
#[derive(Debug, Serialize)]
pub struct Sent {
    #[serde(rename = "MsgTime")]
    pub time_s: u32,
    #[serde(rename = "MsgKey")]
    pub key: String,
    #[serde(rename = "MsgId")]
    pub id: String,
}

/// `get_c2c_unread_msg_num` without peers (rest 5.1).
#[derive(Debug, Serialize)]
pub struct UnreadTotal {
    #[serde(rename = "AllC2CUnreadMsgNum")]
    pub total: i64,
}

/// `get_c2c_unread_msg_num` with peers (rest 5.1).
#[derive(Debug, Serialize)]
pub struct UnreadByPeer<'a> {
    #[serde(rename = "C2CUnreadMsgNumList")]
    pub counts: Vec<PeerUnread<'a>>,
    #[serde(rename = "ErrorList", skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<PeerError<'a>>,
}

#[derive(Debug, Serialize)]
pub struct PeerUnread<'a> {
    #[serde(rename = "Peer_Account")]
    pub peer: &'a str,
    #[serde(rename = "C2CUnreadMsgNum")]
    pub unread: i64,
}

#[derive(Debug, Serialize)]
pub struct PeerError<'a> {
    #[serde(rename = "Peer_Account")]
    pub peer: &'a str,
    #[serde(rename = "ErrorCode")]
    pub code: ErrorCode,
}

/// `admin_getroammsg` (rest 4.4): a page of history, oldest first.
#[derive(Debug, Serialize)]
pub struct History<'a> {
    /// 1 if nothing older is left in the range.
    #[serde(rename = "Complete")]
    pub complete: u8,
    #[serde(rename = "MsgCnt")]
    pub count: usize,
    #[serde(rename = "LastMsgTime")]
    pub last_time_s: u32,
    #[serde(rename = "LastMsgKey")]
    pub last_key: &'a str,
    #[serde(rename = "MsgList")]
    pub messages: &'a [Box<RawValue>],
}

/// `MsgFlagBits` of a recalled message.
pub const FLAG_RECALLED: u8 = 8;

/// One message of a history page (rest 4.4, 8.10).
#[derive(Debug, Serialize)]
pub struct HistoryMessage<'a> {
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    #[serde(rename = "To_Account")]
    pub to: &'a str,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    #[serde(rename = "MsgTimeStamp")]
    pub time_s: u32,
    #[serde(rename = "MsgFlagBits")]
    pub flags: u8,
    #[serde(rename = "IsPeerRead")]
    pub peer_read: u8,
    #[serde(rename = "MsgKey")]
    pub key: &'a str,
    #[serde(rename = "MsgBody")]
    pub body: &'a RawValue,
    #[serde(rename = "CloudCustomData")]
    pub custom_data: &'a str,
}
