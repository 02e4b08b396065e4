//! What callbacks tell of, as types (callbacks 4). What is not named here is kept in `other`, so that a field of a newer
//! server is not lost; what not every revision of the original service sends is optional.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value, value::RawValue};
use unsaid_protocol::callback::CallbackCommand;

use crate::{Rejection, verify::parse};

/// The fields of an object that are not named here.
pub type Other = Map<String, Value>;

/// A callback's body. It serializes as it came.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "CallbackCommand")]
pub enum Event {
    /// A question, which is waited for: may this message be sent?
    #[serde(rename = "C2C.CallbackBeforeSendMsg")]
    BeforeSendMsg(BeforeSendMsg),
    #[serde(rename = "C2C.CallbackAfterSendMsg")]
    AfterSendMsg(AfterSendMsg),
    #[serde(rename = "C2C.CallbackAfterMsgReport")]
    AfterMsgReport(AfterMsgReport),
    #[serde(rename = "C2C.CallbackAfterMsgWithDraw")]
    AfterMsgWithDraw(AfterMsgWithDraw),
    #[serde(rename = "C2C.CallbackAfterModifyMsg")]
    AfterModifyMsg(AfterModifyMsg),
    #[serde(rename = "C2C.CallbackAfterMsgReadReceipt")]
    AfterMsgReadReceipt(AfterMsgReadReceipt),
    #[serde(rename = "C2C.CallbackAfterMsgReadAll")]
    AfterMsgReadAll(AfterMsgReadAll),
    #[serde(rename = "State.StateChange")]
    StateChange(StateChange),
    /// A callback that this version has no type for: the whole body.
    #[serde(untagged)]
    Unknown(Other),
}

/// `C2C.CallbackBeforeSendMsg`: a message is about to be sent. Nothing is stored yet.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct BeforeSendMsg {
    #[serde(flatten)]
    pub message: Message,
    /// When it was asked, in milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterSendMsg`: a message was sent, or could not be.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterSendMsg {
    #[serde(flatten)]
    pub message: Message,
    /// 0 if it was sent, else the code of an error.
    #[serde(rename = "SendMsgResult", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub result: Option<i64>,
    /// `send msg succeed`, or why it was not sent.
    #[serde(rename = "ErrorInfo", default, skip_serializing_if = "Option::is_none")]
    pub error_info: Option<String>,
    /// All that the recipient has not read, this message included; -1 if sending failed.
    #[serde(rename = "UnreadMsgNum", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// What before and after a send is said of its message.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Message {
    #[serde(rename = "From_Account")]
    pub from: String,
    #[serde(rename = "To_Account")]
    pub to: String,
    #[serde(rename = "MsgSeq")]
    pub seq: u32,
    #[serde(rename = "MsgRandom")]
    pub random: u32,
    /// In seconds.
    #[serde(rename = "MsgTime")]
    pub time_s: i64,
    /// Unique between these two accounts, not beyond.
    #[serde(rename = "MsgKey")]
    pub key: String,
    #[serde(rename = "MsgId", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// 1 if it is not stored, only handed to whoever is online.
    #[serde(rename = "OnlineOnlyFlag", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub online_only: Option<i64>,
    #[serde(rename = "MsgBody")]
    pub body: Vec<Element>,
    /// None if the message has none.
    #[serde(rename = "CloudCustomData", default, skip_serializing_if = "Option::is_none")]
    pub custom_data: Option<String>,
}

