//! Callbacks: their commands, query parameters, bodies, and the answer of a receiver (callbacks 1 and 4).

use std::{
    fmt::{self, Write},
    net::IpAddr,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use crate::{SdkAppId, sign::sign};

/// What a callback tells of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum CallbackCommand {
    /// The only one that is waited for.
    BeforeSendMsg,
    AfterSendMsg,
    AfterMsgReport,
    AfterMsgWithDraw,
    AfterModifyMsg,
    AfterMsgReadReceipt,
    AfterMsgReadAll,
    StateChange,
}

/// Not the name of a callback that this version sends.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is not a callback of this server; it sends {names}", names = CallbackCommand::ALL.map(CallbackCommand::as_str).join(", "))]
pub struct UnknownCommand(String);

impl CallbackCommand {
    pub const ALL: [Self; 8] = [
        Self::BeforeSendMsg,
        Self::AfterSendMsg,
        Self::AfterMsgReport,
        Self::AfterMsgWithDraw,
        Self::AfterModifyMsg,
        Self::AfterMsgReadReceipt,
        Self::AfterMsgReadAll,
        Self::StateChange,
    ];

    /// Those that are owed and delivered at least once: all but the one that is waited for.
    pub const AFTER: [Self; 7] = {
        let [_, after @ ..] = Self::ALL;
        after
    };

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BeforeSendMsg => "C2C.CallbackBeforeSendMsg",
            Self::AfterSendMsg => "C2C.CallbackAfterSendMsg",
            Self::AfterMsgReport => "C2C.CallbackAfterMsgReport",
            Self::AfterMsgWithDraw => "C2C.CallbackAfterMsgWithDraw",
            Self::AfterModifyMsg => "C2C.CallbackAfterModifyMsg",
            Self::AfterMsgReadReceipt => "C2C.CallbackAfterMsgReadReceipt",
            Self::AfterMsgReadAll => "C2C.CallbackAfterMsgReadAll",
            Self::StateChange => "State.StateChange",
        }
    }

    /// Whether what the receiver answers is waited for and obeyed.
    pub const fn is_waited_for(self) -> bool {
        matches!(self, Self::BeforeSendMsg)
    }

    /// Whether its body holds what a message says.
    pub const fn holds_text(self) -> bool {
        matches!(self, Self::BeforeSendMsg | Self::AfterSendMsg | Self::AfterModifyMsg)
    }
}

impl fmt::Display for CallbackCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for CallbackCommand {
    type Err = UnknownCommand;

    fn from_str(text: &str) -> Result<Self, UnknownCommand> {
        Self::ALL.into_iter().find(|command| command.as_str() == text).ok_or_else(|| UnknownCommand(text.to_owned()))
    }
}

impl TryFrom<String> for CallbackCommand {
    type Error = UnknownCommand;

    fn try_from(text: String) -> Result<Self, UnknownCommand> {
        text.parse()
    }
}

impl From<CallbackCommand> for &'static str {
    fn from(command: CallbackCommand) -> Self {
        command.as_str()
    }
}

/// `OptPlatform`: through which door, and from what kind of device (callbacks 1.2).
///
/// A session may claim one of the devices; anything else it claims, `RESTAPI` too, becomes `Unknown`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Platform {
    RestApi,
    Web,
    Android,
    Ios,
    Windows,
    Mac,
    Ipad,
    Unknown,
}

impl Platform {
    pub const ALL: [Self; 8] =
        [Self::RestApi, Self::Web, Self::Android, Self::Ios, Self::Windows, Self::Mac, Self::Ipad, Self::Unknown];

    /// As every command but `State.StateChange` writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RestApi => "RESTAPI",
            Self::Web => "Web",
            Self::Android => "Android",
            Self::Ios => "iOS",
            Self::Windows => "Windows",
            Self::Mac => "Mac",
            Self::Ipad => "iPad",
            Self::Unknown => "Unknown",
        }
    }

    /// As the query of `command` writes it: `State.StateChange` alone has its own casing of one of them.
    pub const fn in_query_of(self, command: CallbackCommand) -> &'static str {
        match (self, command) {
            (Self::Ios, CallbackCommand::StateChange) => "IOS",
            _ => self.as_str(),
        }
    }

    /// The platform of that name, for what the server itself has written.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|platform| platform.as_str() == name)
    }
}

/// The parameters that a callback adds to the query of the configured URL.
pub const QUERY_NAMES: [&str; 7] =
    ["SdkAppid", "CallbackCommand", "contenttype", "ClientIP", "OptPlatform", "Sign", "RequestTime"];

/// The query of one attempt (callbacks 1.2, rule R7).
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    pub sdkappid: SdkAppId,
    pub command: CallbackCommand,
    pub client_ip: IpAddr,
    pub platform: Platform,
    /// The token and the attempt's time in seconds, where authentication is on.
    pub signed: Option<(&'a str, i64)>,
}

impl Query<'_> {
    /// Appends the parameters to the configured `path_and_query`, of which nothing is changed.
    pub fn append_to(&self, path_and_query: &str) -> String {
        let mut out = String::with_capacity(path_and_query.len() + 256);
        if !path_and_query.starts_with('/') {
            out.push('/');
        }
        out.push_str(path_and_query);
        match path_and_query.find('?') {
            None => out.push('?'),
            Some(at) if at + 1 == path_and_query.len() || path_and_query.ends_with('&') => {}
            Some(_) => out.push('&'),
        }
        let Self { sdkappid, command, client_ip, platform, signed } = self;
        let (command, platform) = (command.as_str(), platform.in_query_of(*command));
        // None of it needs to be percent-encoded: letters, digits, dots and colons stand for themselves.
        write!(
            out,
            "SdkAppid={sdkappid}&CallbackCommand={command}&contenttype=json&ClientIP={client_ip}&OptPlatform={platform}"
        )
        .expect("writing to memory succeeds");
        if let Some((token, request_time_s)) = signed {
            write!(out, "&Sign={}&RequestTime={request_time_s}", sign(token, *request_time_s))
                .expect("writing to memory succeeds");
        }
        out
    }
}

/// The body of `C2C.CallbackAfterMsgWithDraw` (callbacks 4.4, rule R5).
#[derive(Serialize, Debug)]
pub struct AfterMsgWithDraw<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    #[serde(rename = "To_Account")]
    pub to: &'a str,
    #[serde(rename = "MsgKey")]
    pub key: &'a str,
    /// The recipient's total as it stands right after the recall.
    #[serde(rename = "UnreadMsgNum", skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    #[serde(rename = "EventTime", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub detail: Option<WithDrawDetail<'a>>,
}

/// What receivers miss most in a recall; sent where the app asks for it (rule R5).
#[derive(Serialize, Debug)]
pub struct WithDrawDetail<'a> {
    #[serde(rename = "Operator_Account")]
    pub operator: &'a str,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    #[serde(rename = "MsgTime")]
    pub time_s: u32,
    #[serde(rename = "MsgId")]
    pub id: &'a str,
}

/// The body of `C2C.CallbackAfterSendMsg` (callbacks 4.2).
#[derive(Serialize, Debug)]
pub struct AfterSendMsg<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    #[serde(rename = "To_Account")]
    pub to: &'a str,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    #[serde(rename = "MsgTime")]
    pub time_s: u32,
    #[serde(rename = "MsgKey")]
    pub key: &'a str,
    #[serde(rename = "MsgId")]
    pub id: &'a str,
    #[serde(rename = "OnlineOnlyFlag")]
    pub online_only: u8,
    #[serde(rename = "SendMsgResult")]
    pub result: i32,
    #[serde(rename = "ErrorInfo")]
    pub error_info: &'a str,
    /// The recipient's total, this message included; -1 if sending failed.
    #[serde(rename = "UnreadMsgNum")]
    pub unread: i64,
    #[serde(rename = "MsgBody")]
    pub body: &'a RawValue,
    #[serde(rename = "CloudCustomData", skip_serializing_if = "str::is_empty")]
    pub custom_data: &'a str,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
}

/// The body of `C2C.CallbackAfterMsgReport` (callbacks 4.3).
#[derive(Serialize, Debug)]
pub struct AfterMsgReport<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "Report_Account")]
    pub reader: &'a str,
    #[serde(rename = "Peer_Account")]
    pub peer: &'a str,
    #[serde(rename = "LastReadTime")]
    pub last_read_time_s: i64,
    #[serde(rename = "UnreadMsgNum")]
    pub unread: i64,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
}

/// The body of `C2C.CallbackBeforeSendMsg` (callbacks 4.1).
#[derive(Serialize, Debug)]
pub struct BeforeSendMsg<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    #[serde(rename = "To_Account")]
    pub to: &'a str,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    #[serde(rename = "MsgTime")]
    pub time_s: u32,
    #[serde(rename = "MsgKey")]
    pub key: &'a str,
    #[serde(rename = "MsgId")]
    pub id: &'a str,
    #[serde(rename = "OnlineOnlyFlag")]
    pub online_only: u8,
    #[serde(rename = "MsgBody")]
    pub body: &'a RawValue,
    #[serde(rename = "CloudCustomData", skip_serializing_if = "str::is_empty")]
    pub custom_data: &'a str,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
}

/// The body of `C2C.CallbackAfterModifyMsg` (callbacks 4.6).
#[derive(Serialize, Debug)]
pub struct AfterModifyMsg<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "Operator_Account")]
    pub operator: &'a str,
    #[serde(rename = "From_Account")]
    pub from: &'a str,
    #[serde(rename = "To_Account")]
    pub to: &'a str,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    #[serde(rename = "MsgTime")]
    pub time_s: u32,
    #[serde(rename = "MsgKey")]
    pub key: &'a str,
    #[serde(rename = "MsgBody")]
    pub body: &'a RawValue,
    #[serde(rename = "CloudCustomData")]
    pub custom_data: &'a str,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
}

/// The body of `C2C.CallbackAfterMsgReadReceipt` (callbacks 4.5).
#[derive(Serialize, Debug)]
pub struct AfterMsgReadReceipt<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    /// Who sent the receipt.
    #[serde(rename = "Operator_Account")]
    pub operator: &'a str,
    #[serde(rename = "Peer_Account")]
    pub peer: &'a str,
    #[serde(rename = "C2CMsgInfo")]
    pub messages: &'a [ReceiptMessage],
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
}