/// A part of a message (callbacks 5.1).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Element {
    /// `TIMTextElem`, `TIMCustomElem` ...
    #[serde(rename = "MsgType")]
    pub kind: String,
    #[serde(rename = "MsgContent")]
    pub content: Value,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterMsgReport`: an account has read a conversation up to a time.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterMsgReport {
    #[serde(rename = "Report_Account")]
    pub reader: String,
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    /// In seconds.
    #[serde(rename = "LastReadTime")]
    pub last_read_time_s: i64,
    /// All that the reader has not read, over all conversations.
    #[serde(rename = "UnreadMsgNum", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterMsgWithDraw`: a message was recalled. It is named by from, to and key together.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterMsgWithDraw {
    /// Who sent the message, not who recalled it.
    #[serde(rename = "From_Account")]
    pub from: String,
    #[serde(rename = "To_Account")]
    pub to: String,
    #[serde(rename = "MsgKey")]
    pub key: String,
    /// All that the recipient has not read, right after the recall.
    #[serde(rename = "UnreadMsgNum", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub unread: Option<i64>,
    /// When it was recalled, in milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterModifyMsg`: a message says something else.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterModifyMsg {
    /// Who changed it.
    #[serde(rename = "Operator_Account")]
    pub operator: String,
    /// The message with its new content.
    #[serde(flatten)]
    pub message: Message,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterMsgReadReceipt`: messages were acknowledged one by one.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterMsgReadReceipt {
    /// Who sent the receipt.
    #[serde(rename = "Operator_Account")]
    pub operator: String,
    #[serde(rename = "Peer_Account")]
    pub peer: String,
    #[serde(rename = "C2CMsgInfo")]
    pub messages: Vec<MessageName>,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

/// A message that a receipt acknowledges.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct MessageName {
    #[serde(rename = "From_Account")]
    pub from: String,
    #[serde(rename = "To_Account")]
    pub to: String,
    #[serde(rename = "MsgKey")]
    pub key: String,
    #[serde(rename = "MsgId", default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(flatten)]
    pub other: Other,
}

/// `C2C.CallbackAfterMsgReadAll`: an account has read everything.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AfterMsgReadAll {
    #[serde(rename = "Report_Account")]
    pub reader: String,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    /// `GroupReadInfo` is among them; Unsaid has no groups, so there it is empty.
    #[serde(flatten)]
    pub other: Other,
}

/// `State.StateChange`: an account came or went.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateChange {
    #[serde(rename = "Info")]
    pub info: StateInfo,
    /// The devices that a login displaced.
    #[serde(rename = "KickedDevice", default, skip_serializing_if = "Vec::is_empty")]
    pub kicked: Vec<KickedDevice>,
    /// In milliseconds.
    #[serde(rename = "EventTime", default, deserialize_with = "integer", skip_serializing_if = "Option::is_none")]
    pub event_time_ms: Option<i64>,
    #[serde(flatten)]
    pub other: Other,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct StateInfo {
    /// `Login`, `Logout` or `Disconnect`.
    #[serde(rename = "Action")]
    pub action: String,
    #[serde(rename = "To_Account")]
    pub account: String,
    /// `Register`, `Unregister`, `LinkClose` or `TimeOut`.
    #[serde(rename = "Reason", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(flatten)]
    pub other: Other,
}

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct KickedDevice {
    #[serde(rename = "Platform")]
    pub platform: String,
    #[serde(flatten)]
    pub other: Other,
}

impl Event {
    /// Reads a body whose `CallbackCommand` is `command`.
    pub(crate) fn read(command: &str, body: &RawValue) -> Result<Self, Rejection> {
        let mut body: Other = parse(body.get().as_bytes())?;
        let Ok(known) = command.parse() else {
            return Ok(Self::Unknown(body));
        };
        // It is the variant; as a field it would stand among the other ones.
        body.remove("CallbackCommand");
        let body = Value::Object(body);
        let read = match known {
            CallbackCommand::BeforeSendMsg => BeforeSendMsg::deserialize(body).map(Self::BeforeSendMsg),
            CallbackCommand::AfterSendMsg => AfterSendMsg::deserialize(body).map(Self::AfterSendMsg),
            CallbackCommand::AfterMsgReport => AfterMsgReport::deserialize(body).map(Self::AfterMsgReport),
            CallbackCommand::AfterMsgWithDraw => AfterMsgWithDraw::deserialize(body).map(Self::AfterMsgWithDraw),
            CallbackCommand::AfterModifyMsg => AfterModifyMsg::deserialize(body).map(Self::AfterModifyMsg),
            CallbackCommand::AfterMsgReadReceipt => {
                AfterMsgReadReceipt::deserialize(body).map(Self::AfterMsgReadReceipt)
            }
            CallbackCommand::AfterMsgReadAll => AfterMsgReadAll::deserialize(body).map(Self::AfterMsgReadAll),
            CallbackCommand::StateChange => StateChange::deserialize(body).map(Self::StateChange),
        };
        read.map_err(|error| Rejection::Body { reason: error.to_string() })
    }

    /// Whether the answer is waited for and obeyed.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::BeforeSendMsg(_))
    }
}

/// A number, which some revisions write as a string.
fn integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let number = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(None),
        Value::Number(number) => number.as_i64(),
        Value::String(digits) => digits.parse().ok(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    number.map(Some).ok_or_else(|| de::Error::custom("a time or count is not a whole number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = r#""From_Account":"alice_7","To_Account":"bob-42","MsgSeq":2893104417,"MsgRandom":1530220984,"MsgTime":1731400123,"MsgKey":"2893104417_1530220984_1731400123""#;
    const BODY: &str = r#""MsgBody":[{"MsgType":"TIMTextElem","MsgContent":{"Text":"lunch at noon?"}}]"#;

    fn read(body: &str) -> Result<Event, Rejection> {
        let value: Value = serde_json::from_str(body).expect("JSON");
        let raw = RawValue::from_string(body.to_owned()).expect("JSON");
        Event::read(value["CallbackCommand"].as_str().expect("text"), &raw)
    }

    /// One of each, as callbacks 4 shows them, without what only some revisions send.
    fn shortest() -> Vec<String> {
        vec![
            format!(r#"{{"CallbackCommand":"C2C.CallbackBeforeSendMsg",{MESSAGE},{BODY}}}"#),
            format!(r#"{{"CallbackCommand":"C2C.CallbackAfterSendMsg",{MESSAGE},{BODY}}}"#),
            r#"{"CallbackCommand":"C2C.CallbackAfterMsgReport","Report_Account":"bob-42","Peer_Account":"alice_7","LastReadTime":1731400160}"#.to_owned(),
            r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42","MsgKey":"1_2_3"}"#.to_owned(),
            format!(r#"{{"CallbackCommand":"C2C.CallbackAfterModifyMsg","Operator_Account":"alice_7",{MESSAGE},{BODY}}}"#),
            r#"{"CallbackCommand":"C2C.CallbackAfterMsgReadReceipt","Operator_Account":"bob-42","Peer_Account":"alice_7","C2CMsgInfo":[{"From_Account":"alice_7","To_Account":"bob-42","MsgKey":"1_2_3"}]}"#.to_owned(),
            r#"{"CallbackCommand":"C2C.CallbackAfterMsgReadAll","Report_Account":"bob-42"}"#.to_owned(),
            r#"{"CallbackCommand":"State.StateChange","Info":{"Action":"Login","To_Account":"bob-42"}}"#.to_owned(),
        ]
    }

    #[test]
    fn every_callback_has_a_type_that_loses_nothing() {
        let rest = r#","EventTime":1731400123611,"UnreadMsgNum":4,"SendMsgResult":0,"ErrorInfo":"send msg succeed","MsgId":"1-2-3","OnlineOnlyFlag":0,"CloudCustomData":"{}","Tomorrow":{"a":[1,null]}}"#;
        let longest = shortest().into_iter().map(|body| body.strip_suffix('}').expect("an object").to_owned() + rest);
        for body in shortest().into_iter().chain(longest) {
            let event = read(&body).expect(&body);
            assert!(!matches!(event, Event::Unknown(_)), "{body}");
            let expected: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(serde_json::to_value(&event).expect("JSON"), expected);
        }
    }

    #[test]
    fn what_is_told_is_read() {
        let body = r#"{"CallbackCommand":"C2C.CallbackAfterMsgWithDraw","From_Account":"alice_7","To_Account":"bob-42","MsgKey":"1_2_3","UnreadMsgNum":4,"EventTime":"1731400198305","Operator_Account":"admin"}"#;
        let Ok(Event::AfterMsgWithDraw(recall)) = read(body) else { panic!("a recall") };
        assert_eq!((recall.from.as_str(), recall.to.as_str(), recall.key.as_str()), ("alice_7", "bob-42", "1_2_3"));
        assert_eq!((recall.unread, recall.event_time_ms), (Some(4), Some(1_731_400_198_305)));
        assert_eq!(recall.other, Map::from_iter([("Operator_Account".to_owned(), "admin".into())]));
        let body = format!(r#"{{"CallbackCommand":"C2C.CallbackBeforeSendMsg",{MESSAGE},{BODY},"New":1}}"#);
        let Ok(Event::BeforeSendMsg(question)) = read(&body) else { panic!("a question") };
        assert_eq!(question.message.body[0].content["Text"], "lunch at noon?");
        assert_eq!(question.other, Map::from_iter([("New".to_owned(), 1.into())]));
    }

    #[test]
    fn a_callback_without_a_type_is_kept_whole() {
        let body = r#"{"CallbackCommand":"C2C.CallbackAfterC2CMsgExtension","Seq":7}"#;
        let event = read(body).expect("an object");
        assert!(matches!(&event, Event::Unknown(other) if other["Seq"] == 7), "{event:?}");
        assert_eq!(serde_json::to_string(&event).expect("JSON"), body);
    }

    #[test]
    fn a_body_without_what_it_must_have_is_rejected() {
        for (from, to, expected) in [
            (r#""MsgKey":"1_2_3""#, r#""a":1"#, "missing field `MsgKey`"),
            (r#""From_Account":"alice_7""#, r#""From_Account":7"#, "invalid type: integer `7`, expected a string"),
            (r#""To_Account""#, r#""EventTime":[],"To_Account""#, "a time or count is not a whole number"),
        ] {
            let body = shortest()[3].replacen(from, to, 1);
            let Err(Rejection::Body { reason }) = read(&body) else { panic!("{body}") };
            assert_eq!(reason, expected);
        }
    }
}