/// A message that a receipt acknowledges.
#[derive(Serialize, Debug)]
pub struct ReceiptMessage {
    #[serde(rename = "From_Account")]
    pub from: String,
    #[serde(rename = "To_Account")]
    pub to: String,
    #[serde(rename = "MsgKey")]
    pub key: String,
    #[serde(rename = "MsgId")]
    pub id: String,
}

/// The body of `C2C.CallbackAfterMsgReadAll` (callbacks 4.8).
#[derive(Serialize, Debug)]
pub struct AfterMsgReadAll<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "Report_Account")]
    pub reader: &'a str,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
    /// There are no groups here, so it is always empty.
    #[serde(rename = "GroupReadInfo")]
    pub groups: [(); 0],
}

/// The body of `State.StateChange` (callbacks 4.9).
#[derive(Serialize, Debug)]
pub struct StateChange<'a> {
    #[serde(rename = "CallbackCommand")]
    pub command: CallbackCommand,
    #[serde(rename = "EventTime")]
    pub event_time_ms: i64,
    #[serde(rename = "Info")]
    pub info: StateInfo<'a>,
    /// The devices that a login displaced.
    #[serde(rename = "KickedDevice", skip_serializing_if = "<[_]>::is_empty")]
    pub kicked: &'a [KickedDevice<'a>],
}

/// What changed in `State.StateChange`.
#[derive(Serialize, Debug)]
pub struct StateInfo<'a> {
    /// `Login`, `Logout` or `Disconnect`.
    #[serde(rename = "Action")]
    pub action: &'a str,
    #[serde(rename = "To_Account")]
    pub account: &'a str,
    /// `Register`, `Unregister`, `LinkClose` or `TimeOut`.
    #[serde(rename = "Reason")]
    pub reason: &'a str,
}

/// A device that a login displaced.
#[derive(Serialize, Debug)]
pub struct KickedDevice<'a> {
    #[serde(rename = "Platform")]
    pub platform: &'a str,
}

/// What a receiver answers (callbacks 1.4). `ErrorCode` alone decides; the other two may be missing, or `null`, as some
/// JSON libraries write what is empty.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Answer {
    #[serde(rename = "ActionStatus", default, deserialize_with = "text_or_nothing")]
    pub action_status: String,
    #[serde(rename = "ErrorInfo", default, deserialize_with = "text_or_nothing")]
    pub error_info: String,
    #[serde(rename = "ErrorCode")]
    pub error_code: i64,
}

/// A field that decides nothing never makes an answer unreadable.
fn text_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

/// The answer that accepts a callback, byte for byte as the documentation shows it.
pub const ANSWER_OK: &str = r#"{"ActionStatus":"OK","ErrorInfo":"","ErrorCode":0}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn query(signed: Option<(&str, i64)>) -> Query<'_> {
        Query {
            sdkappid: SdkAppId(1_400_009_999),
            command: CallbackCommand::AfterMsgWithDraw,
            client_ip: IpAddr::from([203, 0, 113, 9]),
            platform: Platform::Android,
            signed,
        }
    }

    const PARAMETERS: &str = "SdkAppid=1400009999&CallbackCommand=C2C.CallbackAfterMsgWithDraw&contenttype=json\
                              &ClientIP=203.0.113.9&OptPlatform=Android";

    #[test]
    fn r7_the_query_of_a_signed_callback() {
        assert_eq!(
            query(Some(("s3cret-Token_01", 1_731_400_198))).append_to("/hooks/im"),
            format!(
                "/hooks/im?{PARAMETERS}\
                 &Sign=46e21d4876e86c9a6cc8131ef5360a79e427de189da1d2222e97f5f4510754d3&RequestTime=1731400198"
            )
        );
    }

    #[test]
    fn r7_what_the_url_carries_stays() {
        for (configured, expected) in [
            ("", format!("/?{PARAMETERS}")),
            ("/", format!("/?{PARAMETERS}")),
            ("?a=1", format!("/?a=1&{PARAMETERS}")),
            ("/im?tenant=7", format!("/im?tenant=7&{PARAMETERS}")),
            ("/im?", format!("/im?{PARAMETERS}")),
            ("/im?a=%26&", format!("/im?a=%26&{PARAMETERS}")),
        ] {
            assert_eq!(query(None).append_to(configured), expected);
        }
    }

    #[test]
    fn r5_the_body_of_a_recall() {
        let body = AfterMsgWithDraw {
            command: CallbackCommand::AfterMsgWithDraw,
            from: "alice_7",
            to: "bob-42",
            key: "2893104417_1530220984_1731400123",
            unread: Some(4),
            event_time_ms: Some(1_731_400_198_305),
            detail: None,
        };
        assert_eq!(
            serde_json::to_string(&body).expect("serializes"),
            r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42","MsgKey":"2893104417_1530220984_1731400123","UnreadMsgNum":4,"EventTime":1731400198305}"#
        );
    }
}
